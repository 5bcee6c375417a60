//! One object, in one version.

use super::UpstreamError;
use super::answer::Unusable;
use super::error::cause;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use http::StatusCode;
use object_store::client::HttpError;
use object_store::path::Path;
use object_store::{GetOptions, GetResult, GetResultPayload, ObjectMeta, ObjectStore};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::task::spawn_blocking;

/// The most bytes of a file that are read at once, a usual frame: so many that waking a thread is little beside them, so
/// few that the first frame need not wait for others, which matters where the file is on a server.
const FILE_CHUNK_BYTES: u64 = 128 << 10;
/// The end of the longest range: several servers keep offsets in 63 bits.
const RANGE_END_MAX: u64 = i64::MAX as u64;

/// The bytes of a range as they come; an error is the last item.
pub type Body = BoxStream<'static, Result<Bytes, UpstreamError>>;

/// One object at an upstream, pinned to the version that it had when it was opened. Clones are cheap.
#[derive(Debug, Clone)]
pub struct Remote {
    object: Arc<Object>,
}

#[derive(Debug)]
struct Object {
    store: Arc<dyn ObjectStore>,
    location: Path,
    /// For errors.
    name: Arc<str>,
    /// What the store said when it was opened.
    pinned: ObjectMeta,
}

impl Remote {
    /// Opens an object by one ranged read of its first `prefix_bytes` bytes, and returns these bytes too; there are fewer
    /// of them when the object has fewer.
    ///
    /// # Errors
    /// Whatever the store answers, a body that is too short, and an answer that does not tell the object's size.
    pub async fn open(
        store: Arc<dyn ObjectStore>,
        location: Path,
        prefix_bytes: u64,
    ) -> Result<(Self, Bytes), UpstreamError> {
        let (remote, prefix) = Self::open_body(store, location, prefix_bytes).await?;
        Ok((remote, collect(prefix).await?))
    }

    /// [`Remote::open`], with the bytes as they come.
    pub async fn open_body(
        store: Arc<dyn ObjectStore>,
        location: Path,
        prefix_bytes: u64,
    ) -> Result<(Self, Body), UpstreamError> {
        let name: Arc<str> = format!("{store}/{location}").into();
        // A range of no bytes can't be asked for.
        let asked = 0..prefix_bytes.clamp(1, RANGE_END_MAX);
        let options = GetOptions::new().with_range(Some(asked.clone()));
        let result = match store.get_opts(&location, options).await {
            Ok(result) => result,
            Err(error) => {
                let Some(pinned) = empty(&*store, &location, &error).await else {
                    return Err(UpstreamError::of_store(&name, &error));
                };
                let object = Arc::new(Object { store, location, name, pinned });
                return Ok((Self { object }, stream::empty().boxed()));
            }
        };
        let pinned = result.meta.clone();
        let prefix = 0..prefix_bytes.min(pinned.size);
        let object = Arc::new(Object { store, location, name, pinned });
        object.check_range(&result, &(0..asked.end.min(object.pinned.size)))?;
        let bytes = if prefix.is_empty() { stream::empty().boxed() } else { body(&object, result, prefix) };
        Ok((Self { object }, bytes))
    }

    /// Bytes of the object.
    pub fn size(&self) -> u64 {
        self.object.pinned.size
    }

    /// The bytes of `range`, which is not empty and within the object, as they come. The stream gives exactly them, or
    /// ends with an error; dropping it gives the request up.
    ///
    /// # Errors
    /// Whatever the store answers, and an answer that is of another version or has another range.
    ///
    /// # Panics
    /// When `range` is empty or not within the object.
    pub async fn get(&self, range: Range<u64>) -> Result<Body, UpstreamError> {
        let object = &self.object;
        assert!(range.start < range.end && range.end <= self.size(), "{range:?} of {} bytes", self.size());
        let mut options = GetOptions::new().with_range(Some(range.clone()));
        match &object.pinned.e_tag {
            Some(tag) if is_strong(tag) => options.if_match = Some(tag.clone()),
            // A moment that the store did not say is the beginning of the epoch.
            _ if SystemTime::from(object.pinned.last_modified) != SystemTime::UNIX_EPOCH => {
                options.if_unmodified_since = Some(object.pinned.last_modified);
            }
            _ => {}
        }
        let result = object.store.get_opts(&object.location, options).await;
        let result = result.map_err(|error| UpstreamError::of_store(&object.name, &error))?;
        object.check_version(&result.meta)?;
        object.check_range(&result, &range)?;
        Ok(body(object, result, range))
    }
}

impl Object {
    /// Whether an answer is of the version that was opened: a store may not know, or not heed, that it was asked for it.
    fn check_version(&self, found: &ObjectMeta) -> Result<(), UpstreamError> {
        let pinned = &self.pinned;
        let reason = match (&pinned.e_tag, &found.e_tag) {
            _ if pinned.size != found.size => format!("it had {} bytes and has {}", pinned.size, found.size),
            (Some(was), Some(is)) if was == is => return Ok(()),
            (None, None) if pinned.last_modified == found.last_modified => return Ok(()),
            (None, None) => format!("its last change was {} and is {}", pinned.last_modified, found.last_modified),
            (was, is) => {
                let tag = |tag: &Option<String>| tag.clone().unwrap_or_else(|| "none".to_owned());
                format!("its ETag was {} and is {}", tag(was), tag(is))
            }
        };
        Err(UpstreamError::Changed { object: Arc::clone(&self.name), reason })
    }

