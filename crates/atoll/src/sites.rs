//! What is served: from directories and configuration to sites, each an app with its grants and its routes.
//!
//! What is said of a deployment comes from several places. Flags come before the deployment's entry in the server's
//! configuration, that before the configuration's `[limits]`, that before what the app says of itself, that before the
//! defaults. Under a server's configuration the app is not its operator's own: it can lower its limits, and may ask for no
//! address that the operator did not grant.

mod plan;
mod settings;

pub(crate) use plan::{Plan, Site, log_format, server_file};
