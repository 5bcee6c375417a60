//! A project in a directory of its own, and the binary run in it.

use crate::normal::normalize;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The longest that a command may take. The binary is not optimised, and the machine may be busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// A user's home with one project, `app`, in it.
pub(crate) struct Scene {
    home: tempfile::TempDir,
}

impl Scene {
    /// A project of these files; a `package.json` is added unless it is among them.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let scene = Self { home: tempfile::tempdir().expect("a temporary directory") };
        fs::create_dir(scene.project()).expect("the project's directory");
        if !files.iter().any(|(name, _)| *name == "package.json") {
            scene.write("package.json", r#"{"name":"app","type":"module"}"#);
        }
        for (name, text) in files {
            scene.write(name, text);
        }
        scene
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.home.path().join("app")
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.project().join(name);
        fs::create_dir_all(path.parent().expect("it lies in the project")).expect("a directory");
        fs::write(path, text).expect("a file");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.project().join(name)).expect("a file")
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.project().join(name).exists()
    }

    /// The binary in the project, knowing nothing of whoever runs the test.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_atoll"));
        command.args(arguments).current_dir(self.project()).stdin(Stdio::null()).env_clear().envs(self.environment());
        command
    }

    /// What it knows instead.
    pub(crate) fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        let mut variables = vec![
            ("HOME", self.home().to_owned()),
            ("PATH", PathBuf::from("/usr/bin:/bin")),
            ("SHELL_VARIABLE", PathBuf::from("from outside")),
        ];
        for (variable, directory) in
            [("ATOLL_CACHE_DIR", "cache"), ("ATOLL_STORE_DIR", "store"), ("ATOLL_STATE_DIR", "state")]
        {
            variables.push((variable, self.home().join(directory)));
        }
        variables
    }

    /// Runs it to its end: exit code and output, with what varies replaced.
    pub(crate) fn atoll(&self, arguments: &[&str]) -> String {
        let mut command = self.command(arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let pid = Pid::from_raw(child.id().cast_signed()).expect("a process");
        let (ended, has_ended) = mpsc::channel();
        let waiting = std::thread::spawn(move || {
            let output = child.wait_with_output();
            // Nobody listens any more when it took too long.
            let _ = ended.send(());
            output
        });
        if has_ended.recv_timeout(PATIENCE).is_err() {
            // Its end is awaited below either way.
            let _ = kill_process(pid, Signal::KILL);
        }
        self.shown(&waiting.join().expect("no panic").expect("the binary's output"))
    }

    /// Exit code and output, with what varies replaced.
    pub(crate) fn shown(&self, output: &Output) -> String {
        let code = output.status.code().map_or_else(|| output.status.to_string(), |code| code.to_string());
        let mut text = format!("exit code {code}\n");
        for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            if !bytes.is_empty() {
                text.extend(["--- ", name, "\n", &self.normal(&String::from_utf8_lossy(bytes))]);
            }
        }
        text
    }

    /// The text with what varies replaced.
    pub(crate) fn normal(&self, text: &str) -> String {
        normalize(text, &[(&self.home().to_string_lossy(), "[HOME]")])
    }
}

/// Runs the binary in a project of these files and compares exit code, standard output and standard error.
macro_rules! check {
    ($files:expr, $arguments:expr, @$expected:literal) => {
        insta::assert_snapshot!(crate::harness::Scene::new($files).atoll($arguments), @$expected)
    };
}
pub(crate) use check;
