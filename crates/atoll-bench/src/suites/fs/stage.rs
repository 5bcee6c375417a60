//! The directory that the scripts run in: `target/bench/fs`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::error::BenchError;
use crate::npm;
use crate::systems::Repository;

/// Entries of the directory that is listed.
const ENTRIES: usize = 1000;
/// Files that require each other.
const REQUIRED: usize = 100;
/// Directories that the tree has to have, to be one of a real application.
const MIN_DIRECTORIES: usize = 900;
/// What is read in one call: name, bytes.
const WHOLE_FILES: [(&str, usize); 2] = [("1MiB", 1 << 20), ("64MiB", 64 << 20)];
/// What shows that the tree was installed.
const IN_THE_TREE: &str = "lodash-es/package.json";

/// Makes what is missing, and copies the scripts anew.
pub(super) fn stage(repository: &Repository) -> Result<(), BenchError> {
    let sources = repository.root.join("bench/fs");
    let staged = repository.work()?.join("fs");
    make_directory(&staged)?;
    for entry in fs::read_dir(&sources).map_err(failed(&sources))? {
        let path = entry?.path();
        if path.is_file() {
            copy_if_changed(&path, &staged.join(path.file_name().unwrap_or_default()))?;
        }
    }
    npm::ensure(&staged, &[IN_THE_TREE])?;
    let directories = count_directories(&staged.join("node_modules"))?;
    if directories < MIN_DIRECTORIES {
        return Err(BenchError::Void(format!("the tree has {directories} directories, not {MIN_DIRECTORIES}")));
    }

    let large = staged.join("large");
    make_directory(&large.join("entries"))?;
    for number in 0..ENTRIES {
        write(&large.join(format!("entries/entry-{number}")), b"")?;
    }
    for (name, bytes) in WHOLE_FILES {
        let content: Vec<u8> = (0..bytes).map(|index| (index * 31).to_le_bytes()[0]).collect();
        write(&large.join(name), &content)?;
    }
    make_directory(&staged.join("hundred"))?;
    for number in 0..REQUIRED {
        write(&staged.join(format!("hundred/{number}.cjs")), required(number).as_bytes())?;
    }
    Ok(())
}

/// A module of a binary tree of them, with some code to compile; it exports how many there are below it.
fn required(number: usize) -> String {
    let mut text = String::from("let count = 1;\n");
    for child in [2 * number + 1, 2 * number + 2].into_iter().filter(|child| *child < REQUIRED) {
        let _ = writeln!(text, "count += require('./{child}.cjs').count;");
    }
    for function in 0..20 {
        let _ = writeln!(
            text,
            "exports.work{function} = function (values) {{\n  const found = [];\n  for (const value of values) {{\n    \
             if (value % {modulus} === 0) found.push({{ value, half: value / 2, name: `number ${{value}}` }});\n  }}\n  \
             return found;\n}};",
            modulus = function + 2,
        );
    }
    text.push_str("exports.count = count;\n");
    text
}

/// Leaves `scratch` empty, whatever was left there.
pub(super) fn clear_scratch(staged: &Path) -> Result<(), BenchError> {
    let scratch = staged.join("scratch");
    // It may not be there yet; that it cannot be removed shows when it is made.
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir(&scratch).map_err(failed(&scratch))
}

fn count_directories(directory: &Path) -> Result<usize, BenchError> {
    let mut count = 0;
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        count += 1;
        for entry in fs::read_dir(&directory).map_err(failed(&directory))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                pending.push(entry.path());
            }
        }
    }
    Ok(count)
}

/// Copies a file, unless it is the same: the lockfile's age says whether the packages are current.
fn copy_if_changed(from: &Path, to: &Path) -> Result<(), BenchError> {
    let content = fs::read(from).map_err(failed(from))?;
    write(to, &content)
}

fn write(path: &Path, content: &[u8]) -> Result<(), BenchError> {
    if fs::read(path).is_ok_and(|found| found == content) {
        return Ok(());
    }
    fs::write(path, content).map_err(failed(path))
}

fn make_directory(path: &Path) -> Result<(), BenchError> {
    fs::create_dir_all(path).map_err(failed(path))
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> BenchError {
    let path = path.to_owned();
    |source| BenchError::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::{REQUIRED, required};

    #[test]
    fn every_module_is_required_once() {
        let texts: Vec<String> = (0..REQUIRED).map(required).collect();
        let all = texts.concat();
        for number in 1..REQUIRED {
            assert_eq!(all.matches(&format!("'./{number}.cjs'")).count(), 1, "{number}");
        }
        assert!(!all.contains("'./0.cjs'") && !all.contains(&format!("'./{REQUIRED}.cjs'")));
    }
}
