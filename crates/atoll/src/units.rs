//! Times and sizes as people type them.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Memory that `--memory` takes, MiB: what both kinds of memory admit.
const MEMORY_MIB: RangeInclusive<u64> = 16..=65_536;

/// `30s`, `2m`, `1500ms`; a number alone is of milliseconds.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    if let Ok(milliseconds) = text.parse() {
        return Ok(Duration::from_millis(milliseconds));
    }
    humantime::parse_duration(text).map_err(|_| "write a time as in 30s, 2m or 1500ms".to_owned())
}

/// `256M`, `256MiB`, `2G`, `2GiB`; a number alone is of MiB.
pub(crate) fn memory(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|character: char| !character.is_ascii_digit());
    let factor = match &text[digits.len()..] {
        "" | "M" | "MB" | "MiB" => 1,
        "G" | "GB" | "GiB" => 1024,
        _ => 0,
    };
    let mebibytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    mebibytes.filter(|mebibytes| MEMORY_MIB.contains(mebibytes)).ok_or_else(|| {
        format!("write a size from {}M to {}G, as in 256M or 2G", MEMORY_MIB.start(), MEMORY_MIB.end() / 1024)
    })
}

/// `2G`, `500M`, `500MB`, `512MiB`; a number alone is of bytes. In bytes: powers of 1000 unless an `i` says 1024, as sizes
/// are printed.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|character: char| !character.is_ascii_digit());
    let factor = match &text[digits.len()..] {
        "" | "B" => Some(1),
        "k" | "K" | "kB" | "KB" => Some(1000),
        "M" | "MB" => Some(1000_u64.pow(2)),
        "G" | "GB" => Some(1000_u64.pow(3)),
        "T" | "TB" => Some(1000_u64.pow(4)),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        "TiB" => Some(1 << 40),
        _ => None,
    };
    let number = digits.parse::<u64>().ok();
    let bytes = number.zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    bytes.ok_or_else(|| "write a size as in 500M or 2G".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{memory, size, time};
    use std::time::Duration;

    #[test]
    fn times() {
        let millis = |text: &str| time(text).map(|time| time.as_millis());
        assert_eq!(time("30s"), Ok(Duration::from_secs(30)));
        assert_eq!([millis("1500ms"), millis("250"), millis("1m 30s")], [Ok(1500), Ok(250), Ok(90_000)]);
        for text in ["", "s", "-1s", "1 parsec", "1e3"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_in_bytes() {
        for (text, bytes) in
            [("0", 0), ("17", 17), ("1k", 1000), ("500M", 500_000_000), ("2GiB", 2 << 30), ("1TB", 1_000_000_000_000)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "G", "1.5G", "-1", "1 G", "1P", "20000000T", "1g"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for text in ["64", "64M", "64MB", "64MiB"] {
            assert_eq!(memory(text), Ok(64), "{text}");
        }
        assert_eq!([memory("2G"), memory("2GiB"), memory("64G")], [Ok(2048), Ok(2048), Ok(65_536)]);
        for text in ["", "M", "15M", "65G", "64K", "1.5G", "-64M", "64 M", "18446744073709551615G", "\u{b2}M"] {
            assert!(memory(text).is_err(), "{text}");
        }
    }
}
