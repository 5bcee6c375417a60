//! Serving: from an HTTP request that the host received to the guest's `fetch(request, env, ctx)` and back.
//!
//! An [`Exchange`] is one request and its response. The host [`ServeState::begin`]s it and calls the builtin's
//! `dispatch`; JavaScript answers through natives that name the exchange by its id. Ids are never used twice in a worker, so what is
//! left of an old request (a timer, a stream, a callback) can't touch a new one. Bodies stream both ways with
//! backpressure: a request's chunk is read when the guest asks for it, a response's chunk is accepted when there is
//! room. When the host drops its side, the guest learns it by `request.signal` and by failing writes.

mod account;
mod body;
mod exchange;
mod ids;

pub use account::{Logged, RequestLimits};
pub(crate) use account::{OpenStream, Share};
pub use body::{BodyError, RequestBody, RequestChunks, ResponseBody};
pub use exchange::{Change, Failure, IncomingRequest, Outcome, RequestUrl, ServeState};

use atoll_engine::{Builtin, Call, JsError, NativeResult, Value, natives};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// Its JavaScript, natives and globals.
pub(crate) const BUILTIN: Builtin = Builtin {
    name: "web/serve",
    source: include_str!("api.js"),
    natives: natives! {
        "method" => method,
        "url" => url,
        "headers" => headers,
        "readBody" => read_body,
        "bodyText" => body_text,
        "bodyBytes" => body_bytes,
        "cancelBody" => cancel_body,
        "respond" => respond,
        "respondStream" => respond_stream,
        "writeBody" => write_body,
        "endBody" => end_body,
        "abortBody" => abort_body,
        "fail" => fail,
        "failBehind" => fail_behind,
        "clientGone" => client_gone,
        "retain" => retain,
        "release" => release,
    },
    globals: &[],
};

/// `method(id)`.
fn method(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let id = call.u64(0)?;
    let method = call.state::<ServeState>().request(id).map(|request| request.method.as_str().to_owned());
    Ok(Value::from(method.unwrap_or_default()))
}

/// `url(id)`.
fn url(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let id = call.u64(0)?;
    let url = call.state::<ServeState>().request(id).map(|request| request.url.to_string());
    Ok(Value::from(url.unwrap_or_default()))
}

/// `headers(id)` → `[name, value, …]` of the request; bytes beyond ASCII as Latin-1 (Fetch, "isomorphic decode").
fn headers(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let id = call.u64(0)?;
    let Some(request) = call.state::<ServeState>().request(id) else { return Ok(Value::List(Vec::new())) };
    let mut flat = Vec::with_capacity(request.headers.len() * 2);
    for (name, value) in &request.headers {
        flat.push(Value::from(name.as_str()));
        flat.push(match value.to_str() {
            Ok(text) => Value::from(text),
            Err(_) => Value::String(value.as_bytes().iter().map(|byte| char::from(*byte)).collect()),
        });
    }
    Ok(Value::List(flat))
}

/// `readBody(id)` → promise of the next chunk, null at the end.
fn read_body(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let id = call.u64(0)?;
    let Some(body) = call.state::<ServeState>().request_chunks(id) else {
        return call.spawn(async { Ok(Value::Null) });
    };
    call.spawn(async move {
        match body.next().await {
            Some(Ok(chunk)) => Ok(Value::Bytes(chunk.into())),
            Some(Err(error)) => Err(JsError::type_error(format!("the request's body can't be read: {error}"))),
            None => Ok(Value::Null),
        }
    })
}

/// A request's body that is there as a whole; it is given once.
fn whole_body(call: &mut Call<'_, '_, '_>) -> Result<Bytes, JsError> {
    let id = call.u64(0)?;
    let body = call.state::<ServeState>().take_whole_body(id);
    body.ok_or_else(|| JsError::type_error("the request's body can't be read: its request is over"))
}

/// `bodyText(id)` → all of the request's body, decoded (Encoding Standard, "UTF-8 decode").
fn body_text(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let bytes = whole_body(call)?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    Ok(Value::String(String::from_utf8_lossy(text).into_owned()))
}

/// `bodyBytes(id)` → all of the request's body.
fn body_bytes(call: &mut Call<'_, '_, '_>) -> NativeResult {
    whole_body(call).map(|bytes| Value::Bytes(bytes.into()))
}

/// `cancelBody(id)`: the guest wants no more of the request's body.
fn cancel_body(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let id = call.u64(0)?;
    call.state::<ServeState>().drop_request_body(id);
    Ok(Value::Undefined)
}

/// `respond(id, status, headers, body)`: the whole response; body is null, a string or bytes. For `headers` see
/// [`response_head`].
fn respond(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let (id, head) = response_head(call)?;
    let body = if call.is_nullish(3) {
        Bytes::new()
    } else if let Ok(text) = call.string(3) {
        Bytes::from(text)
    } else {
        Bytes::from(call.bytes(3)?)
    };
    call.state::<ServeState>().count_body(id, body.len())?;
    call.state::<ServeState>().respond(id, head.map(|()| ResponseBody::full(body)));
    Ok(Value::Undefined)
}

/// `respondStream(id, status, headers)` → whether someone is there to read the body that `writeBody` will send.
fn respond_stream(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let (id, head) = response_head(call)?;
    call.state::<ServeState>().respond_streaming(id, head).map(Value::Bool)
}

