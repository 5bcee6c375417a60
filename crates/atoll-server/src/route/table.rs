//! Looking up what fits best. The work of a lookup depends on how deep the routes are, not on how many there are, nor on
//! how many dots and slashes a client sends.

use super::host::{HOST_BYTES_MAX, HostPattern, requested};
use super::path::PathPrefix;
use std::collections::HashMap;

/// From host and path to what answers there.
#[derive(Debug, Clone)]
pub(super) struct Table<T> {
    exact: HashMap<Box<str>, Paths<T>>,
    /// By the name that the wildcard stands before.
    below: HashMap<Box<str>, Paths<T>>,
    /// Labels of the longest name in `below`.
    below_labels_max: usize,
    any: Paths<T>,
}

/// The paths of one host.
#[derive(Debug, Clone)]
struct Paths<T> {
    by_prefix: HashMap<Box<str>, T>,
    /// Segments of the longest prefix.
    segments_max: usize,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { exact: HashMap::new(), below: HashMap::new(), below_labels_max: 0, any: Paths::default() }
    }
}

impl<T> Default for Paths<T> {
    fn default() -> Self {
        Self { by_prefix: HashMap::new(), segments_max: 0 }
    }
}

impl<T> Table<T> {
    /// Adds a way to `target`, unless there is one from the same host and path.
    pub(super) fn add(&mut self, host: &HostPattern, path: &PathPrefix, target: T) {
        let paths = match host {
            HostPattern::Any => &mut self.any,
            HostPattern::Exact(name) => self.exact.entry(name.as_str().into()).or_default(),
            HostPattern::Below(name) => {
                self.below_labels_max = self.below_labels_max.max(name.split('.').count());
                self.below.entry(name.as_str().into()).or_default()
            }
        };
        let prefix = path.as_str();
        paths.segments_max = paths.segments_max.max(prefix.matches('/').count());
        paths.by_prefix.entry(prefix.into()).or_insert(target);
    }

    /// All targets; one that several ways lead to as often.
    pub(super) fn targets(&self) -> impl Iterator<Item = &T> {
        let hosts = self.exact.values().chain(self.below.values()).chain([&self.any]);
        hosts.flat_map(|paths| paths.by_prefix.values())
    }

    pub(super) fn find(&self, host: &str, path: &str) -> Option<&T> {
        let mut buffer = [0; HOST_BYTES_MAX];
        let named = requested(host, &mut buffer).and_then(|name| {
            let exact = self.exact.get(name).and_then(|paths| paths.find(path));
            exact.or_else(|| self.find_below(name, path))
        });
        named.or_else(|| self.any.find(path))
    }

    /// The longest wildcard comes first.
    fn find_below(&self, name: &str, path: &str) -> Option<&T> {
        if self.below.is_empty() {
            return None;
        }
        // A name of more labels than any wildcard has begins to fit where that many are left.
        let skipped = name.matches('.').count().saturating_sub(self.below_labels_max);
        let dots = name.match_indices('.').skip(skipped);
        dots.filter_map(|(dot, _)| self.below.get(&name[dot + 1..])).find_map(|paths| paths.find(path))
    }
}

