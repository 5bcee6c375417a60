//! Versions and ranges against a table that npm's own `semver` filled in (loose mode, as its installer uses it).

use atoll_npm::version::{Range, Version};
use serde_json::Value;

fn table() -> Value {
    serde_json::from_str(include_str!("fixtures/semver.json")).unwrap()
}

#[test]
fn ranges_agree_with_npm() {
    let table = table();
    let versions: Vec<Version> =
        table["versions"].as_array().unwrap().iter().map(|v| Version::parse(v.as_str().unwrap()).unwrap()).collect();
    let mut differences = Vec::new();
    for row in table["ranges"].as_array().unwrap() {
        let text = row[0].as_str().unwrap();
        let actual: Option<String> = Range::parse(text)
            .map(|range| versions.iter().map(|v| if range.contains(v) { '1' } else { '0' }).collect());
        if actual.as_deref() != row[1].as_str() {
            differences.push(format!("{text:?}\n  npm {:?}\n  we  {actual:?}", row[1].as_str()));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn versions_agree_with_npm() {
    for row in table()["parse"].as_array().unwrap() {
        let text = row[0].as_str().unwrap();
        let actual = Version::parse(text).map(|version| version.to_string());
        // npm's canonical form has no build metadata.
        let actual = actual.as_deref().map(|text| text.split('+').next().unwrap());
        assert_eq!(actual, row[2].as_str(), "{text:?}");
    }
}

#[test]
fn order_agrees_with_npm() {
    let table = table();
    let ordered: Vec<&str> = table["order"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
    let mut sorted: Vec<Version> = ordered.iter().rev().map(|v| Version::parse(v).unwrap()).collect();
    sorted.sort();
    assert_eq!(sorted.iter().map(ToString::to_string).collect::<Vec<_>>(), ordered);
}
