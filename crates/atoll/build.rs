//! Has the binary linked with its relocations in the compact form (`DT_RELR`). V8's tables of pointers make 73,000 of them,
//! 1.8 MB in the usual form, all of which are read at every start: a sixth of the time until the first answer.

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script by environment what it builds for")]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |name: &str| std::env::var(name).unwrap_or_default();
    if target("CARGO_CFG_TARGET_OS") == "linux" && target("CARGO_CFG_TARGET_ENV") == "gnu" {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
