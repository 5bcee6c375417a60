//! Requests to the inspector and its responses: JSON, written and read by V8 itself, which keeps strings that are no
//! Unicode as they are.

use std::fmt::Write;
use v8::inspector::{StringView, V8InspectorSession};

/// A parameter of a request.
pub(super) enum Json<'a> {
    Text(&'a str),
    Number(i32),
    Switch(bool),
}

impl<'a> From<&'a str> for Json<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<i32> for Json<'_> {
    fn from(number: i32) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Json<'_> {
    fn from(switch: bool) -> Self {
        Self::Switch(switch)
    }
}

/// The text of a request; `None` when a string of it is too long for V8.
pub(super) fn request(
    scope: &mut v8::PinScope<'_, '_>,
    call: i32,
    method: &str,
    parameters: &[(&str, Json<'_>)],
) -> Option<String> {
    let mut text = format!("{{\"id\":{call},\"method\":\"{method}\",\"params\":{{");
    for (number, (name, value)) in parameters.iter().enumerate() {
        let separator = if number == 0 { "" } else { "," };
        let value = match value {
            Json::Text(value) => {
                let value = v8::String::new(scope, value)?;
                v8::json::stringify(scope, value.into())?.to_rust_string_lossy(scope)
            }
            Json::Number(value) => value.to_string(),
            Json::Switch(value) => value.to_string(),
        };
        // Writing to a string can't fail.
        let _ = write!(text, "{separator}\"{name}\":{value}");
    }
    text.push_str("}}");
    Some(text)
}

/// A response, as it came.
pub(super) struct Response {
    pub(super) call: i32,
    pub(super) text: String,
}

/// What a response to `Runtime.evaluate` says.
pub(super) enum Answer<'s> {
    Value(v8::Local<'s, v8::Value>),
    Threw(v8::Local<'s, v8::Value>),
    Failed(String),
}

impl Response {
    /// The object that the response is.
    fn parse<'s>(&self, scope: &mut v8::PinScope<'s, '_>) -> Option<v8::Local<'s, v8::Object>> {
        let text = v8::String::new(scope, &self.text)?;
        v8::Local::<v8::Object>::try_from(v8::json::parse(scope, text)?).ok()
    }

    /// What a response says of a value.
    pub(super) fn read<'s>(&self, scope: &mut v8::PinScope<'s, '_>, session: &V8InspectorSession) -> Answer<'s> {
        let answer = self.parse(scope).and_then(|response| {
            if let Some(error) = object(scope, response, "error") {
                let message = own(scope, error, "message")?;
                return Some(Answer::Failed(message.to_rust_string_lossy(scope)));
            }
            let result = object(scope, response, "result")?;
            if let Some(details) = object(scope, result, "exceptionDetails") {
                let thrown = object(scope, details, "exception")?;
                return value_of(scope, session, thrown).map(Answer::Threw);
            }
            let value = object(scope, result, "result")?;
            value_of(scope, session, value).map(Answer::Value)
        });
        answer.unwrap_or_else(|| Answer::Failed("there is no memory left for the value".to_owned()))
    }

    /// The strings of the list `names` in a response.
    pub(super) fn names(&self, scope: &mut v8::PinScope<'_, '_>) -> Option<Vec<String>> {
        let response = self.parse(scope)?;
        let result = object(scope, response, "result")?;
        let names = v8::Local::<v8::Array>::try_from(own(scope, result, "names")?).ok()?;
        (0..names.length()).map(|index| Some(names.get_index(scope, index)?.to_rust_string_lossy(scope))).collect()
    }
}

/// The value that a `Runtime.RemoteObject` stands for.
fn value_of<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    session: &V8InspectorSession,
    remote: v8::Local<'s, v8::Object>,
) -> Option<v8::Local<'s, v8::Value>> {
    if let Some(id) = own(scope, remote, "objectId") {
        let id = id.to_rust_string_lossy(scope);
        return session.unwrap_object(scope, view(&id)).ok().map(|(value, _, _)| value);
    }
    if let Some(text) = own(scope, remote, "unserializableValue") {
        return match text.to_rust_string_lossy(scope).as_str() {
            "-0" => Some(v8::Number::new(scope, -0.0).into()),
            "NaN" => Some(v8::Number::new(scope, f64::NAN).into()),
            "Infinity" => Some(v8::Number::new(scope, f64::INFINITY).into()),
            "-Infinity" => Some(v8::Number::new(scope, f64::NEG_INFINITY).into()),
            // A BigInt, as it is written in source: V8 offers no other way from its digits.
            literal => {
                let literal = v8::String::new(scope, literal)?;
                v8::Script::compile(scope, literal, None)?.run(scope)
            }
        };
    }
    Some(own(scope, remote, "value").unwrap_or_else(|| v8::undefined(scope).into()))
}

/// An object's own property: what the guest has put on prototypes is not asked.
fn own<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    object: v8::Local<'s, v8::Object>,
    name: &str,
) -> Option<v8::Local<'s, v8::Value>> {
    let key = v8::String::new(scope, name)?;
    if object.has_own_property(scope, key.into())? { object.get(scope, key.into()) } else { None }
}

fn object<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    parent: v8::Local<'s, v8::Object>,
    name: &str,
) -> Option<v8::Local<'s, v8::Object>> {
    v8::Local::<v8::Object>::try_from(own(scope, parent, name)?).ok()
}

/// ASCII, as the inspector wants it.
pub(super) fn view(text: &str) -> StringView<'_> {
    StringView::from(text.as_bytes())
}
