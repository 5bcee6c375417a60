//! The ways in which packages get to where programs find them.

use std::str::FromStr;

/// How `node_modules` comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Linker {
    /// Files on the disk, in npm's layout.
    Hoisted,
    /// Files on the disk, in pnpm's layout: the project finds what it asks for, and packages what they depend on.
    Isolated,
    /// Nothing on the disk: guests see a [`VirtualTree`](crate::virtual_tree::VirtualTree) of the same layout.
    Virtual,
}

impl Linker {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Hoisted, Self::Isolated, Self::Virtual];

    /// The name by which users choose it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hoisted => "hoisted",
            Self::Isolated => "isolated",
            Self::Virtual => "virtual",
        }
    }
}

/// A name that is no linker's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a linker; there are hoisted, isolated and virtual")]
pub struct UnknownLinker(pub String);

impl FromStr for Linker {
    type Err = UnknownLinker;

    fn from_str(text: &str) -> Result<Self, UnknownLinker> {
        Self::ALL.into_iter().find(|linker| linker.name() == text).ok_or_else(|| UnknownLinker(text.to_owned()))
    }
}
