//! Upstreams: each gives the bytes that it was asked for, or an error that says what is wrong.

mod addresses;
mod battery;
mod many;
mod traps;

use atoll_blocks::upstream::{Body, Remote, UpstreamError};
use futures_util::TryStreamExt;
use std::ops::Range;

/// Bytes of which no part repeats soon; others for each seed.
fn content(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

async fn collect(body: Body) -> Result<Vec<u8>, UpstreamError> {
    let append = async |mut all: Vec<u8>, bytes: bytes::Bytes| {
        all.extend_from_slice(&bytes);
        Ok(all)
    };
    body.try_fold(Vec::new(), append).await
}

/// All bytes of a range, or the first error.
async fn read(remote: &Remote, range: Range<u64>) -> Result<Vec<u8>, UpstreamError> {
    collect(remote.get(range).await?).await
}

/// As [`read`]; panics with the error.
async fn bytes(remote: &Remote, range: Range<u64>) -> Vec<u8> {
    read(remote, range).await.unwrap()
}

/// As [`read`]; panics without an error.
async fn error(remote: &Remote, range: Range<u64>) -> UpstreamError {
    read(remote, range).await.unwrap_err()
}

fn part(data: &[u8], range: Range<u64>) -> &[u8] {
    &data[range.start as usize..range.end as usize]
}
