//! Which store a URL means, and the credentials for it.

use super::UpstreamError;
use super::transport::Transport;
use async_trait::async_trait;
use atoll_http::Proxies;
use futures_util::stream::BoxStream;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore};
use object_store::{PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, RetryConfig};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Tries once: what is tried again, and when, is the scheduler's decision.
fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, retry_timeout: Duration::ZERO, ..RetryConfig::default() }
}

/// The store of an object, and where the object is in it. `url` is one of
///
/// * `s3://BUCKET/KEY` (`s3a` too), `gs://BUCKET/KEY`, with the key as it is, not percent-encoded;
/// * `az://CONTAINER/KEY`, or `abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/KEY` (`abfss` too);
/// * `http://…` and `https://…`, also with a user and password, or with a query that has a signature;
/// * `file:///…`, and a path.
///
/// `environment` has the variables with credentials and settings: those that begin with `AWS_`, `GOOGLE_` and `AZURE_`,
/// with the meanings that object_store gives them, Azure's `IDENTITY_ENDPOINT`, and `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, also in small letters.
///
/// # Errors
/// [`UpstreamError::Address`], for what is none of these, and settings that are not complete.
pub fn store_for(
    url: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<(Arc<dyn ObjectStore>, Path), UpstreamError> {
    let environment: BTreeMap<String, String> = environment.into_iter().collect();
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let scheme = scheme.to_ascii_lowercase();
    let made =
        match scheme.as_str() {
            "" => local(std::path::Path::new(rest)),
            "file" => Url::parse(url)
                .ok()
                .and_then(|url| url.to_file_path().ok())
                .map_or_else(|| Err("a file's URL is file:// and an absolute path".to_owned()), |path| local(&path)),
            "http" | "https" => web(url, &environment),
            "s3" | "s3a" | "gs" | "az" | "abfs" | "abfss" => cloud(&scheme, rest, &environment),
            _ => Err("addresses begin with s3://, gs://, az://, abfs://, http://, https:// or file://, or are paths"
                .to_owned()),
        };
    made.map_err(|reason| UpstreamError::Address { address: without_secrets(url), reason })
}

type Made = Result<(Arc<dyn ObjectStore>, Path), String>;

fn local(path: &std::path::Path) -> Made {
    let path = std::path::absolute(path).map_err(|error| error.to_string())?;
    let location = Path::from_absolute_path(&path).map_err(|error| error.to_string())?;
    Ok((Arc::new(Named { name: "file://".to_owned(), store: LocalFileSystem::new() }), location))
}

fn web(url: &str, environment: &BTreeMap<String, String>) -> Made {
    let mut url = Url::parse(url).map_err(|error| error.to_string())?;
    url.set_fragment(None);
    let location = Path::from_url_path(url.path()).map_err(|error| error.to_string())?;
    // What is left of the path when the store makes a URL of it again must be the same.
    let mut root = url.clone();
    root.set_path("");
    let mut again = root.clone();
    again.path_segments_mut().map_err(|()| "it has no path".to_owned())?.extend(location.parts());
    if again.path() != url.path() {
        return Err(format!("its path is not in the usual form, in which it would be {}", again.path()));
    }
    let store = HttpBuilder::new().with_url(root).with_retry(no_retries()).with_http_connector(transport(environment)?);
    let store = store.build().map_err(|error| error.to_string())?;
    Ok((Arc::new(Named { name: origin(&url), store }), location))
}

fn cloud(scheme: &str, rest: &str, environment: &BTreeMap<String, String>) -> Made {
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() || key.is_empty() {
        return Err(format!("{scheme}:// is followed by a bucket, a slash and a key"));
    }
    let location = Path::parse(key).map_err(|error| error.to_string())?;
    let name = format!("{scheme}://{bucket}");
    let (url, transport) = (format!("{name}/"), transport(environment)?);
    // Settings by the names that the builders know; each has its own.
    macro_rules! with_settings {
        ($builder:ty, $prefix:literal) => {{
            let settings = environment.iter().filter(|(name, _)| name.starts_with($prefix));
            let builder =
                settings.fold(<$builder>::new(), |builder, (name, value)| match name.to_ascii_lowercase().parse() {
                    Ok(key) => builder.with_config(key, value),
                    Err(_) => builder,
                });
            builder.with_url(url).with_retry(no_retries()).with_http_connector(transport)
        }};
    }
    let failed = |error: object_store::Error| error.to_string();
    let store: Arc<dyn ObjectStore> = match scheme {
        "s3" | "s3a" => {
            Arc::new(Named { name, store: with_settings!(AmazonS3Builder, "AWS_").build().map_err(failed)? })
        }
        "gs" => {
            let store = with_settings!(GoogleCloudStorageBuilder, "GOOGLE_").build().map_err(failed)?;
            Arc::new(Named { name, store })
        }
        _ => {
            let mut builder = with_settings!(MicrosoftAzureBuilder, "AZURE_");
            // Where Azure's own services have the machine's credentials.
            if let Some(endpoint) = environment.get("IDENTITY_ENDPOINT") {
                builder = builder.with_msi_endpoint(endpoint);
            }
            Arc::new(Named { name, store: builder.build().map_err(failed)? })
        }
    };
    Ok((store, location))
}

fn transport(environment: &BTreeMap<String, String>) -> Result<Transport, String> {
    let variable = |name: &str| {
        let value = environment.get(name).or_else(|| environment.get(&name.to_ascii_lowercase()));
        value.filter(|value| !value.is_empty()).cloned()
    };
    let (http, https, except) = (variable("HTTP_PROXY"), variable("HTTPS_PROXY"), variable("NO_PROXY"));
    Transport::new(&Proxies { http, https, except })
}

/// Scheme, host and port.
fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// An address as it may be shown: without user, password and query.
fn without_secrets(address: &str) -> String {
    match Url::parse(address) {
        Ok(url) if url.has_host() && matches!(url.scheme(), "http" | "https") => {
            format!("{}{}", origin(&url), url.path())
        }
        _ => address.to_owned(),
    }
}

/// A store under the name that users know it by. It shows nothing else of itself: there are secrets in it.
struct Named<S> {
    name: String,
    store: S,
}

impl<S> fmt::Display for Named<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

impl<S> fmt::Debug for Named<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[async_trait]
impl<S: ObjectStore> ObjectStore for Named<S> {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.store.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.store.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.store.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.store.copy_opts(from, to, options).await
    }
}
