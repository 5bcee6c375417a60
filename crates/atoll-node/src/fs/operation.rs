//! One call of `node:fs` as a value: checked on the isolate's thread, done there or on another, its result handed over on
//! the isolate's thread again.
//!
//! `operations!` makes a native function for each that does it at once, and lists them by number for `batch::submit`, which
//! puts them off.

use super::FsState;
use super::errors::of_file;
use atoll_engine::{Call, GuestMemory, GuestShare, JsError, NativeResult, Value};
use atoll_vfs::{Directory, Metadata, MountTable, OpenFile};
use std::sync::Arc;

/// What an operation works on, wherever it runs.
#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) mounts: Arc<MountTable>,
    memory: Option<GuestMemory>,
}

impl Context {
    /// That of the worker that calls.
    pub(super) fn of(call: &mut Call<'_, '_, '_>) -> Self {
        let memory = call.memory();
        Self { mounts: Arc::clone(&call.state::<FsState>().mounts), memory }
    }

    /// A part of the guest's budget for what an operation holds.
    pub(super) fn share(&self, bytes: usize) -> Result<Option<GuestShare>, Failure> {
        match &self.memory {
            Some(memory) => memory.share(bytes).map(Some).ok_or(Failure::Memory),
            None => Ok(None),
        }
    }

    /// Memory for the guest, counted against its limit.
    pub(super) fn allocate(&self, bytes: usize) -> Result<atoll_engine::GuestBuffer, Failure> {
        self.memory.as_ref().and_then(|memory| memory.allocate(bytes)).ok_or(Failure::Memory)
    }
}

/// What an operation comes to.
#[derive(Debug)]
pub(super) enum Outcome {
    Value(Value),
    /// A file that gets a descriptor.
    Opened(OpenFile),
    /// A directory that gets a number.
    OpenedDirectory(Box<dyn Directory>),
    /// What `stat` tells; how JavaScript gets it depends on where the operation ran.
    Metadata {
        metadata: Metadata,
        as_integers: bool,
    },
}

impl<T: Into<Value>> From<T> for Outcome {
    fn from(value: T) -> Self {
        Self::Value(value.into())
    }
}

/// Why it came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// The guest's memory does not suffice. After garbage has been collected it may.
    Memory,
    Thrown(JsError),
}

impl From<JsError> for Failure {
    fn from(error: JsError) -> Self {
        Self::Thrown(error)
    }
}

impl From<Failure> for JsError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Memory => Self::range_error("Array buffer allocation failed"),
            Failure::Thrown(error) => error,
        }
    }
}

pub(super) type Done = Result<Outcome, Failure>;

/// An operation that waits for its turn. It is done a second time if memory was short the first time.
pub(super) type Job = Box<dyn Fn(&Context) -> Done + Send>;

/// How an operation is put off.
#[derive(Clone, Copy)]
pub(super) struct Later {
    pub(super) name: &'static str,
    pub(super) prepare: fn(&mut Call<'_, '_, '_>) -> Result<Job, JsError>,
    pub(super) pace: Pace,
}

/// How long an operation may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Microseconds, and whether anything has to be waited for is known before: it opens paths, and does no more. It is tried
    /// on the worker's own thread first.
    Instant,
    /// Microseconds where nothing has to be fetched from a disk. Results of such ones are delivered together.
    Quick,
    /// Longer. Its result is delivered at once.
    Slow,
}

impl std::fmt::Debug for Later {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name)
    }
}

/// Does an operation at once.
pub(super) fn run(call: &mut Call<'_, '_, '_>, job: impl Fn(&Context) -> Done) -> NativeResult {
    let context = Context::of(call);
    let mut done = job(&context);
    if matches!(done, Err(Failure::Memory)) {
        call.collect_garbage();
        done = job(&context);
    }
    match done? {
        Outcome::Value(value) => Ok(value),
        Outcome::Opened(file) => keep(call, file),
        Outcome::OpenedDirectory(directory) => keep_directory(call, directory),
        Outcome::Metadata { .. } => Err(JsError::error("an operation of another kind was expected")),
    }
}

/// Gives an open file a descriptor.
pub(super) fn keep(call: &mut Call<'_, '_, '_>, file: OpenFile) -> NativeResult {
    call.state::<FsState>().keep(file).map(Value::from).map_err(|errno| of_file(errno, "open"))
}

/// Gives an open directory a number.
pub(super) fn keep_directory(call: &mut Call<'_, '_, '_>, directory: Box<dyn Directory>) -> NativeResult {
    let kept = call.state::<FsState>().keep_directory(directory);
    kept.map(Value::from).map_err(|errno| of_file(errno, "opendir"))
}

/// `name => prepare, instant|quick|slow;`, first those that are done at once too: these get a native `now::name`, and all a place in the
/// table `LATER`.
macro_rules! operations {
    (now { $($name:ident => $prepare:path, $pace:ident;)* } later { $($only:ident => $prepare_only:path, $pace_only:ident;)* }) => {
        /// Natives that do an operation at once.
        #[expect(non_snake_case, reason = "operations are named as in JavaScript")]
        pub(in crate::fs) mod now {
            use super::*;
            $(
                pub(in crate::fs) fn $name(call: &mut Call<'_, '_, '_>) -> NativeResult {
                    let job = $prepare(call)?;
                    operation::run(call, job)
                }
            )*
        }

        /// All operations, by the number under which JavaScript puts them off.
        pub(in crate::fs) const LATER: &[operation::Later] = &[
            $(operations!(@later $name, $prepare, $pace),)*
            $(operations!(@later $only, $prepare_only, $pace_only),)*
        ];
    };
    (@later $name:ident, $prepare:path, $pace:ident) => {
        operation::Later {
            name: stringify!($name),
            prepare: |call| Ok(Box::new($prepare(call)?)),
            pace: operations!(@$pace),
        }
    };
    (@instant) => { operation::Pace::Instant };
    (@quick) => { operation::Pace::Quick };
    (@slow) => { operation::Pace::Slow };
}
pub(super) use operations;
