//! Which part of a line is to be completed.

/// What stands before the cursor.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted<'a> {
    /// The identifiers before the last dot.
    pub(super) path: Vec<&'a str>,
    /// What of the name is there already.
    pub(super) prefix: &'a str,
    /// Where that begins, in bytes.
    pub(super) start: usize,
}

/// What can be completed at the end of `text`: a path of identifiers, with `.` or `?.` between them. What other expressions
/// give is not known without running them.
pub(super) fn wanted(text: &str) -> Option<Wanted<'_>> {
    let start = text.len() - identifier_at_end(text).len();
    let prefix = &text[start..];
    let mut path = Vec::new();
    let mut rest = &text[..start];
    while let Some(before) = rest.strip_suffix('.') {
        let before = before.strip_suffix('?').unwrap_or(before);
        let name = identifier_at_end(before);
        if !is_identifier(name) {
            return None;
        }
        path.insert(0, name);
        rest = &before[..before.len() - name.len()];
    }
    // A number is no name, and what a quote has opened is a string.
    let is_name = prefix.is_empty() || is_identifier(prefix);
    let is_open = !rest.ends_with(['\'', '"', '`', '#']);
    let is_something = !path.is_empty() || !prefix.is_empty();
    (is_name && is_open && is_something).then_some(Wanted { path, prefix, start })
}

fn is_part(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$')
}

fn identifier_at_end(text: &str) -> &str {
    let start = text.char_indices().rev().take_while(|(_, character)| is_part(*character)).last();
    start.map_or("", |(at, _)| &text[at..])
}

/// Whether a name can be typed as it is, behind a dot for instance.
pub(super) fn is_identifier(name: &str) -> bool {
    name.chars().all(is_part) && name.chars().next().is_some_and(|first| !first.is_numeric())
}

#[cfg(test)]
mod tests {
    use super::{Wanted, wanted};

    #[test]
    fn paths_before_the_cursor() {
        let found = |text: &'static str| wanted(text).map(|Wanted { path, prefix, start }| (path, prefix, start));
        assert_eq!(found("con"), Some((vec![], "con", 0)));
        assert_eq!(found("x = process.en"), Some((vec!["process"], "en", 12)));
        assert_eq!(found("f(a?.b.c"), Some((vec!["a", "b"], "c", 7)));
        assert_eq!(found("größe."), Some((vec!["größe"], "", 8)));
        assert_eq!(found("[...na"), None);
        for none in ["", " ", "f().a", "a[0].b", "'a.b'.c", "'abc", "1.to", "12", ".5", "f("] {
            assert_eq!(found(none), None, "{none}");
        }
    }
}
