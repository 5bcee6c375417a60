//! Where bytes come from: one version of one object, by ranges.
//!
//! A [`Remote`] is pinned to what was found when it was opened: by its ETag, or where there is none by the moment of its
//! last change and its size. Each request says which version it wants, and each answer is compared with it as well: an
//! object that is replaced meanwhile is an error, and never a mixture of two.
//!
//! Its size comes with the first bytes. Nobody asks for the size alone: between two requests an object can change, and a
//! request costs as much as the first bytes do.
//!
//! Nothing is tried again here. Whether that would help is what an error says ([`UpstreamError::ending`]), and when it is
//! done is the [scheduler](crate::schedule)'s.

mod answer;
mod error;
mod remote;
mod store;
mod transport;

pub use error::UpstreamError;
pub use remote::{Body, Remote};
pub use store::store_for;
