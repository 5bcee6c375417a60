//! Which addresses guests may connect to.
//!
//! The rule is applied to addresses, after name resolution, on the very addresses that are then connected to: a name
//! that resolves to something else a moment later gains nothing. What is the public internet is told by IANA's
//! special-purpose address registries (RFC 6890 and its updates) and the addresses at which clouds serve credentials to
//! whoever can reach them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Blocks of IPv4 that are not the public internet: first address, prefix length in bits.
const SPECIAL_V4: &[(Ipv4Addr, u8)] = &[
    (Ipv4Addr::UNSPECIFIED, 8),            // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),       // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),    // carrier-grade NAT; Alibaba Cloud's metadata
    (Ipv4Addr::new(127, 0, 0, 0), 8),      // loopback
    (Ipv4Addr::new(168, 63, 129, 16), 32), // Azure's host services, on an address that looks public
    (Ipv4Addr::new(169, 254, 0, 0), 16),   // link-local; most clouds' metadata
    (Ipv4Addr::new(172, 16, 0, 0), 12),    // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),     // protocol assignments; Oracle Cloud's metadata
    (Ipv4Addr::new(192, 0, 2, 0), 24),     // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),   // 6to4 relays, deprecated
    (Ipv4Addr::new(192, 168, 0, 0), 16),   // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),    // benchmarking
    (Ipv4Addr::new(198, 51, 100, 0), 24),  // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),   // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),      // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),      // reserved, and broadcast
];

/// The only block of IPv6 from which global unicast addresses are assigned.
const GLOBAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Blocks within [`GLOBAL_V6`] that are not the public internet.
const SPECIAL_V6: &[(Ipv6Addr, u8)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments: Teredo, ORCHID, benchmarking
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4: an IPv4 address inside
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

/// NAT64's well-known prefix: an IPv4 address in the last 32 bits (RFC 6052).
const NAT64: (Ipv6Addr, u8) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Which addresses a worker's guests may connect to: by default the public internet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetRules {
    entries: Vec<Entry>,
}

impl Default for NetRules {
    fn default() -> Self {
        Self { entries: vec![Entry::Public] }
    }
}

/// One entry of an allow list.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    /// All addresses of the public internet, at all ports.
    Public,
    /// A host as a URL names it, in lower case without a final dot, at one port or at all.
    Host { host: String, port: Option<u16> },
    /// A block of addresses, at all ports.
    Block { first: IpAddr, prefix_bits: u8 },
}

/// An entry of an allow list that can't be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{entry}' is not an address to allow: write HOST, HOST:PORT, an IP address, a block like 10.0.0.0/8, or public"
)]
pub struct NetRuleError {
    /// The entry.
    pub entry: String,
}

impl NetRules {
    /// The public internet, and each of `entries` as for [`NetRules::only`].
    pub fn new<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, NetRuleError> {
        let mut rules = Self::only(entries)?;
        rules.entries.push(Entry::Public);
        Ok(rules)
    }

    /// Each of `entries` and nothing else: `host`, `host:port`, an address with or without a port (`[::1]:8080`), a CIDR
    /// block, or `public` for the public internet.
    ///
    /// A host is compared with the host that the guest's URL names, whatever it resolves to; a block or an address
    /// without a port also admits names that resolve into it.
    pub fn only<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, NetRuleError> {
        let entries = entries.into_iter().map(parse_entry).collect::<Result<_, _>>()?;
        Ok(Self { entries })
    }

    /// Whether some address could be admitted because of where it is: where not, a name that the list does not have
    /// need not be resolved, and is not, since a query tells its name to others.
    pub fn admits_some(&self) -> bool {
        self.entries.iter().any(|entry| !matches!(entry, Entry::Host { .. }))
    }

    /// Whether the allow list names this host of a URL (an address without brackets, or a name) at this port. Then the
    /// addresses it resolves to are not looked at.
    pub fn names_host(&self, host: &str, port: u16) -> bool {
        let host = normalize_host(host);
        self.entries.iter().any(|entry| match entry {
            Entry::Host { host: allowed, port: only } => *allowed == host && only.is_none_or(|only| only == port),
            Entry::Block { .. } | Entry::Public => false,
        })
    }

