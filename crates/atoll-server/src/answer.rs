//! What the client gets when the guest gave no response. It never contains what the guest threw.

use crate::bounds::TooLarge;
use atoll_engine::{Reason, Termination};
use atoll_runtime::{PoolError, RequestError, StartError};
use atoll_web::ResponseBody;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};

/// Says which limit ended the worker, what it was, and what was used of it: `cpu;limit=1000;amount=1003;unit=ms`.
const TERMINATION: HeaderName = HeaderName::from_static("atoll-termination");

/// The response, and which limit ended the worker, if one did.
pub(crate) fn from_error(error: &PoolError) -> (Response<ResponseBody>, Option<Termination>) {
    let terminated = match error {
        PoolError::Request(RequestError::Terminated(termination)) => Some(*termination),
        PoolError::Start(error) => match &**error {
            StartError::Terminated(termination) => Some(*termination),
            StartError::TooSlow { limit } => Some(Termination::time(Reason::Wall, *limit, *limit)),
            _ => None,
        },
        PoolError::Request(_) | PoolError::Refused(_) => None,
    };
    if let Some(termination) = terminated {
        let status = match termination.reason {
            Reason::Wall => StatusCode::GATEWAY_TIMEOUT,
            Reason::Cpu | Reason::Heap | Reason::External | Reason::Deploy | Reason::Idle => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Reason::Exit | Reason::Interrupt => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut response = text(status, "The worker was ended by a limit.");
        response.headers_mut().insert(TERMINATION, header(termination));
        return (response, Some(termination));
    }
    if matches!(error, PoolError::Refused(_)) {
        let mut response = text(StatusCode::SERVICE_UNAVAILABLE, "The server is busy.");
        if let Some(seconds) = error.retry_after() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.as_secs().max(1)));
        }
        return (response, None);
    }
    (text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"), None)
}

fn header(termination: Termination) -> HeaderValue {
    let Termination { reason, limit, amount } = termination;
    if reason.unit().is_empty() {
        return HeaderValue::from_static(reason.name());
    }
    let text = format!("{};limit={limit};amount={amount};unit={}", reason.name(), reason.unit());
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(reason.name()))
}

/// No route leads from this host.
pub(crate) fn not_found(host: &str) -> Response<ResponseBody> {
    text(StatusCode::NOT_FOUND, &format!("Nothing is deployed at {host}."))
}

/// The request is too large for its deployment; which limit it is, and its number, is no secret.
pub(crate) fn too_large(excess: TooLarge) -> Response<ResponseBody> {
    let (status, what, limit) = match excess {
        TooLarge::Fields(limit) => (
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "too many header fields",
            format!("request-headers = {limit}"),
        ),
        TooLarge::Head(bytes) => (
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "header fields that are too long",
            format!("request-header-kib = {}", bytes >> 10),
        ),
        TooLarge::Body(bytes) => {
            (StatusCode::PAYLOAD_TOO_LARGE, "a body that is too long", format!("request-body-mib = {}", bytes >> 20))
        }
    };
    text(status, &format!("The request has {what}: the limit is {limit}."))
}

/// A method that handlers can't be asked with: it concerns the connection (Fetch Standard, "forbidden method").
pub(crate) fn method_not_supported() -> Response<ResponseBody> {
    text(StatusCode::NOT_IMPLEMENTED, "This method is not supported.")
}

/// The request is not one that can be routed.
pub(crate) fn bad_request(why: &str) -> Response<ResponseBody> {
    text(StatusCode::BAD_REQUEST, why)
}

fn text(status: StatusCode, text: &str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(format!("{text}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
