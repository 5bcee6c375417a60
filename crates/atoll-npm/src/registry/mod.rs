//! Registries over HTTP: packuments and tarballs.
//!
//! HTTP/1.1 only, from a pool: installations send hundreds of small requests at once, which finish sooner over many
//! connections than multiplexed over one. Every wait has a limit, and it is a limit on standing still: a large tarball
//! on a slow line may take as long as it moves. While it lasts it is in [`Waits`]; the error of one that was given up says
//! what was waited for, and for how long.
//!
//! How many requests are under way goes by how the registry takes it (see the module `limit`).
//!
//! Retry: everything is tried again, after a pause that doubles and is randomised, except what another attempt cannot
//! change (401, 403, 404 and other statuses of the client's fault). A body that breaks off counts as a failed attempt.
//!
//! Credentials go to the host that `.npmrc` names them for and nowhere else; a redirect to another origin loses them.

mod cache;
mod connecting;
mod dns;
mod error;
mod limit;
mod transport;

use std::{
    borrow::Cow,
    collections::hash_map::RandomState,
    fmt,
    hash::{BuildHasher, Hasher},
    io::Read,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use flate2::read::GzDecoder;
use reqwest::{Response, StatusCode, Url, header};

use crate::{
    inflate,
    npmrc::Npmrc,
    packument::{self, Packument},
    resolve::{self, PackumentSource, SourceError},
    store::MachineKey,
    threads::blocking,
    waits::{Bytes as Amount, Unit, Waiting, Waits, What},
};
use cache::{Keeper, PackumentCache, Sent};
use connecting::RequestName;
pub(crate) use error::Attempt;
pub use error::RegistryError;
use limit::{Limits, UnderWay};
use transport::Transport;

/// Largest packument, decompressed: 256 MiB. The largest that npm serves today has about 40 MiB.
pub const PACKUMENT_BYTES_MAX: u64 = 256 << 20;
/// Largest tarball as downloaded: 1 GiB.
pub const TARBALL_BYTES_MAX: u64 = 1 << 30;
/// Requests under way at once to one registry, at most: as many as the resolver has.
pub const REQUESTS_MAX: usize = resolve::REQUESTS_MAX;
/// A document that came in so many bytes at most is parsed by the thread that received it, which takes it a millisecond: less
/// than two changes of threads where many come at once.
const PARSED_AT_ONCE_BYTES_MAX: usize = 64 << 10;
/// Room is made for a document before it comes, if it is said to have no more bytes than these.
const PROMISED_BYTES_MAX: usize = 4 << 20;
/// Longest pause between two attempts that a server may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(20);

/// How to reach the network, and how patient to be with it.
#[derive(Clone, Debug)]
pub struct Network {
    /// Proxy for `http:` addresses, as a URL; credentials in it are used.
    pub http_proxy: Option<String>,
    /// Proxy for `https:` addresses.
    pub https_proxy: Option<String>,
    /// Hosts that are reached without a proxy, as in the variable `NO_PROXY`.
    pub no_proxy: Option<String>,
    /// Attempts for one request, the first included.
    pub attempts: u32,
    /// Pause before the second attempt; it doubles with each further one.
    pub first_pause: Duration,
    /// Longest time to look a host up, and again to connect to it, encryption included.
    pub connect: Duration,
    /// Longest time without a single byte.
    pub stall: Duration,
    /// Requests under way at once to one registry, at most, and never more than [`REQUESTS_MAX`]; `None` for what `.npmrc`
    /// says, which is over that otherwise.
    pub requests_max: Option<usize>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            http_proxy: None,
            https_proxy: None,
            no_proxy: None,
            attempts: 4,
            first_pause: Duration::from_millis(300),
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            requests_max: None,
        }
    }
}

impl Network {
    /// Longest time until there is a connection.
    fn connection(&self) -> Duration {
        self.connect * 2
    }
}

/// Asks registries, as `.npmrc` says.
#[derive(Debug)]
pub struct RegistryClient {
    transport: Transport,
    npmrc: Npmrc,
    cache: PackumentCache,
    keeper: Keeper,
    network: Network,
    waits: Waits,
    offline: bool,
    limits: Limits,
    counters: Counters,
}

