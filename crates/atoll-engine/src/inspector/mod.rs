//! V8's inspector, for interactive sessions: it evaluates as consoles do, where `await` is allowed at the top and `let`,
//! `const` and `class` may be declared again, and it can look at values without running getters.
//!
//! The inspector is spoken to in its own protocol (the Chrome DevTools Protocol, domain `Runtime`), in JSON. An isolate has
//! one only after [`Realm::inspect`]; guests that are served never do. It belongs to the thread of its isolate, and goes
//! before its realm: what it holds refers to the heap.

mod message;
mod names;

use crate::exception::Exception;
use crate::realm::{Isolate, Realm};
use crate::turn::{Handle, Turn};
use message::{Answer, Response, request};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use v8::inspector::{
    Channel, ChannelImpl, StringBuffer, StringView, V8Inspector, V8InspectorClient, V8InspectorClientImpl,
    V8InspectorClientTrustLevel, V8InspectorSession,
};

/// The group of the one context that there is.
const GROUP: i32 = 1;

/// V8 numbers an inspector's contexts from 1.
const CONTEXT_ID: i32 = 1;

/// What answers refer to is in this group, and released when it has been taken over.
const OBJECT_GROUP: &str = "session";

/// Responses that are kept for somebody to ask for them: those of evaluations that were given up come late, if at all.
const MAX_RESPONSES: usize = 64;

/// Names an evaluation that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvaluationId(i32);

/// What became of an evaluation.
#[derive(Debug)]
pub enum Evaluated {
    /// Its value.
    Value(Handle),
    /// What it threw.
    Threw(Handle, Exception),
    /// Neither: it was ended by force, or what it awaits was collected as garbage and can't come; in V8's words.
    Nothing(String),
}

#[derive(Default)]
struct Responses(RefCell<Vec<Response>>);

struct Receiver(Rc<Responses>);

impl ChannelImpl for Receiver {
    fn send_response(&self, call: i32, message: v8::UniquePtr<StringBuffer>) {
        let Some(message) = message.as_ref() else { return };
        let mut responses = self.0.0.borrow_mut();
        if responses.len() == MAX_RESPONSES {
            responses.remove(0);
        }
        responses.push(Response { call, text: message.string().to_string() });
    }

    fn send_notification(&self, _message: v8::UniquePtr<StringBuffer>) {}

    fn flush_protocol_notifications(&self) {}
}

struct Client;

impl V8InspectorClientImpl for Client {}

/// See the module's documentation.
pub struct Inspector {
    /// Before the inspector that it is a session of.
    session: Option<V8InspectorSession>,
    v8: Option<V8Inspector>,
    context: Option<v8::Global<v8::Context>>,
    responses: Rc<Responses>,
    calls: Cell<i32>,
    isolate: Isolate,
}

impl std::fmt::Debug for Inspector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Inspector").field("calls", &self.calls).finish_non_exhaustive()
    }
}

impl Drop for Inspector {
    fn drop(&mut self) {
        self.isolate.with_entered(|entered| {
            if let (Some(inspector), Some(context)) = (&self.v8, &self.context) {
                v8::scope!(let scope, entered);
                let context = v8::Local::new(scope, context);
                inspector.context_destroyed(context);
            }
            self.session.take();
            self.v8.take();
            self.context.take();
        });
    }
}

impl Realm {
    /// Gives the realm's isolate an inspector. What is typed into it imports relative to `referrer`, a guest path of a file
    /// that need not exist.
    pub fn inspect(&mut self, referrer: String) -> Inspector {
        self.set_nameless_referrer(referrer);
        let responses = Rc::<Responses>::default();
        let isolate = self.isolate().clone();
        self.enter(|turn| {
            let scope = turn.scope();
            let context = scope.get_current_context();
            let inspector = V8Inspector::create(scope, V8InspectorClient::new(Box::new(Client)));
            let channel = Channel::new(Box::new(Receiver(Rc::clone(&responses))));
            let nothing = StringView::empty();
            let session = inspector.connect(GROUP, channel, nothing, V8InspectorClientTrustLevel::FullyTrusted);
            inspector.context_created(context, GROUP, nothing, nothing);
            Inspector {
                session: Some(session),
                v8: Some(inspector),
                context: Some(v8::Global::new(scope, context)),
                responses,
                calls: Cell::new(0),
                isolate,
            }
        })
    }
}

impl Inspector {
    fn session(&self) -> &V8InspectorSession {
        self.session.as_ref().expect("only dropping takes it")
    }

    /// Sends a request; its response comes now or later.
    fn send(&self, scope: &mut v8::PinScope<'_, '_>, method: &str, parameters: &[(&str, message::Json<'_>)]) -> i32 {
        let call = self.calls.get().wrapping_add(1);
        self.calls.set(call);
        // A text of more characters than a string may have has no response.
        if let Some(text) = request(scope, call, method, parameters) {
            let units: Vec<u16> = text.encode_utf16().collect();
            self.session().dispatch_protocol_message(StringView::from(&units[..]));
        }
        call
    }

    /// The response to a request, if it has come.
    fn take_response(&self, call: i32) -> Option<Response> {
        let mut responses = self.responses.0.borrow_mut();
        let at = responses.iter().position(|response| response.call == call)?;
        Some(responses.remove(at))
    }

    fn release_objects(&self) {
        self.session().release_object_group(StringView::from(OBJECT_GROUP.as_bytes()));
    }
}

impl Turn<'_, '_, '_> {
    /// Begins to evaluate what was typed: a script in which `await` may be used outside of functions.
    pub fn evaluate(&mut self, inspector: &Inspector, source: &str) -> EvaluationId {
        let parameters = [
            ("expression", source.into()),
            ("objectGroup", OBJECT_GROUP.into()),
            ("contextId", CONTEXT_ID.into()),
            ("replMode", true.into()),
        ];
        EvaluationId(inspector.send(self.scope(), "Runtime.evaluate", &parameters))
    }

    /// What became of an evaluation; `None` while it waits.
    pub fn evaluated(&mut self, inspector: &Inspector, evaluation: EvaluationId) -> Option<Evaluated> {
        let response = inspector.take_response(evaluation.0)?;
        let evaluated = {
            v8::tc_scope!(let scope, self.scope());
            match response.read(scope, inspector.session()) {
                Answer::Value(value) => Evaluated::Value(Handle(v8::Global::new(scope, value))),
                Answer::Threw(thrown) => {
                    let handle = Handle(v8::Global::new(scope, thrown));
                    Evaluated::Threw(handle, Exception::describe(scope, thrown, None))
                }
                Answer::Failed(message) => Evaluated::Nothing(message),
            }
        };
        inspector.release_objects();
        Some(evaluated)
    }
}
