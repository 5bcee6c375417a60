//! Running recursive code on foreign input without overflowing a stack.
//!
//! The parser and everything after it recurse as deep as the source is nested, and have no limit of their own: a file
//! of a million opening brackets would end the process. Therefore each compilation runs on its own thread, whose stack
//! is reserved (not touched) for the deepest nesting that the text could possibly have. That bound is a weighted count of
//! the characters that can open a level, in strings and comments too, so no trick of lexing gets below it. Texts that
//! would need more than [`MAX_STACK_BYTES`] are refused.

use oxc::ast::AstKind;
use oxc::ast::ast::Program;
use oxc::ast_visit::Visit;
use std::sync::{Mutex, PoisonError};

/// Stack for what does not depend on the text.
const BASE_STACK_BYTES: usize = 512 << 10;

/// Most address space for one compilation's stack. Room for real bundles of several megabytes; a hostile text can make
/// one compilation at a time touch it all.
const MAX_STACK_BYTES: usize = 1 << 30;

/// Compilations that need more than this run one after another, so that hostile texts can't add up.
const SHARED_STACK_BYTES: usize = 64 << 20;

/// Stack of one level of brackets: an expression in parentheses goes down through every precedence of the grammar.
/// The most measured is 1.2 KiB, in builds optimised a little.
const BRACKET_BYTES: usize = 2 << 10;

/// Stack of one level of `<`, which in TypeScript may open arguments of types. Measured: 1.4 KiB.
const ANGLE_BYTES: usize = 2560;

/// Stack of one level by another operator or a keyword. Measured: 0.3 KiB, of `new`.
const OPERATOR_BYTES: usize = 512;

/// Deepest syntax tree, in nodes, that is analysed and transformed, which takes time by the square of the depth. V8 itself
/// overflows its stack at less.
const MAX_TREE_DEPTH: usize = 10_000;

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

/// What compiling a text takes at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need {
    stack_bytes: usize,
    /// How deep its syntax tree could be.
    levels: usize,
}

impl Need {
    /// Of a text, which is TypeScript or JSX if it `has_types`.
    pub(super) fn of(text: &str, has_types: bool) -> Self {
        let (mut brackets, mut angles, mut operators) = (0_usize, 0_usize, 0_usize);
        let mut after_word = false;
        let mut space_after_word = false;
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'$' => {
                    // Two words in a row: the first may be a prefix operator such as `typeof`.
                    operators += usize::from(space_after_word);
                    (after_word, space_after_word) = (true, false);
                    continue;
                }
                b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c => {
                    space_after_word |= after_word;
                    after_word = false;
                    continue;
                }
                b'(' | b'[' | b'{' => brackets += 1,
                b'<' if has_types => angles += 1,
                b';' | b',' | b')' | b']' | b'}' => {}
                _ => operators += 1,
            }
            (after_word, space_after_word) = (false, false);
        }
        let stack_bytes = BASE_STACK_BYTES
            .saturating_add(brackets.saturating_mul(BRACKET_BYTES))
            .saturating_add(angles.saturating_mul(ANGLE_BYTES))
            .saturating_add(operators.saturating_mul(OPERATOR_BYTES));
        // A bracket makes several nodes: a call, its argument, a body.
        Self { stack_bytes, levels: operators.saturating_add(brackets.saturating_add(angles).saturating_mul(4)) }
    }

    /// Runs `work` with that much stack.
    pub(super) fn run<R: Send>(self, work: impl FnOnce() -> R + Send) -> Result<R, StackError> {
        if self.stack_bytes > MAX_STACK_BYTES {
            return Err(StackError::TooComplex);
        }
        let alone = self.stack_bytes > SHARED_STACK_BYTES;
        let _turn = alone.then(|| ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner));
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("atoll-compile".to_owned()).stack_size(self.stack_bytes);
            let thread = thread.spawn_scoped(scope, work).map_err(|_| StackError::NoThread)?;
            thread.join().map_err(|_| StackError::Panicked)
        })
    }

    /// Whether a syntax tree is deeper than [`MAX_TREE_DEPTH`].
    pub(super) fn is_exceeded_by(self, program: &Program<'_>) -> bool {
        let mut depth = Depth::default();
        if self.levels > MAX_TREE_DEPTH {
            depth.visit_program(program);
        }
        depth.most > MAX_TREE_DEPTH
    }
}

#[derive(Default)]
struct Depth {
    now: usize,
    most: usize,
}

impl<'a> Visit<'a> for Depth {
    fn enter_node(&mut self, _kind: AstKind<'a>) {
        self.now += 1;
        self.most = self.most.max(self.now);
    }

    fn leave_node(&mut self, _kind: AstKind<'a>) {
        self.now -= 1;
    }
}
