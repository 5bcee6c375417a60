//! Why guests are ended by force, and what to do about it.

use atoll_engine::Reason;

/// A reason for which a guest is ended by force.
#[derive(Debug)]
pub struct Kill {
    /// The reason; its name is in the `atoll-termination` header, in logs and metrics.
    pub reason: Reason,
    /// The status that the requests under way get; none where the client has another already.
    pub status: Option<u16>,
    /// What the guest did.
    pub means: &'static str,
    /// What its author, or the operator, can do.
    pub remedy: &'static str,
}

/// All reasons.
pub const KILLS: &[Kill] = &[
    Kill {
        reason: Reason::Cpu,
        status: Some(503),
        means: "The guest computed for longer than it may: an endless loop, a regular expression that backtracks without \
                end, or more work than its limit admits.",
        remedy: "If the work is legitimate, raise the limit, or leave what the response does not need to \
                 `ctx.waitUntil`, which has a budget of its own. If it happens while the app starts, move work from the \
                 top level of modules into the handler.",
    },
    Kill {
        reason: Reason::Wall,
        status: Some(504),
        means: "The response's head, or the end of background work, did not come in time by the clock: usually something \
                outside that the guest waits for.",
        remedy: "Give what is awaited a time limit of its own, `fetch(url, { signal: AbortSignal.timeout(5000) })`, and \
                 answer without it; stream long answers, whose body is not limited in time; or raise the limit.",
    },
    Kill {
        reason: Reason::Heap,
        status: Some(503),
        means: "The JavaScript heap is full of objects that are in use.",
        remedy: "Look for what grows with each request and is never dropped: a cache without a bound, an array at the \
                 top level. Or raise the limit.",
    },
    Kill {
        reason: Reason::External,
        status: Some(503),
        means: "Memory outside of the heap is full: `ArrayBuffer`s, WebAssembly memories.",
        remedy: "Stream large bodies instead of collecting them, and drop buffers that are no longer needed. Or raise the \
                 limit.",
    },
    Kill {
        reason: Reason::Deploy,
        status: Some(503),
        means: "The worker's release was replaced, or the server ended (`--drain-seconds`), and what was under way did \
                not end in the time that it had for that.",
        remedy: "Nothing, usually: a client that asks again gets the new release. Streams that go on for ever, event \
                 streams above all, need a client that reconnects; work that must not be lost is better kept where it can \
                 be taken up again.",
    },
    Kill {
        reason: Reason::Idle,
        status: None,
        means: "A streamed response did not move: the guest wrote nothing, or the client took nothing. The body is cut off, \
                and the log tells; the worker goes on.",
        remedy: "Where there may be nothing to say for long, send something that says nothing: a comment, `: \\n\\n`, in an \
                 event stream. Or raise the limit.",
    },
    Kill {
        reason: Reason::Exit,
        status: Some(500),
        means: "The guest asked for its own end with `process.exit()`.",
        remedy: "A server doesn't exit: return a response with an error's status instead.",
    },
];
