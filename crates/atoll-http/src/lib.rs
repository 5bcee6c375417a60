//! How HTTP clients of the program are set up: encryption, and for those that fetch what the program itself needs, proxies and
//! redirects.
//!
//! Such a client gets bodies as they were sent, whatever other crates of the program have switched on: what is downloaded is
//! hashed, kept or cut as it came. It makes one connection for each request that is under way: one connection with many streams
//! has one window, and one processor.

use std::sync::Arc;

use reqwest::{Client, ClientBuilder, NoProxy, Proxy, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::Verifier;

/// Redirects followed for one request.
const REDIRECTS_MAX: usize = 5;

/// Encryption: rustls with ring, certificates verified by what the system trusts.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Where the system has no certificates, nobody is trusted.
    pub config: ClientConfig,
    /// Why nobody is.
    pub trusts_nobody: Option<Arc<str>>,
}

/// rustls cannot be used as it is built in.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct TlsError(#[from] rustls::Error);

impl Tls {
    /// As the system has it. Reads the system's certificates, which takes some milliseconds.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn of_system() -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let builder =
            ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let (builder, trusts_nobody) = match Verifier::new(provider) {
            // "Dangerous" is any verifier of one's own; this one is the platform's.
            Ok(verifier) => (builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)), None),
            Err(error) => (builder.with_root_certificates(RootCertStore::empty()), Some(error.to_string().into())),
        };
        Ok(Self { config: builder.with_no_client_auth(), trusts_nobody })
    }

    /// Offers servers to speak HTTP/2.
    #[must_use]
    pub fn with_http2(mut self) -> Self {
        self.config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        self
    }
}

/// Which proxies there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http:` addresses, as a URL; credentials in it are used.
    pub http: Option<String>,
    /// For `https:` addresses.
    pub https: Option<String>,
    /// Hosts that are reached without a proxy, as in the variable `NO_PROXY`.
    pub except: Option<String>,
}

/// The address of a proxy is no URL. What it is may have a password in it, and is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address of the proxy for {scheme} is not a URL")]
pub struct BadProxy {
    /// What the proxy is for: `http` or `https`.
    pub scheme: &'static str,
}

impl Proxies {
    /// Proxies to give to a client.
    ///
    /// # Errors
    /// When an address is no URL.
    pub fn parse(&self) -> Result<Vec<Proxy>, BadProxy> {
        let except = self.except.as_deref().and_then(NoProxy::from_string);
        let http = self.http.as_deref().map(|url| ("http", Proxy::http(url)));
        let https = self.https.as_deref().map(|url| ("https", Proxy::https(url)));
        let made = [http, https].into_iter().flatten();
        made.map(|(scheme, proxy)| Ok(proxy.map_err(|_| BadProxy { scheme })?.no_proxy(except.clone()))).collect()
    }
}

/// A client for what the program itself fetches. It follows redirects, but none that goes on for ever or drops encryption;
/// credentials are dropped when the origin changes.
pub fn client(tls: ClientConfig, proxies: impl IntoIterator<Item = Proxy>) -> ClientBuilder {
    let builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .user_agent(concat!("atoll/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::custom(follow))
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        .no_proxy();
    proxies.into_iter().fold(builder, ClientBuilder::proxy)
}

fn follow(attempt: redirect::Attempt<'_>) -> redirect::Action {
    if attempt.previous().len() > REDIRECTS_MAX {
        return attempt.error("too many redirects");
    }
    let was_encrypted = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
    if was_encrypted && attempt.url().scheme() != "https" {
        return attempt.error("a redirect from https to http");
    }
    attempt.follow()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_is_named_by_what_it_is_for_and_not_told() {
        let secret = "http://user:secret@[";
        let bad = |http: &str, https: &str| {
            let proxies =
                Proxies { http: Some(http.into()), https: Some(https.into()), except: Some("localhost".into()) };
            proxies.parse().map(|proxies| proxies.len())
        };
        assert_eq!(bad("http://p:1", "http://p:2"), Ok(2));
        assert_eq!(bad(secret, "http://p:2"), Err(BadProxy { scheme: "http" }));
        assert_eq!(bad("http://p:1", secret), Err(BadProxy { scheme: "https" }));
        assert!(!BadProxy { scheme: "http" }.to_string().contains("secret"));
        assert_eq!(Proxies::default().parse().unwrap().len(), 0);
    }
}
