//! An interactive session: what is typed is evaluated in the sandbox of a program.
//!
//! The session is on the main thread, whose event loop goes on while nobody types. A thread of its own reads lines, and asks
//! for what they give and for names to complete; it waits meanwhile. Another one waits for signals: the main thread may be
//! busy with code that has no end.

mod command;
mod complete;
mod history;
mod input;
mod screen;

pub(crate) use screen::Screen;

use crate::apps::{Grants, Project, Surroundings};
use crate::cli;
use crate::commands::{Ending, Signals, ended_by, runtime};
use crate::terminal::{ERROR, Failure, HINT, Visible, limit_flag};
use anstream::{AutoStream, ColorChoice};
use atoll_engine::{Exception, Interrupter};
use atoll_node::loader::Typed;
use atoll_node::{NODE_VERSION, OutputStream};
use atoll_runtime::{Broken, Entry, Exit, Session};
use atoll_vfs::{Errno, StandardStreams};
use command::{COMMANDS, Command};
use input::{Input, Names, Source};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc as blocking;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

/// Before what is typed.
const PROMPT: &str = "> ";

/// Before the lines that continue it, where they are read one by one.
const CONTINUATION: &str = "... ";

/// How long names to complete are waited for: code that runs may have no end.
const NAMES_PATIENCE: Duration = Duration::from_millis(500);

/// What the thread that reads wants of the session; it waits for the answer, so there is one at a time.
enum Request {
    Evaluate(String, blocking::SyncSender<()>),
    Names(Vec<String>, blocking::SyncSender<Vec<String>>),
    End,
}

/// What signals have asked for.
#[derive(Debug, Default)]
struct Asked {
    interrupts: u64,
    is_terminated: bool,
}

/// Runs one.
pub(crate) fn run(
    arguments: &cli::Run,
    project: &Project,
    mut grants: Grants,
    surroundings: &Surroundings,
) -> Result<ExitCode, Failure> {
    let (requests, wanted) = mpsc::channel(1);
    let asks = requests.clone();
    let names: Names = Box::new(move |path| {
        let (answer, answered) = blocking::sync_channel(1);
        let path = path.iter().map(|&name| name.to_owned()).collect();
        let is_sent = asks.try_send(Request::Names(path, answer)).is_ok();
        if is_sent { answered.recv_timeout(NAMES_PATIENCE).unwrap_or_default() } else { Vec::new() }
    });
    let (source, screen) = Source::open(names, !arguments.no_history)?;
    surroundings.reporter.through(Arc::clone(&screen));
    // What is typed is the session's, so the guest's own input is at its end.
    grants.input = None;
    grants.streams = Some(Arc::new(Streams(Arc::clone(&screen))));
    let app = project.app(Vec::new(), &grants, surroundings)?;
    let visible = Visible::new(app.mounts.mounts().map(|(point, _)| point.to_string()).filter(|point| point != "/"));
    surroundings.reporter.shows(visible.clone());
    let has_colours = AutoStream::choice(&std::io::stdout()) != ColorChoice::Never;
    let runtime = runtime()?;
    let exit: Result<Exit, Failure> = LocalSet::new().block_on(&runtime, async {
        let session = Session::start(app, has_colours);
        let session = match session {
            Ok(session) => session,
            Err(exit) => return Ok(exit),
        };
        let asked = listen(session.interrupter())?;
        let mut console = Console { session, asked, screen: Arc::clone(&screen), visible, has_colours };
        console.welcome();
        start_reading(source, requests, Arc::clone(&screen), console.session.interrupter())?;
        let exit = console.serve(wanted).await;
        Ok(match exit {
            Err(exit) => exit,
            Ok(()) if console.asked.borrow().is_terminated => Exit::Code(i32::from(Ending::Terminate.exit_code())),
            Ok(()) => console.session.end(),
        })
    });
    screen.restore();
    match exit? {
        Exit::Code(code) => Ok(ExitCode::from(code.to_le_bytes()[0])),
        Exit::Terminated(reason) => Err(ended_by(reason)),
    }
}

