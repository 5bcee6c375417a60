//! Changes `package.json` without touching anything else in it: not its indentation, its order, its line endings.

use std::ops::Range;

/// Sets `section[name] = value` in the text of a JSON object that has been parsed successfully before. A new entry takes
/// its alphabetical place where the section is sorted, else the end; a new section goes to the end of the file.
pub(crate) fn set_dependency(text: &str, section: &str, name: &str, value: &str) -> String {
    let Some(root) = object_at(text, text.find('{').unwrap_or(text.len())) else { return text.to_owned() };
    let (name, value) = (quoted(name), quoted(value));
    // Of several members with the same key the last one counts, as in every JSON parser.
    let Some(member) = root.members.iter().rev().find(|member| text[member.key.clone()] == quoted(section)) else {
        let inner_indent = format!("{0}{0}", root.indent(text));
        let newline = newline(text);
        let outer = root.indent(text);
        let object = if newline.is_empty() {
            format!("{{{name}: {value}}}")
        } else {
            format!("{{{newline}{inner_indent}{name}: {value}{newline}{outer}}}")
        };
        return root.insert(text, root.members.len(), &quoted(section), &object);
    };
    let Some(object) = object_at(text, member.value.start) else { return text.to_owned() };
    if let Some(present) = object.members.iter().rev().find(|member| text[member.key.clone()] == name) {
        return splice(text, present.value.clone(), &value);
    }
    let keys: Vec<&str> = object.members.iter().map(|member| &text[member.key.clone()]).collect();
    let place = if keys.is_sorted() { keys.partition_point(|key| *key < name.as_str()) } else { keys.len() };
    if object.members.is_empty() {
        let newline = newline(text);
        let outer = root.indent(text);
        let filled = if newline.is_empty() {
            format!("{{{name}: {value}}}")
        } else {
            format!("{{{newline}{outer}{outer}{name}: {value}{newline}{outer}}}")
        };
        return splice(text, object.span, &filled);
    }
    object.insert(text, place, &name, &value)
}

/// Removes `section[name]`, if it is there.
pub(crate) fn remove_dependency(text: &str, section: &str, name: &str) -> String {
    let Some(root) = object_at(text, text.find('{').unwrap_or(text.len())) else { return text.to_owned() };
    let section = root.members.iter().rev().find(|member| text[member.key.clone()] == quoted(section));
    let Some(object) = section.and_then(|member| object_at(text, member.value.start)) else { return text.to_owned() };
    let Some(index) = object.members.iter().position(|member| text[member.key.clone()] == quoted(name)) else {
        return text.to_owned();
    };
    let member = &object.members[index];
    let range = match (object.members.get(index + 1), index.checked_sub(1)) {
        // From this key to the next one: the white space before the next stays where this one's was.
        (Some(next), _) => member.key.start..next.key.start,
        (None, Some(previous)) => object.members[previous].value.end..member.value.end,
        (None, None) => object.span.start + 1..object.span.end - 1,
    };
    splice(text, range, "")
}

/// An object's place in a text, with its members'.
struct Object {
    /// From `{` to behind `}`.
    span: Range<usize>,
    members: Vec<Member>,
}

struct Member {
    /// With its quotes.
    key: Range<usize>,
    value: Range<usize>,
}

impl Object {
    /// White space before the first key, without the line break: one level of indentation, for the outermost object.
    fn indent<'a>(&self, text: &'a str) -> &'a str {
        let Some(first) = self.members.first() else { return "  " };
        let before = &text[self.span.start + 1..first.key.start];
        before.rfind('\n').map_or("", |line_end| &before[line_end + 1..])
    }

    /// The text with a new member before the one at `place`, spaced as its neighbours are.
    fn insert(&self, text: &str, place: usize, key: &str, value: &str) -> String {
        let Some(first) = self.members.first() else {
            return splice(text, self.span.clone(), &format!("{{{key}: {value}}}"));
        };
        let lead = &text[self.span.start + 1..first.key.start];
        let colon = &text[first.key.end..first.value.start];
        if let Some(next) = self.members.get(place) {
            return splice(text, next.key.start..next.key.start, &format!("{key}{colon}{value},{lead}"));
        }
        let end = self.members[self.members.len() - 1].value.end;
        let lead = if lead.is_empty() { " " } else { lead };
        splice(text, end..end, &format!(",{lead}{key}{colon}{value}"))
    }
}

/// The line break that the text uses; empty for a text of a single line.
fn newline(text: &str) -> &'static str {
    match text.trim_end().find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        Some(_) => "\n",
        None => "",
    }
}

