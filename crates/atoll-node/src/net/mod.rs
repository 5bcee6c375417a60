//! `node:net`: what addresses look like. Programs open no sockets: `fetch` is how they reach others.
use atoll_engine::{Builtin, Call, NativeResult, Value, natives};
use std::net::{Ipv4Addr, Ipv6Addr};

/// `node:net`.
pub(crate) const BUILTIN: Builtin = Builtin {
    name: "node:net",
    source: include_str!("api.js"),
    natives: natives! { "family" => family },
    globals: &[],
};

/// `family(text)` → 4 or 6 for an IP address, else 0.
fn family(call: &mut Call<'_, '_, '_>) -> NativeResult {
    call.with_utf8(0, |text| Value::Number(family_of(std::str::from_utf8(text).unwrap_or_default()).into()))
}

fn family_of(text: &str) -> u8 {
    if text.parse::<Ipv4Addr>().is_ok() {
        return 4;
    }
    // An interface may follow, as in `fe80::1%eth0`.
    let (address, zone) = text.split_once('%').map_or((text, None), |(address, zone)| (address, Some(zone)));
    let is_zone = |zone: &str| zone.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:".contains(&byte));
    if address.parse::<Ipv6Addr>().is_ok() && zone.is_none_or(|zone| !zone.is_empty() && is_zone(zone)) { 6 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::family_of;

    #[test]
    fn families() {
        for text in ["0.0.0.0", "127.0.0.1", "255.255.255.255"] {
            assert_eq!(family_of(text), 4, "{text}");
        }
        for text in ["::", "::1", "fe80::1%eth0", "2001:db8::ff00:42:8329", "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8"] {
            assert_eq!(family_of(text), 6, "{text}");
        }
        for text in
            ["", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4%a", "::1%", "::1%a b", ":::", "host", " ::1"]
        {
            assert_eq!(family_of(text), 0, "{text}");
        }
    }
}
