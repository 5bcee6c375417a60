//! A store that fails as it is told to, around any other.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;

/// What goes wrong with one read.
#[derive(Debug, Clone)]
pub(crate) enum StoreFault {
    /// Nothing.
    None,
    /// It fails.
    Error,
    /// It fails after so many bytes.
    ErrorAfter(u64),
    /// It is never answered.
    Stall,
    /// Nothing comes after so many bytes.
    StallAfter(u64),
    /// It ends after so many bytes.
    Truncated(u64),
    /// The byte at this place of what comes is another one.
    Corrupt(u64),
    /// So many bytes more come.
    TooLong(u64),
    /// It comes in pieces of so many bytes, with a pause before each.
    Slow(u64, Duration),
    /// It is not answered before the semaphore has a permit.
    Held(Arc<Semaphore>),
    /// It is of another version.
    OtherVersion,
    /// It is of an object of another size.
    OtherSize,
    /// It is another range, as the store says itself.
    OtherRange,
}

/// See the module's description.
#[derive(Debug)]
pub(crate) struct FaultyStore {
    store: Arc<dyn ObjectStore>,
    faults: Mutex<VecDeque<StoreFault>>,
}

impl FaultyStore {
    /// Without faults so far.
    pub(crate) fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, faults: Mutex::default() }
    }

    /// The next reads that have no fault yet get these, one each.
    pub(crate) fn then(&self, faults: impl IntoIterator<Item = StoreFault>) {
        self.faults.lock().unwrap().extend(faults);
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "faulty {}", self.store)
    }
}

fn failed() -> Error {
    Error::Generic { store: "faulty", source: "it fails as it was told to".into() }
}

type Source = BoxStream<'static, Result<Bytes>>;

/// The first `limit` bytes of a body.
fn first(source: Source, limit: u64) -> Source {
    let mut left = limit;
    let pieces = source.map(move |piece| {
        let mut piece = piece?;
        piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        left -= piece.len() as u64;
        Ok(piece)
    });
    // What follows is not waited for.
    let mut left = limit;
    let until = pieces.scan((), move |(), piece: Result<Bytes>| {
        let is_over = left == 0;
        left -= piece.as_ref().map_or(0, |piece| piece.len() as u64);
        std::future::ready((!is_over).then_some(piece))
    });
    until.boxed()
}

impl StoreFault {
    fn shape(&self, source: Source) -> Source {
        match self {
            Self::ErrorAfter(bytes) => {
                first(source, *bytes).chain(stream::once(std::future::ready(Err(failed())))).boxed()
            }
            Self::StallAfter(bytes) => first(source, *bytes).chain(stream::pending()).boxed(),
            Self::Truncated(bytes) => first(source, *bytes),
            Self::TooLong(bytes) => {
                let more = Bytes::from(vec![b'+'; *bytes as usize]);
                source.chain(stream::once(std::future::ready(Ok(more)))).boxed()
            }
            Self::Corrupt(at) => {
                let at = *at as usize;
                let mut passed = 0;
                let pieces = source.map(move |piece| {
                    let piece = piece?;
                    let (begin, length) = (passed, piece.len());
                    passed += length;
                    if !(begin..begin + length).contains(&at) {
                        return Ok(piece);
                    }
                    let mut piece = piece.to_vec();
                    piece[at - begin] ^= 0xff;
                    Ok(piece.into())
                });
                pieces.boxed()
            }
            Self::Slow(bytes, pause) => {
                let (bytes, pause) = (*bytes as usize, *pause);
                let pieces = source.flat_map(move |piece| match piece {
                    Ok(piece) => {
                        let piece = piece.to_vec();
                        let pieces: Vec<_> = piece.chunks(bytes).map(|piece| Ok(piece.to_vec().into())).collect();
                        stream::iter(pieces)
                    }
                    Err(error) => stream::iter(vec![Err(error)]),
                });
                let slowly = pieces.then(move |piece| async move {
                    tokio::time::sleep(pause).await;
                    piece
                });
                slowly.boxed()
            }
            _ => source,
        }
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.store.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let fault = self.faults.lock().unwrap().pop_front().unwrap_or(StoreFault::None);
        match &fault {
            StoreFault::Error => return Err(failed()),
            StoreFault::Stall => std::future::pending().await,
            StoreFault::Held(permits) => permits.acquire().await.unwrap().forget(),
            _ => {}
        }
        let mut result = self.store.get_opts(location, options).await?;
        match &fault {
            StoreFault::OtherVersion => result.meta.e_tag = Some("\"another\"".to_owned()),
            StoreFault::OtherSize => result.meta.size += 1,
            StoreFault::OtherRange => result.range = result.range.start + 1..result.range.end + 1,
            StoreFault::None => return Ok(result),
            _ => {}
        }
        let (meta, range, attributes) = (result.meta.clone(), result.range.clone(), result.attributes.clone());
        let extensions = result.extensions.clone();
        let source = fault.shape(result.into_stream());
        Ok(GetResult { payload: GetResultPayload::Stream(source), meta, range, attributes, extensions })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.store.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.store.copy_opts(from, to, options).await
    }
}
