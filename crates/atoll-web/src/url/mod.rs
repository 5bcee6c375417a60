//! URL and URLSearchParams (URL Standard).
//!
//! A URL object in JavaScript is its serialization and where each component ends in it, so that getters are slices and
//! no getter calls a native. Parsing and setters are the `url` crate's: all its serializations are ASCII, so its byte
//! offsets are JavaScript's string offsets.
//!
//! Where the crate differs from the standard, so do we, rather than have the guest's URL and the one that a request goes
//! to mean different hosts: it keeps `^` in paths and `C|` in file URLs, and drops empty segments at the start of a file
//! URL's path and the host of a file URL whose path begins with a drive letter.

use atoll_engine::{Builtin, Call, Global, JsError, NativeResult, Value, natives};
use url::{Position, Url, quirks};

/// Its JavaScript, natives and globals.
pub(crate) const BUILTIN: Builtin = Builtin {
    name: "web/url",
    source: include_str!("api.js"),
    natives: natives! {
        "parse" => parse,
        "canParse" => can_parse,
        "set" => set,
        "domainToAscii" => domain_to_ascii,
        "domainToUnicode" => domain_to_unicode,
    },
    globals: &[Global::eager("URL")],
};

/// URLSearchParams, which works without URLs.
pub(crate) const SEARCH_PARAMS: Builtin = Builtin {
    name: "web/url/search_params",
    source: include_str!("search_params.js"),
    natives: natives! { "percentDecode" => decode_percents },
    globals: &[Global::eager("URLSearchParams")],
};

/// Where components end, in the order that the JavaScript reads them.
fn offsets(url: &Url) -> [usize; 9] {
    let end = |position: Position| url[..position].len();
    let username_end = end(Position::AfterUsername);
    [
        end(Position::AfterScheme),
        username_end,
        username_end + url.password().map_or(0, |password| ":".len() + password.len()),
        end(Position::BeforeHost),
        end(Position::AfterHost),
        end(Position::AfterPort),
        end(Position::BeforePath),
        end(Position::AfterPath),
        end(Position::AfterQuery),
    ]
}

/// `parse(input, base, offsets)`: the serialization, `true` when it is `input` itself, `undefined` when there is none.
/// Fills the `Uint32Array` `offsets`.
fn parse(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let input = call.string(0)?;
    let base = call.optional_string(1)?;
    let Some(url) = parse_url(&input, base.as_deref()) else { return Ok(Value::Undefined) };
    write_offsets(call, 2, &url)?;
    Ok(if url.as_str() == input { Value::Bool(true) } else { Value::String(url.into()) })
}

/// `canParse(input, base)`.
fn can_parse(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let input = call.string(0)?;
    let base = call.optional_string(1)?;
    Ok(Value::Bool(parse_url(&input, base.as_deref()).is_some()))
}

fn parse_url(input: &str, base: Option<&str>) -> Option<Url> {
    match base {
        None => Url::parse(input).ok(),
        Some(base) => Url::parse(base).ok()?.join(input).ok(),
    }
}

/// `set(component, href, value, offsets)`: the new serialization, `undefined` when the setter ignores the value.
fn set(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let component = call.string(0)?;
    let href = call.string(1)?;
    let value = call.string(2)?;
    let Some(url) = with_component(&href, &component, &value) else { return Ok(Value::Undefined) };
    write_offsets(call, 3, &url)?;
    Ok(Value::String(url.into()))
}

fn with_component(href: &str, component: &str, value: &str) -> Option<Url> {
    let mut url = Url::parse(href).ok()?;
    apply(&mut url, component, value).ok()?;
    // Parsed again: after some setters the crate leaves the `/.` that protects a path which starts with `//`.
    Url::parse(url.as_str()).ok()
}

fn apply(url: &mut Url, component: &str, value: &str) -> Result<(), ()> {
    match component {
        "protocol" => quirks::set_protocol(url, value),
        "username" => quirks::set_username(url, value),
        "password" => quirks::set_password(url, value),
        "host" => quirks::set_host(url, value),
        "hostname" => quirks::set_hostname(url, value),
        "port" => quirks::set_port(url, value),
        "pathname" => {
            quirks::set_pathname(url, value);
            Ok(())
        }
        "search" => {
            quirks::set_search(url, value);
            Ok(())
        }
        "hash" => {
            quirks::set_hash(url, value);
            Ok(())
        }
        _ => Err(()),
    }
}

