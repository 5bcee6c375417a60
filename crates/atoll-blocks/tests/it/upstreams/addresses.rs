//! What users write, and what is made of it.

use super::{bytes, content};
use atoll_blocks::upstream::{Remote, UpstreamError, store_for};
use atoll_test::object_origin::{ObjectOrigin, Shape};
use std::process::Command;
use std::time::Duration;

fn origin() -> (ObjectOrigin, Vec<u8>) {
    (ObjectOrigin::start(Shape::of(Duration::ZERO)).unwrap(), content(5000, 9))
}

fn environment(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

async fn open(address: &str, variables: &[(&str, &str)]) -> Result<Remote, UpstreamError> {
    let (store, location) = store_for(address, environment(variables))?;
    Ok(Remote::open(store, location, 1).await?.0)
}

/// Bytes come from where the origin has `object`, and the origin is asked as `query` and `authorization` say.
async fn check(address: &str, variables: &[(&str, &str)], object: &str, origin: &ObjectOrigin, data: &[u8]) {
    origin.put(object, data.to_vec());
    let remote = open(address, variables).await.unwrap();
    assert_eq!(bytes(&remote, 0..data.len() as u64).await, data, "{address}");
}

#[tokio::test]
async fn each_kind_of_address_is_asked_for_in_its_way() {
    let (origin, data) = origin();
    let at = format!("http://{}", origin.address());
    check(&format!("{at}/a/b%20c.blocks"), &[], "a/b%20c.blocks", &origin, &data).await;
    check(&format!("{at}/a/b%20c.blocks#part"), &[], "a/b%20c.blocks", &origin, &data).await;

    let aws = [("AWS_ENDPOINT", at.as_str()), ("AWS_SKIP_SIGNATURE", "true")];
    check("s3://bucket/a b/c%20d", &aws, "bucket/a%20b/c%2520d", &origin, &data).await;
    assert!(origin.take_seen().iter().all(|seen| seen.authorization.is_none()));
    let signed = [("AWS_ENDPOINT", at.as_str()), ("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    check("s3a://bucket/key", &signed, "bucket/key", &origin, &data).await;
    let seen = origin.take_seen();
    let is_signed = |authorization: &Option<String>| {
        authorization.as_ref().is_some_and(|value| value.starts_with("AWS4-HMAC-SHA256 Credential=id/"))
    };
    assert!(seen.iter().all(|seen| is_signed(&seen.authorization)), "{seen:?}");

    let google = [("GOOGLE_BASE_URL", at.as_str()), ("GOOGLE_SKIP_SIGNATURE", "true")];
    check("gs://bucket/a b/c", &google, "bucket/a%20b%2Fc", &origin, &data).await;
    let azure = [
        ("AZURE_STORAGE_ENDPOINT", at.as_str()),
        ("AZURE_STORAGE_ACCOUNT_NAME", "account"),
        ("AZURE_SKIP_SIGNATURE", "true"),
    ];
    check("az://container/a b/c", &azure, "container/a%20b/c", &origin, &data).await;
}

#[tokio::test]
async fn a_signed_url_is_asked_for_with_its_query_and_shown_without() {
    let (origin, data) = origin();
    check(&origin.url("object?signature=s%2Bcret"), &[], "object", &origin, &data).await;
    let seen = origin.take_seen();
    assert!(seen.iter().all(|seen| seen.query.as_deref() == Some("signature=s%2Bcret")), "{seen:?}");

    let address = origin.url("gone?signature=secret").replace("http://", "http://user:pass%20word@");
    let error = open(&address, &[]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{} does not exist: check the address, and that the object was not deleted", origin.url("gone"))
    );
    // The base64 of `user:pass word`.
    assert_eq!(origin.take_seen()[0].authorization.as_deref(), Some("Basic dXNlcjpwYXNzIHdvcmQ="));
    let (store, _) = store_for(&address, []).unwrap();
    assert!(!format!("{store:?} {store}").contains("secret"), "{store:?}");
    let unreachable = "http://user:secret@127.0.0.1:1/object?signature=secret";
    let error = format!("{:?}", open(unreachable, &[]).await.unwrap_err());
    assert!(!error.contains("secret"), "{error}");
}

#[tokio::test]
async fn a_proxy_is_gone_through_but_for_the_hosts_that_are_excepted() {
    let (origin, data) = origin();
    let proxy = format!("http://{}", origin.address());
    let name = "http://atoll.invalid/object";
    check(name, &[("HTTP_PROXY", &proxy)], name, &origin, &data).await;
    check(name, &[("http_proxy", &proxy)], name, &origin, &data).await;
    let error = open(name, &[("HTTP_PROXY", &proxy), ("NO_PROXY", "atoll.invalid")]).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Broken { .. }), "{error}");
}

#[tokio::test]
async fn an_address_that_is_none_says_why() {
    let reason = |address: &str, variables: &[(&str, &str)]| match store_for(address, environment(variables)) {
        Err(UpstreamError::Address { address: shown, reason }) => format!("{shown}: {reason}"),
        other => panic!("{address}: {other:?}"),
    };
    for (address, wanted) in [
        ("ftp://host/object", "ftp://host/object: addresses begin with s3://"),
        ("s3://bucket", "s3://bucket: s3:// is followed by a bucket, a slash and a key"),
        ("s3://bucket/", "s3://bucket/: s3:// is followed by a bucket"),
        ("s3:///key", "s3:///key: s3:// is followed by a bucket"),
        ("s3://bucket/a//b", "s3://bucket/a//b: Path \"a//b\" contained empty path segment"),
        ("gs://bucket/../b", "gs://bucket/../b: Error parsing Path"),
        ("http://", "http://: empty host"),
        (
            "http://user:secret@host/a%2Fb",
            "http://host/a%2Fb: its path is not in the usual form, in which it would be /a/b",
        ),
        ("file://host/path", "file://host/path: a file's URL is file:// and an absolute path"),
    ] {
        let found = reason(address, &[]);
        assert!(found.starts_with(wanted), "{found}");
    }
    let found = reason("s3://bucket/key", &[("AWS_ACCESS_KEY_ID", "id")]);
    assert!(found.contains("SecretAccessKey"), "{found}");
    let found = reason("http://host/object", &[("HTTP_PROXY", "http://me:secret@a b")]);
    assert!(found.contains("the proxy's address in HTTP_PROXY") && !found.contains("secret"), "{found}");
}

#[tokio::test]
async fn a_file_has_a_url_and_a_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("with space.blocks");
    let data = content(1_000_000, 8);
    std::fs::write(&path, &data).unwrap();
    let url = url::Url::from_file_path(&path).unwrap();
    for address in [path.to_str().unwrap(), url.as_str()] {
        let remote = open(address, &[]).await.unwrap();
        assert_eq!(bytes(&remote, 0..1_000_000).await, data, "{address}");
    }
    let missing = directory.path().join("missing");
    let error = open(missing.to_str().unwrap(), &[]).await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("file://{} does not exist", missing.display())), "{error}");
}

/// Run by the test below, without root certificates.
#[tokio::test]
#[ignore = "needs an environment of its own"]
async fn in_a_machine_without_certificates() {
    let (origin, data) = origin();
    check(&origin.url("object"), &[], "object", &origin, &data).await;
    let error = open("https://127.0.0.1:1/object", &[]).await.unwrap_err();
    assert!(error.to_string().contains("there can't be a connection by TLS: "), "{error}");
}

#[test]
fn without_certificates_there_is_no_tls_and_all_else() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "upstreams::addresses::in_a_machine_without_certificates", "--ignored"]);
    let run = command.env("SSL_CERT_FILE", "/dev/null").env_remove("SSL_CERT_DIR").output().unwrap();
    let text = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && text.contains("1 passed"), "{text}");
}
