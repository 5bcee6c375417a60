//! Files as operators write them, with their mistakes.

use super::{ConfigFile, ServerFile, Source};
use crate::cli::LogFormat;
use crate::terminal::Failure;
use atoll_runtime::{Isolation, Limits};
use std::path::Path;
use std::time::Duration;

fn parse(text: &str) -> Result<ConfigFile, Failure> {
    ConfigFile::parse(Source::of_text(text))
}

fn server(text: &str) -> ServerFile {
    match parse(text) {
        Ok(ConfigFile::Server(file)) => file,
        Ok(ConfigFile::App(_)) => panic!("it configures no server"),
        Err(failure) => panic!("{failure:?}"),
    }
}

/// The file is refused with a message, at a place, with a hint that contains a text.
#[track_caller]
fn check(text: &str, message: &str, place: &str, hint: &str) {
    let failure = parse(text).expect_err("it has a mistake");
    assert_eq!(failure.message, message);
    let details = anstream::adapter::strip_str(&failure.details.join("\n")).to_string();
    assert!(details.contains(&format!("atoll.toml:{place}")), "{place} is not in {details}");
    let shown = failure.hint.unwrap_or_default();
    assert!(shown.contains(hint), "{hint:?} is not in {shown:?}");
}

#[test]
fn everything_can_be_said() {
    let file = server(
        r#"
        [server]
        listen = "0.0.0.0:80"
        threads = 2
        drain-seconds = 30
        log = "json"
        [limits]
        cpu-ms = 2_000
        [[deployments]]
        name = "shop"
        directory = "apps/shop"
        tenant = "acme"
        hosts = ["shop.example", "*.Shop.example"]
        paths = ["/api/"]
        isolation = "context"
        entry = "src/main.ts"
        env = { STAGE = "prod", "with.dots" = "1" }
        env-from = ["API_KEY"]
        net-allow = ["127.0.0.1:5432"]
        limits.heap-mib = 64
        limits.eval = false
        [[deployments]]
        directory = "apps/blog"
        "#,
    );
    assert_eq!(file.listen, Some(([0, 0, 0, 0], 80).into()));
    assert_eq!((file.threads, file.drain), (Some(2), Some(Duration::from_secs(30))));
    assert_eq!(file.log, Some(LogFormat::Json));
    assert_eq!(file.limits.over(Limits::SERVE).request_cpu, Duration::from_secs(2));
    let [shop, blog] = file.deployments.as_slice() else { panic!("there are two") };
    assert_eq!(shop.name.as_ref().map(|name| name.value.as_str()), Some("shop"));
    assert_eq!(shop.directory.value, Path::new("apps/shop"));
    assert_eq!(shop.tenant.as_deref(), Some("acme"));
    let hosts: Vec<String> = shop.hosts.iter().map(|host| host.value.to_string()).collect();
    assert_eq!(hosts, ["shop.example", "*.shop.example"]);
    assert_eq!(shop.paths.first().map(|path| path.value.to_string()).as_deref(), Some("/api"));
    assert_eq!(shop.env_from.first().map(|name| name.value.as_str()), Some("API_KEY"));
    let settings = &shop.settings;
    assert_eq!(
        (settings.isolation, settings.entry.as_deref()),
        (Some(Isolation::Context), Some(Path::new("src/main.ts")))
    );
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(settings.env, [variable("STAGE", "prod"), variable("with.dots", "1")]);
    assert_eq!(settings.net_allow.as_ref().map(|allowed| allowed.value.len()), Some(1));
    let limits = settings.limits.over(Limits::SERVE);
    assert_eq!((limits.heap_bytes, limits.allow_eval), (64 << 20, false));
    assert!(blog.name.is_none() && blog.hosts.is_empty() && blog.settings.net_allow.is_none());
}

#[test]
fn an_app_has_a_file_of_its_own() {
    let file = parse("entry = 'main.ts'\nisolation = 'isolate'\n[limits]\nheap-mib = 16\n");
    let Ok(ConfigFile::App(file)) = file else { panic!("it is an app's: {file:?}") };
    assert_eq!(file.settings.isolation, Some(Isolation::Isolate));
    assert_eq!(file.settings.limits.over(Limits::SERVE).heap_bytes, 16 << 20);
    assert!(matches!(parse(""), Ok(ConfigFile::App(_))));
}

