//! The engine through its public interface, with small builtins of its own.

mod harness;
mod limits;
mod modules;
mod natives;
mod wasm;
