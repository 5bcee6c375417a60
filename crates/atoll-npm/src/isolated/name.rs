//! How the folders of instances are named: as pnpm names them, so that whoever reads its paths can read these.
//!
//! `name@version`, with a `+` for the slash of a scope; then, for an instance with peers, what each of them is:
//! `react-dom@18.2.0_react@18.2.0`. Peers are those that the package itself names and finds, and those that its dependencies
//! name and it does not. A peer's own peers follow it, unless they lead back. A name of more than 120 bytes, or
//! with a capital letter (there are file systems that do not tell them apart), is cut and ends in a digest of all of it.
//!
//! npm's tree can hold instances that differ in more than their peers. The one that is nearest to the project in npm's tree has
//! the plain name; the others end in a digest of all that can be reached from them.

use std::collections::{BTreeSet, HashMap, HashSet};

use sha2::{Digest, Sha256};

use super::graph::Graph;

/// Longest name, in bytes, as pnpm has it on everything but Windows.
const NAME_BYTES_MAX: usize = 120;
/// Longest list of peers, in bytes; a longer one is replaced by its digest.
const PEERS_BYTES_MAX: usize = 1000;
/// Digits of a digest in a name.
const DIGEST_DIGITS: usize = 32;

/// The instances' names, in their order. No two are equal, also where capital letters are not told apart.
pub(super) fn names(graph: &Graph<'_>) -> Vec<String> {
    let peers = peers(graph);
    let lists = peer_lists(graph, &peers);
    let mut order: Vec<usize> = (0..graph.instances.len()).collect();
    order.sort_by_key(|instance| graph.instances[*instance][0]);
    let mut names = vec![String::new(); order.len()];
    let mut taken = HashSet::new();
    for instance in order {
        let mut whole = escaped(&format!("{}{}", label(graph, instance), lists[instance]));
        let mut name = shortened(&whole);
        while !taken.insert(name.clone()) {
            whole = format!("{whole}_{}", graph.digest(instance));
            name = shortened(&whole);
        }
        names[instance] = name;
    }
    names
}

/// Name and version.
fn label(graph: &Graph<'_>, instance: usize) -> String {
    let node = &graph.nodes[graph.instances[instance][0]];
    format!("{}@{}", node.entry.package_name(node.path), node.entry.version.as_deref().unwrap_or_default())
}

/// The instances that each gets from outside: its peers, and those of its dependencies that it does not find itself.
fn peers(graph: &Graph<'_>) -> Vec<BTreeSet<usize>> {
    // By name, because who brings a name brings it for all of its dependencies.
    let mut peers: Vec<BTreeSet<(&str, usize)>> = vec![BTreeSet::new(); graph.instances.len()];
    let mut changed = true;
    while changed {
        changed = false;
        for instance in 0..graph.instances.len() {
            let node = &graph.nodes[graph.instances[instance][0]];
            let brings = |name: &str| name == node.entry.package_name(node.path) || node.edges.contains_key(name);
            let mut more = Vec::new();
            for (name, edge) in &node.edges {
                let found = graph.instance_of[edge.to];
                if edge.is_peer {
                    more.push((*name, found));
                } else {
                    more.extend(peers[found].iter().filter(|(name, _)| !brings(name)).copied());
                }
            }
            for peer in more.into_iter().filter(|(_, found)| *found != instance) {
                changed |= peers[instance].insert(peer);
            }
        }
    }
    peers.into_iter().map(|peers| peers.into_iter().map(|(_, peer)| peer).collect()).collect()
}

