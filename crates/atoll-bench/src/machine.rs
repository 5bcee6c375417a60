//! The machine that a report was made on.

use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::error::BenchError;

/// What a reader needs to place the figures.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    /// The processor's model name.
    pub(crate) cpu: String,
    /// Processors that this process may use.
    pub(crate) cores: usize,
    /// Kernel name and release.
    pub(crate) kernel: String,
    /// Memory of the machine, in bytes.
    pub(crate) memory_bytes: u64,
}

/// Reads the machine's description from `/proc`.
pub(crate) fn describe() -> Result<Machine, BenchError> {
    let cpuinfo = read("/proc/cpuinfo")?;
    let meminfo = read("/proc/meminfo")?;
    let uname = rustix::system::uname();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(Machine {
        cpu: field(&cpuinfo, "model name").unwrap_or("unknown").to_owned(),
        cores,
        kernel: format!("{} {}", uname.sysname().to_string_lossy(), uname.release().to_string_lossy()),
        memory_bytes: field(&meminfo, "MemTotal").and_then(kibibytes).unwrap_or(0),
    })
}

fn read(path: &str) -> Result<String, BenchError> {
    fs::read_to_string(path).map_err(|source| BenchError::File { path: Path::new(path).to_owned(), source })
}

/// The processors that this process may use, by number, in ascending order.
pub(crate) fn processors() -> Result<Vec<usize>, BenchError> {
    let status = read("/proc/self/status")?;
    Ok(field(&status, "Cpus_allowed_list").and_then(ranges).unwrap_or_default())
}

/// The numbers of a list such as `0-3,8`.
fn ranges(list: &str) -> Option<Vec<usize>> {
    let mut numbers = Vec::new();
    for range in list.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        numbers.extend(first.trim().parse::<usize>().ok()?..=last.trim().parse().ok()?);
    }
    Some(numbers)
}

/// The value of the first line `name : value`.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

/// Bytes of a value such as `24065712 kB`.
pub(crate) fn kibibytes(value: &str) -> Option<u64> {
    value.strip_suffix("kB")?.trim().parse::<u64>().ok().map(|count| count * 1024)
}

#[cfg(test)]
mod tests {
    use super::{field, kibibytes, ranges};

    #[test]
    fn fields_of_proc_files_are_found_by_their_whole_name() {
        let text = "MemTotalish:  1 kB\nMemTotal:       24065712 kB\nmodel name\t: Some CPU @ 2.5: fast\n";
        assert_eq!(field(text, "MemTotal").and_then(kibibytes), Some(24_065_712 * 1024));
        assert_eq!(field(text, "model name"), Some("Some CPU @ 2.5: fast"));
        assert_eq!(field(text, "absent"), None);
        assert_eq!(kibibytes("12 MB"), None);
    }

    #[test]
    fn processors_are_listed_in_ranges() {
        assert_eq!(ranges("0-3,8"), Some(vec![0, 1, 2, 3, 8]));
        assert_eq!(ranges("5"), Some(vec![5]));
        assert_eq!(ranges("0-x"), None);
    }
}
