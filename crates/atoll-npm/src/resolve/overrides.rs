//! The `overrides` of a project: rules that replace what packages ask for.
//!
//! Rules form a tree. A rule with a name applies to edges of that name, below the packages that the rules above it name.
//! While the tree of packages grows, each package carries the most specific rule on the way to it; an edge takes the
//! rule that matches its name and specification, its own package's rule otherwise.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    graph::{EdgeId, Graph, NodeId},
    spec::Spec,
};
use crate::{
    manifest::is_valid_name,
    version::{Range, Version},
};

/// A rule with everything below it; the root of the tree has no name.
#[derive(Debug)]
pub(super) struct Rules {
    parent: Option<Arc<Rules>>,
    /// `name` or `name@spec`, as written.
    key: String,
    pub(super) name: String,
    /// Which of the name's specifications it applies to.
    pub(super) key_spec: String,
    /// What to ask for instead; `*` leaves it.
    pub(super) value: String,
    /// Rules that hold below what this one matches. Those are made when needed: a rule owns its parent, not the reverse.
    inner: Vec<(String, Value)>,
}

/// Deepest nesting of `overrides` objects that is accepted.
const DEPTH_MAX: usize = 32;

impl Rules {
    /// The root of a project's rules; `None` when it has none.
    ///
    /// # Errors
    /// The path of a rule that makes no sense, and why.
    pub(super) fn parse(overrides: &Map<String, Value>) -> Result<Option<Arc<Self>>, (String, &'static str)> {
        if overrides.is_empty() {
            return Ok(None);
        }
        check(overrides, "overrides", 0)?;
        let inner = overrides.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        let (key, name, key_spec, value) = Default::default();
        Ok(Some(Arc::new(Self { parent: None, key, name, key_spec, value, inner })))
    }

    /// The path of a rule whose value is `$name` where `is_known(name)` does not hold.
    pub(super) fn unknown_reference(self: &Arc<Self>, is_known: impl Fn(&str) -> bool + Copy) -> Option<String> {
        self.children().find_map(|rule| {
            let is_wrong = rule.value.strip_prefix('$').is_some_and(|name| !is_known(name));
            let path = self.ancestry().fold(rule.key.clone(), |path, above| {
                if above.key.is_empty() { format!("overrides.{path}") } else { format!("{}.{path}", above.key) }
            });
            if is_wrong { Some(path) } else { rule.unknown_reference(is_known) }
        })
    }

    fn children(self: &Arc<Self>) -> impl Iterator<Item = Arc<Self>> {
        self.inner.iter().filter(|(key, _)| key != ".").map(|(key, value)| {
            let (name, key_spec) = split_key(key);
            let (value, inner) = match value {
                Value::String(text) => (Some(text.as_str()), Vec::new()),
                Value::Object(object) => (
                    object.get(".").and_then(Value::as_str),
                    object.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
                ),
                _ => (None, Vec::new()),
            };
            let value = match value {
                Some("") => "*",
                Some(value) => value,
                None => key_spec,
            };
            Arc::new(Self {
                parent: Some(Arc::clone(self)),
                key: key.clone(),
                name: name.to_owned(),
                key_spec: key_spec.to_owned(),
                value: value.to_owned(),
                inner,
            })
        })
    }

    fn ancestry(self: &Arc<Self>) -> impl Iterator<Item = Arc<Self>> {
        std::iter::successors(Some(Arc::clone(self)), |rules| rules.parent.clone())
    }

    /// All rules that hold here, the most specific first.
    fn in_force(self: &Arc<Self>) -> Vec<Arc<Self>> {
        let mut found: Vec<Arc<Self>> = Vec::new();
        let mut add = |rule: Arc<Self>| {
            if found.iter().all(|other| other.key != rule.key) {
                found.push(rule);
            }
        };
        for at in self.ancestry() {
            at.children().for_each(&mut add);
            if at.parent.is_some() {
                add(at);
            }
        }
        found
    }

    /// The rule for an edge of a package that carries this one.
    pub(super) fn for_edge(self: &Arc<Self>, name: &str, raw_spec: &str) -> Arc<Self> {
        let matches = |rule: &Arc<Self>| {
            rule.name == name
                && (rule.key_spec == "*"
                    || match Spec::parse(raw_spec).target(name).1 {
                        Spec::Range(_) | Spec::Version(_) => intersect(ask_of(raw_spec), &rule.key_spec),
                        _ => true,
                    })
        };
        self.in_force().into_iter().find(matches).unwrap_or_else(|| Arc::clone(self))
    }

    /// Same rule in the same place.
    pub(super) fn is_equal(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        Arc::ptr_eq(self, other)
            || (self.key == other.key
                && self.value == other.value
                && self.inner == other.inner
                && match (&self.parent, &other.parent) {
                    (None, None) => true,
                    (Some(mine), Some(theirs)) => mine.is_equal(theirs),
                    _ => false,
                })
    }

