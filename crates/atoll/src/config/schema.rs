//! The JSON schema of `atoll.toml`, for editors and other tools.

use super::keys::{APP_FILE, Kind, SERVER_FILE, Section};
use atoll_runtime::limits::{LIMITS, Unit};
use serde_json::{Map, Value, json};

/// The schema.
pub(crate) fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "atoll.toml",
        "description": "A server's configuration, or an app's own settings.",
        "if": { "anyOf": [{ "required": ["server"] }, { "required": ["deployments"] }] },
        "then": section(&SERVER_FILE),
        "else": section(&APP_FILE),
        "$defs": { "limits": limits() },
    })
}

fn section(section: &Section) -> Value {
    let properties: Map<String, Value> = section
        .keys
        .iter()
        .map(|key| {
            let mut property = kind(&key.kind);
            property.insert("description".to_owned(), key.about.into());
            (key.name.to_owned(), property.into())
        })
        .collect();
    let required: Vec<&str> = section.keys.iter().filter(|key| key.is_required).map(|key| key.name).collect();
    let mut object = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        object["required"] = required.into();
    }
    object
}

fn kind(kind: &Kind) -> Map<String, Value> {
    let value = match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::TextList => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::TextTable => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Kind::Number { smallest, largest } => json!({ "type": "integer", "minimum": smallest, "maximum": largest }),
        Kind::Choice(names) => json!({ "enum": names }),
        Kind::Limits => json!({ "$ref": "#/$defs/limits" }),
        Kind::Table(inner) => section(inner),
        Kind::Tables(inner) => json!({ "type": "array", "items": section(inner) }),
    };
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn limits() -> Value {
    let properties: Map<String, Value> = LIMITS
        .iter()
        .map(|row| {
            let description = format!("Bounds {}. {}", row.bounds, row.effect);
            let property = match row.unit {
                Unit::Switch => json!({ "type": "boolean", "default": row.serve != 0, "description": description }),
                _ => json!({
                    "type": "integer",
                    "minimum": row.smallest,
                    "maximum": row.largest,
                    "default": row.serve,
                    "description": description,
                }),
            };
            (row.key.to_owned(), property)
        })
        .collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// Compares a generated document with the one in the repository, or writes it when that is asked for.
#[cfg(test)]
pub(super) fn check_fresh(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    if std::env::var_os("ATOLL_UPDATE_DOCS").is_some() {
        std::fs::write(&path, text).expect("the document can be written");
        return;
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "docs/{name} is stale; refresh it with `cargo xtask docs`");
}

#[test]
fn generated_schema_is_fresh() {
    check_fresh("atoll.schema.json", &format!("{:#}\n", schema()));
}
