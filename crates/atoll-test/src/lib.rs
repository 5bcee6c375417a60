//! What the tests of several crates share.
//!
//! [`npm_registry`] is a package registry on loopback that publishes packages made in memory and can misbehave;
//! [`http_origin`] is a web server on loopback for tests of HTTP clients; [`object_origin`] is an object store on loopback
//! with a given latency and bandwidth, and any fault.

pub mod http_origin;
pub mod npm_registry;
pub mod object_origin;
