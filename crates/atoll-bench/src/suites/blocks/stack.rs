//! A policy at work: its own HTTP client and its own cache directory, both new.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use atoll_blocks::cache::{Cache, Limits};
use atoll_blocks::reader::{Object, Reader, ReaderConfig};
use atoll_blocks::upstream::store_for;
use object_store::ObjectStore;
use tokio::runtime::Handle;

use super::chunks::{Chunked, Release};
use super::error::BlocksError;
use super::origin::{Origin, Stored};
use crate::error::BenchError;
use crate::report::OURS;

/// How what is missing is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    /// Nobody gets anything of a chunk before all of it is there.
    WholeChunk,
    /// A chunk is read from its beginning, and each gets what it wants when it is there.
    Streaming,
    /// The product's.
    Ours,
}

impl Policy {
    pub(super) const ALL: [Self; 3] = [Self::WholeChunk, Self::Streaming, Self::Ours];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::WholeChunk => "whole chunk",
            Self::Streaming => "streaming",
            Self::Ours => OURS,
        }
    }
}

/// What reads objects of one origin by one policy.
pub(super) struct Stack {
    runtime: Handle,
    store: Arc<dyn ObjectStore>,
    cache: Cache,
    policy: Chosen,
    directory: PathBuf,
}

enum Chosen {
    Chunks(Release),
    Reader(Arc<Reader>),
}

/// An open object.
pub(super) enum Opened {
    Chunked(Arc<Chunked>),
    Ours(Arc<Object>),
}

impl Stack {
    /// With a cache in `directory`, which is emptied.
    pub(super) fn new(policy: Policy, runtime: &Handle, origin: &Origin, directory: &Path) -> Result<Self, BenchError> {
        clear(directory)?;
        let limits = Limits { bytes_max: u64::MAX, free_bytes_min: 0 };
        let cache = Cache::open(directory, limits).map_err(BlocksError::from)?;
        let first = origin.objects.first().map_or("", |object| object.name.as_str());
        let url = format!("{}{first}", origin.url);
        let (store, _) = store_for(&url, []).map_err(BlocksError::from)?;
        // Opening an object brings nothing of its content.
        let prefix_bytes = origin.objects.iter().map(|object| object.head_bytes).min().unwrap_or_default();
        let config = ReaderConfig { prefix_bytes, ..ReaderConfig::default() };
        let policy = match policy {
            Policy::WholeChunk => Chosen::Chunks(Release::Complete),
            Policy::Streaming => Chosen::Chunks(Release::AsItComes),
            Policy::Ours => Chosen::Reader(Reader::new(runtime.clone(), Arc::clone(&store), cache.clone(), config)?),
        };
        Ok(Self { runtime: runtime.clone(), store, cache, policy, directory: directory.to_owned() })
    }

    pub(super) fn open(&self, stored: &Stored) -> Result<Opened, BlocksError> {
        self.runtime.block_on(async {
            Ok(match &self.policy {
                Chosen::Chunks(release) => {
                    Opened::Chunked(Chunked::open(*release, Arc::clone(&self.store), &self.cache, stored).await?)
                }
                Chosen::Reader(reader) => {
                    let location = object_store::path::Path::from(stored.name.as_str());
                    Opened::Ours(reader.open(location, stored.identity).await?)
                }
            })
        })
    }

    /// Frames of `frame_bytes` bytes that have come so far, and are in the cache, or were found to have no room there: the
    /// reader keeps what somebody waits for in memory when the disk is behind, and drops it then.
    pub(super) fn settled_frames(&self, frame_bytes: u64) -> u64 {
        match &self.policy {
            Chosen::Chunks(_) => self.cache.bytes() / frame_bytes,
            Chosen::Reader(reader) => {
                let stats = reader.stats();
                stats.kept_frames + stats.not_kept_frames
            }
        }
    }

    /// The file that has an object's content, as far as it is there.
    pub(super) fn file_of(&self, stored: &Stored) -> PathBuf {
        self.directory.join(format!("{}.data", stored.identity))
    }
}

impl Opened {
    /// Fills `buffer` with content from `offset` on, which has to be within the object; the thread waits for it.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Chunked(object) => object.read(offset, buffer),
            Self::Ours(object) => {
                let length = buffer.len();
                let read = object.read_blocking(offset, buffer)?;
                if read == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
            }
        }
    }
}

/// Removes a cache directory.
pub(super) fn clear(directory: &Path) -> Result<(), BenchError> {
    match fs::remove_dir_all(directory) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(BenchError::File { path: directory.to_owned(), source })
        }
        _ => Ok(()),
    }
}