fn splice(text: &str, range: Range<usize>, replacement: &str) -> String {
    format!("{}{replacement}{}", &text[..range.start], &text[range.end..])
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Finds the members of the object that starts at `start`. `None` when there is no object.
fn object_at(text: &str, start: usize) -> Option<Object> {
    let bytes = text.as_bytes();
    if bytes.get(start) != Some(&b'{') {
        return None;
    }
    let mut members = Vec::new();
    let mut at = skip_space(bytes, start + 1);
    while bytes.get(at) == Some(&b'"') {
        let key = at..skip_value(bytes, at)?;
        let colon = skip_space(bytes, key.end);
        if bytes.get(colon) != Some(&b':') {
            return None;
        }
        let value_start = skip_space(bytes, colon + 1);
        let value = value_start..skip_value(bytes, value_start)?;
        at = skip_space(bytes, value.end);
        members.push(Member { key, value });
        if bytes.get(at) == Some(&b',') {
            at = skip_space(bytes, at + 1);
        }
    }
    (bytes.get(at) == Some(&b'}')).then(|| Object { span: start..at + 1, members })
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// The position behind the value that starts at `at`.
fn skip_value(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match bytes.get(at)? {
            b'"' => {
                at += 1;
                while *bytes.get(at)? != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            byte if depth == 0 => {
                let is_end = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b'}' | b']');
                if is_end(*byte) {
                    return None;
                }
                // A number, `true`, `false` or `null`.
                while bytes.get(at).is_some_and(|byte| !is_end(*byte)) {
                    at += 1;
                }
                return Some(at);
            }
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "{\n\t\"name\": \"x\",\n\t\"files\": [\"a\", \"b\"],\n\t\"dependencies\": {\n\t\t\"a\": \"^1\",\n\t\t\"c\": \"^3\"\n\t}\n}\n";

    #[test]
    fn an_entry_takes_its_place() {
        let added = set_dependency(FILE, "dependencies", "b", "^2.0.0");
        assert_eq!(added, FILE.replace("\t\t\"c\"", "\t\t\"b\": \"^2.0.0\",\n\t\t\"c\""));
        let last = set_dependency(FILE, "dependencies", "d", "^4");
        assert_eq!(last, FILE.replace("\"^3\"", "\"^3\",\n\t\t\"d\": \"^4\""));
        let changed = set_dependency(FILE, "dependencies", "a", "^9");
        assert_eq!(changed, FILE.replace("^1", "^9"));
    }

    #[test]
    fn an_unsorted_section_grows_at_its_end() {
        let file = "{\"dependencies\": {\"c\": \"1\", \"a\": \"1\"}}";
        assert_eq!(
            set_dependency(file, "dependencies", "b", "2"),
            "{\"dependencies\": {\"c\": \"1\", \"a\": \"1\", \"b\": \"2\"}}"
        );
    }

    #[test]
    fn a_section_is_made() {
        assert_eq!(
            set_dependency(FILE, "devDependencies", "t", "^5"),
            FILE.replace("\n\t}\n}\n", "\n\t},\n\t\"devDependencies\": {\n\t\t\"t\": \"^5\"\n\t}\n}\n")
        );
        assert_eq!(set_dependency("{}", "dependencies", "a", "1"), "{\"dependencies\": {\"a\": \"1\"}}");
        assert_eq!(
            set_dependency("{\n  \"dependencies\": {}\n}", "dependencies", "a", "1"),
            "{\n  \"dependencies\": {\n    \"a\": \"1\"\n  }\n}"
        );
    }

    #[test]
    fn an_entry_goes() {
        assert_eq!(remove_dependency(FILE, "dependencies", "a"), FILE.replace("\"a\": \"^1\",\n\t\t", ""));
        assert_eq!(remove_dependency(FILE, "dependencies", "c"), FILE.replace(",\n\t\t\"c\": \"^3\"", ""));
        assert_eq!(remove_dependency(FILE, "dependencies", "x"), FILE);
        assert_eq!(remove_dependency(FILE, "devDependencies", "a"), FILE);
    }

    proptest::proptest! {
        #[test]
        fn the_result_is_what_was_asked_for(names in proptest::collection::vec("[a-e\"\\\\é{}:,]{1,3}", 0..6),
                                            name in "[a-e\"\\\\é{}]{1,3}", pretty: bool) {
            let section: serde_json::Map<String, serde_json::Value> =
                names.iter().map(|name| (name.clone(), "1".into())).collect();
            let file = serde_json::json!({ "first": [1, {"x": "}"}], "dependencies": section, "last": null });
            let text = if pretty { serde_json::to_string_pretty(&file) } else { serde_json::to_string(&file) }.unwrap();
            let mut expected = file;
            expected["dependencies"][&name] = "new".into();
            let edited = set_dependency(&text, "dependencies", &name, "new");
            let edited: serde_json::Value = serde_json::from_str(&edited).unwrap();
            proptest::prop_assert_eq!(edited, expected);
        }
    }
}
