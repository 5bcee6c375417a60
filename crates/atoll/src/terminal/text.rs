//! Numbers and times as people read them.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `0.4 ms`, `38 ms`, `1.2 s`, `2 min 5 s`.
pub(crate) fn duration(elapsed: Duration) -> String {
    let ms = elapsed.as_secs_f64() * 1000.0;
    match ms {
        ..9.95 => format!("{ms:.1} ms"),
        ..999.5 => format!("{ms:.0} ms"),
        ..59_950.0 => format!("{:.1} s", ms / 1000.0),
        _ => {
            let seconds = (ms / 1000.0).round() as u64;
            format!("{} min {} s", seconds / 60, seconds % 60)
        }
    }
}

/// `812 B`, `3.4 MB`: powers of a thousand, as networks count.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1000.0;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        unit = larger;
    }
    if value < 9.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// `1 package`, `2 packages`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// The present moment in UTC, as RFC 3339 has it, to the millisecond.
pub(crate) fn timestamp() -> String {
    rfc3339(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn rfc3339(since_epoch: Duration) -> String {
    let seconds = since_epoch.as_secs();
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", since_epoch.subsec_millis())
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
fn date(days: u64) -> (u64, u64, u64) {
    // Years that begin on March 1st end with the leap day, so that months have a regular pattern: 153 days for five.
    const DAYS_TO_EPOCH: u64 = 719_468; // from 0000-03-01
    let days = days + DAYS_TO_EPOCH;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// Marks a line as a guest's.
const GUEST_MARK: char = '|';

/// The end of all colours and of other renditions, concealment among them.
const PLAIN: &str = "\x1b[0m";

/// Characters that are no controls to Unicode and yet change how what is behind them looks: they end lines for some readers,
/// or turn the direction of the text.
fn is_deceptive(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Text of a guest as lines of a log, each of which begins with `prefix` and a mark: whatever a guest writes, no line of
/// it looks like one that the server writes.
pub(crate) fn guest_lines(prefix: &str, text: &str) -> String {
    let clean = without_controls(text);
    let mut lines = String::with_capacity(clean.len() + prefix.len() + 8);
    for line in clean.split('\n') {
        lines.push_str(prefix);
        lines.push(GUEST_MARK);
        if !line.is_empty() {
            lines.push(' ');
            push_plain(&mut lines, line);
        }
        lines.push('\n');
    }
    lines
}

/// Text of a guest behind something that the server says: message and stack. Lines of the stack stay indented as they are;
/// others that are not the first are marked.
pub(crate) fn guest_text(text: &str) -> String {
    let clean = without_controls(text);
    let mut lines = String::with_capacity(clean.len() + 8);
    for (number, line) in clean.split('\n').enumerate() {
        if number > 0 {
            lines.push('\n');
            if !line.starts_with("  ") {
                lines.push(GUEST_MARK);
                lines.push(' ');
            }
        }
        push_plain(&mut lines, line);
    }
    lines
}

/// A line, and the end of its colours.
fn push_plain(text: &mut String, line: &str) {
    text.push_str(line);
    if line.contains('\x1b') {
        text.push_str(PLAIN);
    }
}

/// A name, or what a client asked for, on one line.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    if text.chars().any(|character| character.is_control() || is_deceptive(character)) {
        Cow::Owned(without_controls(text).replace(['\n', '\x1b'], "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// A value as a line of JSON in which every character that is not plain text is escaped: JSON itself leaves some as they are
/// that terminals obey, or that end a line for some readers.
pub(crate) fn json_line(value: &serde_json::Value) -> String {
    let line = value.to_string();
    let is_odd = |character: char| character.is_control() || is_deceptive(character);
    if !line.contains(is_odd) {
        return line;
    }
    let mut escaped = String::with_capacity(line.len() + 16);
    for character in line.chars() {
        if is_odd(character) {
            // They are all of the first plane, and only strings contain them. Writing to a string can't fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Text of a guest, made harmless for a terminal: colours pass, other control sequences become visible. A guest can't
/// move the cursor over other lines of a log, rename the window or write to the clipboard.
pub(crate) fn without_controls(text: &str) -> String {
    let is_odd =
        |character: char| character.is_control() && !matches!(character, '\n' | '\t') || is_deceptive(character);
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(is_odd) {
        clean.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(length) = colour_sequence(rest) {
            clean.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        let mut characters = rest.chars();
        match characters.next() {
            // A carriage return before a line feed is a line's end.
            Some('\r') if rest.starts_with("\r\n") => {}
            Some(control @ '\0'..'\x20') => clean.extend(char::from_u32(0x2400 + u32::from(control))),
            Some('\x7f') => clean.push('\u{2421}'),
            _ => clean.push(char::REPLACEMENT_CHARACTER),
        }
        rest = characters.as_str();
    }
    clean.push_str(rest);
    clean
}

/// Bytes of the "select graphic rendition" sequence that the text begins with (ECMA-48, section 8.3.117).
fn colour_sequence(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\x1b[")?;
    let end = parameters.find(|character: char| !character.is_ascii_digit() && !matches!(character, ';' | ':'))?;
    parameters[end..].starts_with('m').then_some("\x1b[".len() + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (ms, text) in [
            (0.04, "0.0 ms"),
            (3.44, "3.4 ms"),
            (9.96, "10 ms"),
            (999.0, "999 ms"),
            (999.9, "1.0 s"),
            (59_949.0, "59.9 s"),
            (59_951.0, "1 min 0 s"),
            (125_000.0, "2 min 5 s"),
        ] {
            assert_eq!(duration(Duration::from_secs_f64(ms / 1000.0)), text);
        }
    }

    #[test]
    fn sizes() {
        for (count, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (9_960, "10 kB"),
            (999_600, "1.0 MB"),
            (3_400_000, "3.4 MB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn dates() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (951_868_800, "2000-03-01T00:00:00.000Z"),
            (1_709_164_800, "2024-02-29T00:00:00.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
            (1_767_225_599, "2025-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(rfc3339(Duration::from_secs(seconds)), text);
        }
        assert_eq!(rfc3339(Duration::from_millis(86_399_007)), "1970-01-01T23:59:59.007Z");
    }

    #[test]
    fn every_line_of_a_guest_is_marked() {
        for (text, lines) in [
            ("one", "| one\n"),
            ("", "|\n"),
            ("one\n\ntwo\r\nthree\rfour", "| one\n|\n| two\n| three\u{240d}four\n"),
            ("\x1b[8mhidden\nshown", "| \x1b[8mhidden\x1b[0m\n| shown\n"),
        ] {
            assert_eq!(guest_lines("", text), lines);
        }
        assert_eq!(guest_lines("app ", "a\nb"), "app | a\napp | b\n");
        assert_eq!(guest_text("Error: a\nb\n    at c\nd"), "Error: a\n| b\n    at c\n| d");
        assert_eq!(one_line("/a?b=ä"), "/a?b=ä");
        assert_eq!(one_line("a\nb\u{9b}1m\x1b[1mc"), "a\u{fffd}b\u{fffd}1m\u{fffd}[1mc");
    }

    #[test]
    fn a_line_of_json_is_one_line_for_everyone() {
        let text = "a\n\r\u{85}\u{2028}\u{9b}\x7f\x1b\u{202e}ä\u{1f600}";
        let value = serde_json::json!({ "text": text });
        let line = json_line(&value);
        assert!(line.chars().all(|character| !character.is_control() && !is_deceptive(character)), "{line}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).ok(), Some(value));
    }

    #[test]
    fn controls_become_visible_and_colours_pass() {
        for (text, clean) in [
            ("plain ü\n\ttext", "plain ü\n\ttext"),
            ("\x1b[31;1mred\x1b[0m", "\x1b[31;1mred\x1b[0m"),
            ("\x1b[2Aup", "\u{241b}[2Aup"),
            ("\x1b]52;c;eA==\x07", "\u{241b}]52;c;eA==\u{2407}"),
            ("\x1b[31", "\u{241b}[31"),
            ("a\r\nb\rc", "a\nb\u{240d}c"),
            ("\x7f\u{9b}31m", "\u{2421}\u{fffd}31m"),
            ("a\u{2028}b\u{202e}c\u{2066}d\u{85}e", "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}e"),
        ] {
            assert_eq!(without_controls(text), clean);
        }
    }
}
