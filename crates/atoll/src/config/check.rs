//! Whether a table has only keys that there are, with values of their kind.

use super::Source;
use super::keys::{APP_FILE, DEPLOYMENT, Key, Kind, Section};
use crate::terminal::Failure;
use atoll_runtime::limits::{LIMITS, LimitRow, Unit};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

/// How alike two keys are at least when one is taken for a slip of the other (Jaro and Winkler's measure).
const ALIKE: f64 = 0.75;

/// Checks a table and those in it.
pub(super) fn check(source: &Source, table: &DeTable<'_>, at: &Range<usize>, section: &Section) -> Result<(), Failure> {
    for (name, value) in table {
        match section.keys.iter().find(|key| key.name == name.get_ref()) {
            Some(key) => check_value(source, key, value)?,
            None => return Err(unknown_key(source, name, section)),
        }
    }
    let missing = section.keys.iter().find(|key| key.is_required && !table.contains_key(key.name));
    match missing {
        Some(key) => Err(source.mistake(at, format!("{} needs the key {}", section.name, key.name)).hint(format!(
            "{}: {}",
            key.name,
            plain(key.about)
        ))),
        None => Ok(()),
    }
}

fn check_value(source: &Source, key: &Key, value: &Spanned<DeValue<'_>>) -> Result<(), Failure> {
    let at = value.span();
    let wrong = |wanted: &str| {
        let got = describe(value.get_ref());
        Err(source.mistake(&at, format!("{} must be {wanted}, not {got}", key.name)).hint(plain(key.about)))
    };
    match (&key.kind, value.get_ref()) {
        (Kind::Text, DeValue::String(_)) => Ok(()),
        (Kind::TextList, DeValue::Array(items)) => match items.iter().find(|item| item.get_ref().as_str().is_none()) {
            Some(item) => Err(source.mistake(&item.span(), format!("{} must be a list of strings", key.name))),
            None => Ok(()),
        },
        (Kind::TextList, _) => wrong("a list of strings"),
        (Kind::TextTable, DeValue::Table(table)) => {
            match table.iter().find(|(_, value)| value.get_ref().as_str().is_none()) {
                Some((name, value)) => Err(source
                    .mistake(&value.span(), format!("{}.{} must be a string", key.name, name.get_ref()))
                    .hint("put it in quotes")),
                None => Ok(()),
            }
        }
        (Kind::TextTable, _) => wrong("a table of strings"),
        (Kind::Number { smallest, largest }, DeValue::Integer(integer)) => match number(integer) {
            Some(number) if (*smallest..=*largest).contains(&number) => Ok(()),
            _ => Err(source
                .mistake(&at, format!("{} = {integer} is out of range: it is from {smallest} to {largest}", key.name))),
        },
        (Kind::Number { .. }, _) => wrong("a whole number"),
        (Kind::Choice(names), DeValue::String(text)) if names.contains(&&**text) => Ok(()),
        (Kind::Choice(names), DeValue::String(text)) => {
            let failure = source.mistake(&at, format!("{} can't be {text:?}", key.name));
            Err(failure.hint(nearest_hint(text, names.iter().copied())))
        }
        (Kind::Text | Kind::Choice(_), _) => wrong("a string"),
        (Kind::Limits, DeValue::Table(table)) => check_limits(source, table),
        (Kind::Table(section), DeValue::Table(table)) => check(source, table, &at, section),
        (Kind::Limits | Kind::Table(_), _) => wrong("a table"),
        (Kind::Tables(section), DeValue::Array(tables)) => tables.iter().try_for_each(|table| match table.get_ref() {
            DeValue::Table(content) => check(source, content, &table.span(), section),
            _ => Err(source.mistake(&table.span(), format!("{} must be tables: [[{0}]]", key.name))),
        }),
        (Kind::Tables(_), DeValue::Table(_)) => {
            Err(source.mistake(&at, format!("there can be several {}: write [[{0}]]", key.name)))
        }
        (Kind::Tables(_), _) => wrong("a list of tables"),
    }
}

fn check_limits(source: &Source, table: &DeTable<'_>) -> Result<(), Failure> {
    for (name, value) in table {
        let Some(row) = LIMITS.iter().find(|row| row.key == name.get_ref()) else {
            return Err(source
                .mistake(&name.span(), format!("there is no limit {:?}", name.get_ref()))
                .hint(nearest_hint(name.get_ref(), LIMITS.iter().map(|row| row.key))));
        };
        let wrong = |message: String| Err(source.mistake(&value.span(), message).hint(bounds(row)));
        match (limit_value(row, value.get_ref()), row.unit, value.get_ref()) {
            (Some(number), ..) if row.accepts(number) => {}
            (_, Unit::Switch, other) => {
                return wrong(format!("{} must be true or false, not {}", row.key, describe(other)));
            }
            (_, _, DeValue::Integer(integer)) => {
                let (smallest, largest) = (row.unit.show(row.smallest), row.unit.show(row.largest));
                return wrong(format!("{} = {integer} is out of range: it is from {smallest} to {largest}", row.key));
            }
            (_, _, other) => return wrong(format!("{} must be a whole number, not {}", row.key, describe(other))),
        }
    }
    Ok(())
}

/// The number of units that a value means, if it is of the limit's kind.
pub(super) fn limit_value(row: &LimitRow, value: &DeValue<'_>) -> Option<u64> {
    match value {
        DeValue::Boolean(is_allowed) if row.unit == Unit::Switch => Some(u64::from(*is_allowed)),
        DeValue::Integer(integer) if row.unit != Unit::Switch => number(integer),
        _ => None,
    }
}

/// `None` for what is negative or too large.
pub(super) fn number(integer: &DeInteger<'_>) -> Option<u64> {
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn bounds(row: &LimitRow) -> String {
    format!("it bounds {}", plain(row.bounds))
}

/// Without the marks for code, which are for documents.
fn plain(text: &str) -> String {
    text.replace('`', "")
}

fn describe(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn unknown_key(source: &Source, name: &Spanned<toml::de::DeString<'_>>, section: &Section) -> Failure {
    let key = name.get_ref();
    let failure = source.mistake(&name.span(), format!("there is no key {key:?} in {}", section.name));
    let is_app = section.name == APP_FILE.name;
    if is_app && DEPLOYMENT.keys.iter().any(|other| other.name == key) {
        return failure
            .hint(format!("{key} is the operator's to say, under {} of a server's configuration", DEPLOYMENT.name));
    }
    failure.hint(nearest_hint(key, section.keys.iter().map(|key| key.name)))
}

/// What was probably meant, or all that there is.
fn nearest_hint(text: &str, names: impl Iterator<Item = &'static str> + Clone) -> String {
    let alike = names.clone().map(|name| (strsim::jaro_winkler(text, name), name));
    match alike.max_by(|(a, _), (b, _)| a.total_cmp(b)) {
        Some((alike, name)) if alike >= ALIKE => format!("did you mean {name}?"),
        _ => format!("there are {}", names.collect::<Vec<_>>().join(", ")),
    }
}
