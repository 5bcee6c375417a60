//! What one request leaves behind, used by another.

use super::{Lab, ROOMY};
use crate::harness::block_on;
use atoll_web::{IncomingRequest, RequestBody};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::BodyExt;

fn secret(value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(http::HeaderName::from_static("x-secret"), HeaderValue::from_static(value))])
}

#[test]
fn no_request_sees_what_is_of_another() {
    block_on(async {
        let lab = Lab::new();
        let (deployment, recorder) = lab.deploy("requests", ROOMY);
        let url = "http://hostile.localhost/attack?keep";
        let first = IncomingRequest {
            headers: secret("first"),
            body: Some(RequestBody::new(futures_util::stream::iter([Ok(Bytes::from_static(b"body of the first"))]))),
            ..IncomingRequest::new(Method::POST, url)
        };
        let first = lab.pool.fetch(&deployment, first).await.expect("the first response's head");

        let post = async |path: &str| {
            let body = Some(Bytes::from_static(b"body of the second"));
            lab.send(&deployment, path, secret("second"), body).await.unwrap_or_else(|error| panic!("{path}: {error}"))
        };
        // While the first is under way, its own parts are what its objects give, and the second has its own.
        assert_eq!(post("/attack?headers").await, "200 first second");
        assert_eq!(post("/attack?body").await, "200 body of the first body of the second");
        assert_eq!(post("/attack?signal").await, "200 false false");
        assert_eq!(post("/attack?reject").await, "200 second");
        assert_eq!(post("/attack?write").await, "200 second");
        let body = first.into_body().collect().await.expect("the first response's body").to_bytes();
        assert_eq!(body, "into the first");

        // Once it is over, what is left of it gives nothing of anybody's.
        assert_eq!(post("/attack?signal").await, "200 false false");
        let again = post("/attack?body").await;
        assert!(again.ends_with(" body of the second") && !again.contains("second body"), "{again}");
        assert_eq!(post("/attack?wait").await, "200 second");
        assert_eq!(lab.get(&deployment, "/").await.ok().as_deref(), Some("200 alive 1"), "{:?}", recorder.problems());
        lab.pool.drain().await;
    });
}

#[test]
fn what_nobody_caught_answers_no_request() {
    block_on(async {
        let lab = Lab::new();
        let (deployment, recorder) = lab.deploy("requests", ROOMY);
        assert_eq!(lab.get(&deployment, "/attack?reject").await.ok().as_deref(), Some("200 second"));
        for count in 1..20 {
            let answer = lab.get(&deployment, "/").await;
            assert_eq!(answer.ok(), Some(format!("200 alive {count}")));
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        let problems = recorder.problems().join("\n");
        assert!(problems.contains("Error: of nobody"), "{problems}");
    });
}