fn write_offsets(call: &mut Call<'_, '_, '_>, index: usize, url: &Url) -> Result<(), JsError> {
    call.with_bytes_mut(index, |bytes| {
        for (slot, offset) in bytes.chunks_exact_mut(size_of::<u32>()).zip(offsets(url)) {
            let offset = u32::try_from(offset).unwrap_or(u32::MAX);
            slot.copy_from_slice(&offset.to_ne_bytes());
        }
    })
}

/// `domainToAscii(domain)`: empty when the domain is not valid.
fn domain_to_ascii(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let domain = call.string(0)?;
    Ok(Value::String(quirks::domain_to_ascii(&domain)))
}

/// `domainToUnicode(domain)`: empty when the domain is not valid.
fn domain_to_unicode(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let domain = call.string(0)?;
    Ok(Value::String(quirks::domain_to_unicode(&domain)))
}

/// `percentDecode(text)`: percent-decoded, then UTF-8 decoded without a byte order mark, errors replaced.
fn decode_percents(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let text = call.string(0)?;
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        let pair = if *first == b'%' { tail.first_chunk::<2>() } else { None };
        let value = pair.and_then(|[high, low]| Some(hex_digit(*high)? << 4 | hex_digit(*low)?));
        decoded.push(value.unwrap_or(*first));
        rest = if value.is_some() { &tail[2..] } else { tail };
    }
    Ok(Value::String(String::from_utf8_lossy(&decoded).into_owned()))
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &Url) -> Vec<&str> {
        let [scheme, username, password, host_start, host, port, path_start, path, query] = offsets(url);
        let slice = |start: usize, end: usize| url.as_str().get(start..end).unwrap_or("");
        vec![
            slice(0, scheme),
            slice(scheme + 3, username),
            slice(username + 1, password),
            slice(host_start, host),
            slice(host + 1, port),
            slice(path_start, path),
            slice(path, query),
            &url.as_str()[query..],
        ]
    }

    fn parsed(input: &str) -> Url {
        parse_url(input, None).expect("a valid URL")
    }

    #[test]
    fn slices_are_the_components() {
        for (input, expected) in [
            ("http://u:p@h:1/p?q#f", ["http", "u", "p", "h", "1", "/p", "?q", "#f"]),
            ("http://u@h/", ["http", "u", "", "h", "", "/", "", ""]),
            ("http://:p@h/", ["http", "", "p", "h", "", "/", "", ""]),
            ("http://h?#", ["http", "", "", "h", "", "/", "?", "#"]),
            ("foo:bar", ["foo", "", "", "", "", "bar", "", ""]),
            ("foo://h", ["foo", "", "", "h", "", "", "", ""]),
            ("file:///x", ["file", "", "", "", "", "/x", "", ""]),
            ("web+demo:/.//x", ["web+demo", "", "", "", "", "//x", "", ""]),
        ] {
            assert_eq!(parts(&parsed(input)), expected, "{input}");
        }
    }

    #[test]
    fn setters_leave_a_normal_url() {
        for (href, component, value, expected) in [
            ("web+demo:/.//x", "hostname", "h", Some("web+demo://h//x")),
            ("web+demo:/.//x", "pathname", "/y", Some("web+demo:/y")),
            ("http://h/", "username", "me", Some("http://me@h/")),
            ("http://me@h:8/", "password", "x:y", Some("http://me:x%3Ay@h:8/")),
            ("mailto:x", "hostname", "h", None),
            ("http://h/", "port", "x", None),
        ] {
            let url = with_component(href, component, value);
            assert_eq!(url.as_ref().map(Url::as_str), expected, "{href} {component}");
            let _ = url.as_ref().map(parts);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_input_panics_and_serializations_are_stable(input in ".{0,40}", base in "(https?|file|foo):/{0,3}[a-c:@/?#.|]{0,12}", value in "[a-c:@/?#.|%\\[\\] ]{0,12}") {
            let base = parse_url(&base, None).map(String::from);
            if let Some(url) = parse_url(&input, base.as_deref()) {
                proptest::prop_assert!(url.as_str().is_ascii());
                proptest::prop_assert_eq!(parse_url(url.as_str(), None), Some(url.clone()));
                for component in ["protocol", "username", "password", "host", "hostname", "port", "pathname", "search", "hash"] {
                    if let Some(changed) = with_component(url.as_str(), component, &value) {
                        let _ = parts(&changed);
                    }
                }
            }
        }
    }
}