/// Starts the thread that waits for signals.
fn listen(interrupter: Interrupter) -> Result<watch::Receiver<Asked>, Failure> {
    let (sender, receiver) = watch::channel(Asked::default());
    let (listens, is_listening) = blocking::sync_channel(1);
    let wait = move || {
        let listened = runtime().and_then(|runtime| {
            let signals = runtime.block_on(async { Signals::listen() })?;
            Ok((runtime, signals))
        });
        let (runtime, mut signals) = match listened {
            Ok(listened) => listened,
            Err(failure) => return drop(listens.send(Err(failure))),
        };
        // Whoever starts the session waits for this.
        let _ = listens.send(Ok(()));
        runtime.block_on(async {
            while !sender.is_closed() {
                let ending = signals.next().await;
                sender.send_modify(|asked| {
                    asked.interrupts += 1;
                    asked.is_terminated |= ending == Ending::Terminate;
                });
                interrupter.interrupt();
            }
        });
    };
    std::thread::Builder::new().name("atoll-signals".to_owned()).spawn(wait).map_err(no_thread)?;
    // A signal that came before would end the process.
    is_listening.recv().map_err(|_| Failure::new("signals can't be received"))??;
    Ok(receiver)
}

#[expect(clippy::needless_pass_by_value, reason = "the signature of map_err")]
fn no_thread(error: std::io::Error) -> Failure {
    Failure::new(format!("a thread can't be started: {error}"))
}

/// Starts the thread that reads. It may wait for ever, and ends with the process.
fn start_reading(
    mut source: Source,
    requests: mpsc::Sender<Request>,
    screen: Arc<Screen>,
    interrupter: Interrupter,
) -> Result<(), Failure> {
    let read = move || {
        let mut would_end = false;
        loop {
            let input = source.read(&screen);
            let was_warned = std::mem::take(&mut would_end);
            match input {
                Input::Text(text) => {
                    let (done, is_done) = blocking::sync_channel(1);
                    if requests.blocking_send(Request::Evaluate(text, done)).is_err() || is_done.recv().is_err() {
                        return;
                    }
                }
                Input::Interrupted { had_text } => {
                    // A timer's callback may be what has no end.
                    interrupter.interrupt();
                    if was_warned && !had_text {
                        break;
                    }
                    if !had_text {
                        would_end = true;
                        screen.write(OutputStream::Stdout, b"(Ctrl-C again, Ctrl-D or .exit ends the session)\n");
                    }
                }
                Input::End => break,
            }
        }
        // Nobody listens any more when this fails.
        let _ = requests.blocking_send(Request::End);
    };
    std::thread::Builder::new().name("atoll-input".to_owned()).spawn(read).map(drop).map_err(no_thread)
}

struct Console {
    session: Session,
    asked: watch::Receiver<Asked>,
    screen: Arc<Screen>,
    visible: Visible,
    has_colours: bool,
}

impl Console {
    fn welcome(&self) {
        self.say(&format!("Atoll {}, with the API of Node.js {NODE_VERSION}", env!("CARGO_PKG_VERSION")));
        self.say(".help says what can be done beside typing code");
    }

    /// Answers requests, and lets what was started go on meanwhile, until the session ends: by itself (an error), or because
    /// somebody wants that.
    async fn serve(&mut self, mut requests: mpsc::Receiver<Request>) -> Result<(), Exit> {
        loop {
            if self.asked.borrow().is_terminated {
                return Ok(());
            }
            tokio::select! {
                biased;
                request = requests.recv() => match request {
                    Some(Request::Evaluate(text, done)) => {
                        if self.enter(&text).await? {
                            return Ok(());
                        }
                        // Whoever waits is told, or gone.
                        let _ = done.send(());
                    }
                    Some(Request::Names(path, answer)) => {
                        let path: Vec<&str> = path.iter().map(String::as_str).collect();
                        // Whoever asked may have stopped waiting.
                        let _ = answer.send(self.session.names(&path)?);
                    }
                    Some(Request::End) | None => return Ok(()),
                },
                Ok(()) = self.asked.changed() => {}
                broken = self.session.idle() => {
                    if let Some(broken) = broken? {
                        self.say_broken(broken);
                    }
                }
            }
        }
    }

