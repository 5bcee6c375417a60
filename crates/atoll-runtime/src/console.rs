//! From a guest's console and standard output to the reporter.

use crate::app::App;
use crate::report::Reporter;
use atoll_node::{OutputSink, OutputStream};
use atoll_web::{ConsoleLevel, ConsoleSink};
use std::sync::Arc;

pub(crate) struct OutputRelay {
    app: String,
    reporter: Arc<dyn Reporter>,
}

impl OutputRelay {
    pub(crate) fn new(app: &App) -> Self {
        Self { app: app.name.clone(), reporter: Arc::clone(&app.reporter) }
    }
}

impl ConsoleSink for OutputRelay {
    fn write(&self, level: ConsoleLevel, text: &str) {
        self.reporter.console(&self.app, level, text);
    }
}

impl OutputSink for OutputRelay {
    fn write(&self, stream: OutputStream, bytes: &[u8]) {
        self.reporter.output(&self.app, stream, bytes);
    }
}