impl<T> Paths<T> {
    /// The longest prefix.
    fn find(&self, path: &str) -> Option<&T> {
        let mut found = self.by_prefix.get("");
        if self.segments_max == 0 {
            return found;
        }
        let slashes = path.match_indices('/').map(|(slash, _)| slash).skip(1);
        for end in slashes.chain([path.len()]).take(self.segments_max) {
            found = self.by_prefix.get(&path[..end]).or(found);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Listed = Vec<(HostPattern, PathPrefix)>;

    fn listed(routes: &[(&str, &str)]) -> Listed {
        let parsed = routes.iter().map(|(host, path)| {
            (host.parse::<HostPattern>().expect("a host"), path.parse::<PathPrefix>().expect("a path"))
        });
        parsed.collect()
    }

    fn table(routes: &Listed) -> Table<usize> {
        let mut table = Table::default();
        for (number, (host, path)) in routes.iter().enumerate() {
            table.add(host, path, number);
        }
        table
    }

    /// Goes through all routes.
    fn naive(routes: &Listed, host: &str, path: &str) -> Option<usize> {
        let name = host.split(':').next().unwrap_or("").to_lowercase();
        let name = name.trim_end_matches('.');
        let fits = routes.iter().enumerate().filter_map(|(number, (pattern, prefix))| {
            let host_rank = match pattern {
                HostPattern::Any => 0,
                HostPattern::Exact(exact) if exact == name => usize::MAX,
                HostPattern::Below(below) if name.ends_with(&format!(".{below}")) => below.len(),
                _ => return None,
            };
            let prefix = prefix.as_str();
            let path_fits = path == prefix || path.starts_with(&format!("{prefix}/"));
            path_fits.then_some((host_rank, prefix.len(), std::cmp::Reverse(number)))
        });
        fits.max().map(|(_, _, std::cmp::Reverse(number))| number)
    }

    #[test]
    fn the_most_specific_route_answers() {
        let routes = [
            ("shop.example", "/"),
            ("shop.example", "/api"),
            ("shop.example", "/api/v2"),
            ("*.shop.example", "/"),
            ("*.eu.shop.example", "/"),
            ("*", "/status"),
            ("blog.example", "/posts"),
        ];
        let table = table(&listed(&routes));
        for (host, path, expected) in [
            ("shop.example", "/", Some(0)),
            ("SHOP.example:8080", "/apiary", Some(0)),
            ("shop.example.", "/api", Some(1)),
            ("shop.example", "/api/books", Some(1)),
            ("shop.example", "/api/v2/books/", Some(2)),
            ("a.shop.example", "/api", Some(3)),
            ("a.b.shop.example", "/", Some(3)),
            ("a.eu.shop.example", "/", Some(4)),
            ("eu.shop.example", "/", Some(3)),
            ("nobody.example", "/status/all", Some(5)),
            ("nobody.example", "/", None),
            // What a host doesn't route is left to the routes behind it.
            ("blog.example", "/status", Some(5)),
            ("blog.example", "/posts/1", Some(6)),
            ("blog.example", "/", None),
            ("example", "/", None),
            (".shop.example", "/", Some(3)),
            ("", "/status", Some(5)),
        ] {
            assert_eq!(table.find(host, path).copied(), expected, "{host}{path}");
        }
    }

    #[test]
    fn the_first_of_two_equal_routes_counts() {
        let table = table(&listed(&[("a", "/x"), ("a", "/x/")]));
        assert_eq!(table.find("a", "/x"), Some(&0));
    }

    #[test]
    fn what_clients_send_does_not_decide_about_the_work() {
        let table = table(&listed(&[("*.a", "/b/c"), ("*", "/b/c")]));
        let host = format!("{}a", "x.".repeat(120));
        let path = format!("/b{}", "/c".repeat(100_000));
        assert_eq!(table.find(&host, &path), Some(&0));
        assert_eq!(table.find(&"x.".repeat(100_000), &path), Some(&1));
    }

    proptest! {
        #[test]
        fn it_finds_what_a_look_at_every_route_finds(
            routes in proptest::collection::vec((r"(\*|(\*\.)?[ab](\.[ab]){0,3})", r"(/[xy]){0,3}/?"), 0..24),
            requests in proptest::collection::vec((r"[abAB](\.[abAB]){0,4}\.?(:80)?", r"(/[xyz]{1,2}){0,4}/?"), 1..32),
        ) {
            let routes: Listed = routes
                .iter()
                .filter_map(|(host, path)| Some((host.parse().ok()?, format!("/{path}").replacen("//", "/", 1).parse().ok()?)))
                .collect();
            let table = table(&routes);
            for (host, path) in &requests {
                let path = if path.is_empty() { "/" } else { path };
                prop_assert_eq!(table.find(host, path).copied(), naive(&routes, host, path), "{} {}", host, path);
            }
        }
    }
}
