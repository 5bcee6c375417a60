//! What differs from run to run, replaced by what it is: `[TIME]`, `[PORT]`, `[DIR]` ….

/// The text with everything replaced that another run would print otherwise.
pub(crate) fn normalize(text: &str, directories: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (path, name) in directories {
        text = text.replace(path, name);
    }
    text.lines().flat_map(|line| [line_without_variance(line), "\n".to_owned()]).collect()
}

fn line_without_variance(line: &str) -> String {
    let line = without_timestamp(line);
    let words: Vec<&str> = line.split(' ').collect();
    let mut normal: Vec<String> = Vec::with_capacity(words.len());
    for word in words {
        let unit = word.trim_end_matches([',', ')', ';', ':']);
        let is_time = matches!(unit, "ms" | "s");
        let is_size = matches!(unit, "B" | "kB" | "MB");
        let number = normal.last().and_then(|last| split_number(last));
        match number {
            Some(before) if is_time || is_size => {
                let tail = &word[unit.len()..];
                let name = if is_time { "[TIME]" } else { "[SIZE]" };
                let replaced = format!("{before}{name}{tail}");
                normal.pop();
                normal.push(replaced);
            }
            _ => normal.push(without_port(&without_digest(word))),
        }
    }
    normal.join(" ")
}

/// What comes before a number, when the word is one, perhaps behind an opening bracket.
fn split_number(word: &str) -> Option<&str> {
    let digits = word.trim_start_matches('(');
    digits.parse::<f64>().is_ok().then(|| &word[..word.len() - digits.len()])
}

fn without_timestamp(line: &str) -> String {
    let is_timestamp = |text: &str| text.len() == 24 && text.ends_with('Z') && text.as_bytes()[10] == b'T';
    match line.split_once(' ') {
        Some((first, rest)) if is_timestamp(first) => format!("[NOW] {rest}"),
        _ => line.to_owned(),
    }
}

fn without_digest(word: &str) -> String {
    match word.find("sha512-") {
        Some(at) => {
            let end = word[at..].find("==").map_or(word.len(), |length| at + length + 2);
            format!("{}sha512-[DIGEST]{}", &word[..at], &word[end..])
        }
        None => word.to_owned(),
    }
}

fn without_port(word: &str) -> String {
    for host in ["127.0.0.1:", "localhost:"] {
        if let Some(at) = word.find(host) {
            let digits = &word[at + host.len()..];
            let rest = digits.trim_start_matches(|character: char| character.is_ascii_digit());
            if rest.len() < digits.len() {
                return format!("{}{host}[PORT]{rest}", &word[..at]);
            }
        }
    }
    word.to_owned()
}

#[test]
fn only_what_varies_is_replaced() {
    let text = "2026-11-21T10:49:09.584Z 200 GET / 11 ms\nready in 1.5 s, 2 downloaded, 3.4 kB (4.0 ms)\n\
                http://127.0.0.1:4321/a 3 s's sha512-abc+/==, x\n/tmp/x/app/a.js";
    assert_eq!(
        normalize(text, &[("/tmp/x", "[DIR]")]),
        "[NOW] 200 GET / [TIME]\nready in [TIME], 2 downloaded, [SIZE] ([TIME])\n\
         http://127.0.0.1:[PORT]/a 3 s's sha512-[DIGEST], x\n[DIR]/app/a.js\n"
    );
}