#[test]
fn unknown_keys_name_the_nearest() {
    check(
        "[server]\nlisten = '127.0.0.1:80'\nthread = 2\n",
        "there is no key \"thread\" in [server]",
        "3:1",
        "did you mean threads?",
    );
    check(
        "[[deployments]]\ndirectory = '.'\nhost = ['a']\n",
        "there is no key \"host\" in [[deployments]]",
        "3:1",
        "did you mean hosts?",
    );
    check("[limits]\ncpu_ms = 5\n", "there is no limit \"cpu_ms\"", "2:1", "did you mean cpu-ms?");
    check("[limits]\nzzz = 5\n", "there is no limit \"zzz\"", "2:1", "there are heap-mib, external-mib, cpu-ms,");
    check("entri = 'a.ts'\n", "there is no key \"entri\" in an app's settings", "1:1", "did you mean entry?");
    check(
        "server = {}\nentry = 'a'\n",
        "there is no key \"entry\" in a server's configuration",
        "2:1",
        "there are server,",
    );
    check("env-from = ['A']\n", "there is no key \"env-from\" in an app's settings", "1:1", "is the operator's to say");
}

#[test]
fn values_are_of_their_kind_and_range() {
    check(
        "[limits]\nheap-mib = 1\n",
        "heap-mib = 1 is out of range: it is from 16 MiB to 65,536 MiB",
        "2:12",
        "it bounds JavaScript heap",
    );
    check("[limits]\ncpu-ms = -1\n", "cpu-ms = -1 is out of range: it is from 1 ms to 3,600,000 ms", "2:10", "");
    check("[limits]\ncpu-ms = '1s'\n", "cpu-ms must be a whole number, not a string", "2:10", "CPU time");
    check("[limits]\ncpu-ms = 1.5\n", "cpu-ms must be a whole number, not a fraction", "2:10", "");
    check("[limits]\neval = 1\n", "eval must be true or false, not a whole number", "2:8", "eval");
    check("[server]\nthreads = 0\n", "threads = 0 is out of range: it is from 1 to 1024", "2:11", "");
    check("[server]\nlisten = 8080\n", "listen must be a string, not a whole number", "2:10", "Address and port");
    check("[server]\nlisten = 'here'\n", "listen: invalid socket address syntax", "2:10", "");
    check("[server]\nlog = 'jsn'\n", "log can't be \"jsn\"", "2:7", "did you mean json?");
    check("isolation = 'none'\n", "isolation can't be \"none\"", "1:13", "there are warm, context, isolate");
    check("env = { PORT = 80 }\n", "env.PORT must be a string", "1:16", "put it in quotes");
    check("env = { 'A=B' = '' }\n", "this can't be the name of an environment variable", "1:9", "");
    check("limits = 5\n", "limits must be a table, not a whole number", "1:10", "");
    check("deployments = [1]\n", "deployments must be tables: [[deployments]]", "1:16", "");
    check("[deployments]\n", "there can be several deployments: write [[deployments]]", "1:1", "");
    check(
        "[[deployments]]\nname = 'a'\n",
        "[[deployments]] needs the key directory",
        "1:1",
        "directory: The app's directory",
    );
    check("[[deployments]]\ndirectory = ' '\n", "directory is empty", "2:13", "");
    check(
        "[[deployments]]\ndirectory = '.'\nhosts = ['a', 'b:80']\n",
        "hosts: \"b:80\" is more than a host name: leave out scheme, port and path",
        "3:15",
        "",
    );
    check(
        "[[deployments]]\ndirectory = '.'\npaths = 'api'\n",
        "paths must be a list of strings, not a string",
        "3:9",
        "Beginnings of paths",
    );
    check(
        "[[deployments]]\ndirectory = '.'\npaths = ['api']\n",
        "paths: \"api\" is not a path: it begins with no slash",
        "3:10",
        "",
    );
}

#[test]
fn what_is_no_toml_is_shown_where_it_breaks() {
    let failure = parse("[server]\nlisten = \n").expect_err("a value is missing");
    let details = anstream::adapter::strip_str(&failure.details.join("\n")).to_string();
    assert!(details.contains("atoll.toml:2:"), "{details}");
    assert!(parse("a = 1\na = 2\n").is_err());
    assert!(parse(&format!("env = {}", "[".repeat(100_000))).is_err());
}
