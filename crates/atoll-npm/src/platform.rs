//! Which machine this is, in Node's words.

use std::{env::consts, fs};

use crate::lock::Platform;

/// Detects the machine that this process runs on.
///
/// The C library is the system's, not the one that this binary was linked with: native packages are loaded by programs
/// of the system.
pub fn detect() -> Platform {
    let os = match consts::OS {
        "macos" => "darwin",
        "windows" => "win32",
        other => other,
    };
    let cpu = match consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        "x86" => "ia32",
        "powerpc64" => "ppc64",
        "loongarch64" => "loong64",
        other => other,
    };
    let libc = (os == "linux").then(|| if has_only_musl() { "musl" } else { "glibc" }.to_owned());
    Platform { os: os.to_owned(), cpu: cpu.to_owned(), libc }
}

/// Whether programs are loaded by musl's loader and glibc's is missing.
fn has_only_musl() -> bool {
    let has_loader = |folders: &[&str], prefix: &str| {
        folders
            .iter()
            .filter_map(|folder| fs::read_dir(folder).ok())
            .flatten()
            .flatten()
            .any(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix)))
    };
    has_loader(&["/lib"], "ld-musl-") && !has_loader(&["/lib", "/lib64"], "ld-linux")
}
