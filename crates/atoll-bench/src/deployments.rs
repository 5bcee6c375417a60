//! The configuration of an Atoll that serves several deployments, each at a host of its own.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::BenchError;

/// A deployment: a name and the directory of its app, which may be another's too.
#[derive(Debug, Clone)]
pub(crate) struct Deployment {
    pub(crate) name: String,
    pub(crate) directory: PathBuf,
    /// What is kept apart for each request; Atoll's default where it is not given.
    pub(crate) isolation: Option<&'static str>,
}

impl Deployment {
    pub(crate) fn new(name: impl Into<String>, directory: PathBuf) -> Self {
        Self { name: name.into(), directory, isolation: None }
    }

    /// The host that it is asked for by.
    pub(crate) fn host(&self) -> String {
        format!("{}.test", self.name)
    }
}

/// Writes `atoll.toml` for a server on `port`.
pub(crate) fn write(path: &Path, port: u16, deployments: &[Deployment]) -> Result<(), BenchError> {
    fs::write(path, toml(port, deployments)).map_err(|source| BenchError::File { path: path.to_owned(), source })
}

fn toml(port: u16, deployments: &[Deployment]) -> String {
    let mut text = format!("[server]\nlisten = \"127.0.0.1:{port}\"\n");
    for deployment in deployments {
        let directory = deployment.directory.display().to_string();
        let _ = write!(
            text,
            "\n[[deployments]]\nname = {}\ndirectory = {}\nhosts = [{}]\n",
            quoted(&deployment.name),
            quoted(&directory),
            quoted(&deployment.host())
        );
        if let Some(isolation) = deployment.isolation {
            let _ = writeln!(text, "isolation = {}", quoted(isolation));
        }
    }
    text
}

/// A string of TOML: what JSON escapes, and how, TOML's basic strings do too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::{Deployment, toml};

    #[test]
    fn every_deployment_has_its_host_and_its_directory() {
        let isolated = Deployment { isolation: Some("isolate"), ..Deployment::new("d1", "/a \"b\"\\c".into()) };
        let expected = r#"[server]
listen = "127.0.0.1:8080"

[[deployments]]
name = "d0"
directory = "/a"
hosts = ["d0.test"]

[[deployments]]
name = "d1"
directory = "/a \"b\"\\c"
hosts = ["d1.test"]
isolation = "isolate"
"#;
        assert_eq!(toml(8080, &[Deployment::new("d0", "/a".into()), isolated]), expected);
    }
}