    /// Of two rules that meet in one package, the one to carry. `Err` when they contradict each other.
    pub(super) fn more_specific(first: &Arc<Self>, second: &Arc<Self>) -> Result<Arc<Self>, Contradiction> {
        if second.ancestry().any(|rules| rules.is_equal(first)) {
            return Ok(Arc::clone(second));
        }
        if first.ancestry().any(|rules| rules.is_equal(second)) {
            return Ok(Arc::clone(first));
        }
        if Self::contradict(first, second) {
            return Err(Contradiction);
        }
        let common = second.ancestry().find(|rules| first.ancestry().any(|other| other.is_equal(rules)));
        common.ok_or(Contradiction)
    }

    /// Whether they hold rules for the same name that no version satisfies both of.
    pub(super) fn contradict(first: &Arc<Self>, second: &Arc<Self>) -> bool {
        let theirs = second.in_force();
        first.in_force().iter().any(|mine| {
            let Some(other) = theirs.iter().find(|other| other.key == mine.key) else { return false };
            let are_ranges = [&mine.value, &other.value].into_iter().all(|value| {
                !value.starts_with('$') && matches!(Spec::parse(value), Spec::Range(_) | Spec::Version(_))
            });
            !mine.is_equal(other) && are_ranges && !intersect(&mine.value, &other.value)
        })
    }
}

/// The rule that an edge had before it changed.
#[derive(Debug)]
pub(super) struct Before(pub(super) Option<Arc<Rules>>);

/// How the rules travel: from a package to its edges, from an edge to the package that it finds.
impl Graph {
    /// Makes the edge take the rule that is right for it now. `Some` with the previous rule when that changed.
    pub(super) fn refresh_rules(&mut self, edge: EdgeId) -> Option<Before> {
        let it = &self[edge];
        let rules = self[it.from].rules.as_ref().map(|rules| rules.for_edge(&it.name, &it.raw_spec));
        if same(rules.as_ref(), it.rules.as_ref()) {
            return None;
        }
        let spec = match &rules {
            Some(rules) if rules.name == *it.name && !matches!(rules.value.as_str(), "" | "*") => {
                let value =
                    rules.value.strip_prefix('$').map_or(Some(rules.value.as_str()), |name| self.own_spec(name));
                value.map(str::to_owned)
            }
            _ => None,
        };
        let spec = match spec {
            Some(spec) => self.intern(&spec),
            None => Arc::clone(&self[edge].raw_spec),
        };
        let parsed = self.spec(&spec);
        let it = &mut self[edge];
        it.spec = spec;
        it.parsed = parsed;
        Some(Before(std::mem::replace(&mut it.rules, rules)))
    }

    /// What the project itself asks for under that name.
    fn own_spec(&self, name: &str) -> Option<&str> {
        let entry = &self[self.project?].package.entry;
        [&entry.dev_dependencies, &entry.optional_dependencies, &entry.dependencies, &entry.peer_dependencies]
            .into_iter()
            .find_map(|map| map.get(name))
            .map(String::as_str)
    }

    /// An edge with this rule now leads to the node.
    pub(super) fn rules_added(&mut self, node: NodeId, rules: Option<Arc<Rules>>) {
        let mut pending: Vec<(NodeId, Option<Arc<Rules>>)> = vec![(node, rules)];
        let mut rounds = 0;
        while let Some((node, rules)) = pending.pop() {
            let Some(rules) = rules else { continue };
            rounds += 1;
            if rounds > UPDATES_MAX {
                return;
            }
            let carried = match &self[node].rules {
                None => rules,
                Some(mine) => match Rules::more_specific(mine, &rules) {
                    Ok(chosen) if !chosen.is_equal(mine) => chosen,
                    _ => continue,
                },
            };
            self[node].rules = Some(carried);
            self.pass_on(node, &mut pending);
        }
    }

    /// An edge with this rule no longer leads to the node.
    pub(super) fn rules_withdrawn(&mut self, node: NodeId, rules: Option<&Arc<Rules>>) {
        if rules.is_none() || !same(self[node].rules.as_ref(), rules) {
            return;
        }
        let mut remaining: Option<Arc<Rules>> = None;
        for &edge in &self[node].edges_in {
            remaining = match (remaining, &self[edge].rules) {
                (Some(found), Some(other)) => Rules::more_specific(other, &found).ok(),
                (_, other) => other.clone(),
            };
        }
        if same(remaining.as_ref(), self[node].rules.as_ref()) {
            return;
        }
        let is_some = remaining.is_some();
        self[node].rules = remaining;
        if is_some {
            let mut pending = Vec::new();
            self.pass_on(node, &mut pending);
            for (node, rules) in pending {
                self.rules_added(node, rules);
            }
        }
    }

