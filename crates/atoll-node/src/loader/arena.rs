//! Memory for syntax trees, within bounds.
//!
//! The parser tries readings and gives them up, and what it gave up stays in its arena. Nested so that each level is read
//! twice, sixteen kilobytes of source make it allocate gigabytes (`x<y<x<y<…`, `(a=(a=(…`). So the arena is one block
//! that can't grow: where it is full, the parser panics, its thread ends, and the file is refused. That bounds the time
//! too, as those readings take memory.

use oxc_allocator::Allocator;
use std::alloc::Layout;

/// Memory for every file, in bytes.
const BASE_BYTES: usize = 32 << 20;

/// Memory for each byte of the text. Trees of real files take up to thirty, and compiling TypeScript up to sixty.
const BYTES_PER_BYTE: usize = 160;

/// Alignment of the part of the block that is not to be used.
const ALIGNMENT: usize = 16;

/// An arena for a text of this many bytes; none when there is no address space for it. A block of two gigabytes is
/// reserved (the allocator has no other size), all of it but the allowed part is taken at once, and never touched.
pub(super) fn for_text(text_bytes: usize) -> Option<Allocator> {
    let allocator = Allocator::new_fixed_size()?;
    let allowed = BASE_BYTES.saturating_add(text_bytes.saturating_mul(BYTES_PER_BYTE));
    let spare = allocator.capacity().saturating_sub(allowed) / ALIGNMENT * ALIGNMENT;
    if let Ok(layout) = Layout::from_size_align(spare, ALIGNMENT)
        && spare > 0
    {
        allocator.alloc_layout(layout);
    }
    Some(allocator)
}