/// What follows name and version, in pnpm's notation: each peer in brackets, sorted.
fn peer_lists(graph: &Graph<'_>, peers: &[BTreeSet<usize>]) -> Vec<String> {
    let mut lists: Vec<Option<String>> = vec![None; peers.len()];
    let mut stack: Vec<usize> = (0..peers.len()).rev().collect();
    while let Some(instance) = stack.last().copied() {
        // Those that lead back here are named without peers of their own; the lists of the others come first.
        let ends: HashMap<usize, bool> =
            peers[instance].iter().map(|peer| (*peer, leads_to(peers, *peer, instance))).collect();
        let missing: Vec<usize> =
            peers[instance].iter().copied().filter(|peer| !ends[peer] && lists[*peer].is_none()).collect();
        if lists[instance].is_none() && !missing.is_empty() {
            stack.extend(missing);
            continue;
        }
        stack.pop();
        if lists[instance].is_some() {
            continue;
        }
        let list = |peer: &usize| lists[*peer].as_deref().filter(|_| !ends[peer]).unwrap_or_default();
        let parts: BTreeSet<String> =
            peers[instance].iter().map(|peer| format!("{}{}", label(graph, *peer), list(peer))).collect();
        let mut text: String = parts.iter().flat_map(|part| ["(", part, ")"]).collect();
        if text.len() > PEERS_BYTES_MAX {
            text = format!("({})", digest(&text));
        }
        lists[instance] = Some(text);
    }
    lists.into_iter().map(Option::unwrap_or_default).collect()
}

fn leads_to(peers: &[BTreeSet<usize>], from: usize, to: usize) -> bool {
    let (mut seen, mut stack) = (HashSet::new(), vec![from]);
    while let Some(at) = stack.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            stack.extend(&peers[at]);
        }
    }
    false
}

/// The text as a file name: a lockfile may have any text for a version.
fn escaped(text: &str) -> String {
    let is_safe = |character: char| character.is_ascii_graphic() && !r#"\/:*?"<>|#"#.contains(character);
    let text: String = text.chars().map(|character| if is_safe(character) { character } else { '+' }).collect();
    let text = text.strip_suffix(')').filter(|_| text.contains('(')).unwrap_or(&text);
    text.replace(")(", "_").replace(['(', ')'], "_")
}

fn shortened(name: &str) -> String {
    let has_capitals = name.bytes().any(|byte| byte.is_ascii_uppercase());
    if name.len() <= NAME_BYTES_MAX && !has_capitals {
        return name.to_owned();
    }
    let kept = &name[..name.len().min(NAME_BYTES_MAX - DIGEST_DIGITS - 1)];
    format!("{kept}_{}", digest(name))
}

fn digest(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let first = digest.iter().take(DIGEST_DIGITS / 2).fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
    format!("{first:0DIGEST_DIGITS$x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_pnpms() {
        for (text, name) in [
            ("@s/a@1.0.0", "@s+a@1.0.0"),
            ("JSONStream@1.3.5", "JSONStream@1.3.5_fb8f73c374dcf7070ffed90b688edabd"),
            (
                "@eslint-community/eslint-utils@4.10.1(eslint@8.57.0(supports-color@7.2.0))",
                "@eslint-community+eslint-utils@4.10.1_eslint@8.57.0_supports-color@7.2.0_",
            ),
            (
                "@babel/plugin-bugfix-firefox-class-in-computed-class-key@7.29.7(@babel/core@7.24.5(supports-color@7.2.0))\
                 (supports-color@7.2.0)",
                "@babel+plugin-bugfix-firefox-class-in-computed-class-key@7.29.7_@babel+core@7.24.5_supp_\
                 120d367a437bd91d446bfb78979792be",
            ),
        ] {
            assert_eq!(shortened(&escaped(text)), name);
        }
    }

    #[test]
    fn no_version_leads_elsewhere() {
        for version in ["../../x", "1\n0", "1 0", "1\0", "é", "..", "a\\b", "1)"] {
            let name = shortened(&escaped(&format!("a@{version}")));
            assert!(name.starts_with("a@") && name.bytes().all(|byte| byte.is_ascii_graphic()), "{name}");
            assert!(!name.contains(['/', '\\']) && name.len() <= NAME_BYTES_MAX);
        }
        assert_eq!(shortened(&escaped(&format!("a@{}", "1".repeat(500)))).len(), NAME_BYTES_MAX);
    }
}