/// What was exchanged so far.
#[derive(Debug, Default)]
struct Counters {
    packuments: AtomicUsize,
    revalidated: AtomicUsize,
    bytes: AtomicU64,
}

/// A tarball's answer whose body has not been read.
#[derive(Debug)]
pub(crate) struct Download {
    response: Response,
    under_way: UnderWay,
    name: Arc<RequestName>,
    received: u64,
    /// Bytes that were promised, where that is known.
    pub(crate) total: Option<u64>,
    waiting: Waiting,
}

impl RegistryClient {
    /// A client. `cache_dir` keeps packuments between installations; with `offline` only what is kept is used; what is waited
    /// for is noted in `waits`.
    ///
    /// # Errors
    /// When a proxy's address is none.
    pub fn new(
        npmrc: Npmrc,
        cache_dir: &Path,
        key: MachineKey,
        network: &Network,
        offline: bool,
        waits: &Waits,
    ) -> Result<Arc<Self>, RegistryError> {
        let cache = PackumentCache::new(cache_dir, key);
        let requests_max = network.requests_max.or_else(|| npmrc.requests_max()).unwrap_or(REQUESTS_MAX);
        Ok(Arc::new(Self {
            transport: Transport::new(network, waits)?,
            npmrc,
            keeper: Keeper::new(&cache),
            cache,
            network: network.clone(),
            waits: waits.clone(),
            offline,
            limits: Limits::new(requests_max),
            counters: Counters::default(),
        }))
    }

