//! What an installation says that it waits for, and for how long it does.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
    sync::Mutex,
    time::Duration,
};

use atoll_npm::{
    install::{InstallError, InstallOptions, install},
    report::{Progress, Reporter, Silent, Stage},
    waits::Waits,
};
use atoll_test::npm_registry::{Fault, Package};
use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use crate::support::{Scene, noise, options};

const ONE: &str = r#"{"dependencies":{"slow":"*"},"atoll":{"allowScripts":["slow"]}}"#;

/// Not a test by itself: installs, and says on standard error what it waits for when it gets SIGQUIT.
#[tokio::test]
#[ignore = "runs in the child processes of the other tests"]
#[expect(clippy::print_stderr, reason = "it is what the parent reads")]
async fn child() {
    let variable = |name: &str| env::var(name).expect("set by the parent");
    let (dir, home) = (variable("TEST_PROJECT"), variable("TEST_HOME"));
    let mut options = options(Path::new(&dir), Path::new(&home), &variable("TEST_REGISTRY"), "");
    options.network.stall = Duration::from_secs(3);
    options.network.first_pause = Duration::from_secs(2);
    let waits = options.waits.clone();
    let mut questions = signal(SignalKind::quit()).unwrap();
    eprintln!("ready");
    let mut installing = Box::pin(install(options, &Silent));
    loop {
        tokio::select! {
            outcome = &mut installing => break outcome.map(|_| ()).unwrap(),
            _ = questions.recv() => waits.describe().iter().for_each(|line| eprintln!("{line}")),
        }
    }
}

/// An installation in a process of its own.
struct Installing {
    child: Child,
    lines: BufReader<ChildStderr>,
}

