//! Loading modules: by a process that has never done it, and by the next one.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::milliseconds;
use super::scripts::{Figure, check_counts, parse, run};
use super::stage;
use crate::apps::App;
use crate::error::BenchError;
use crate::report::Metric;
use crate::suites::{Case, Plan};
use crate::systems::System;

pub(super) const MODULES: &str = "modules";
/// Scripts that load something, and their rows at the first and at the second start.
pub(super) const LOADS: [(&str, &str, &str); 3] = [
    ("require.mjs", "require of 100 files, first start", "require of 100 files, second start"),
    ("zod.mjs", "import of zod, first start", "import of zod, second start"),
    ("large.mjs", "import of lodash-es, first start", "import of lodash-es, second start"),
];
const NAMES: [&str; LOADS.len()] = [LOADS[0].0, LOADS[1].0, LOADS[2].0];

/// The first start has no cache of compiled code, the second has what the first left. A system that keeps none has the
/// same work twice.
pub(super) struct Modules {
    staged: PathBuf,
    counted: RefCell<Option<Vec<Value>>>,
}

impl Modules {
    pub(super) fn new(staged: PathBuf) -> Self {
        Self { staged, counted: RefCell::default() }
    }
}

impl Case for Modules {
    fn name(&self) -> &'static str {
        MODULES
    }

    fn metrics(&self) -> Vec<Metric<'static>> {
        LOADS.iter().flat_map(|(_, first, second)| [milliseconds(first), milliseconds(second)]).collect()
    }

    fn apps(&self) -> &'static [App] {
        &[]
    }

    fn measure(&self, system: &System, _plan: &Plan) -> Result<Vec<f64>, BenchError> {
        stage::clear_scratch(&self.staged)?;
        let cache = self.staged.join("cache");
        let mut times = Vec::new();
        let mut counted = Vec::new();
        for script in NAMES {
            // It may not be there.
            let _ = fs::remove_dir_all(&cache);
            for _start in 0..2 {
                let figure: Figure = parse(script, &run(system, &self.staged, script, &cache)?)?;
                times.push(figure.ms);
                counted.push(figure.counted);
            }
        }
        let rows = NAMES.map(|script| [script; 2]).concat();
        check_counts(&self.counted, counted, &rows)?;
        Ok(times)
    }
}
