//! A frozen npm registry on the loopback address: what package managers ask for, recorded once, served for as long as
//! somebody measures.
//!
//! * [`request`]: the head of a request, and what of a registry it names.
//! * [`packument`]: what is done to a package's document before it is kept.
//! * [`recording`]: what is kept, where, and the manifest that says what it has to be.
//! * [`upstream`]: what is not there yet, from the registry that is recorded.
//! * [`shape`]: a network that is slower than loopback.
//! * [`serve`]: the server, for recording and for measuring.
//!
//! A recording belongs to one port: the documents in it name their tarballs by the server's own address, so that they can be
//! sent as they lie on disk. A server without an upstream answers what is recorded and nothing else; what it does not have
//! is counted, and a measurement in which that happened is none.

mod packument;
mod recording;
mod request;
mod serve;
mod shape;
mod upstream;

pub(crate) use recording::Recording;
pub(crate) use serve::{Counts, Registry};
pub(crate) use shape::Network;
pub(crate) use upstream::Upstream;

use std::io;
use std::path::PathBuf;

/// The port of every recording and its server.
pub(crate) const PORT: u16 = 41_873;

/// The server's address as documents and package managers have it, with a slash at its end.
pub(crate) fn origin() -> String {
    format!("http://127.0.0.1:{PORT}/")
}

/// Why there is no recording, or none that can be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegistryError {
    /// A file of the recording.
    #[error("{path}")]
    File { path: PathBuf, source: io::Error },
    /// The manifest.
    #[error("{path} is no manifest of a recording")]
    Manifest { path: PathBuf, source: serde_json::Error },
    /// A recording for another address.
    #[error("the recording in {path} is for {found}, not {expected}: delete it and record again")]
    Origin { path: PathBuf, found: String, expected: String },
    /// A file that is not what was recorded.
    #[error("{path} is not what was recorded: delete the recording and record again")]
    Damaged { path: PathBuf },
    /// The port is taken.
    #[error("can't listen on port {PORT}, which the recording is for")]
    Listen(#[source] io::Error),
    /// curl could not be started.
    #[error("can't start `curl`, which the recorder asks the registry with")]
    Curl(#[source] io::Error),
    /// No answer from upstream.
    #[error("no answer from {url}: {reason}")]
    Upstream { url: String, reason: String },
    /// A document that is none.
    #[error("what {url} answered is no package's document")]
    Document { url: String, source: serde_json::Error },
}
