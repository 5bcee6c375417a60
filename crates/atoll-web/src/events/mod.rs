//! Event, EventTarget and the event classes of a worker (DOM Standard, "Events"; HTML, "Events").

use crate::clock;
use atoll_engine::{Builtin, Global, natives};

/// Its JavaScript, natives and globals.
pub(crate) const BUILTIN: Builtin = Builtin {
    name: "web/events",
    source: include_str!("api.js"),
    natives: natives! { "now" => clock::now },
    globals: &[Global::eager("Event"), Global::eager("EventTarget")],
};

/// The classes of events that carry data.
pub(crate) const CLASSES: Builtin = Builtin {
    name: "web/events/classes",
    source: include_str!("classes.js"),
    natives: &[],
    globals: &[
        Global::lazy("CustomEvent"),
        Global::lazy("ErrorEvent"),
        Global::lazy("MessageEvent"),
        Global::lazy("PromiseRejectionEvent"),
    ],
};
