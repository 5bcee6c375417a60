//! One object's content on the disk.

use super::directory::{Shared, is_full};
use super::presence::PresenceMap;
use crate::frames::{Header, Identity};
use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Frames after which the map is written down without being asked: 8 MiB of common ones. What has not been written down
/// when the process is killed is fetched again.
const UNWRITTEN_MAX: u32 = 64;
/// A read is repeated so often because something was evicted meanwhile; then it counts as a miss.
const READ_ATTEMPTS: u32 = 4;
/// Content that is evicted together.
const PIECE_BYTES: u64 = 4 << 20;

/// The answer to [`CachedObject::read`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Lookup {
    /// The buffer has the content.
    Hit,
    /// The buffer has the content, and this frame was [watched](CachedObject::watch).
    Watched(u32),
    /// Not all of it is there; the buffer has anything.
    Miss,
}

/// The answer to [`CachedObject::store`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Stored {
    /// The frame is there.
    Kept,
    /// There is no room for it, and none could be made.
    Full,
}

/// An open object of a cache; see the [module](super).
pub struct CachedObject {
    content: Content,
    shared: Arc<Shared>,
    identity: Identity,
    map: File,
    writer: Mutex<Writer>,
}

/// What reading takes. There is no lock in it.
struct Content {
    header: Header,
    data: File,
    presence: PresenceMap,
    /// Frames whose next read is to be told.
    watched: PresenceMap,
    /// Counts evictions: one that has begun to take content away is counted.
    evictions: AtomicU64,
    /// When each piece was last read or written, by the cache's count.
    used_at: Box<[AtomicU32]>,
}

#[derive(Debug, Default)]
struct Writer {
    /// Pages of the map that are not written down as they are.
    pages: BTreeSet<u32>,
    /// Frames stored since.
    unwritten: u32,
}

impl fmt::Debug for CachedObject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CachedObject").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Content {
    fn read(&self, epoch: u32, offset: u64, buffer: &mut [u8]) -> io::Result<Lookup> {
        let frames = self.frames_of(offset, buffer.len())?;
        if frames.is_empty() {
            return Ok(Lookup::Hit);
        }
        for _ in 0..READ_ATTEMPTS {
            let evictions = self.evictions.load(Ordering::SeqCst);
            if !self.presence.contains(frames.clone()) {
                return Ok(Lookup::Miss);
            }
            let mut done = 0;
            while done < buffer.len() {
                match atoll_sys::fs::read_at(&self.data, &mut buffer[done..], offset + done as u64)? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    more => done += more,
                }
            }
            // A frame is taken out of the map before the eviction is counted, and that before its content goes. So if
            // none was counted, what was in the map above was in the file.
            if self.evictions.load(Ordering::SeqCst) == evictions {
                self.touch(epoch, &frames);
                return Ok(self.watched.take_any(frames).map_or(Lookup::Hit, Lookup::Watched));
            }
        }
        Ok(Lookup::Miss)
    }

    /// The frames with this part of the content. Errors: beyond the end.
    fn frames_of(&self, offset: u64, length: usize) -> io::Result<Range<u32>> {
        let end = offset.checked_add(length as u64).filter(|end| *end <= self.header.content_bytes());
        let end = end.ok_or(io::ErrorKind::InvalidInput)?;
        let frame_bytes = self.header.frame_bytes();
        if length == 0 {
            return Ok(0..0);
        }
        Ok((offset / frame_bytes) as u32..end.div_ceil(frame_bytes) as u32)
    }

    fn touch(&self, epoch: u32, frames: &Range<u32>) {
        let piece_frames = piece_frames(&self.header);
        for piece in frames.start / piece_frames..=(frames.end - 1) / piece_frames {
            let used_at = &self.used_at[piece as usize];
            // Most reads find it up to date, and leave the cache line to be shared.
            if used_at.load(Ordering::Relaxed) != epoch {
                used_at.store(epoch, Ordering::Relaxed);
            }
        }
    }
}

/// Frames that are evicted together.
fn piece_frames(header: &Header) -> u32 {
    (PIECE_BYTES / header.frame_bytes()) as u32
}