    /// Does what was typed. Whether the session is to end.
    async fn enter(&mut self, text: &str) -> Result<bool, Exit> {
        match Command::parse(text) {
            None => self.evaluate(text).await?,
            Some(Command::Exit) => return Ok(true),
            Some(Command::Break) => {}
            Some(Command::Help) => {
                let lines = COMMANDS.iter().map(|(name, says)| format!("{name:8} {says}"));
                self.say(&lines.collect::<Vec<_>>().join("\n"));
                self.say(
                    "\nCtrl-C clears the line or ends what runs, Tab completes. _ is the last value, _error the last error.",
                );
            }
            Some(Command::Load("")) => self.say("which file? .load FILE"),
            Some(Command::Load(file)) => match self.session.read(file)? {
                Ok(text) => self.evaluate(&text).await?,
                Err(entry) => self.show(entry),
            },
            Some(Command::Unknown(name)) => self.say(&format!("there is no command {name}; .help lists them")),
        }
        Ok(false)
    }

    async fn evaluate(&mut self, text: &str) -> Result<(), Exit> {
        let code = match Typed::new(text) {
            Typed::Complete(code) => code,
            // V8 says what it lacks.
            Typed::Incomplete => text.to_owned(),
        };
        let mut asked = self.asked.clone();
        asked.mark_unchanged();
        let interrupted = async move {
            // Without a sender there is nobody who could interrupt.
            if asked.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let entry = self.session.evaluate(&code, interrupted).await?;
        self.show(entry);
        Ok(())
    }

    fn show(&self, entry: Entry) {
        match entry {
            Entry::Value(text) => self.say(&text),
            Entry::Threw(text, exception) => {
                self.say(&format!("{ERROR}Uncaught{ERROR:#} {text}"));
                if let Some(hint) = self.hint(&exception) {
                    self.say_hint(&hint);
                }
            }
            Entry::Broken(broken) => self.say_broken(broken),
        }
    }

    fn hint(&self, exception: &Exception) -> Option<String> {
        if exception.message.contains("Cannot use import statement outside a module") {
            return Some("what is typed is no module; write const { name } = await import('module')".to_owned());
        }
        self.visible.hint(exception)
    }

    fn say_broken(&self, broken: Broken) {
        match broken {
            Broken::Interrupted => self.say("interrupted"),
            Broken::Stalled => self.say("nothing is left that could settle what it awaits"),
            Broken::Limit(reason) => {
                self.say(&format!("{ERROR}ended{ERROR:#} by its limit: {reason}"));
                if let Some(flag) = limit_flag(reason) {
                    self.say_hint(&format!("{flag} allows more"));
                }
            }
        }
    }

    fn say_hint(&self, hint: &str) {
        self.say(&format!("{HINT}hint{HINT:#}: {hint}"));
    }

    fn say(&self, text: &str) {
        let line = format!("{text}\n");
        let line = if self.has_colours { line } else { anstream::adapter::strip_str(&line).to_string() };
        self.screen.write(OutputStream::Stdout, line.as_bytes());
    }
}

/// Behind `/dev/stdin`, `/dev/stdout` and `/dev/stderr`.
#[derive(Debug)]
struct Streams(Arc<Screen>);

impl StandardStreams for Streams {
    fn read(&self, _buffer: &mut [u8]) -> Result<usize, Errno> {
        Ok(0)
    }

    fn write(&self, stream: atoll_vfs::OutputStream, data: &[u8]) -> Result<usize, Errno> {
        let stream = match stream {
            atoll_vfs::OutputStream::Out => OutputStream::Stdout,
            atoll_vfs::OutputStream::Err => OutputStream::Stderr,
        };
        self.0.write(stream, data);
        Ok(data.len())
    }
}
