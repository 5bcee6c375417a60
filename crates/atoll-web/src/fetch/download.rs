//! Responses whose bodies guests read when they want, and the slots they hold meanwhile.
//!
//! A worker has few slots, and a response keeps its slot until its body is read: a guest that drops responses unread,
//! or that waits for many heads before it reads a body, would wait for ever. So a request that finds no slot makes
//! room: it reads bodies that nobody has begun to read into memory, up to a bound, which frees their slots. When every
//! slot is held by an unread body beyond that bound, the oldest is given up, and reading it fails.

use super::client;
use atoll_engine::{JsError, Value};
use bytes::Bytes;
use std::collections::VecDeque;
use tokio::sync::OwnedSemaphorePermit;

/// Bytes of an unread body that are kept in memory to free its slot: an API's answer fits, a download does not, and all
/// slots together stay below 4 MiB at the default of 64.
const MAX_BUFFERED_BYTES: usize = 64 * 1024;

/// A response's body.
#[derive(Debug)]
pub(super) struct Download {
    /// None once everything was received.
    response: Option<reqwest::Response>,
    /// What was received before anybody asked.
    buffered: VecDeque<Bytes>,
    /// How it ended, when it ended badly before anybody asked.
    failure: Option<JsError>,
    slot: Option<OwnedSemaphorePermit>,
}

/// What became of the attempt to free a body's slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Buffering {
    /// All of it is in memory; the slot is free.
    Complete,
    /// It is longer than [`MAX_BUFFERED_BYTES`]; what was received is kept.
    TooLong,
}

impl Download {
    pub(super) fn new(response: reqwest::Response, slot: OwnedSemaphorePermit) -> Self {
        Self { response: Some(response), buffered: VecDeque::new(), failure: None, slot: Some(slot) }
    }

    /// The next chunk; null at the end.
    pub(super) async fn next(&mut self) -> Result<Value, JsError> {
        if let Some(chunk) = self.buffered.pop_front() {
            return Ok(Value::Bytes(chunk.into()));
        }
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        Ok(self.receive().await?.map_or(Value::Null, |chunk| Value::Bytes(chunk.into())))
    }

    /// Receives into memory. Dropping the future at any point loses nothing.
    pub(super) async fn buffer(&mut self) -> Buffering {
        loop {
            let held: usize = self.buffered.iter().map(Bytes::len).sum();
            if held > MAX_BUFFERED_BYTES {
                return Buffering::TooLong;
            }
            match self.receive().await {
                Ok(Some(chunk)) => self.buffered.push_back(chunk),
                Ok(None) => return Buffering::Complete,
                Err(failure) => {
                    self.failure = Some(failure);
                    return Buffering::Complete;
                }
            }
        }
    }

    /// The next chunk from the network. At the end the connection and the slot are free.
    async fn receive(&mut self) -> Result<Option<Bytes>, JsError> {
        let Some(response) = &mut self.response else { return Ok(None) };
        let received = match response.chunk().await {
            Ok(Some(chunk)) => return Ok(Some(chunk)),
            Ok(None) => Ok(None),
            Err(error) => Err(client::describe(&error, response.url())),
        };
        self.response = None;
        self.slot = None;
        received
    }
}