    fn check_range(&self, result: &GetResult, asked: &Range<u64>) -> Result<(), UpstreamError> {
        if result.range == *asked {
            return Ok(());
        }
        let reason = format!("asked for bytes {asked:?}, the store gives {:?}", result.range);
        Err(UpstreamError::Failed { object: Arc::clone(&self.name), reason, retry_after: None })
    }
}

/// Whether two bodies with this ETag are equal byte by byte. A store compares no other ones.
fn is_strong(tag: &str) -> bool {
    !tag.starts_with("W/")
}

/// What is known of an object of no bytes. Stores refuse each range of it, so it has to be asked for as a whole.
async fn empty(store: &dyn ObjectStore, location: &Path, error: &object_store::Error) -> Option<ObjectMeta> {
    let is_unsatisfiable = match cause::<Unusable>(error) {
        Some(unusable) => matches!(unusable, Unusable::Status { status: StatusCode::RANGE_NOT_SATISFIABLE, .. }),
        // Stores that speak no HTTP have no name for it.
        None => matches!(error, object_store::Error::Generic { .. }) && cause::<HttpError>(error).is_none(),
    };
    if !is_unsatisfiable {
        return None;
    }
    let meta = store.get_opts(location, GetOptions::new()).await.ok()?.meta;
    (meta.size == 0).then_some(meta)
}

fn body(object: &Arc<Object>, result: GetResult, range: Range<u64>) -> Body {
    let object = Arc::clone(object);
    match result.payload {
        GetResultPayload::Stream(source) => of_stream(object, source, range),
        GetResultPayload::File(file, _) => of_file(object, file, range),
    }
}

fn of_stream(object: Arc<Object>, source: BoxStream<'static, object_store::Result<Bytes>>, range: Range<u64>) -> Body {
    let start = range.start;
    stream::try_unfold((object, source, start), move |(object, mut source, at)| {
        let range = range.clone();
        async move {
            if at == range.end {
                return Ok(None);
            }
            loop {
                let mut bytes = match source.next().await {
                    Some(Ok(bytes)) => bytes,
                    Some(Err(error)) => return Err(UpstreamError::of_store(&object.name, &error)),
                    None => {
                        let (object, received) = (Arc::clone(&object.name), at - range.start);
                        return Err(UpstreamError::Short { object, range, received });
                    }
                };
                bytes.truncate(usize::try_from(range.end - at).unwrap_or(usize::MAX));
                if !bytes.is_empty() {
                    let at = at + bytes.len() as u64;
                    return Ok(Some((bytes, (object, source, at))));
                }
            }
        }
    })
    .boxed()
}

fn of_file(object: Arc<Object>, file: File, range: Range<u64>) -> Body {
    let start = range.start;
    stream::try_unfold((object, Arc::new(file), start), move |(object, file, at)| {
        let end = range.end.min(at + FILE_CHUNK_BYTES);
        async move {
            if at == end {
                return Ok(None);
            }
            let read = {
                let (object, file) = (Arc::clone(&object), Arc::clone(&file));
                spawn_blocking(move || object.read_file(&file, at..end)).await
            };
            let bytes = read.map_err(|error| UpstreamError::Broken {
                object: Arc::clone(&object.name),
                reason: error.to_string(),
            })??;
            Ok(Some((bytes, (object, file, end))))
        }
    })
    .boxed()
}

impl Object {
    /// A part of a file. It is looked at again afterwards: what was read while it was written is not given.
    fn read_file(&self, file: &File, range: Range<u64>) -> Result<Bytes, UpstreamError> {
        let failed = |source| UpstreamError::File { object: Arc::clone(&self.name), source };
        let mut bytes = BytesMut::zeroed((range.end - range.start) as usize);
        let read = file.read_exact_at(&mut bytes, range.start);
        let metadata = file.metadata().map_err(failed)?;
        let changed = metadata.modified().map_err(failed)?;
        if metadata.len() != self.pinned.size || SystemTime::from(self.pinned.last_modified) != changed {
            let reason = "it was written meanwhile".to_owned();
            return Err(UpstreamError::Changed { object: Arc::clone(&self.name), reason });
        }
        read.map_err(failed)?;
        Ok(bytes.freeze())
    }
}

/// All of a body. One that comes in one piece is not copied.
async fn collect(mut body: Body) -> Result<Bytes, UpstreamError> {
    let first = body.try_next().await?.unwrap_or_default();
    let Some(second) = body.try_next().await? else { return Ok(first) };
    let mut all = BytesMut::from(first);
    all.extend_from_slice(&second);
    while let Some(bytes) = body.try_next().await? {
        all.extend_from_slice(&bytes);
    }
    Ok(all.freeze())
}
