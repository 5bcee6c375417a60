//! The table.

use super::row::{Hit, LimitRow, RunDefault, Scope, Unit, milliseconds, run_number, scaled};
use RunDefault::{NotApplicable, Unlimited, Value};
use Unit::{Count, KiB, MiB, Ms, Switch};
use atoll_engine::Reason;
use std::time::Duration;

/// From a number of units to a field.
macro_rules! field {
    (MiB, $type:ty, $value:expr) => {
        scaled($value, 1 << 20) as $type
    };
    (KiB, $type:ty, $value:expr) => {
        scaled($value, 1 << 10) as $type
    };
    (Ms, $type:ty, $value:expr) => {
        milliseconds($value)
    };
    (Count, $type:ty, $value:expr) => {
        $value as $type
    };
    (Switch, $type:ty, $value:expr) => {
        $value != 0
    };
}

/// From a field to a number of units.
macro_rules! number {
    (MiB, $value:expr) => {
        $value as u64 >> 20
    };
    (KiB, $value:expr) => {
        $value as u64 >> 10
    };
    (Ms, $value:expr) => {
        $value.as_millis() as u64
    };
    (Count, $value:expr) => {
        u64::from($value)
    };
    (Switch, $value:expr) => {
        u64::from($value)
    };
}

macro_rules! limits {
    ($(
        $(#[doc = $doc:literal])+
        $field:ident: $type:ty = $key:literal in $unit:ident {
            serve: $serve:literal, run: $run:expr, range: $smallest:literal..=$largest:literal,
            scope: $scope:ident, hit: $hit:expr,
            bounds: $bounds:literal,
            effect: $effect:literal,
        }
    )+) => {
        /// Limits of one worker and its requests.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct Limits {
            $($(#[doc = $doc])+ pub $field: $type,)+
        }

        impl Limits {
            /// For `atoll serve`.
            pub const SERVE: Self = Self { $($field: field!($unit, $type, $serve),)+ };

            /// For `atoll run`: a program may take its time, and its user can stop it.
            pub const RUN: Self = Self { $($field: field!($unit, $type, run_number($run)),)+ };
        }

        /// All limits, in the order in which they are documented.
        pub const LIMITS: &[LimitRow] = &[$(LimitRow {
            key: $key,
            unit: $unit,
            serve: $serve,
            run: $run,
            smallest: $smallest,
            largest: $largest,
            scope: Scope::$scope,
            hit: $hit,
            bounds: $bounds,
            effect: $effect,
            read: |limits| number!($unit, limits.$field),
            write: |limits, value| limits.$field = field!($unit, $type, value),
        }),+];
    };
}

limits! {
    /// JavaScript heap, bytes. With less than some 9 MiB there is no room for the startup snapshot, and V8 ends the process.
    heap_bytes: usize = "heap-mib" in MiB {
        serve: 128, run: Value(2048), range: 16..=65_536,
        scope: Worker, hit: Hit::Kill(Reason::Heap),
        bounds: "JavaScript heap: objects, strings, compiled code",
        effect: "The worker is ended when a garbage collection can't get below the limit.",
    }
    /// Memory of a guest outside of the heap, bytes.
    external_bytes: usize = "external-mib" in MiB {
        serve: 128, run: Value(4096), range: 1..=65_536,
        scope: Worker, hit: Hit::Kill(Reason::External),
        bounds: "memory outside of the heap: `ArrayBuffer`s, WebAssembly memories, bodies on their way",
        effect: "An allocation beyond the limit throws a `RangeError`; the worker is ended when it goes on asking.",
    }
    /// CPU time of a request, until its response's body is complete.
    request_cpu: Duration = "cpu-ms" in Ms {
        serve: 1_000, run: Unlimited, range: 1..=3_600_000,
        scope: Request, hit: Hit::Kill(Reason::Cpu),
        bounds: "CPU time for a request, until its response is complete; time spent waiting does not count",
        effect: "The worker is ended, so requests that share it end with it.",
    }
    /// CPU time of the `ctx.waitUntil` work behind a response.
    wait_until_cpu: Duration = "wait-until-cpu-ms" in Ms {
        serve: 1_000, run: NotApplicable, range: 1..=3_600_000,
        scope: Request, hit: Hit::Kill(Reason::Cpu),
        bounds: "CPU time for `ctx.waitUntil` work after a response is complete",
        effect: "The worker is ended. The response is not affected: the client has it.",
    }
    /// Time by the clock from a request's arrival to its response's head.
    wall: Duration = "wall-ms" in Ms {
        serve: 30_000, run: NotApplicable, range: 1..=86_400_000,
        scope: Request, hit: Hit::Kill(Reason::Wall),
        bounds: "time by the clock from a request's arrival to its response's head",
        effect: "The request is given up; the worker and its other requests go on, unless the JavaScript never waits. A body \
                 may be streamed for as long as the client reads it.",
    }
    /// Time by the clock of the `ctx.waitUntil` work behind a response.
    wait_until_wall: Duration = "wait-until-wall-ms" in Ms {
        serve: 30_000, run: NotApplicable, range: 1..=86_400_000,
        scope: Request, hit: Hit::Kill(Reason::Wall),
        bounds: "time by the clock for `ctx.waitUntil` work after a response is complete",
        effect: "What is left of the work is given up. A server that ends waits for it no longer than `--drain-seconds`.",
    }
    /// Time by the clock in which a streamed body may stand still.
    idle: Duration = "idle-ms" in Ms {
        serve: 300_000, run: NotApplicable, range: 10..=86_400_000,
        scope: Request, hit: Hit::Kill(Reason::Idle),
        bounds: "time by the clock in which a streamed response stands still: the guest writes nothing, or the client takes \
                 nothing",
        effect: "The body is cut off, and `request.signal` is aborted; the worker and its other requests go on. Without it, \
                 a client that stops reading would keep its worker for as long as it likes.",
    }
    /// Time by the clock for what is under way when a release is replaced.
    retirement: Duration = "retirement-ms" in Ms {
        serve: 30_000, run: NotApplicable, range: 0..=86_400_000,
        scope: Worker, hit: Hit::Kill(Reason::Deploy),
        bounds: "time by the clock for what a worker has under way when its release is replaced: requests, streams, \
                 `ctx.waitUntil` work",
        effect: "The worker is ended. When the server itself ends, all workers have the time that `--drain-seconds` says.",
    }
    /// CPU time for loading and evaluating an app.
    startup_cpu: Duration = "startup-cpu-ms" in Ms {
        serve: 10_000, run: NotApplicable, range: 10..=3_600_000,
        scope: Worker, hit: Hit::Kill(Reason::Cpu),
        bounds: "CPU time for loading an app's modules and evaluating their top level",
        effect: "The app does not start.",
    }
    /// Time by the clock for loading and evaluating an app.
    startup_wall: Duration = "startup-wall-ms" in Ms {
        serve: 30_000, run: NotApplicable, range: 10..=86_400_000,
        scope: Worker, hit: Hit::Kill(Reason::Wall),
        bounds: "time by the clock for the same, top-level `await`s included",
        effect: "The app does not start.",
    }
    /// Outgoing requests on behalf of a request.
    subrequests: u32 = "subrequests" in Count {
        serve: 1_000, run: Unlimited, range: 0..=10_000_000,
        scope: Request, hit: Hit::Throws,
        bounds: "outgoing requests (`fetch`), each redirect counted as one",
        effect: "`fetch` is rejected with a `TypeError` whose cause has the code `ERR_LIMIT`.",
    }
    /// Outgoing requests at a time on behalf of a request.
    concurrent_subrequests: u32 = "concurrent-subrequests" in Count {
        serve: 64, run: Value(64), range: 1..=1_024,
        scope: Request, hit: Hit::Waits,
        bounds: "outgoing requests at a time, each from its start until its response's body is read",
        effect: "Further ones wait in line. Bodies that nobody reads are moved aside, so that the line moves on.",
    }
    /// Timers that are set, `setImmediate` included.
    timers: u32 = "timers" in Count {
        serve: 10_000, run: Value(1_000_000), range: 1..=10_000_000,
        scope: Worker, hit: Hit::Throws,
        bounds: "timers that are set at a time: `setTimeout`, `setInterval`, `setImmediate`",
        effect: "Setting one more throws a `RangeError`.",
    }
    /// Bodies open at a time on behalf of a request.
    open_streams: u32 = "open-streams" in Count {
        serve: 512, run: Value(4_096), range: 1..=65_536,
        scope: Request, hit: Hit::Throws,
        bounds: "bodies open at a time between guest and network: responses of `fetch` that are not read to their end, \
                 streamed uploads, the streamed response",
        effect: "The `fetch` whose body would be one too many is rejected as above; a streamed response ends in a 500.",
    }
    /// What a request may log, bytes.
    log_bytes: usize = "log-kib" in KiB {
        serve: 256, run: Unlimited, range: 0..=1_048_576,
        scope: Request, hit: Hit::Silence,
        bounds: "what is written to `console`, `process.stdout` and `process.stderr`",
        effect: "One line says that the limit is reached; what comes after it is left out.",
    }
    /// A request's header fields, bytes of names and values.
    request_header_bytes: usize = "request-header-kib" in KiB {
        serve: 32, run: NotApplicable, range: 1..=256,
        scope: Request, hit: Hit::Status(431),
        bounds: "a request's header fields: names and values together",
        effect: "The guest never sees the request.",
    }
    /// A request's header fields.
    request_headers: u32 = "request-headers" in Count {
        serve: 100, run: NotApplicable, range: 8..=1_024,
        scope: Request, hit: Hit::Status(431),
        bounds: "a request's header fields, by number",
        effect: "The guest never sees the request.",
    }
    /// A request's body, bytes.
    request_body_bytes: u64 = "request-body-mib" in MiB {
        serve: 100, run: NotApplicable, range: 1..=1_048_576,
        scope: Request, hit: Hit::Status(413),
        bounds: "a request's body",
        effect: "With a `content-length` above the limit, the guest never sees the request. Without one, reading the body is \
                 rejected with a `TypeError` at the limit, and the client gets the status unless the guest answers otherwise.",
    }
    /// A response's header fields, bytes of names and values.
    response_header_bytes: usize = "response-header-kib" in KiB {
        serve: 64, run: NotApplicable, range: 1..=1_024,
        scope: Request, hit: Hit::Status(500),
        bounds: "a response's header fields: names and values together",
        effect: "The log says so.",
    }
    /// A response's body, bytes.
    response_body_bytes: u64 = "response-body-mib" in MiB {
        serve: 4_096, run: NotApplicable, range: 1..=1_048_576,
        scope: Request, hit: Hit::Status(500),
        bounds: "a response's body",
        effect: "The log says so. A body that is streamed was begun with the guest's own status: it is cut off, so that the \
                 client sees that it is not whole.",
    }
    /// Requests that share a worker at a time.
    concurrent_requests: u32 = "concurrent-requests" in Count {
        serve: 256, run: NotApplicable, range: 1..=65_536,
        scope: Worker, hit: Hit::Waits,
        bounds: "requests under way in a worker at a time",
        effect: "Further ones wait in line, or get a worker of their own where there is room for one.",
    }
    /// Requests that a worker answers before a fresh one takes its place.
    max_reuses: u32 = "max-reuses" in Count {
        serve: 100_000, run: NotApplicable, range: 1..=1_000_000_000,
        scope: Worker, hit: Hit::Replaced,
        bounds: "requests that a warm worker answers in its life",
        effect: "A fresh worker takes its place, so that what an app leaks is given back. By default that is one start in \
                 100,000 requests: a memory leak of a kilobyte in each fits below the heap's default.",
    }
    /// Files in `/tmp`, bytes.
    tmp_bytes: u64 = "tmp-mib" in MiB {
        serve: 128, run: Value(128), range: 1..=65_536,
        scope: Deployment, hit: Hit::Throws,
        bounds: "files in `/tmp`, which are kept in memory",
        effect: "Writing fails with `ENOSPC`.",
    }
    /// Files that are open at a time.
    open_files: u32 = "open-files" in Count {
        serve: 1_024, run: Value(1_024), range: 1..=65_536,
        scope: Worker, hit: Hit::Throws,
        bounds: "files that a worker has open at a time through `node:fs`",
        effect: "Opening one more fails with `EMFILE`. What a worker has open is closed with it. The system has a limit for the \
                 whole process, too, which many workers can reach together: then it is `EMFILE` for each.",
    }
    /// Watches on files and directories at a time.
    watches: u32 = "watches" in Count {
        serve: 1_024, run: Value(65_536), range: 0..=1_048_576,
        scope: Worker, hit: Hit::Throws,
        bounds: "watches that a worker has at a time: one for each `fs.watch`, with `recursive` one for each directory and link, \
                 with `fs.watchFile` one for the file and each directory on its path",
        effect: "One more fails with `ENOSPC`; `fs.watchFile` looks at its file in intervals instead. The system has a limit for all \
                 processes of a user, too (`fs.inotify.max_user_watches`). What a worker watches ends with it.",
    }
    /// Whether code may be made from strings.
    allow_eval: bool = "eval" in Switch {
        serve: 1, run: Value(1), range: 0..=1,
        scope: Worker, hit: Hit::Throws,
        bounds: "`eval` and `new Function`",
        effect: "Where it is `false`, they throw an `EvalError`.",
    }
    /// Whether WebAssembly may be compiled.
    allow_wasm: bool = "wasm" in Switch {
        serve: 1, run: Value(1), range: 0..=1,
        scope: Worker, hit: Hit::Throws,
        bounds: "compiling WebAssembly",
        effect: "Where it is `false`, compiling throws a `WebAssembly.CompileError`.",
    }
}
