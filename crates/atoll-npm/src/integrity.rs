//! Subresource integrity: parsing, hashing, comparing (W3C SRI, as npm's lockfiles use it).

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// What a tarball has to hash to: the strongest algorithm that the text names, and every digest it gives for that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Integrity {
    algorithm: Algorithm,
    digests: Vec<Vec<u8>>,
}

/// A hash algorithm, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Algorithm {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// A text that names no digest we can check.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not an integrity of sha512, sha384, sha256 or sha1")]
pub struct BadIntegrity {
    /// The text.
    pub text: String,
}

/// Hashes bytes as they come.
pub(crate) enum Hasher {
    Sha1(Sha1),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512].into_iter().find(|algorithm| algorithm.name() == name)
    }
}

impl Integrity {
    /// Parses `sha512-…`, or several digests separated by spaces. Parts that cannot be understood are skipped, as the
    /// specification says, as long as one remains.
    ///
    /// # Errors
    /// When none remains.
    pub fn parse(text: &str) -> Result<Self, BadIntegrity> {
        let mut found: Vec<(Algorithm, Vec<u8>)> = text.split_ascii_whitespace().filter_map(parse_part).collect();
        let Some(algorithm) = found.iter().map(|(algorithm, _)| *algorithm).max() else {
            return Err(BadIntegrity { text: text.to_owned() });
        };
        found.retain(|(other, _)| *other == algorithm);
        let mut digests: Vec<Vec<u8>> = found.into_iter().map(|(_, digest)| digest).collect();
        digests.sort_unstable();
        digests.dedup();
        Ok(Self { algorithm, digests })
    }

    pub(crate) fn hasher(&self) -> Hasher {
        match self.algorithm {
            Algorithm::Sha1 => Hasher::Sha1(Sha1::new()),
            Algorithm::Sha256 => Hasher::Sha256(Sha256::new()),
            Algorithm::Sha384 => Hasher::Sha384(Sha384::new()),
            Algorithm::Sha512 => Hasher::Sha512(Sha512::new()),
        }
    }

    /// Whether a hasher that [`Integrity::hasher`] made saw the right bytes; if not, what it saw, as an integrity text.
    pub(crate) fn check(&self, hasher: Hasher) -> Result<(), String> {
        let found = hasher.finish();
        if self.digests.contains(&found) {
            return Ok(());
        }
        Err(format!("{}-{}", self.algorithm.name(), STANDARD.encode(found)))
    }
}

fn parse_part(part: &str) -> Option<(Algorithm, Vec<u8>)> {
    let (name, rest) = part.split_once('-')?;
    let algorithm = Algorithm::parse(name)?;
    let digest = STANDARD.decode(rest.split('?').next()?).ok()?;
    (digest.len() == algorithm.bytes()).then_some((algorithm, digest))
}

impl fmt::Display for Integrity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, digest) in self.digests.iter().enumerate() {
            let separator = if index == 0 { "" } else { " " };
            write!(formatter, "{separator}{}-{}", self.algorithm.name(), STANDARD.encode(digest))?;
        }
        Ok(())
    }
}

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha384(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Sha1(hasher) => hasher.finalize().to_vec(),
            Self::Sha256(hasher) => hasher.finalize().to_vec(),
            Self::Sha384(hasher) => hasher.finalize().to_vec(),
            Self::Sha512(hasher) => hasher.finalize().to_vec(),
        }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hasher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY_SHA1: &str = "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=";
    const EMPTY_SHA512: &str =
        "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==";

    #[test]
    fn the_strongest_algorithm_decides() {
        let integrity = Integrity::parse(&format!("{EMPTY_SHA1} {EMPTY_SHA512}")).unwrap();
        assert_eq!(integrity.to_string(), EMPTY_SHA512);
        assert_eq!(integrity.check(integrity.hasher()), Ok(()));
        let mut other = integrity.hasher();
        other.update(b"x");
        assert!(integrity.check(other).unwrap_err().starts_with("sha512-"));
    }

    #[test]
    fn any_digest_of_that_algorithm_fits() {
        let other = format!("sha1-{}", STANDARD.encode([7; 20]));
        let integrity = Integrity::parse(&format!("{other} {EMPTY_SHA1}?opt nonsense md5-AAAA")).unwrap();
        assert_eq!(integrity.check(integrity.hasher()), Ok(()));
    }

    #[test]
    fn nothing_checkable_is_an_error() {
        for text in ["", "md5-1B2M2Y8AsgTpgAmY7PhCfg==", "sha512-short", "sha512", "sha512-****"] {
            assert!(Integrity::parse(text).is_err(), "{text}");
        }
    }
}
