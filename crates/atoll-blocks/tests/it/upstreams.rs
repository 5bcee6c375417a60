//! Every upstream gives the bytes that it was asked for, or an error.

use atoll_blocks::upstream::{Body, Remote, UpstreamError};
use futures_util::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use std::sync::Arc;

/// Bytes of which no part repeats soon.
fn content(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

async fn collect(body: Body) -> Result<Vec<u8>, UpstreamError> {
    body.try_fold(Vec::new(), async |mut all, bytes| {
        all.extend_from_slice(&bytes);
        Ok(all)
    })
    .await
}

async fn check(store: Arc<dyn ObjectStore>) {
    let (location, data) = (Path::from("object"), content(1_000_003));
    store.put(&location, data.clone().into()).await.unwrap();
    let (remote, prefix) = Remote::open(Arc::clone(&store), location.clone(), 4096).await.unwrap();
    assert_eq!((remote.size(), &prefix[..]), (1_000_003, &data[..4096]));
    for (start, end) in [(0, 1), (0, 1_000_003), (1_000_002, 1_000_003), (131_072, 262_144), (999_999, 1_000_003)] {
        let bytes = collect(remote.get(start..end).await.unwrap()).await.unwrap();
        assert_eq!(bytes, data[start as usize..end as usize], "{start}..{end}");
    }

    store.put(&location, content(1_000_003).into_iter().rev().collect::<Vec<_>>().into()).await.unwrap();
    let error = remote.get(0..10).await.err().unwrap();
    assert!(matches!(error, UpstreamError::Changed { .. }), "{error}");

    let missing = Remote::open(Arc::clone(&store), Path::from("missing"), 1).await.unwrap_err();
    assert!(matches!(missing, UpstreamError::NotFound { .. }), "{missing}");

    let nothing = Path::from("nothing");
    store.put(&nothing, Vec::new().into()).await.unwrap();
    for prefix_bytes in [0, 1, u64::MAX] {
        let (remote, prefix) = Remote::open(Arc::clone(&store), nothing.clone(), prefix_bytes).await.unwrap();
        assert_eq!((remote.size(), prefix.len()), (0, 0));
    }
}

#[tokio::test]
async fn memory() {
    check(Arc::new(InMemory::new())).await;
}

#[tokio::test]
async fn directory() {
    let directory = tempfile::tempdir().unwrap();
    check(Arc::new(object_store::local::LocalFileSystem::new_with_prefix(directory.path()).unwrap())).await;
}
