//! The keys of `atoll.toml`.

/// What a table of the file may contain.
#[derive(Debug)]
pub(super) struct Section {
    /// As messages name it.
    pub(super) name: &'static str,
    pub(super) keys: &'static [Key],
}

#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// What it is for: sentences.
    pub(super) about: &'static str,
    pub(super) is_required: bool,
}

#[derive(Debug)]
pub(super) enum Kind {
    Text,
    TextList,
    /// Names and texts.
    TextTable,
    Number {
        smallest: u64,
        largest: u64,
    },
    Choice(&'static [&'static str]),
    /// The table of limits.
    Limits,
    Table(&'static Section),
    Tables(&'static Section),
}

const fn key(name: &'static str, kind: Kind, about: &'static str) -> Key {
    Key { name, kind, about, is_required: false }
}

const ISOLATIONS: Kind = Kind::Choice(&["warm", "context", "isolate"]);

const ENTRY: Key = key("entry", Kind::Text, "The module with the handler, relative to the app's directory.");
const ISOLATION: Key = key(
    "isolation",
    ISOLATIONS,
    "What requests share. `warm`: one worker answers many, globals live on. `context`: each request gets fresh globals. \
     `isolate`: each request gets a heap of its own. The default is `warm`.",
);
const ENV: Key = key("env", Kind::TextTable, "Environment variables of the app.");
const NET_ALLOW: Key = key(
    "net-allow",
    Kind::TextList,
    "Addresses that are not public and may be reached by `fetch`: HOST, HOST:PORT or a CIDR block.",
);

/// A server's configuration.
pub(super) const SERVER_FILE: Section = Section {
    name: "a server's configuration",
    keys: &[
        key("server", Kind::Table(&SERVER), "How to serve. The flags of `atoll serve` come before it."),
        key("metrics", Kind::Table(&METRICS), "Where the operator's monitoring reads metrics."),
        key("limits", Kind::Limits, "Limits of all deployments."),
        key("deployments", Kind::Tables(&DEPLOYMENT), "What is served, and where."),
    ],
};

pub(super) const SERVER: Section = Section {
    name: "[server]",
    keys: &[
        key("listen", Kind::Text, "Address and port to listen on. The default is `127.0.0.1:8080`."),
        key(
            "threads",
            Kind::Number { smallest: 1, largest: 1024 },
            "Threads that serve. The default is one for each core.",
        ),
        key(
            "drain-seconds",
            Kind::Number { smallest: 0, largest: 86_400 },
            "Seconds that requests under way may take when the server is asked to end. The default is 10.",
        ),
        key("log", Kind::Choice(&["access", "json", "off"]), "What is logged of requests. The default is `access`."),
    ],
};

pub(super) const METRICS: Section = Section {
    name: "[metrics]",
    keys: &[Key {
        name: "listen",
        kind: Kind::Text,
        about: "Address and port at which `GET /metrics` is answered in Prometheus' text format. Whoever reaches it can \
                read it, so it is best one that only the operator's monitoring reaches. By default there is none.",
        is_required: true,
    }],
};

/// One of `[[deployments]]`.
pub(super) const DEPLOYMENT: Section = Section {
    name: "[[deployments]]",
    keys: &[
        key("name", Kind::Text, "Shown in logs; no two are the same. The default is the directory's name."),
        Key {
            name: "directory",
            kind: Kind::Text,
            about: "The app's directory, relative to this file. Several deployments may have the same.",
            is_required: true,
        },
        key(
            "tenant",
            Kind::Text,
            "Who owns it. Deployments of different tenants never share an isolate. The default is the deployment's name.",
        ),
        key(
            "hosts",
            Kind::TextList,
            "Host names that lead to it; `*.shop.example` for all below one, `*` for all there are. The default is \
             NAME.localhost, or all hosts where there is one deployment only or `paths` are given.",
        ),
        key(
            "paths",
            Kind::TextList,
            "Beginnings of paths that lead to it: `/api` is for `/api` and all below. The longest one that fits is taken. \
             The default is all paths.",
        ),
        ENTRY,
        ISOLATION,
        ENV,
        key(
            "env-from",
            Kind::TextList,
            "Environment variables that are passed on with the value they have for the server.",
        ),
        NET_ALLOW,
        key("limits", Kind::Limits, "Limits of this deployment."),
    ],
};

/// An app's own settings.
pub(super) const APP_FILE: Section = Section {
    name: "an app's settings",
    keys: &[
        ENTRY,
        ISOLATION,
        ENV,
        NET_ALLOW,
        key(
            "limits",
            Kind::Limits,
            "Limits that the app wants. Under a server's configuration they can only be lower than what the server gives.",
        ),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;
    use atoll_runtime::Isolation;

    #[test]
    fn isolations_are_those_of_the_runtime() {
        let Kind::Choice(names) = ISOLATIONS else { panic!("it is a choice") };
        assert_eq!(names, Isolation::ALL.map(Isolation::name));
    }
}