/// `writeBody(id, bytes)` → promise of whether it was taken: false when the client is gone.
fn write_body(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let id = call.u64(0)?;
    let chunk = Bytes::from(call.bytes(1)?);
    let serving = call.state::<ServeState>();
    let Some(sender) = serving.response_sender(id) else { return Ok(Value::Bool(false)) };
    serving.count_body(id, chunk.len())?;
    // Most chunks find room: then there is nothing to wait for, and no promise is made.
    match sender.try_send(chunk) {
        Ok(()) => Ok(Value::Bool(true)),
        Err(body::SendError::Closed) => Ok(Value::Bool(false)),
        Err(body::SendError::Full(chunk)) => {
            let Some(gone) = serving.watch_client(id) else { return Ok(Value::Bool(false)) };
            call.spawn(async move { Ok(Value::Bool(sender.send(chunk, gone).await)) })
        }
    }
}

/// `endBody(id)`: the response's body is complete.
fn end_body(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let id = call.u64(0)?;
    call.state::<ServeState>().end_body(id);
    Ok(Value::Undefined)
}

/// `abortBody(id, text)`: the response's body ends in an error, described for the log.
fn abort_body(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let (id, text) = (call.u64(0)?, call.string(1)?);
    call.state::<ServeState>().abort_body(id, text);
    Ok(Value::Undefined)
}

/// `failBehind(text)`: what a handler promised in the background failed; described for the log. Its response, which may
/// be still to come, is no worse for that.
fn fail_behind(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let text = call.string(0)?;
    call.state::<ServeState>().note(text);
    Ok(Value::Undefined)
}

/// `fail(id, text)`: the guest's handler threw; described for the log.
fn fail(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let (id, text) = (call.u64(0)?, call.string(1)?);
    call.state::<ServeState>().fail(id, text);
    Ok(Value::Undefined)
}

/// `clientGone(id)` → promise of whether the client left before the exchange was over.
fn client_gone(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let id = call.u64(0)?;
    let Some(mut gone) = call.state::<ServeState>().watch_client(id) else { return Ok(Value::Bool(false)) };
    // The sender goes with the exchange; then the client was served.
    call.spawn(async move { Ok(Value::Bool(gone.wait_for(|gone| *gone).await.is_ok())) })
}

/// `retain(id)`: `ctx.waitUntil` was given something to wait for.
fn retain(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let id = call.u64(0)?;
    call.state::<ServeState>().retain(id);
    Ok(Value::Undefined)
}

/// `release(id)`: one of those has settled.
fn release(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let id = call.u64(0)?;
    call.state::<ServeState>().release(id);
    Ok(Value::Undefined)
}

/// Header lists that most responses have, by their number; the builtin's `headerCode` is the other half of this table.
const COMMON_HEADERS: [Option<HeaderValue>; 3] = [
    None,
    Some(HeaderValue::from_static("text/plain;charset=UTF-8")),
    Some(HeaderValue::from_static("application/json")),
];

/// The id and the head of a response from the first three arguments: id, status, headers. The headers are a list
/// `[name, value, …]`, or the number of a list that consists of a content type at most.
fn response_head(call: &mut Call<'_, '_, '_>) -> Result<(u64, http::Response<()>), JsError> {
    let (id, status) = (call.u64(0)?, call.u32(1)?);
    let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.ok_or_else(|| JsError::range_error("the response's status must be from 200 to 599"))?;
    let mut response = http::Response::new(());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if let Ok(code) = call.u32(2) {
        if let Some(Some(content_type)) = COMMON_HEADERS.get(code as usize) {
            headers.insert(http::header::CONTENT_TYPE, content_type.clone());
        }
        return Ok((id, response));
    }
    let flat = call.string_list(2)?;
    let limit_bytes = call.state::<ServeState>().limits().response_header_bytes;
    // Characters count as bytes: those that HTTP can carry are one each.
    if flat.iter().map(|text| text.chars().count()).sum::<usize>() > limit_bytes {
        return Err(account::reached("response-header-kib", limit_bytes as u64 >> 10));
    }
    for pair in flat.as_chunks::<2>().0 {
        append(headers, &pair[0], &pair[1])?;
    }
    Ok((id, response))
}

/// Fields of one connection, which the host alone decides on (RFC 9110, section 7.6.1); the body's length is the host's
/// to say as well.
const HOP_BY_HOP: [&str; 5] = ["connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection"];

fn too_many_headers() -> JsError {
    JsError::range_error("the response has more headers than HTTP can carry")
}

fn append(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), JsError> {
    if HOP_BY_HOP.contains(&name) {
        return Ok(());
    }
    let invalid = || JsError::type_error(format!("the response's header {name} is not one that HTTP can carry"));
    let value = if value.is_ascii() {
        HeaderValue::from_str(value).map_err(|_| invalid())?
    } else {
        let bytes: Option<Vec<u8>> = value.chars().map(|unit| u8::try_from(u32::from(unit)).ok()).collect();
        HeaderValue::from_bytes(&bytes.ok_or_else(invalid)?).map_err(|_| invalid())?
    };
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
    headers.try_append(name, value).map_err(|_| too_many_headers())?;
    Ok(())
}
