//! Where the frames of an object lie.

use std::ops::Range;
use std::sync::Arc;

/// The frames of an object, in the order of their bytes, and how many of them make a chunk.
///
/// Frames are numbered from 0 and lie one after another; each has at least one byte.
#[derive(Debug, Clone)]
pub struct Layout {
    places: Places,
    frames: u32,
    chunk_frames: u32,
}

#[derive(Debug, Clone)]
enum Places {
    /// All of one length, but for a shorter last one.
    Uniform { bytes: u64, frame_bytes: u64 },
    /// Where each begins, and where the last one ends.
    Table(Arc<[u64]>),
}

impl Layout {
    /// An object of `bytes` bytes in frames of `frame_bytes`, `chunk_frames` of them in a chunk.
    ///
    /// # Panics
    /// If a frame or a chunk would be empty, or there are more than 2³² − 1 frames: sizes are checked where they are
    /// read.
    pub fn uniform(bytes: u64, frame_bytes: u64, chunk_frames: u32) -> Self {
        assert!(frame_bytes > 0 && chunk_frames > 0, "frames and chunks are not empty");
        let frames = u32::try_from(bytes.div_ceil(frame_bytes)).expect("frames are counted in 32 bits");
        Self { places: Places::Uniform { bytes, frame_bytes }, frames, chunk_frames }
    }

    /// Frames that begin at these offsets of the object; the last number is where the last frame ends.
    ///
    /// # Panics
    /// If the offsets don't ascend, or are none, or more than 2³²; or if a chunk would be empty.
    pub fn table(offsets: Arc<[u64]>, chunk_frames: u32) -> Self {
        assert!(chunk_frames > 0, "chunks are not empty");
        assert!(offsets.windows(2).all(|pair| pair[0] < pair[1]), "frames are not empty");
        let frames = offsets.len().checked_sub(1).and_then(|frames| u32::try_from(frames).ok());
        Self { frames: frames.expect("frames are counted in 32 bits"), places: Places::Table(offsets), chunk_frames }
    }

    /// How many frames there are.
    pub fn frames(&self) -> u32 {
        self.frames
    }

    /// Where a frame begins in the object; for the number after the last frame's, where that ends.
    pub fn offset(&self, frame: u32) -> u64 {
        match &self.places {
            Places::Uniform { bytes, frame_bytes } => (*frame_bytes * u64::from(frame)).min(*bytes),
            Places::Table(offsets) => offsets[frame as usize],
        }
    }

    /// Bytes of the object that these frames take.
    pub fn bytes(&self, frames: &Range<u32>) -> u64 {
        self.offset(frames.end) - self.offset(frames.start)
    }

    /// The first frame that is not wholly before `offset`, but at most `limit`: if a transfer has come to `offset`, the
    /// frames before are complete.
    pub fn complete_before(&self, offset: u64, limit: u32) -> u32 {
        match &self.places {
            Places::Uniform { bytes, .. } if offset >= *bytes => limit,
            Places::Uniform { frame_bytes, .. } => (offset / frame_bytes).min(u64::from(limit)) as u32,
            Places::Table(offsets) => {
                (offsets.partition_point(|begin| *begin <= offset) as u32).saturating_sub(1).min(limit)
            }
        }
    }

    /// The chunk that a frame belongs to, as a range of frames.
    pub(super) fn chunk_of(&self, frame: u32) -> Range<u32> {
        let begin = frame - frame % self.chunk_frames;
        begin..begin.saturating_add(self.chunk_frames).min(self.frames)
    }

    /// The end of the shortest range of frames from `run.start` with at least `bytes` bytes; what is left of `run`
    /// afterwards, if it is less than half as much, is taken as well.
    pub(super) fn cut(&self, run: &Range<u32>, bytes: u64) -> u32 {
        let target = self.offset(run.start).saturating_add(bytes);
        let end = match &self.places {
            Places::Uniform { frame_bytes, .. } => target.div_ceil(*frame_bytes).min(u64::from(run.end)) as u32,
            Places::Table(offsets) => (offsets.partition_point(|begin| *begin < target) as u32).min(run.end),
        };
        let end = end.max(run.start + 1);
        if self.bytes(&(end..run.end)) * 2 < bytes { run.end } else { end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_equal_frames_is_the_uniform_layout() {
        let uniform = Layout::uniform(1000, 64, 4);
        let table = Layout::table((0..=16).map(|frame| (frame * 64).min(1000)).collect(), 4);
        assert_eq!(uniform.frames(), table.frames());
        for offset in 0..=1001 {
            assert_eq!(uniform.complete_before(offset, 16), table.complete_before(offset, 16), "{offset}");
            assert_eq!(uniform.complete_before(offset, 3), table.complete_before(offset, 3), "{offset}");
        }
        for begin in 0..16 {
            assert_eq!(uniform.offset(begin), table.offset(begin));
            for bytes in [1, 63, 64, 65, 200, 5000] {
                assert_eq!(uniform.cut(&(begin..16), bytes), table.cut(&(begin..16), bytes), "{begin} {bytes}");
            }
        }
        assert_eq!(uniform.chunk_of(14), 12..16);
        assert_eq!(Layout::uniform(0, 64, 4).frames(), 0);
    }

    #[test]
    fn little_is_not_left_behind() {
        let layout = Layout::uniform(1000, 10, 100);
        assert_eq!(layout.cut(&(0..100), 200), 20);
        assert_eq!(layout.cut(&(0..29), 200), 29);
        assert_eq!(layout.cut(&(0..30), 200), 20);
        assert_eq!(layout.cut(&(99..100), 1), 100);
    }
}