    /// Whether this address may be connected to, whoever named it.
    pub fn admits(&self, address: IpAddr) -> bool {
        let address = unmapped(address);
        self.entries.iter().any(|entry| match entry {
            Entry::Public => is_public(address),
            Entry::Block { first, prefix_bits } => in_block(address, *first, *prefix_bits),
            Entry::Host { .. } => false,
        })
    }
}

fn parse_entry(entry: &str) -> Result<Entry, NetRuleError> {
    let wrong = || NetRuleError { entry: entry.to_owned() };
    let text = entry.trim();
    if text == "public" {
        return Ok(Entry::Public);
    }
    if let Some((address, bits)) = text.split_once('/') {
        let first = unmapped(address.parse().map_err(|_| wrong())?);
        let prefix_bits: u8 = bits.parse().map_err(|_| wrong())?;
        if prefix_bits > if first.is_ipv4() { 32 } else { 128 } {
            return Err(wrong());
        }
        return Ok(Entry::Block { first, prefix_bits });
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        let first = unmapped(address);
        return Ok(Entry::Block { first, prefix_bits: if first.is_ipv4() { 32 } else { 128 } });
    }
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Ok(Entry::Host { host: unmapped(socket.ip()).to_string(), port: Some(socket.port()) });
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port.parse().map_err(|_| wrong())?)),
        None => (text, None),
    };
    let host = normalize_host(host);
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if host.is_empty() || !host.bytes().all(is_name) || port == Some(0) {
        return Err(wrong());
    }
    Ok(Entry::Host { host, port })
}

/// Lower case, without a final dot; addresses in their one spelling.
fn normalize_host(host: &str) -> String {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match bare.parse::<IpAddr>() {
        Ok(address) => unmapped(address).to_string(),
        Err(_) => bare.strip_suffix('.').unwrap_or(bare).to_ascii_lowercase(),
    }
}

/// The IPv4 address that an IPv4-mapped IPv6 address stands for: connecting to one connects to the other.
fn unmapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// Whether the address is one of the public internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => {
            if in_block(address, IpAddr::V6(NAT64.0), NAT64.1) {
                let [.., a, b, c, d] = v6.octets();
                return is_public_v4(Ipv4Addr::new(a, b, c, d));
            }
            in_block(address, IpAddr::V6(GLOBAL_V6.0), GLOBAL_V6.1)
                && !SPECIAL_V6.iter().any(|(first, bits)| in_block(address, IpAddr::V6(*first), *bits))
        }
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !SPECIAL_V4.iter().any(|(first, bits)| in_block(IpAddr::V4(address), IpAddr::V4(*first), *bits))
}

