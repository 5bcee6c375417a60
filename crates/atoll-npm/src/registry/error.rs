//! What can go wrong between a registry and us.

use std::{error::Error, fmt, time::Duration};

use super::{Network, http_text};

/// A request that got no usable answer, after all attempts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The registry does not have it (404).
    #[error("{url} does not exist (404)")]
    NotFound {
        /// What was asked for, without credentials.
        url: String,
    },
    /// The registry wants other credentials than it got (401, 403).
    #[error("{url} refuses access ({status}){}", if *.authenticated { "; the credentials sent are not sufficient" } else { "; no credentials were sent" })]
    Refused {
        /// What was asked for.
        url: String,
        /// 401 or 403.
        status: u16,
        /// Whether credentials were sent.
        authenticated: bool,
    },
    /// Any other status that is not success.
    #[error("{url} answered {status}{}", attempts_text(*.attempts))]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// How often it was tried.
        attempts: u32,
    },
    /// No connection, a broken one, or one that stalled.
    #[error("{url}: {problem}{}", attempts_text(*.attempts))]
    Transport {
        /// What was asked for.
        url: String,
        /// What happened, the whole chain of causes.
        problem: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// A URL that is not `http:` or `https:`, or no URL at all.
    #[error("\"{url}\" is not a URL that packages can be fetched from")]
    BadUrl {
        /// The text.
        url: String,
    },
    /// A body over its limit.
    #[error("{url} sends more than {limit_bytes} bytes")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// The limit in bytes.
        limit_bytes: u64,
    },
    /// A packument that is no packument.
    #[error("{url}: {problem}")]
    Malformed {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The network may not be used, and what is needed is not here.
    #[error("{what} is not in the cache, and the network may not be used")]
    Offline {
        /// What was needed.
        what: String,
    },
    /// A proxy's address that is no URL.
    #[error("\"{url}\" is not the URL of a proxy")]
    BadProxy {
        /// The text, without credentials.
        url: String,
    },
    /// The TLS library cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

impl RegistryError {
    /// What to do about it, as one sentence.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotFound { .. } => {
                Some("Check the name; a private package needs its scope's registry and credentials in .npmrc.")
            }
            Self::Refused { authenticated: false, .. } => {
                Some("Put a token for this host into .npmrc: //HOST/:_authToken=…")
            }
            Self::Refused { .. } => {
                Some("The token in .npmrc may have expired or lack the right to read this package.")
            }
            Self::Status { status: 429, .. } => Some(
                "The registry wants fewer requests: set maxsockets to a small number in .npmrc, then install again.",
            ),
            Self::Status { .. } | Self::Transport { .. } => {
                Some("Check the connection, the proxy settings and the registry in .npmrc, then install again.")
            }
            Self::Offline { .. } => Some("Install once with the network, or drop --offline."),
            _ => None,
        }
    }
}

fn attempts_text(attempts: u32) -> String {
    if attempts > 1 { format!(" (tried {attempts} times)") } else { String::new() }
}

/// One failed attempt.
#[derive(Debug)]
pub(crate) enum Attempt<E = RegistryError> {
    /// No further attempt would change it.
    Final(E),
    /// Worth another attempt, not before this much time if the server named one.
    Again(E, Option<Duration>),
}

impl<E> Attempt<E> {
    pub(crate) fn map<F>(self, convert: impl FnOnce(E) -> F) -> Attempt<F> {
        match self {
            Self::Final(error) => Attempt::Final(convert(error)),
            Self::Again(error, pause) => Attempt::Again(convert(error), pause),
        }
    }
}

impl RegistryError {
    /// Fills in how often it was tried.
    pub(crate) fn after(mut self, count: u32) -> Self {
        if let Self::Status { attempts, .. } | Self::Transport { attempts, .. } = &mut self {
            *attempts = count;
        }
        self
    }

    pub(super) fn transport(url: &str, problem: String) -> Self {
        Self::Transport { url: http_text(url), problem, attempts: 1 }
    }

    /// A request that failed, or was given up.
    pub(super) fn of_request(url: &str, error: reqwest::Error, network: &Network) -> Self {
        let error = error.without_url();
        let seconds = |limit: Duration| limit.as_secs_f64();
        let problem = if !error.is_timeout() {
            chain(&error)
        } else if error.is_connect() {
            format!("no connection came about within {} s", seconds(network.connection()))
        } else {
            format!("nothing came for {} s", seconds(network.stall))
        };
        Self::transport(url, problem)
    }
}

/// An error with all its causes, each once.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            // Writing to a string cannot fail.
            let _ = fmt::Write::write_fmt(&mut text, format_args!(": {cause_text}"));
        }
        source = cause.source();
    }
    text
}
