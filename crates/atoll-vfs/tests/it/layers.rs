//! The battery on every layer.

use crate::battery;
use atoll_vfs::{Confinement, HostDir, Layer, Memory, Quota};

fn on_host_dir(confinement: Confinement, case: fn(&dyn Layer)) {
    let directory = tempfile::tempdir().unwrap();
    case(&HostDir::read_write(directory.path()).unwrap().confined_by(confinement));
}

#[test]
fn memory() {
    battery::run(|case| case(&Memory::new(Quota::DEFAULT)));
}

#[test]
fn host_dir_by_openat2() {
    battery::run(|case| on_host_dir(Confinement::Beneath, case));
}

#[test]
fn host_dir_by_walking() {
    battery::run(|case| on_host_dir(Confinement::Walk, case));
}
