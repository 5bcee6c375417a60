//! How much of a request is let through to a guest.

use crate::arrival::{Arrival, SHORT_BYTES};
use atoll_runtime::Limits;
use atoll_web::{BodyError, IncomingRequest, RequestBody, RequestUrl};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A request that is too large for its deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TooLarge {
    /// More header fields than this.
    Fields(u32),
    /// More bytes of names and values than this.
    Head(usize),
    /// A longer body than this, bytes.
    Body(u64),
}

/// A request that its deployment admits.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// Without a short body.
    pub(crate) request: IncomingRequest,
    /// A body that is to be taken in first, see [`Arrival`].
    pub(crate) short: Option<Arrival>,
    /// Of a body without a length.
    pub(crate) overflow: Overflow,
}

/// Takes in a request, unless its head says already that it is too large. Of its body the guest can read as much as the limit
/// says.
pub(crate) fn admit(
    head: http::request::Parts,
    url: RequestUrl,
    body: Incoming,
    limits: &Limits,
) -> Result<Admitted, TooLarge> {
    check_head(&head.headers, limits)?;
    let limit_bytes = limits.request_body_bytes;
    let length = body.size_hint().exact();
    if length.is_some_and(|length| length > limit_bytes) {
        return Err(TooLarge::Body(limit_bytes));
    }
    // Whoever expects to be asked for the body has not sent it (RFC 9110, section 10.1.1), and the guest may refuse.
    let is_short =
        length.is_some_and(|length| length <= SHORT_BYTES) && !head.headers.contains_key(http::header::EXPECT);
    let (mut short, mut overflow) = (None, Overflow(None));
    let body = if body.is_end_stream() {
        None
    } else if is_short {
        short = Some(Arrival::new(body));
        None
    } else if length.is_some() {
        // The protocol's parser gives no more than was announced.
        Some(RequestBody::new(body.into_data_stream().map_err(|_| BodyError::Disconnected)))
    } else {
        let (chunks, bound) = bounded(body, limit_bytes);
        overflow = bound;
        Some(RequestBody::new(chunks))
    };
    Ok(Admitted { request: IncomingRequest { method: head.method, url, headers: head.headers, body }, short, overflow })
}

/// A body of unknown length, as far as the limit goes.
fn bounded(body: Incoming, limit_bytes: u64) -> (impl Stream<Item = Result<Bytes, BodyError>>, Overflow) {
    let is_met = Arc::new(AtomicBool::new(false));
    let overflow = Overflow(Some((Arc::clone(&is_met), limit_bytes)));
    let mut left = limit_bytes;
    let chunks = body.into_data_stream().map_err(|_| BodyError::Disconnected).map(move |chunk| {
        let chunk = chunk?;
        left = left.checked_sub(chunk.len() as u64).ok_or_else(|| {
            is_met.store(true, Ordering::Relaxed);
            BodyError::TooLong { limit_bytes }
        })?;
        Ok(chunk)
    });
    (chunks, overflow)
}

fn check_head(headers: &HeaderMap, limits: &Limits) -> Result<(), TooLarge> {
    if headers.len() > limits.request_headers as usize {
        return Err(TooLarge::Fields(limits.request_headers));
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > limits.request_header_bytes {
        return Err(TooLarge::Head(limits.request_header_bytes));
    }
    Ok(())
}

/// Tells whether a body without a length turned out to be too long.
#[derive(Debug)]
pub(crate) struct Overflow(Option<(Arc<AtomicBool>, u64)>);

impl Overflow {
    /// What the client is told when the guest did not answer.
    pub(crate) fn met(&self) -> Option<TooLarge> {
        let (is_met, limit_bytes) = self.0.as_ref()?;
        is_met.load(Ordering::Relaxed).then_some(TooLarge::Body(*limit_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    #[test]
    fn a_head_is_counted_by_fields_and_by_bytes() {
        let limits = Limits { request_headers: 3, request_header_bytes: 20, ..Limits::SERVE };
        let headers = |values: &[&'static str]| -> HeaderMap {
            values.iter().map(|value| (HeaderName::from_static("x-a"), HeaderValue::from_static(value))).fold(
                HeaderMap::new(),
                |mut headers, (name, value)| {
                    headers.append(name, value);
                    headers
                },
            )
        };
        assert_eq!(check_head(&headers(&["1", "2", "3"]), &limits), Ok(()));
        // Fields of one name are several.
        assert_eq!(check_head(&headers(&["1", "2", "3", "4"]), &limits), Err(TooLarge::Fields(3)));
        assert_eq!(check_head(&headers(&["12345678901234567"]), &limits), Ok(()));
        assert_eq!(check_head(&headers(&["123456789012345678"]), &limits), Err(TooLarge::Head(20)));
    }
}
