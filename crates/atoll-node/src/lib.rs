//! Node.js compatibility: the `node:` builtins, one folder per builtin, and module resolution.
//!
//! The builtins follow the API of Node 22.14 (long-term support). Each is a [`Builtin`] whose JavaScript is evaluated
//! when a guest first asks for it; `exports.default` is what `require` returns.

mod assert;
mod buffer;
mod child_process;
mod constants;
mod crypto;
mod errors;
mod events;
mod fs;
pub mod loader;
mod module;
mod net;
mod os;
mod path;
mod process;
mod punycode;
mod querystring;
mod readline;
mod repl;
mod stream;
mod string_decoder;
mod test_runner;
mod timers;
mod tty;
mod url;
mod util;
mod validators;
mod worker_threads;

use atoll_engine::Builtin;

/// The release of Node.js whose API the builtins follow ("Jod", long-term support): `process.version`, and what packages'
/// `engines` are compared with.
pub const NODE_VERSION: &str = "22.14.0";

pub use fs::{FsState, WatchState};
pub use os::OsState;
pub use process::{InputSource, OutputSink, OutputStream, ProcessOptions, ProcessState};

/// All builtins of this crate. Names that start with `node/internal/` are not for guests.
pub const BUILTINS: &[Builtin] = &[
    errors::BUILTIN,
    errors::ERRNO,
    validators::BUILTIN,
    path::BUILTIN,
    path::WIN32_INTERNAL,
    path::POSIX,
    path::WIN32,
    util::BUILTIN,
    util::TYPES,
    util::INSPECT,
    util::OPTIONS,
    util::KINDS,
    util::ERROR_TEXT,
    util::TEXT,
    util::TYPES_INTERNAL,
    util::FORMAT,
    util::COMPARISONS,
    util::PARSE_ARGS,
    util::PLATFORM,
    events::BUILTIN,
    buffer::BUILTIN,
    buffer::ENCODINGS,
    buffer::BYTES,
    buffer::NUMBERS,
    fs::BUILTIN,
    fs::PROMISES,
    fs::ARGUMENTS,
    fs::CORE,
    fs::COPY,
    fs::DIR,
    fs::STEPS,
    fs::GLOB,
    fs::LATER_BUILTIN,
    fs::TYPES,
    fs::STREAM_ENTRY,
    fs::STREAMS,
    fs::STREAM_OPERATIONS,
    fs::WEB_STREAM,
    fs::WATCH_EVENTS,
    fs::WATCH,
    fs::WATCH_TREE,
    fs::WATCH_FILE,
    process::BUILTIN,
    constants::BUILTIN,
    crypto::BUILTIN,
    module::CJS,
    module::BUILTIN,
    os::BUILTIN,
    assert::BUILTIN,
    assert::STRICT,
    assert::ERROR,
    url::BUILTIN,
    url::LEGACY,
    querystring::BUILTIN,
    string_decoder::BUILTIN,
    timers::BUILTIN,
    timers::PROMISES,
    timers::GLOBAL,
    punycode::BUILTIN,
    tty::BUILTIN,
    stream::STATE,
    stream::LEGACY,
    stream::FACTS,
    stream::LIFECYCLE,
    stream::QUEUE,
    stream::PIPE,
    stream::OPERATOR_METHODS,
    stream::READABLE,
    stream::WRITABLE,
    stream::DUPLEX,
    stream::TRANSFORM,
    stream::ABORT,
    stream::FINISHED,
    stream::PIPELINE,
    stream::ITERATE,
    stream::FROM,
    stream::WRAP,
    stream::OPERATORS,
    stream::RELAY,
    stream::COMPOSE,
    stream::DUPLEX_FROM,
    stream::DUPLEX_PAIR,
    stream::WEB_ADAPTERS,
    stream::WEB_STATE,
    stream::BUILTIN,
    stream::PROMISES,
    stream::CONSUMERS,
    stream::WEB,
    child_process::BUILTIN,
    net::BUILTIN,
    worker_threads::BUILTIN,
    test_runner::BUILTIN,
    test_runner::RUN,
    test_runner::REPORT,
    test_runner::MOCK,
    readline::BUILTIN,
    readline::PROMISES,
    readline::CURSOR,
    readline::INTERFACE,
    repl::BUILTIN,
];
