//! Evaluates the platform's JavaScript and writes the heap that results to `OUT_DIR/startup.bin`.

#[path = "src/platform.rs"]
mod platform;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let blob = atoll_engine::build_snapshot(&platform::builtins())?;
    #[expect(clippy::disallowed_methods, reason = "cargo tells a build script by environment where to write")]
    let target = std::path::Path::new(&std::env::var("OUT_DIR")?).join("startup.bin");
    #[expect(clippy::disallowed_methods, reason = "a build script writes files")]
    std::fs::write(target, blob)?;
    Ok(())
}
