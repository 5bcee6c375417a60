//! Exceptions on their way from JavaScript to the host.

use crate::modules::SourcePosition;

/// An exception that no guest code caught, as text. A pointer wide, so that results stay small.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception(Box<Details>);

/// What is known of an exception.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details {
    /// `TypeError: x is not a function`.
    pub message: String,
    /// Message and mapped stack, causes included; what a log shows.
    pub stack: String,
    /// The `code` property, where it is a string (`ERR_MODULE_NOT_FOUND`).
    pub code: Option<String>,
    /// The `path` property, where it is a string: the file that a system call was about.
    pub path: Option<String>,
    /// Where it was thrown, as far as V8 knows.
    pub position: Option<SourcePosition>,
    /// The line of source that `position` names.
    pub source_line: Option<String>,
}

impl std::ops::Deref for Exception {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl std::fmt::Display for Exception {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Exception {}

/// The most causes shown of one error; a cause may be its own cause.
const MAX_CAUSES: usize = 8;

impl Exception {
    /// Describes a thrown value. Reads properties of the value, so guest code may run; what that throws is ignored.
    pub(crate) fn describe(
        scope: &mut v8::PinScope<'_, '_>,
        thrown: v8::Local<'_, v8::Value>,
        message: Option<v8::Local<'_, v8::Message>>,
    ) -> Self {
        v8::tc_scope!(let scope, scope);
        let thrown = v8::Local::new(scope, thrown);
        let message = message.map(|message| v8::Local::new(scope, message));
        let message = message.unwrap_or_else(|| v8::Exception::create_message(scope, thrown));
        let text = message.get(scope).to_rust_string_lossy(scope);
        let text = text.strip_prefix("Uncaught ").unwrap_or(&text).to_owned();
        let mut stack = stack_of(scope, thrown).unwrap_or_else(|| text.clone());
        let mut cause = property(scope, thrown, "cause");
        for _ in 0..MAX_CAUSES {
            let Some(value) = cause.filter(|value| !value.is_null_or_undefined()) else { break };
            let described = stack_of(scope, value).unwrap_or_else(|| detail(scope, value));
            stack.push_str("\n  [cause]: ");
            stack.push_str(&described.replace('\n', "\n  "));
            cause = property(scope, value, "cause");
        }
        let [code, path] = ["code", "path"].map(|name| {
            let value = property(scope, thrown, name);
            let text = value.and_then(|value| v8::Local::<v8::String>::try_from(value).ok());
            text.map(|text| text.to_rust_string_lossy(scope))
        });
        let file = message.get_script_resource_name(scope).filter(|name| name.is_string());
        let position = file.map(|file| SourcePosition {
            file: file.to_rust_string_lossy(scope),
            line: u32::try_from(message.get_line_number(scope).unwrap_or(0)).unwrap_or(0),
            column: u32::try_from(message.get_start_column() + 1).unwrap_or(0),
        });
        let source_line = message.get_source_line(scope).map(|line| line.to_rust_string_lossy(scope));
        Self(Box::new(Details { message: text, stack, code, path, position, source_line }))
    }
}

fn property<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    value: v8::Local<'s, v8::Value>,
    name: &str,
) -> Option<v8::Local<'s, v8::Value>> {
    let object = v8::Local::<v8::Object>::try_from(value).ok()?;
    let key = v8::String::new(scope, name)?;
    object.get(scope, key.into())
}

fn stack_of<'s>(scope: &mut v8::PinScope<'s, '_>, value: v8::Local<'s, v8::Value>) -> Option<String> {
    let stack = property(scope, value, "stack")?;
    let stack = v8::Local::<v8::String>::try_from(stack).ok()?;
    Some(stack.to_rust_string_lossy(scope))
}

fn detail<'s>(scope: &mut v8::PinScope<'s, '_>, value: v8::Local<'s, v8::Value>) -> String {
    value.to_detail_string(scope).map(|text| text.to_rust_string_lossy(scope)).unwrap_or_default()
}