    /// Has `future`, which makes requests, polled by the threads that have the connections. It ends when the caller does not
    /// wait any more.
    pub(crate) async fn spawn<F: Future<Output: Send> + Send + 'static>(&self, future: F) -> F::Output {
        self.transport.spawn(future).await
    }

    /// What is waited for.
    pub(crate) fn waits(&self) -> &Waits {
        &self.waits
    }

    /// Bytes of bodies received so far.
    pub fn bytes_received(&self) -> u64 {
        self.counters.bytes.load(Ordering::Relaxed)
    }

    /// Packuments answered so far, and how many of them by "not modified".
    pub fn packuments_received(&self) -> (usize, usize) {
        (self.counters.packuments.load(Ordering::Relaxed), self.counters.revalidated.load(Ordering::Relaxed))
    }

    /// All versions of a package, from its registry; revalidated where an earlier answer is kept.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub async fn fetch_packument(self: &Arc<Self>, name: &str) -> Result<Arc<Packument>, RegistryError> {
        let url = packument_url(self.npmrc.registry_for(name), name);
        if self.offline {
            let offline = || RegistryError::Offline { what: format!("\"{name}\"") };
            return self.kept(name, &url).await?.ok_or_else(offline);
        }
        let (client, name) = (Arc::clone(self), name.to_owned());
        self.transport.spawn(async move { client.packument_from(&name, url).await }).await
    }

    async fn packument_from(&self, name: &str, url: String) -> Result<Arc<Packument>, RegistryError> {
        // The processors have enough to do until the last one is here; the tree is then built by one thread.
        let _coming = self.keeper.expect();
        // Asking the file system takes microseconds, less than another thread would.
        let mut etag = self.cache.etag(&url);
        let packument = loop {
            let answer = self.with_retries(|| self.packument_once(name, &url, etag.as_deref())).await;
            match answer.map_err(|(error, attempts)| error.after(attempts))? {
                Some(packument) => break packument,
                None => match self.kept(name, &url).await {
                    Ok(Some(packument)) => {
                        self.counters.revalidated.fetch_add(1, Ordering::Relaxed);
                        break packument;
                    }
                    // What is kept cannot be believed, or is not what the registry takes it for: asked for as if it were not there.
                    Ok(None) | Err(_) => etag = None,
                },
            }
        };
        self.counters.packuments.fetch_add(1, Ordering::Relaxed);
        Ok(packument)
    }

    /// The packument of an earlier answer that is kept.
    async fn kept(&self, name: &str, url: &str) -> Result<Option<Arc<Packument>>, RegistryError> {
        let (cache, name, url) = (self.cache.clone(), name.to_owned(), url.to_owned());
        blocking(move || {
            let Some(sent) = cache.read(&url) else { return Ok(None) };
            parse(&name, &url, decoded(&url, &sent)?.into_owned()).map(Some)
        })
        .await
    }

    /// `None` when the answer with this `ETag` is still right. What is new is kept.
    async fn packument_once(
        &self,
        name: &str,
        url: &str,
        etag: Option<&str>,
    ) -> Result<Option<Arc<Packument>>, Attempt> {
        let mut request =
            self.request(url)?.header(header::ACCEPT, packument::ACCEPT).header(header::ACCEPT_ENCODING, "gzip");
        if let Some(etag) = etag {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        let asked = Arc::new(RequestName { url: url.to_owned(), package: name.to_owned() });
        let (response, under_way) = self.send(&asked, request).await?;
        if response.status() == StatusCode::NOT_MODIFIED && etag.is_some() {
            return Ok(None);
        }
        let text = |name: header::HeaderName| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let (etag, encoding) = (text(header::ETAG), text(header::CONTENT_ENCODING));
        let is_gzip = match encoding.as_deref() {
            None | Some("identity") => false,
            Some("gzip" | "x-gzip") => true,
            Some(other) => {
                let problem = format!("its encoding {other} was not asked for");
                return Err(Attempt::Final(RegistryError::Malformed { url: http_text(url), problem }));
            }
        };
        let mut download = self.download(response, under_way, asked);
        let promised = download.total.map_or(0, |total| usize::try_from(total).unwrap_or(usize::MAX));
        let mut body = Vec::with_capacity(promised.min(PROMISED_BYTES_MAX));
        while let Some(chunk) = self.chunk(&mut download, PACKUMENT_BYTES_MAX).await? {
            body.extend_from_slice(&chunk);
        }
        drop(download);
        let sent = Sent { etag, is_gzip, body };
        let is_small = sent.body.len() <= PARSED_AT_ONCE_BYTES_MAX;
        let (name, url) = (name.to_owned(), url.to_owned());
        let parsing = move || {
            let packument = parse(&name, &url, decoded(&url, &sent)?.into_owned())?;
            Ok((packument, url, sent))
        };
        let parsed = if is_small { parsing() } else { blocking(parsing).await };
        let (packument, url, sent) = parsed.map_err(|error| match error {
            RegistryError::Transport { .. } => Attempt::Again(error, None),
            other => Attempt::Final(other),
        })?;
        self.keeper.keep(url, sent);
        Ok(Some(packument))
    }

    /// Starts one download of this package; the caller retries.
    pub(crate) async fn tarball_once(&self, url: &str, package: &str) -> Result<Download, Attempt> {
        if self.offline {
            return Err(Attempt::Final(RegistryError::Offline { what: http_text(url) }));
        }
        let asked = Arc::new(RequestName { url: url.to_owned(), package: package.to_owned() });
        let (response, under_way) = self.send(&asked, self.request(url)?).await?;
        Ok(self.download(response, under_way, asked))
    }

    fn download(&self, response: Response, under_way: UnderWay, name: Arc<RequestName>) -> Download {
        let waiting = self.waits.begin(What::Doing("downloading", Arc::<RequestName>::clone(&name)), Unit::Bytes);
        let total = response.content_length();
        if let Some(bytes) = total {
            waiting.expect(bytes);
        }
        Download { response, under_way, name, received: 0, total, waiting }
    }

    /// The body's next bytes; `None` at its end.
    pub(crate) async fn chunk(&self, download: &mut Download, limit_bytes: u64) -> Result<Option<Bytes>, Attempt> {
        let chunk = download.response.chunk().await.map_err(|error| {
            download.under_way.failed();
            let mut error = RegistryError::of_request(&download.name.url, error, &self.network);
            if let RegistryError::Transport { problem, .. } = &mut error {
                problem.extend([", after ", &Amount(download.received).to_string()]);
                problem.extend(download.total.map(|total| format!(" of {}", Amount(total))));
            }
            Attempt::Again(error, None)
        })?;
        let Some(chunk) = chunk else { return Ok(None) };
        download.received += chunk.len() as u64;
        download.waiting.reach(download.received);
        self.counters.bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        if download.received > limit_bytes {
            return Err(Attempt::Final(RegistryError::TooLarge { url: http_text(&download.name.url), limit_bytes }));
        }
        Ok(Some(chunk))
    }

    /// Runs `once` until it succeeds, fails for good, or has been tried often enough. With the error comes how often it
    /// was tried.
    pub(crate) async fn with_retries<T, E: fmt::Display, F: Future<Output = Result<T, Attempt<E>>>>(
        &self,
        mut once: impl FnMut() -> F,
    ) -> Result<T, (E, u32)> {
        let trying = async {
            let mut attempt = 1;
            loop {
                let (error, asked) = match once().await {
                    Ok(value) => return Ok(value),
                    Err(Attempt::Final(error)) => return Err((error, attempt)),
                    Err(Attempt::Again(error, _)) if attempt >= self.network.attempts => return Err((error, attempt)),
                    Err(Attempt::Again(error, asked)) => (error, asked),
                };
                attempt += 1;
                let doubled = self.network.first_pause * 2_u32.saturating_pow(attempt - 2);
                let pause = asked.map_or_else(|| jitter(doubled), |asked| asked.min(RETRY_AFTER_MAX));
                let (seconds, of) = (pause.as_secs_f64(), self.network.attempts);
                let what = format!("pausing for {seconds:.1} s before attempt {attempt} of {of}, because {error}");
                let _waiting = self.waits.begin(what, Unit::None);
                tokio::time::sleep(pause).await;
            }
        };
        self.transport.within(trying).await
    }

    /// The tarball's URL for a lockfile entry. Lockfiles name npm's own registry even when another one is configured in
    /// its place, and may leave the address out altogether.
    pub(crate) fn tarball_url(&self, name: &str, version: &str, resolved: Option<&str>) -> String {
        let registry = self.npmrc.registry_for(name).trim_end_matches('/');
        let Some(resolved) = resolved else {
            let file = name.rsplit('/').next().unwrap_or(name);
            return format!("{registry}/{name}/-/{file}-{version}.tgz");
        };
        match resolved.strip_prefix(PUBLIC_REGISTRY) {
            Some(path) => format!("{registry}/{path}"),
            None => resolved.to_owned(),
        }
    }

    fn request(&self, url: &str) -> Result<reqwest::RequestBuilder, Attempt> {
        let bad = || Attempt::Final(RegistryError::BadUrl { url: url.to_owned() });
        let parsed = Url::parse(url).map_err(|_| bad())?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(bad());
        }
        let mut request = self.transport.http().map_err(Attempt::Final)?.get(parsed);
        if let Some(authorization) = self.npmrc.authorization_for(url) {
            let mut value = header::HeaderValue::from_str(&authorization).map_err(|_| bad())?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        Ok(request)
    }

    /// The answer's head, once the registry's limit lets it be asked for.
    async fn send(
        &self,
        name: &Arc<RequestName>,
        request: reqwest::RequestBuilder,
    ) -> Result<(Response, UnderWay), Attempt> {
        let url = &name.url;
        let failed = |error| Attempt::Again(RegistryError::of_request(url, error, &self.network), None);
        let (client, request) = request.build_split();
        let request = request.map_err(failed)?;
        let under_way = self.limits.of(request.url()).begin().await;
        let waiting = self.waits.begin(What::Doing("asking", Arc::<RequestName>::clone(name)), Unit::None);
        let answer = connecting::named(Arc::clone(name), client.execute(request)).await;
        drop(waiting);
        let response = answer.map_err(|error| {
            under_way.failed();
            failed(error)
        })?;
        let status = response.status();
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            under_way.succeeded();
            return Ok((response, under_way));
        }
        let number = status.as_u16();
        let shown = http_text(url);
        Err(match number {
            404 => Attempt::Final(RegistryError::NotFound { url: shown }),
            401 | 403 => Attempt::Final(RegistryError::Refused {
                url: shown,
                status: number,
                authenticated: self.npmrc.authorization_for(url).is_some(),
            }),
            408 | 429 | 500.. => {
                under_way.failed();
                let error = RegistryError::Status { url: shown, status: number, attempts: 1 };
                Attempt::Again(error, retry_after(&response))
            }
            _ => Attempt::Final(RegistryError::Status { url: shown, status: number, attempts: 1 }),
        })
    }
}

