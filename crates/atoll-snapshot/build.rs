//! Evaluates the platform's JavaScript and writes the heap that results to `OUT_DIR/startup.bin`, and its text to
//! `OUT_DIR/builtins.js`.

#[path = "src/platform.rs"]
mod platform;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let built = atoll_engine::build_snapshot(&platform::builtins(), include_str!("src/rehearsal.js"))?;
    #[expect(clippy::disallowed_methods, reason = "cargo tells a build script by environment where to write")]
    let target = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    for (name, content) in [("startup.bin", &built.blob[..]), ("builtins.js", built.script.as_str().as_bytes())] {
        #[expect(clippy::disallowed_methods, reason = "a build script writes files")]
        std::fs::write(target.join(name), content)?;
    }
    Ok(())
}
