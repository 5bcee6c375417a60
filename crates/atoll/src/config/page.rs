//! The page about `atoll.toml`, `docs/configuration.md`. Only its test needs it: the binary doesn't show it.

use super::keys::{APP_FILE, DEPLOYMENT, Kind, METRICS, SERVER, SERVER_FILE, Section};
use std::fmt::Write;

const INTRODUCTION: &str = r#"# Configuration

`atoll serve DIR…` needs no configuration. Where there is more to say, `atoll.toml` says it. This page is made from the table by
which Atoll checks the file (`cargo xtask docs`); `atoll schema` prints the JSON schema ([atoll.schema.json](atoll.schema.json)) for
editors that understand `#:schema` in a TOML file's first line.

The file is one of two: a server's configuration, or an app's own settings.

## A server's configuration

`atoll serve --config FILE` serves what the file names; so does `atoll serve` alone where an `atoll.toml` with `[[deployments]]`
lies in the working directory. `atoll serve --check` says whether the file and what it names are in order, and starts nothing.

```toml
[server]
listen = "0.0.0.0:80"

[limits]                                # of all deployments
cpu-ms = 500

[[deployments]]
name = "shop"
directory = "apps/shop"                 # relative to this file
hosts = ["shop.example", "*.shop.example"]
env-from = ["DATABASE_PASSWORD"]
net-allow = ["10.0.0.5:5432"]

[[deployments]]
name = "shop-api"
directory = "apps/api"
tenant = "shop"
hosts = ["shop.example"]
paths = ["/api"]
[deployments.limits]                    # of this one
heap-mib = 64
```

A request goes to the deployment whose host and path fit best: an exact host before a wildcard, a longer wildcard before a shorter
one, any wildcard before `*`; of one host's paths the longest. A host of which only some paths are named leaves the others to
what fits behind it. Paths are compared as they were sent, without decoding.

Up to eight deployments are started before the port opens, so that mistakes in their code are shown first. Of more than eight each is
started at its first request.

"#;

const APP: &str = "\
## An app's own settings

An `atoll.toml` in an app's directory says what the app needs. Where the directory is named on the command line, it is taken at its
word; addresses that it asks to reach are shown at the start. Under a server's configuration, whose apps may be other people's, it can
lower its limits, and `net-allow` is an error unless the operator says `net-allow` for the deployment, which then holds.

";

/// The page.
pub(super) fn page() -> String {
    let mut page = String::from(INTRODUCTION);
    for (heading, section) in [
        ("At the top", &SERVER_FILE),
        ("`[server]`", &SERVER),
        ("`[metrics]`", &METRICS),
        ("`[[deployments]]`", &DEPLOYMENT),
    ] {
        table(&mut page, heading, section);
    }
    page.push_str(APP);
    table(&mut page, "At the top", &APP_FILE);
    // Every section ends with an empty line, the page with none.
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn table(page: &mut String, heading: &str, section: &Section) {
    // Writing to a string can't fail, here and below.
    let _ = writeln!(page, "{heading}:\n\n| key | value | what for |\n| --- | --- | --- |");
    for key in section.keys {
        let required = if key.is_required { "Required. " } else { "" };
        let _ = writeln!(page, "| `{}` | {} | {required}{} |", key.name, value(&key.kind), key.about);
    }
    page.push('\n');
}

fn value(kind: &Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::TextList => "list of texts".to_owned(),
        Kind::TextTable => "table of texts".to_owned(),
        Kind::Number { smallest, largest } => format!("{smallest} – {largest}"),
        Kind::Choice(names) => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        Kind::Limits => "table; see [limits](limits.md)".to_owned(),
        Kind::Table(_) => "table".to_owned(),
        Kind::Tables(_) => "tables".to_owned(),
    }
}

#[test]
fn generated_configuration_page_is_fresh() {
    super::schema::check_fresh("configuration.md", &page());
}
