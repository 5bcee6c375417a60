//! What a server has to say of its requests.

use super::explain::{Places, explain_start};
use super::text::{duration, json_line, one_line, timestamp};
use super::{DIM, ERROR, GOOD, HINT, WARNING, print_aside, print_failure, print_line};
use crate::cli::LogFormat;
use atoll_engine::Termination;
use atoll_runtime::{PoolError, RequestError, StartError};
use atoll_server::{AccessLog, AccessRecord};
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Writes a line for each request to standard output.
pub(crate) struct ServerLog {
    format: LogFormat,
    /// Put the app's name before its lines: several are served.
    name_apps: bool,
    /// Where each app's files are, by its name.
    places: HashMap<String, Places>,
    /// The failed start that was shown last: many requests may wait for one start.
    shown: Mutex<Weak<StartError>>,
}

impl ServerLog {
    pub(crate) fn new(format: LogFormat, places: HashMap<String, Places>) -> Self {
        Self { format, name_apps: places.len() > 1, places, shown: Mutex::default() }
    }

    /// Whether this failed start is not the one that was shown last.
    fn is_new(&self, error: &Arc<StartError>) -> bool {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !std::ptr::eq(shown.as_ptr(), Arc::as_ptr(error));
        *shown = Arc::downgrade(error);
        is_new
    }

    fn line(&self, record: &AccessRecord<'_>) -> String {
        let time = timestamp();
        let elapsed = duration(record.elapsed);
        if self.format == LogFormat::Json {
            let line = json!({
                "time": time,
                "type": "request",
                "app": record.app,
                "remote": record.remote.ip().to_string(),
                "method": record.method.as_str(),
                "host": record.host,
                "path": record.target,
                "status": record.status.as_u16(),
                "ms": (record.elapsed.as_secs_f64() * 1e6).round() / 1e3,
                "termination": record.termination.map(Termination::name),
                "limit": record.termination.map(|termination| termination.limit),
                "amount": record.termination.map(|termination| termination.amount),
            });
            return json_line(&line);
        }
        let status = record.status;
        let colour = match status.as_u16() {
            ..300 => GOOD,
            300..400 => HINT,
            400..500 => WARNING,
            _ => ERROR,
        };
        let app = record
            .app
            .filter(|_| self.name_apps)
            .map(|app| format!("{DIM}{}{DIM:#} ", one_line(app)))
            .unwrap_or_default();
        let ended = record.termination.map(|limit| format!(" {WARNING}{limit}{WARNING:#}")).unwrap_or_default();
        let (status, method, target) = (status.as_u16(), record.method, one_line(record.target));
        format!("{DIM}{time}{DIM:#} {app}{colour}{status}{colour:#} {method} {target} {DIM}{elapsed}{DIM:#}{ended}")
    }
}

impl AccessLog for ServerLog {
    fn is_on(&self) -> bool {
        self.format != LogFormat::Off
    }

    fn record(&self, record: &AccessRecord<'_>) {
        print_line(self.line(record));
    }

    fn unanswered(&self, app: &str, error: &PoolError) {
        let text = match error {
            PoolError::Start(error) if !self.is_new(error) => return,
            PoolError::Start(error) if self.format != LogFormat::Json => {
                let Some(places) = self.places.get(app) else { return };
                return print_failure(&explain_start(error, places));
            }
            // The app's reporter was told.
            PoolError::Request(RequestError::Failed) => return,
            PoolError::Request(RequestError::Terminated(reason)) if reason.name() != "wall" => return,
            other => other.to_string(),
        };
        if self.format == LogFormat::Json {
            let line =
                json!({ "time": timestamp(), "type": "problem", "app": app, "kind": "unanswered", "text": text });
            print_line(json_line(&line));
        } else {
            let app = if self.name_apps { format!("{DIM}{}{DIM:#} ", one_line(app)) } else { String::new() };
            print_aside(format_args!("{app}{ERROR}error{ERROR:#}: a request got no answer: {text}"));
        }
    }
}