impl CachedObject {
    pub(super) fn new(
        shared: Arc<Shared>,
        identity: Identity,
        header: Header,
        data: File,
        map: File,
        presence: PresenceMap,
    ) -> Self {
        let frames = header.frames();
        let pieces = frames.div_ceil(piece_frames(&header));
        let content = Content {
            data,
            presence,
            watched: PresenceMap::new(frames),
            evictions: AtomicU64::new(0),
            used_at: (0..pieces).map(|_| AtomicU32::new(shared.epoch())).collect(),
            header,
        };
        Self { content, shared, identity, map, writer: Mutex::default() }
    }

    /// The object's name.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The object's header.
    pub fn header(&self) -> &Header {
        &self.content.header
    }

    /// Frames that are there; others may come, and these go, at any moment.
    pub fn presence(&self) -> &PresenceMap {
        &self.content.presence
    }

    /// Reads content from `offset` on, as much as `buffer` has room for, if all of it is there.
    ///
    /// Errors: a range beyond the content's end; what the disk says of a part that it can't read, whose frames should
    /// be [forgotten](Self::forget) then.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<Lookup> {
        self.content.read(self.shared.epoch(), offset, buffer)
    }

    /// The next read of this frame that finds it says so.
    pub fn watch(&self, frame: u32) {
        self.content.watched.insert(frame..frame + 1);
    }

    /// Keeps the content of a frame, which has been verified. If it is there already, nothing happens.
    ///
    /// Errors: what the disk says, but that it is full; the frame is not there then.
    ///
    /// # Panics
    /// If there is no such frame, or `content` is not as long as its content is.
    pub fn store(&self, frame: u32, content: &[u8]) -> io::Result<Stored> {
        let header = &self.content.header;
        assert_eq!(content.len() as u64, header.content_of(frame), "all of the frame's content");
        let frames = frame..frame + 1;
        if self.content.presence.contains(frames.clone()) {
            return Ok(Stored::Kept);
        }
        let bytes = content.len() as u64;
        if !self.shared.make_room(bytes) {
            return Ok(Stored::Full);
        }
        let mut writer = self.lock();
        if self.content.presence.contains(frames.clone()) {
            return Ok(Stored::Kept);
        }
        if let Err(error) = self.write(frame, content) {
            // What was written of it takes no room.
            let _ = self.punch(&frames);
            drop(writer);
            if is_full(&error) {
                // The limits are too high for this disk; next time there may be room.
                self.shared.evict_for_full_disk();
                return Ok(Stored::Full);
            }
            return Err(error);
        }
        self.content.touch(self.shared.epoch(), &frames);
        self.content.presence.insert(frames);
        self.shared.grew(bytes);
        writer.pages.insert(PresenceMap::page_of(frame));
        writer.unwritten += 1;
        if writer.unwritten >= UNWRITTEN_MAX {
            // The frame is there even if this fails; then it is tried again after the next ones.
            let _ = self.write_map(&mut writer);
        }
        Ok(Stored::Kept)
    }

    /// Takes frames away, since they can't be read or are not wanted; how many bytes of content that were. After an
    /// error they are not there either, but may take room.
    pub fn forget(&self, frames: Range<u32>) -> io::Result<u64> {
        let mut writer = self.lock();
        if self.content.presence.count(frames.clone()) == 0 {
            return Ok(0);
        }
        let bytes = frames.clone().filter(|frame| self.content.presence.contains(*frame..frame + 1));
        let bytes: u64 = bytes.map(|frame| self.content.header.content_of(frame)).sum();
        self.content.presence.remove(frames.clone());
        self.content.evictions.fetch_add(1, Ordering::SeqCst);
        self.shared.shrank(bytes);
        let pages = PresenceMap::page_of(frames.start)..=PresenceMap::page_of(frames.end - 1);
        writer.pages.extend(pages);
        if self.write_map(&mut writer).is_err() {
            // A disk without room for a page of the map has room for an empty one. It is written anew with the next
            // frames.
            atoll_sys::fs::truncate(&self.map, 0)?;
            writer.pages.extend(0..self.content.presence.pages());
        }
        atoll_sys::fs::sync_data(&self.map)?;
        self.punch(&frames)?;
        Ok(bytes)
    }

    /// Writes down which frames are there, after their content has reached the disk.
    pub fn persist(&self) -> io::Result<()> {
        self.write_map(&mut self.lock())
    }

    fn write_map(&self, writer: &mut Writer) -> io::Result<()> {
        if writer.pages.is_empty() {
            return Ok(());
        }
        if writer.unwritten > 0 {
            atoll_sys::fs::sync_data(&self.content.data)?;
            writer.unwritten = 0;
        }
        while let Some(page) = writer.pages.first().copied() {
            let bytes = self.content.presence.encode_page(page, self.identity);
            write_all(&self.map, &bytes, u64::from(page) * PresenceMap::PAGE_BYTES as u64)?;
            writer.pages.remove(&page);
        }
        Ok(())
    }

    fn write(&self, frame: u32, content: &[u8]) -> io::Result<()> {
        write_all(&self.content.data, content, u64::from(frame) * self.content.header.frame_bytes())
    }

    fn punch(&self, frames: &Range<u32>) -> io::Result<()> {
        let frame_bytes = self.content.header.frame_bytes();
        let begin = u64::from(frames.start) * frame_bytes;
        let end = u64::from(frames.end) * frame_bytes;
        Ok(atoll_sys::fs::punch_hole(&self.content.data, begin, end - begin)?)
    }

    /// When the piece that has not been used for longest was used, and its frames; of pieces that have any.
    pub(super) fn oldest_piece(&self) -> Option<(u32, Range<u32>)> {
        let piece_frames = piece_frames(&self.content.header);
        let pieces = self.content.used_at.iter().enumerate().map(|(piece, used_at)| {
            let begin = piece as u32 * piece_frames;
            let frames = begin..begin.saturating_add(piece_frames).min(self.content.header.frames());
            (used_at.load(Ordering::Relaxed), frames)
        });
        let present = pieces.filter(|(_, frames)| self.content.presence.count(frames.clone()) > 0);
        present.min_by_key(|(used_at, _)| *used_at)
    }

    /// Bytes of the content that are there.
    pub(super) fn present_bytes(&self) -> u64 {
        let header = &self.content.header;
        let Some(last) = header.frames().checked_sub(1) else { return 0 };
        let full = u64::from(self.content.presence.count(0..last)) * header.frame_bytes();
        full + u64::from(self.content.presence.count(last..last + 1)) * header.content_of(last)
    }

    fn lock(&self) -> MutexGuard<'_, Writer> {
        // A panic leaves pages noted that need not be written, or frames that will be fetched again.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for CachedObject {
    fn drop(&mut self) {
        // What is not written down is fetched again.
        let _ = self.persist();
        self.shared.closed(self.identity, self.present_bytes());
    }
}

