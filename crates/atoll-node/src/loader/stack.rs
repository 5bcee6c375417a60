//! Running recursive code on foreign input without overflowing a stack.
//!
//! The parser and everything after it recurse as deep as the source is nested, and have no limit of their own: a file
//! of a million opening brackets would end the process. Therefore each compilation runs on its own thread, whose stack
//! is reserved (not touched) for the deepest nesting that the text could possibly have. That bound is a weighted count of
//! the characters that can open a level, in strings and comments too, so no trick of lexing gets below it. Texts that
//! would need more than [`MAX_STACK_BYTES`] are refused.

use std::sync::{Mutex, PoisonError};

/// Stack for what does not depend on the text.
const BASE_STACK_BYTES: usize = 1 << 20;

/// Most address space for one compilation's stack. Room for real bundles of several megabytes; a hostile text can make
/// one compilation at a time touch it all.
const MAX_STACK_BYTES: usize = 1 << 30;

/// Compilations that need more than this run one after another, so that hostile texts can't add up.
const SHARED_STACK_BYTES: usize = 64 << 20;

/// Stack of one level of brackets: an expression in parentheses goes down through every precedence of the grammar, and
/// the transformer's frames are larger than the parser's. Measured in unoptimised builds, with half as much again.
const BRACKET_BYTES: usize = if cfg!(debug_assertions) { 16 << 10 } else { 4 << 10 };

/// Stack of one level by an operator or a keyword.
const OPERATOR_BYTES: usize = if cfg!(debug_assertions) { 2 << 10 } else { 512 };

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Why code did not run to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StackError {
    /// The text could need more stack than there may be.
    TooComplex,
    /// No thread could be started.
    NoThread,
    /// The code panicked.
    Panicked,
}

/// The stack that compiling `text` needs at most.
pub(super) fn stack_bytes(text: &str) -> usize {
    let mut brackets = 0_usize;
    let mut operators = 0_usize;
    let mut after_word = false;
    let mut space_after_word = false;
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'$' => {
                // Two words in a row: the first may be a prefix operator such as `typeof`.
                operators += usize::from(space_after_word);
                after_word = true;
                space_after_word = false;
            }
            b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c => {
                space_after_word |= after_word;
                after_word = false;
            }
            b'(' | b'[' | b'{' => {
                brackets += 1;
                (after_word, space_after_word) = (false, false);
            }
            b';' | b',' | b')' | b']' | b'}' => (after_word, space_after_word) = (false, false),
            _ => {
                operators += 1;
                (after_word, space_after_word) = (false, false);
            }
        }
    }
    BASE_STACK_BYTES
        .saturating_add(brackets.saturating_mul(BRACKET_BYTES))
        .saturating_add(operators.saturating_mul(OPERATOR_BYTES))
}

/// Runs `work` with the stack that compiling `text` may need.
pub(super) fn with_stack_for<R: Send>(text: &str, work: impl FnOnce() -> R + Send) -> Result<R, StackError> {
    let bytes = stack_bytes(text);
    if bytes > MAX_STACK_BYTES {
        return Err(StackError::TooComplex);
    }
    let _turn = (bytes > SHARED_STACK_BYTES).then(|| ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner));
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("atoll-compile".to_owned()).stack_size(bytes);
        let thread = thread.spawn_scoped(scope, work).map_err(|_| StackError::NoThread)?;
        thread.join().map_err(|_| StackError::Panicked)
    })
}
