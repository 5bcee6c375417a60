//! Memory for syntax trees, within bounds.
//!
//! The parser tries readings and gives them up, and what it gave up stays in its arena. Nested so that each level is read
//! twice, sixteen kilobytes of source make it allocate gigabytes (`x<y<x<y<…`, `(a=(a=(…`). So the arena is one block
//! that can't grow: where it is full, the parser panics, its thread ends, and the file is refused. That bounds the time
//! too, as those readings take memory.
//!
//! The block needs six gigabytes of address space. A kernel that counts reservations (`vm.overcommit_memory` 2, or 0 with
//! less memory than that) refuses them; there, an arena without bound takes its place, as compiling must work.

use oxc_allocator::Allocator;
use std::alloc::Layout;

/// Memory for every file, in bytes.
const BASE_BYTES: usize = 32 << 20;

/// Memory for each byte of the text. Trees of real files take up to thirty, and compiling TypeScript up to sixty.
const BYTES_PER_BYTE: usize = 160;

/// What a block holds at least: two gigabytes without the allocator's own records.
const BLOCK_BYTES: usize = (2 << 30) - 4096;

/// Alignment of the part of the block that is not to be used.
const ALIGNMENT: usize = 16;

/// An arena for a text of this many bytes. A block of two gigabytes is reserved (the allocator has no other size), all of
/// it but the allowed part is taken at once, and never touched.
pub(super) fn for_text(text_bytes: usize) -> Allocator {
    let Some(allocator) = Allocator::new_fixed_size() else { return Allocator::default() };
    let allowed = BASE_BYTES.saturating_add(text_bytes.saturating_mul(BYTES_PER_BYTE));
    let spare = BLOCK_BYTES.saturating_sub(allowed) / ALIGNMENT * ALIGNMENT;
    if let Ok(layout) = Layout::from_size_align(spare, ALIGNMENT)
        && spare > 0
    {
        allocator.alloc_layout(layout);
    }
    allocator
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arena_holds_what_is_allowed_and_no_more() {
        for text_bytes in [0, 1 << 20, usize::MAX] {
            let allowed = BASE_BYTES.saturating_add(text_bytes.saturating_mul(BYTES_PER_BYTE)).min(BLOCK_BYTES);
            let arena = for_text(text_bytes);
            arena.alloc_layout(Layout::from_size_align(allowed - 4096, ALIGNMENT).expect("a layout"));
            let more = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                arena.alloc_layout(Layout::from_size_align(16 << 10, ALIGNMENT).expect("a layout"));
            }));
            assert!(more.is_err(), "{text_bytes}");
        }
    }
}