fn write_all(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match atoll_sys::fs::write_at(file, &bytes[done..], offset + done as u64)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            more => done += more,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{Cache, Limits};
    use crate::frames::{Packing, pack};
    use std::io::Cursor;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn who_reads_waits_for_nobody_who_writes() {
        let (folder, content) = (tempfile::tempdir().unwrap(), vec![7; 40_000]);
        let packing = Packing { frame_bits: 12, level: None };
        let header = pack(&mut &content[..], content.len() as u64, packing, &mut Cursor::new(Vec::new())).unwrap();
        let cache = Cache::open(folder.path(), Limits { bytes_max: 1 << 20, free_bytes_min: 0 }).unwrap();
        let object = cache.object(&header).unwrap();
        for (frame, content) in content.chunks(1 << 12).enumerate() {
            assert!(matches!(object.store(frame as u32, content), Ok(Stored::Kept)));
        }
        let (sender, receiver) = mpsc::channel();
        let writer = object.lock();
        thread::scope(|scope| {
            scope.spawn(|| sender.send(matches!(object.read(77, &mut [0; 5000]), Ok(Lookup::Hit))));
            let read = receiver.recv_timeout(Duration::from_secs(30));
            drop(writer);
            assert_eq!(read, Ok(true));
        });
    }
}
