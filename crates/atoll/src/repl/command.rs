//! What is for the session and not for the guest: lines that begin with a dot and a letter.

/// What can be asked for, and how `.help` describes it.
pub(super) const COMMANDS: [(&str, &str); 4] = [
    (".break", "Forget what was begun and is not complete"),
    (".exit", "End the session, as Ctrl-D does"),
    (".help", "Show this"),
    (".load", "Evaluate a file of the sandbox: .load FILE"),
];

/// What was typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    Break,
    Exit,
    Help,
    Load(&'a str),
    Unknown(&'a str),
}

impl<'a> Command<'a> {
    /// `None` for code.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let is_command = text.strip_prefix('.')?.starts_with(|first: char| first.is_ascii_alphabetic());
        if !is_command || text.contains('\n') {
            return None;
        }
        let (name, argument) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        Some(match name {
            ".break" => Self::Break,
            ".exit" => Self::Exit,
            ".help" => Self::Help,
            ".load" => Self::Load(argument.trim()),
            _ => Self::Unknown(name),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{COMMANDS, Command};

    #[test]
    fn commands_begin_with_a_dot_and_a_letter() {
        assert_eq!(Command::parse(" .exit "), Some(Command::Exit));
        assert_eq!(Command::parse(".load  a b.js "), Some(Command::Load("a b.js")));
        assert_eq!(Command::parse(".nope"), Some(Command::Unknown(".nope")));
        for code in [".5", "..", "a.exit", "...x", "", ".map(x)\n.filter(y)"] {
            assert_eq!(Command::parse(code), None, "{code}");
        }
        for (name, _) in COMMANDS {
            assert!(!matches!(Command::parse(name), None | Some(Command::Unknown(_))), "{name}");
        }
    }
}
