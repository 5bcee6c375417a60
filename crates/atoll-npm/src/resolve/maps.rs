//! Maps and sets of the resolver, which looks things up more than it does anything else.
//!
//! The hash is seeded per process, since names come from registries, and costs a quarter of the standard library's.

use foldhash::fast::RandomState;

pub(super) type HashMap<K, V> = std::collections::HashMap<K, V, RandomState>;
pub(super) type HashSet<T> = std::collections::HashSet<T, RandomState>;
pub(super) type IndexMap<K, V> = indexmap::IndexMap<K, V, RandomState>;
pub(super) type IndexSet<T> = indexmap::IndexSet<T, RandomState>;