/// Whether the first `prefix_bits` of both are equal; never across families.
fn in_block(address: IpAddr, first: IpAddr, prefix_bits: u8) -> bool {
    let prefix_bits = u32::from(prefix_bits);
    match (address, first) {
        (IpAddr::V4(address), IpAddr::V4(first)) => {
            let difference = address.to_bits() ^ first.to_bits();
            difference.checked_shr(32 - prefix_bits).unwrap_or(0) == 0
        }
        (IpAddr::V6(address), IpAddr::V6(first)) => {
            let difference = address.to_bits() ^ first.to_bits();
            difference.checked_shr(128 - prefix_bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(rules: &NetRules, address: &str) -> bool {
        rules.admits(address.parse().expect("an address"))
    }

    #[test]
    fn without_the_public_internet_only_the_list_passes() {
        let nothing = NetRules::only([]).expect("no entry");
        assert!(!admits(&nothing, "8.8.8.8") && !nothing.admits_some());
        let named = NetRules::only(["example.org:443"]).expect("a host");
        assert!(named.names_host("example.org", 443) && !named.names_host("example.org", 80));
        assert!(!admits(&named, "8.8.8.8") && !named.admits_some());
        let block = NetRules::only(["10.0.0.0/8"]).expect("a block");
        assert!(admits(&block, "10.1.2.3") && !admits(&block, "8.8.8.8") && block.admits_some());
        let public = NetRules::only(["public"]).expect("a word");
        assert!(admits(&public, "8.8.8.8") && !admits(&public, "127.0.0.1") && public.admits_some());
        assert_eq!(public, NetRules::default());
    }

    #[test]
    fn public_addresses_pass() {
        let rules = NetRules::default();
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "168.63.129.17",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.88.100.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "198.51.101.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00::1",
            "2003::1",
            "2001:db7::1",
            "2001:db9::1",
            "3ffe::1",
            "3fff:1000::1",
            "64:ff9b::8.8.8.8",
            "::ffff:8.8.8.8",
        ] {
            assert!(admits(&rules, address), "{address} must pass");
        }
    }

    #[test]
    fn other_addresses_do_not_pass() {
        let rules = NetRules::default();
        for address in [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.0",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.0.0",
            "169.254.169.254",
            "169.254.170.2",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.0",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.255",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.0",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::8.8.8.8",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "2001::1",
            "2001:0:4136:e378::1",
            "2001:10::1",
            "2001:1ff::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:808:808::1",
            "3fff::1",
            "3fff:fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
        ] {
            assert!(!admits(&rules, address), "{address} must not pass");
        }
    }

    #[test]
    fn hosts_are_allowed_as_they_are_written() {
        let rules = NetRules::new(["localhost:8080", "Db.Internal.", "[::1]:9000", "127.0.0.1:3000"]).expect("valid");
        assert!(rules.names_host("localhost", 8080));
        assert!(rules.names_host("LOCALHOST.", 8080));
        assert!(!rules.names_host("localhost", 8081));
        assert!(!rules.names_host("notlocalhost", 8080));
        assert!(rules.names_host("db.internal", 1));
        assert!(!rules.names_host("x.db.internal", 1));
        assert!(rules.names_host("::1", 9000));
        assert!(rules.names_host("[0:0:0:0:0:0:0:1]", 9000));
        assert!(!rules.names_host("::1", 9001));
        assert!(rules.names_host("127.0.0.1", 3000));
        assert!(rules.names_host("::ffff:127.0.0.1", 3000));
        assert!(!admits(&rules, "127.0.0.1"), "a port was given, so other names must not reach the address");
        assert!(!admits(&rules, "::1"));
    }

    #[test]
    fn blocks_are_allowed_whoever_names_them() {
        let rules = NetRules::new(["10.1.0.0/16", "127.0.0.1", "fd00::/8", "::ffff:192.168.0.0/112"]);
        // A mapped block's length counts IPv6 bits, which IPv4 does not have.
        assert_eq!(rules, Err(NetRuleError { entry: "::ffff:192.168.0.0/112".to_owned() }));
        let rules = NetRules::new(["10.1.0.0/16", "127.0.0.1", "fd00::/8", "[fe80::1]"]).expect("valid");
        for address in ["10.1.0.0", "10.1.255.255", "127.0.0.1", "::ffff:10.1.2.3", "fdff::1", "fe80::1"] {
            assert!(admits(&rules, address), "{address}");
        }
        for address in ["10.0.255.255", "10.2.0.0", "127.0.0.2", "fc00::1", "fe80::2", "::1"] {
            assert!(!admits(&rules, address), "{address}");
        }
        let everything = NetRules::new(["0.0.0.0/0", "::/0"]).expect("valid");
        assert!(
            admits(&everything, "127.0.0.1") && admits(&everything, "::1") && admits(&everything, "255.255.255.255")
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for entry in [
            "",
            " ",
            "/",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "::/129",
            "host/8",
            "host:",
            "host:0",
            "host:65536",
            "host:x",
            ":80",
            "http://host",
            "a b",
            "host:80:90",
            "*",
            "[::1",
            "é.example",
        ] {
            assert_eq!(NetRules::new([entry]), Err(NetRuleError { entry: entry.to_owned() }), "{entry:?}");
        }
    }
}