impl Installing {
    fn start(scene: &Scene) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "waits::child", "--ignored", "--quiet", "--nocapture"])
            .env("TEST_PROJECT", scene.dir())
            .env("TEST_HOME", scene.home())
            .env("TEST_REGISTRY", scene.registry.url())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut installing = Self { lines: BufReader::new(child.stderr.take().unwrap()), child };
        assert_eq!(installing.line(), "ready");
        installing
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.lines.read_line(&mut line).unwrap() > 0, "it has ended");
        line.trim_end().to_owned()
    }

    /// Asks it, again and again, until it answers with a line that begins like this.
    fn ask_until(&mut self, start: &str) -> String {
        self.ask_for(|line| line.starts_with(start))
    }

    fn ask_for(&mut self, is_it: impl Fn(&str) -> bool) -> String {
        loop {
            kill_process(Pid::from_child(&self.child), Signal::QUIT).unwrap();
            let line = self.line();
            if is_it(&line) {
                return line;
            }
        }
    }

    /// It goes on, and ends well.
    fn finish(mut self) {
        // Its last answers have to go somewhere.
        self.lines.read_to_end(&mut Vec::new()).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

fn slow() -> (Scene, Package) {
    let package = Package::new("slow", "1.0.0").file("x.js", noise(100_000));
    (Scene::new(ONE), package)
}

#[test]
fn who_asks_is_told_of_requests_and_pauses_and_it_goes_on() {
    let (scene, package) = slow();
    scene.registry.publish(&package);
    scene.registry.fail("/slow", Fault::Delay(Duration::from_secs(2)), 1);
    scene.registry.fail("/-/slow", Fault::Stall(50), 1);
    let mut installing = Installing::start(&scene);
    let url = scene.registry.url();
    let line = installing.ask_until("asking");
    assert!(line.starts_with(&format!("asking {url}slow (slow): ")) && line.ends_with(" s"), "{line}");
    // At first nothing of the body has come.
    let line = installing.ask_for(|line| line.starts_with("downloading") && !line.contains(" s, 0 B of "));
    let kilobytes = (package.tarball().len() as f64 / 1e3).round();
    assert!(kilobytes >= 100.0);
    assert!(line.starts_with(&format!("downloading {url}slow/-/slow-1.0.0.tgz (slow@1.0.0): ")), "{line}");
    assert!(line.ends_with(&format!(" s, 50 B of {kilobytes} kB")), "{line}");
    let line = installing.ask_until("pausing");
    let expected = "before attempt 2 of 3, because slow@1.0.0 could not be downloaded: ";
    assert!(
        line.contains(expected) && line.contains(&format!("nothing came for 3 s, after 50 B of {kilobytes} kB")),
        "{line}"
    );
    installing.finish();
    assert!(scene.exists("node_modules/slow/x.js"));
}

#[test]
fn who_asks_is_told_of_scripts() {
    let (scene, package) = slow();
    scene.registry.publish(&package.script("postinstall", "while [ ! -e \"$INIT_CWD/go\" ]; do sleep 0.05; done"));
    let mut installing = Installing::start(&scene);
    let line = installing.ask_until("script");
    assert!(line.starts_with("script postinstall of slow@1.0.0: "), "{line}");
    scene.write("go", "");
    installing.finish();
}

#[test]
fn who_asks_is_told_of_another_installation() {
    let (scene, package) = slow();
    scene.registry.publish(&package);
    let project = std::fs::File::open(scene.dir()).unwrap();
    project.lock().unwrap();
    let mut installing = Installing::start(&scene);
    let line = installing.ask_until("waiting for another");
    let (dir, process) = (scene.dir(), std::process::id());
    let expected = format!("waiting for another installation in {} (process {process}): ", dir.display());
    assert!(line.starts_with(&expected), "{line}");
    let line = installing.ask_until("thread");
    assert_eq!(line, format!("thread install-lock is in flock: {}", dir.display()));
    project.unlock().unwrap();
    installing.finish();
    assert!(scene.exists("node_modules/slow/x.js"));
}

#[tokio::test]
async fn another_installation_is_not_waited_for_without_end() {
    let (scene, package) = slow();
    scene.registry.publish(&package);
    let project = std::fs::File::open(scene.dir()).unwrap();
    project.lock().unwrap();
    let error = scene.install_with(|options| options.lock_deadline = Duration::from_millis(20)).await.unwrap_err();
    let (dir, process) = (scene.dir(), std::process::id());
    let expected = format!("another installation (process {process}) in {} has not ended in 0 s", dir.display());
    assert_eq!(error.to_string(), expected);
    assert!(error.hint().unwrap().contains("kill -QUIT"));
    assert!(!scene.exists("node_modules") && !scene.exists("package-lock.json"));
    project.unlock().unwrap();
    scene.install().await.unwrap();
    assert!(scene.exists("node_modules/slow/x.js"));
}

/// Looks what is waited for whenever something is told.
struct Asks(Waits, Mutex<Vec<(Stage, String)>>);

impl Reporter for Asks {
    fn progressed(&self, stage: Stage, _: Progress) {
        let lines = self.0.now().into_iter().map(|wait| (stage, wait.to_string()));
        self.1.lock().unwrap().extend(lines);
    }
}

#[tokio::test]
async fn linking_is_counted_and_nothing_is_waited_for_in_the_end() {
    let (scene, package) = slow();
    scene.registry.publish(&package.file("y.js", "y"));
    let options = scene.options();
    let asks = Asks(options.waits.clone(), Mutex::default());
    install(options, &asks).await.unwrap();
    let lines = asks.1.into_inner().unwrap();
    let linking = lines.iter().find(|(stage, _)| *stage == Stage::Link).map(|(_, line)| line.as_str());
    let linking = linking.unwrap();
    assert!(linking.starts_with("linking: ") && linking.ends_with("1 of 1 packages"), "{linking}");
    assert_eq!(asks.0.now().len(), 0);
}

/// Takes connections, and says nothing to who wants to encrypt.
fn silent() -> (TcpListener, String) {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", silent.local_addr().unwrap());
    (silent, url)
}

fn use_registry(options: &mut InstallOptions, url: &str) {
    options.npmrc = options.npmrc.clone().with_file("x", &format!("registry={url}"), |_| None).unwrap();
}

#[tokio::test]
async fn a_connection_that_does_not_come_about_is_told() {
    let (scene, (_silent, url)) = (Scene::new(ONE), silent());
    let mut options = scene.options();
    use_registry(&mut options, &url);
    let waits = options.waits.clone();
    let connecting = async {
        loop {
            let lines = waits.now().into_iter().map(|wait| wait.to_string());
            if let Some(line) = lines.into_iter().find(|line| line.starts_with("connecting")) {
                break line;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        line = connecting => assert!(line.starts_with(&format!("connecting to {url}slow (slow): ")), "{line}"),
        outcome = install(options, &Silent) => panic!("{outcome:?}"),
    }
}

/// What an installation that gives up says.
async fn given_up(change: impl FnOnce(&Scene, &mut InstallOptions)) -> String {
    let (scene, package) = slow();
    scene.registry.publish(&package);
    let mut options = scene.options();
    (options.network.connect, options.network.stall) = (Duration::from_millis(100), Duration::from_secs(1));
    options.network.attempts = 2;
    change(&scene, &mut options);
    let waits = options.waits.clone();
    let error: InstallError = install(options, &Silent).await.unwrap_err();
    assert!(error.hint().is_some(), "{error}");
    assert_eq!(waits.now().len(), 0);
    error.to_string()
}

#[tokio::test]
async fn what_was_given_up_says_what_was_waited_for_and_for_how_long() {
    let text =
        given_up(|scene, _| scene.registry.fail("/slow", Fault::Delay(Duration::from_mins(1)), usize::MAX)).await;
    assert!(text.contains("slow: nothing came for 1 s (tried 2 times)"), "{text}");

    let text = given_up(|scene, _| scene.registry.fail("/-/slow", Fault::Stall(9), usize::MAX)).await;
    assert!(text.starts_with("slow@1.0.0 could not be downloaded: http://"), "{text}");
    assert!(text.contains("slow-1.0.0.tgz: nothing came for 1 s, after 9 B of "), "{text}");

    let (_silent, url) = silent();
    let text = given_up(|_, options| use_registry(options, &url)).await;
    assert!(text.contains(&format!("{url}slow: no connection came about within 0.2 s (tried 2 times)")), "{text}");
}
