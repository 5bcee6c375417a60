//! How far requests of one deployment are kept apart.

use std::fmt;
use std::str::FromStr;

/// What requests of one deployment share. Deployments of different tenants never share an isolate, whatever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Isolation {
    /// One worker answers many requests, also at the same time: globals live on from one to the next.
    #[default]
    Warm,
    /// Each request gets a context of its own: fresh globals, on an isolate that the deployment's requests share. The next
    /// one is made ahead.
    Context,
    /// Each request gets an isolate of its own: nothing is shared, not even a heap. Some are started ahead.
    Isolate,
}

impl Isolation {
    /// All of them, from the fastest to the strictest.
    pub const ALL: [Self; 3] = [Self::Warm, Self::Context, Self::Isolate];

    /// `warm`, `context`, `isolate`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warm => "warm",
            Self::Context => "context",
            Self::Isolate => "isolate",
        }
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// There is no isolation of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no isolation {0:?}: it is one of warm, context, isolate")]
pub struct UnknownIsolation(String);

impl FromStr for Isolation {
    type Err = UnknownIsolation;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|isolation| isolation.name() == name);
        found.ok_or_else(|| UnknownIsolation(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for isolation in Isolation::ALL {
            assert_eq!(isolation.to_string().parse(), Ok(isolation));
        }
        assert!("Warm".parse::<Isolation>().is_err());
    }
}
