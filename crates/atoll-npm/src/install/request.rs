//! What to add to `package.json`, as a user writes it: `name`, `name@range`, `@scope/name@tag`.

use crate::{
    install::{InstallError, edit},
    manifest::{Manifest, is_valid_name},
    version::Version,
};

/// One package to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// The name it gets in `node_modules`.
    pub(super) name: String,
    /// What was asked for; `latest` when nothing was.
    pub(super) wanted: String,
}

impl Request {
    pub(super) fn parse(text: &str) -> Result<Self, InstallError> {
        // A scope's @ is not the one before a range.
        let at = text.char_indices().skip(1).find(|(_, character)| *character == '@').map(|(at, _)| at);
        let (name, wanted) = at.map_or((text, "latest"), |at| (&text[..at], &text[at + 1..]));
        if !is_valid_name(name) || wanted.is_empty() {
            return Err(InstallError::BadRequest { text: text.to_owned() });
        }
        Ok(Self { name: name.to_owned(), wanted: wanted.to_owned() })
    }

    /// What `package.json` should say: a range is kept, a tag or an exact version becomes a range from there on.
    pub(super) fn saved(&self, version: &str) -> String {
        if is_version_or_tag(&self.wanted) { format!("^{version}") } else { self.wanted.clone() }
    }
}

fn is_version_or_tag(wanted: &str) -> bool {
    if Version::parse(wanted).is_some() {
        return true;
    }
    let is_tag_character = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    let mut characters = wanted.chars();
    let first = characters.next();
    let is_word = first.is_some_and(|first| first.is_ascii_alphabetic()) && wanted.chars().all(is_tag_character);
    let is_wildcard = matches!(first, Some('x' | 'X')) && matches!(characters.next(), None | Some('.'));
    let is_v_range = first == Some('v') && wanted[1..].starts_with(|character: char| character.is_ascii_digit());
    is_word && !is_wildcard && !is_v_range
}

/// The section where a dependency belongs: where it is, unless development is asked for.
pub(super) fn section(manifest: &Manifest, name: &str, save_dev: bool) -> &'static str {
    match () {
        () if save_dev => "devDependencies",
        () if manifest.dependencies.contains_key(name) => "dependencies",
        () if manifest.dev_dependencies.contains_key(name) => "devDependencies",
        () if manifest.optional_dependencies.contains_key(name) => "optionalDependencies",
        () => "dependencies",
    }
}

/// Writes a dependency into its section and out of the others.
pub(super) fn write(text: &str, section: &str, name: &str, wanted: &str) -> String {
    let mut text = edit::set_dependency(text, section, name, wanted);
    for other in ["dependencies", "devDependencies", "optionalDependencies"] {
        if other != section {
            text = edit::remove_dependency(&text, other, name);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        let parse = |text: &str| Request::parse(text).map(|request| (request.name, request.wanted)).ok();
        let pair = |name: &str, wanted: &str| Some((name.to_owned(), wanted.to_owned()));
        assert_eq!(parse("hono"), pair("hono", "latest"));
        assert_eq!(parse("zod@^4"), pair("zod", "^4"));
        assert_eq!(parse("@types/node"), pair("@types/node", "latest"));
        assert_eq!(parse("@types/node@22"), pair("@types/node", "22"));
        assert_eq!(parse("a@npm:@s/b@1"), pair("a", "npm:@s/b@1"));
        for bad in ["", "@", "a@", "../a", "a b", "@s", "https://x/y.tgz"] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn what_is_saved() {
        let saved = |wanted: &str| Request { name: "a".to_owned(), wanted: wanted.to_owned() }.saved("4.2.1");
        for wanted in ["latest", "next", "4.2.1", "rc-1"] {
            assert_eq!(saved(wanted), "^4.2.1", "{wanted}");
        }
        for wanted in ["^4", "~4.2", "4", "4.x", "x", "*", ">=4 <5", "npm:b@4", "v4"] {
            assert_eq!(saved(wanted), wanted);
        }
    }
}
