//! A store in memory that keeps books of what it is asked for, and answers as a test wants.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How a request is answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reply {
    pub(crate) first_byte: Duration,
    /// The body comes in pieces of so many bytes.
    pub(crate) piece_bytes: usize,
    /// The time from a piece to the next.
    pub(crate) pause: Duration,
    /// What goes wrong, after so many bytes.
    pub(crate) fault: Option<(usize, Fault)>,
}

impl Default for Reply {
    fn default() -> Self {
        Self { first_byte: Duration::from_millis(1), piece_bytes: 24 << 10, pause: Duration::ZERO, fault: None }
    }
}

impl Reply {
    pub(crate) fn with(after: usize, fault: Fault) -> Self {
        Self { fault: Some((after, fault)), ..Self::default() }
    }
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection breaks.
    Break,
    /// The body ends.
    Truncate,
    /// A byte is another one.
    Damage,
    /// Nothing comes any more.
    Hang,
    /// The object is gone.
    Refuse,
    /// Whoever reads the body panics.
    Panic,
}

type Plan = Box<dyn Fn(usize, &Range<u64>) -> Reply + Send + Sync>;

/// One object in a store.
pub(crate) struct Origin {
    pub(crate) object: Bytes,
    plan: Plan,
    requests: Mutex<Vec<Range<u64>>>,
    /// No connection is possible.
    pub(crate) is_away: AtomicBool,
}

impl Origin {
    /// An origin that answers by the number of the request, from 0, and its range.
    pub(crate) fn new(
        object: Vec<u8>,
        plan: impl Fn(usize, &Range<u64>) -> Reply + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (plan, object) = (Box::new(plan), object.into());
        Arc::new(Self { object, plan, requests: Mutex::default(), is_away: AtomicBool::new(false) })
    }

    /// The ranges asked for so far.
    pub(crate) fn requests(&self) -> Vec<Range<u64>> {
        self.requests.lock().unwrap().clone()
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Origin")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Origin")
    }
}

fn failed(what: &'static str) -> object_store::Error {
    object_store::Error::Generic { store: "Origin", source: what.into() }
}

/// The pieces of a body, and how it ends.
fn body(bytes: Bytes, reply: Reply) -> BoxStream<'static, Result<Bytes>> {
    let limit = reply.fault.map_or(bytes.len(), |(after, _)| after.min(bytes.len()));
    let first_byte = Box::pin(tokio::time::sleep(reply.first_byte));
    let body = stream::unfold((0, Some(first_byte)), move |(at, first_byte)| {
        let bytes = bytes.clone();
        async move {
            if let Some(first_byte) = first_byte {
                first_byte.await;
            } else if !reply.pause.is_zero() {
                tokio::time::sleep(reply.pause).await;
            }
            if at < limit {
                let end = (at + reply.piece_bytes).min(limit);
                return Some((Ok(bytes.slice(at..end)), (end, None)));
            }
            match reply.fault {
                Some((_, Fault::Break | Fault::Refuse)) => Some((Err(failed("the connection broke")), (at, None))),
                Some((_, Fault::Hang)) => std::future::pending().await,
                Some((_, Fault::Panic)) => panic!("injected"),
                Some((_, Fault::Damage)) if at < bytes.len() => {
                    let end = (at + reply.piece_bytes).min(bytes.len());
                    let mut piece = bytes[at..end].to_vec();
                    if at == limit {
                        piece[0] ^= 0x40;
                    }
                    Some((Ok(piece.into()), (end, None)))
                }
                _ => None,
            }
        }
    });
    body.boxed()
}

#[async_trait]
impl ObjectStore for Origin {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let Some(GetRange::Bounded(asked)) = options.range else { panic!("all reads are of ranges") };
        let asked = asked.start..asked.end.min(self.object.len() as u64);
        let nth = {
            let mut requests = self.requests.lock().unwrap();
            requests.push(asked.clone());
            requests.len() - 1
        };
        if self.is_away.load(Ordering::SeqCst) {
            return Err(failed("no connection"));
        }
        let reply = (self.plan)(nth, &asked);
        if let Some((0, Fault::Refuse)) = reply.fault {
            return Err(object_store::Error::NotFound { path: location.to_string(), source: "gone".into() });
        }
        let bytes = self.object.slice(asked.start as usize..asked.end as usize);
        let meta = ObjectMeta {
            location: location.clone(),
            last_modified: <_>::default(),
            size: self.object.len() as u64,
            e_tag: Some("\"1\"".into()),
            version: None,
        };
        Ok(GetResult {
            payload: GetResultPayload::Stream(body(bytes, reply)),
            meta,
            range: asked,
            attributes: <_>::default(),
            extensions: <_>::default(),
        })
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        unreachable!("a reader reads")
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        unreachable!("a reader reads")
    }

    fn delete_stream(&self, _: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        unreachable!("a reader reads")
    }

    fn list(&self, _: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        unreachable!("nobody asks what there is")
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        unreachable!("nobody asks what there is")
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        unreachable!("a reader reads")
    }
}