impl PackumentSource for Arc<RegistryClient> {
    async fn packument(&self, name: &str) -> Result<Arc<Packument>, SourceError> {
        self.fetch_packument(name).await.map_err(|error| match error {
            RegistryError::NotFound { .. } => SourceError::NotFound { name: name.to_owned() },
            other => SourceError::Failed(Arc::new(other)),
        })
    }
}

/// What lockfiles stand for "the registry" with, whichever it is.
const PUBLIC_REGISTRY: &str = "https://registry.npmjs.org/";

/// The address of a package's document: the scope's slash is escaped.
fn packument_url(registry: &str, name: &str) -> String {
    format!("{}/{}", registry.trim_end_matches('/'), name.replace('/', "%2f"))
}

/// A URL as errors show it: without user, password and query, which can carry secrets.
fn http_text(url: &str) -> String {
    let Ok(mut parsed) = Url::parse(url) else { return url.to_owned() };
    // Both fail only for URLs without a host, which have neither.
    let _ = parsed.set_username("");
    let _ = parsed.set_password(None);
    parsed.set_query(None);
    parsed.to_string()
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Somewhere between half of `pause` and all of it, so that clients that failed together do not come back together.
fn jitter(pause: Duration) -> Duration {
    // A fresh `RandomState` is randomly seeded: enough randomness for a pause.
    let random = RandomState::new().build_hasher().finish();
    pause.mul_f64(0.5 + (random % 1000) as f64 / 2000.0)
}

/// How much larger documents are than what is sent of them, mostly.
const TYPICAL_RATIO: usize = 8;

/// The document, decompressed. Bytes that cannot be are a failure of the transport: another attempt may bring better ones.
fn decoded<'s>(url: &str, sent: &'s Sent) -> Result<Cow<'s, [u8]>, RegistryError> {
    if !sent.is_gzip {
        return Ok(Cow::Borrowed(&sent.body));
    }
    if let Some(text) = inflate::whole(&sent.body, PACKUMENT_BYTES_MAX) {
        return Ok(Cow::Owned(text));
    }
    let mut text = Vec::with_capacity(sent.body.len().saturating_mul(TYPICAL_RATIO));
    let mut reader = GzDecoder::new(sent.body.as_slice()).take(PACKUMENT_BYTES_MAX + 1);
    reader.read_to_end(&mut text).map_err(|error| RegistryError::transport(url, error.to_string()))?;
    if text.len() as u64 > PACKUMENT_BYTES_MAX {
        return Err(RegistryError::TooLarge { url: http_text(url), limit_bytes: PACKUMENT_BYTES_MAX });
    }
    Ok(Cow::Owned(text))
}

fn parse(name: &str, url: &str, text: Vec<u8>) -> Result<Arc<Packument>, RegistryError> {
    Packument::parse(name, text)
        .map(Arc::new)
        .map_err(|error| RegistryError::Malformed { url: http_text(url), problem: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(packument_url("https://r/npm/", "@a/b"), "https://r/npm/@a%2fb");
        assert_eq!(http_text("https://user:secret@r/x?token=1"), "https://r/x");
        assert_eq!(http_text("no url"), "no url");
    }

    #[test]
    fn pauses_spread() {
        let pauses: Vec<Duration> = (0..32).map(|_| jitter(Duration::from_millis(100))).collect();
        assert!(pauses.iter().all(|pause| (50..=100).contains(&pause.as_millis())));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
