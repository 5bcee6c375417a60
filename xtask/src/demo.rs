//! `cargo xtask demo`: the example, from its `package.json` to answered requests.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use crate::Failure;
use crate::repository::{self, atoll, cargo, shelf};

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    port: u16,
}

impl Options {
    const DEFAULT_PORT: u16 = 8080;

    pub(crate) fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match arguments[..] {
            [] => Ok(Self { port: Self::DEFAULT_PORT }),
            ["--port", port] => match port.parse() {
                Ok(port) if port > 0 => Ok(Self { port }),
                _ => Err(format!("`{port}` is no port: a number from 1 to 65535").into()),
            },
            _ => Err("usage: cargo xtask demo [--port N]".into()),
        }
    }
}

pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    println!("==> cargo build --release --package atoll");
    repository::run(&mut cargo(&["build", "--release", "--package", "atoll"]))?;

    println!("\n==> atoll install");
    repository::run(Command::new(atoll("release")).arg("install").current_dir(shelf()))?;

    let port = options.port.to_string();
    println!("\n==> atoll serve examples/shelf --port {port}\n\n{}", what_to_try(options.port));
    let mut serve = Command::new(atoll("release"));
    serve.args(["serve", "examples/shelf", "--port", &port]).current_dir(repository::root());
    // The server takes this process's place, so that Ctrl-C and signals reach it and nobody else.
    let error = serve.exec();
    Err(format!("can't start `{}`: {error}", repository::display(&serve)).into())
}

fn what_to_try(port: u16) -> String {
    format!(
        r#"Try, in another terminal or a browser:

  http://127.0.0.1:{port}/                                the page
  curl -N http://127.0.0.1:{port}/stream                  a response that arrives line by line
  curl http://127.0.0.1:{port}/api/books/moon-tiger       JSON
  curl http://127.0.0.1:{port}/api/books --json '{{"title":"Piranesi","author":"Susanna Clarke","published":2020,"pages":272}}'
  curl http://127.0.0.1:{port}/api/books --json '{{"title":"","pages":-1}}'      what is wrong with it, field by field

Ctrl-C ends the server.
"#
    )
}

#[cfg(test)]
mod tests {
    use super::Options;

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Options::parse(&arguments).map_err(|failure| failure.to_string())
    }

    #[test]
    fn the_port_is_8080_unless_given() {
        assert_eq!(parse(&[]), Ok(Options { port: 8080 }));
        assert_eq!(parse(&["--port", "9000"]), Ok(Options { port: 9000 }));
        for bad in ["0", "65536", "http"] {
            assert_eq!(parse(&["--port", bad]), Err(format!("`{bad}` is no port: a number from 1 to 65535")));
        }
        assert!(parse(&["--prot", "1"]).is_err());
    }
}
