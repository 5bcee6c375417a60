//! What the tests of several crates share.
//!
//! [`npm_registry`] is a package registry on loopback that publishes packages made in memory and can misbehave;
//! [`http_origin`] is a web server on loopback for tests of HTTP clients.

pub mod http_origin;
pub mod npm_registry;
