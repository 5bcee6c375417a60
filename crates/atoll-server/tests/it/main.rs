//! The server over HTTP.
#![expect(clippy::disallowed_methods, reason = "tests write their fixtures")]

mod harness;
mod lanes;
mod pressure;
