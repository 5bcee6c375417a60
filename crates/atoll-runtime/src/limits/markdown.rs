//! The page about limits, `docs/limits.md`.

use super::{Hit, KILLS, LIMITS, LimitRow, RunDefault, Unit};
use std::fmt::Write;

const INTRODUCTION: &str = "\
# Limits

A guest that asks for too much is refused, or ended; the process, and every other guest in it, goes on. This page is made from the
table that Atoll itself works with (`cargo xtask docs`).

Each limit can be set

* for all deployments, by its flag: `atoll serve --cpu-ms 500`;
* for all deployments of a configuration, in the section `[limits]` of `atoll.toml`: `cpu-ms = 500`;
* for one deployment, in its section `[deployments.limits]`;
* by the app itself, in the section `[limits]` of the `atoll.toml` in its own directory.

A flag comes before the deployment's section, that before `[limits]`, that before the defaults. What the app says of itself holds where
nobody else says anything; under a server's configuration it may only be lower than that.

The default of `atoll serve` comes first, that of `atoll run` behind it: `∞` for no limit, `–` where the limit
does not concern programs.

";

const KILLS_INTRODUCTION: &str = "\
## When a guest is ended

Requests under way in the worker get the status below with the header `atoll-termination`, which has the reason, the limit's
number and what was used: `cpu;limit=1000;amount=1003;unit=ms`. The log has the same, and what the guest had printed until
then. The next request gets a fresh worker.

";

/// The page.
pub fn page() -> String {
    let mut page = String::from(INTRODUCTION);
    page.push_str("| key | default | from – to | for each | what it bounds |\n| --- | --- | --- | --- | --- |\n");
    for row in LIMITS {
        let range = match row.unit {
            Unit::Switch => "`true`, `false`".to_owned(),
            unit => format!("{} – {}", unit.show(row.smallest), unit.show(row.largest)),
        };
        line(
            &mut page,
            &[&format!("[`{0}`](#{0})", row.key), &defaults(row), &range, &row.scope.to_string(), row.bounds],
        );
    }
    page.push_str("\n## When a limit is reached\n\n");
    for row in LIMITS {
        // Writing to a string can't fail, here and below.
        let _ = match row.unit {
            Unit::Switch => writeln!(page, "### {}\n\nAllows {}. {}\n", row.key, row.bounds, row.effect),
            _ => {
                writeln!(page, "### {}\n\nBounds {}. {} {}\n", row.key, row.bounds, happens(row.hit), row.effect)
            }
        };
    }
    page.push_str(KILLS_INTRODUCTION);
    page.push_str("| reason | status | limits | what happened | what to do |\n| --- | --- | --- | --- | --- |\n");
    for kill in KILLS {
        let keys = LIMITS.iter().filter(|row| row.hit == Hit::Kill(kill.reason));
        let keys: Vec<String> = keys.map(|row| format!("[`{0}`](#{0})", row.key)).collect();
        let reason = format!("`{}`", kill.reason.name());
        let status = kill.status.map_or_else(|| "–".to_owned(), |status| status.to_string());
        line(&mut page, &[&reason, &status, &keys.join(", "), kill.means, kill.remedy]);
    }
    page
}

fn line(page: &mut String, cells: &[&str]) {
    for cell in cells {
        let _ = write!(page, "| {cell} ");
    }
    page.push_str("|\n");
}

fn defaults(row: &LimitRow) -> String {
    let serve = row.unit.show(row.serve);
    match row.run {
        RunDefault::Value(value) if value == row.serve => serve,
        RunDefault::Value(value) => format!("{serve}; {}", row.unit.show(value)),
        RunDefault::Unlimited => format!("{serve}; ∞"),
        RunDefault::NotApplicable => format!("{serve}; –"),
    }
}

fn happens(hit: Hit) -> String {
    match hit {
        Hit::Kill(reason) => format!("At the limit the guest is ended, reason `{}`.", reason.name()),
        Hit::Status(status) => format!("Above the limit the client gets the status {status}."),
        Hit::Throws => "Above the limit the guest gets an error.".to_owned(),
        Hit::Waits => "Above the limit there is a line.".to_owned(),
        Hit::Silence => "Above the limit there is silence.".to_owned(),
        Hit::Replaced => "At the limit the worker is replaced.".to_owned(),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the page lies in the repository, and is written when that is asked for")]
mod tests {
    use super::page;
    use std::path::Path;

    #[test]
    fn generated_limits_page_is_fresh() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/limits.md");
        let page = page();
        if std::env::var_os("ATOLL_UPDATE_DOCS").is_some() {
            std::fs::write(&path, page).expect("the page can be written");
            return;
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == page, "docs/limits.md is stale; refresh it with `cargo xtask docs`");
    }
}
