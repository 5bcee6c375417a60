//! Names of the things that the pool speaks of.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// The owner of deployments, and the unit of isolation: an isolate never serves two of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(pub u64);

/// Names a deployment for all pools; its release may change, its id does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeploymentId(pub u64);

/// Names what a deployment runs: one immutable state of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseId(pub u64);

/// Counts the changes of a deployment's environment variables and bindings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvVersion(pub u64);

/// What a worker was made from. A worker is reused only for requests to the very same version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The app.
    pub release: ReleaseId,
    /// Its environment.
    pub env: EnvVersion,
}

/// An isolate of this pool. The pool makes these ids, in ascending order, and none of them twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IsolateId(u64);

/// A worker of this pool: one app in one context of one isolate. Made by the pool, as [`IsolateId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(u64);

/// A request that waits in this pool. Made by the pool, as [`IsolateId`]; a later request has a greater id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u64);

/// Makes the ids of one pool.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    last: u64,
}

impl Ids {
    pub(crate) fn isolate(&mut self) -> IsolateId {
        IsolateId(self.next())
    }

    pub(crate) fn worker(&mut self) -> WorkerId {
        WorkerId(self.next())
    }

    pub(crate) fn request(&mut self) -> RequestId {
        RequestId(self.next())
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

/// A map by id. Ids are numbers that this process made, in ascending order, so nobody can choose them to collide, and a
/// multiplication spreads them well enough: a warm request looks up eight of them.
pub type IdMap<Id, Record> = HashMap<Id, Record, BuildHasherDefault<IdHasher>>;

/// Hashes one number.
#[derive(Debug, Default, Clone, Copy)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write_u64(&mut self, number: u64) {
        // The golden ratio: neighbours land far apart, in the high bits; the map looks at both ends.
        let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = spread ^ (spread >> 32);
    }

    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("ids are hashed as one number");
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