    fn pass_on(&mut self, node: NodeId, pending: &mut Vec<(NodeId, Option<Arc<Rules>>)>) {
        let edges: Vec<EdgeId> = self[node].edges_out.values().copied().collect();
        for edge in edges {
            self.refresh_rules(edge);
            if let Some(to) = self[edge].to {
                pending.push((to, self[edge].rules.clone()));
            }
        }
    }
}

fn same(a: Option<&Arc<Rules>>, b: Option<&Arc<Rules>>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => a.is_equal(b),
        _ => false,
    }
}

/// How many packages one change of a rule may reach. Far above what a tree can need; a stop for rules that chase each
/// other around a cycle.
const UPDATES_MAX: usize = 100_000;

/// Two rules cannot hold for the same package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contradiction;

fn check(object: &Map<String, Value>, path: &str, depth: usize) -> Result<(), (String, &'static str)> {
    if depth > DEPTH_MAX {
        return Err((path.to_owned(), "is nested too deeply"));
    }
    for (key, value) in object {
        let at = format!("{path}.{key}");
        if key != "." && !is_valid_name(split_key(key).0) {
            return Err((at, "does not name a package"));
        }
        match value {
            Value::String(_) => {}
            Value::Object(inner) if key != "." => check(inner, &at, depth + 1)?,
            _ => return Err((at, "must be a specification or an object of rules")),
        }
    }
    Ok(())
}

/// `name@spec` apart; no spec is `*`.
fn split_key(key: &str) -> (&str, &str) {
    match key.char_indices().skip(1).find(|&(_, c)| c == '@') {
        Some((at, _)) if at + 1 < key.len() => (&key[..at], &key[at + 1..]),
        Some((at, _)) => (&key[..at], "*"),
        None => (key, "*"),
    }
}

/// The part of a specification that is a range: what follows the name in an alias.
fn ask_of(spec: &str) -> &str {
    match spec.trim().strip_prefix("npm:") {
        Some(alias) => split_key(alias).1,
        None => spec,
    }
}

/// Whether some version is in both ranges. Tried on the versions that either range mentions and those next to them:
/// where two ranges overlap, the overlap begins at, or just above, a bound of one of them.
fn intersect(first: &str, second: &str) -> bool {
    let (Some(a), Some(b)) = (Range::parse(first), Range::parse(second)) else { return false };
    if a.is_any() || b.is_any() {
        return true;
    }
    let mut candidates = vec!["0.0.0".to_owned()];
    for text in [first, second] {
        for word in text.split(|c: char| c.is_whitespace() || "<>=~^|".contains(c)).filter(|word| !word.is_empty()) {
            let word = word.trim_start_matches(['v', 'V']);
            candidates.push(word.to_owned());
            let core = word.split(['-', '+']).next().unwrap_or_default();
            let numbers: Vec<u64> = core.split('.').map(|part| part.parse().unwrap_or(0)).collect();
            let at = |index: usize| numbers.get(index).copied().unwrap_or(0);
            let (major, minor, patch) = (at(0), at(1), at(2));
            candidates.push(format!("{major}.{minor}.{patch}"));
            candidates.push(format!("{major}.{minor}.{}", patch.saturating_add(1)));
            candidates.push(format!("{major}.{}.0", minor.saturating_add(1)));
            candidates.push(format!("{}.0.0", major.saturating_add(1)));
        }
    }
    candidates
        .iter()
        .filter_map(|text| Version::parse(text))
        .any(|version| a.contains(&version) && b.contains(&version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_overlap() {
        for (a, b, expected) in [
            ("^1.2.0", "1.3", true),
            ("^1.2.0", "^2", false),
            ("<2", ">1.9", true),
            (">1.2.3 <1.2.5", "1.2.4", true),
            ("1.2.3", "1.2.4", false),
            ("1 || 3", ">=2 <4", true),
            ("^1.0.0-beta.2", "1.0.0-beta.3", true),
        ] {
            assert_eq!(intersect(a, b), expected, "{a} and {b}");
            assert_eq!(intersect(b, a), expected, "{b} and {a}");
        }
    }

    #[test]
    fn rules_apply_below_what_they_name() {
        let overrides = serde_json::json!({ "a": { "b@^1": "1.5.0" }, "c": "2.0.0" });
        let root = Rules::parse(overrides.as_object().unwrap()).unwrap().unwrap();
        assert_eq!(root.for_edge("b", "^1").value, "");
        assert_eq!(root.for_edge("c", "^1").value, "2.0.0");
        let below = root.for_edge("a", "*");
        assert_eq!(below.for_edge("b", "^1.2").value, "1.5.0");
        assert_eq!(below.for_edge("b", "^2").name, "a");
        assert_eq!(below.for_edge("c", "*").value, "2.0.0");
    }
}
