//! `atoll store`: looks after the packages on this machine.

use crate::cli::{StoreCommand, StoreGc, StoreVerify};
use crate::directories::Directories;
use crate::terminal::{
    BOLD, DIM, ERROR, Failure, GOOD, ReadProgress, bytes, counted, duration, one_line, print_aside, print_line,
};
use atoll_npm::store::{CollectOptions, Collected, Form, MachineKey, Removed, Store, StoreError, Verified};
use serde_json::json;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

/// Runs one of the commands.
pub(crate) fn store(command: &StoreCommand) -> Result<ExitCode, Failure> {
    let directories = Directories::find()?;
    match command {
        StoreCommand::Path => {
            print_line(directories.store.display());
            Ok(ExitCode::SUCCESS)
        }
        StoreCommand::Status { json } => status(&open(&directories)?, &directories, *json),
        StoreCommand::Verify(arguments) => verify(&open(&directories)?, arguments),
        StoreCommand::Gc(arguments) => collect(&open(&directories)?, arguments),
    }
}

fn open(directories: &Directories) -> Result<Store, Failure> {
    let key = MachineKey::open(&directories.state)
        .map_err(|error| Failure::new(format!("the machine key in {}: {error}", directories.state.display())))?;
    Store::open(&directories.store, key).map_err(|error| explain(&error))
}

fn explain(error: &StoreError) -> Failure {
    Failure::new(error.to_string()).hint("check the free space and the permissions of the store's directory")
}

fn status(store: &Store, directories: &Directories, as_json: bool) -> Result<ExitCode, Failure> {
    let status = store.status().map_err(|error| explain(&error))?;
    if as_json {
        print_line(json!({
            "path": directories.store.display().to_string(),
            "packed": { "packages": status.packed, "bytes": status.packed_bytes },
            "unpacked": {
                "packages": status.unpacked, "bytes": status.unpacked_bytes, "files": status.unpacked_files,
            },
            "notBelieved": status.unbelieved,
            "projects": status.projects,
        }));
        return Ok(ExitCode::SUCCESS);
    }
    print_line(format_args!("{BOLD}{}{BOLD:#}", directories.store.display()));
    print_line(format_args!("  packed    {}, {}", counted(status.packed, "package"), bytes(status.packed_bytes)));
    let files = counted(status.unpacked_files, "file");
    let unpacked = counted(status.unpacked, "package");
    print_line(format_args!("  unpacked  {unpacked}, {}, {files}", bytes(status.unpacked_bytes)));
    if status.unbelieved > 0 {
        print_line(format_args!("  {} that this machine did not store", counted(status.unbelieved, "package")));
    }
    if status.projects > 0 {
        print_line(format_args!("  used by   {}", counted(status.projects, "registered project")));
    }
    Ok(ExitCode::SUCCESS)
}

fn verify(store: &Store, arguments: &StoreVerify) -> Result<ExitCode, Failure> {
    let progress = ReadProgress::new(!arguments.json && std::io::stderr().is_terminal())?;
    let outcome = store.verify(arguments.dry_run, &|step| progress.show(step));
    progress.clear();
    let verified = outcome.map_err(|error| explain(&error))?;
    if arguments.json {
        print_line(verified_json(&verified));
    } else {
        for bad in &verified.bad {
            print_aside(format_args!("{ERROR}bad{ERROR:#}: {} {}", bad.entry, one_line(&bad.problem.to_string())));
        }
        let good = counted(verified.good, "package");
        print_line(format_args!(
            "{GOOD}verified{GOOD:#} {good}: {}, {}",
            counted(verified.files, "file"),
            bytes(verified.bytes)
        ));
        let removed = verified.bad.iter().filter(|bad| bad.removed).count();
        if removed > 0 {
            print_line(format_args!("removed {}; what is needed is downloaded again", counted(removed, "bad package")));
        }
    }
    Ok(if verified.bad.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn verified_json(verified: &Verified) -> serde_json::Value {
    let bad = verified.bad.iter().map(|bad| {
        json!({
            "entry": bad.entry, "form": name(bad.form), "problem": bad.problem.to_string(), "removed": bad.removed,
        })
    });
    json!({
        "good": verified.good,
        "files": verified.files,
        "bytes": verified.bytes,
        "bad": bad.collect::<Vec<_>>(),
    })
}

fn name(form: Form) -> &'static str {
    match form {
        Form::Packed => "packed",
        Form::Unpacked => "unpacked",
    }
}

fn collect(store: &Store, arguments: &StoreGc) -> Result<ExitCode, Failure> {
    let options =
        CollectOptions { older_than: arguments.older_than, max_bytes: arguments.max_size, dry_run: arguments.dry_run };
    let collected = store.collect(&options).map_err(|error| explain(&error))?;
    if arguments.json {
        print_line(collected_json(&collected, arguments.dry_run));
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.dry_run {
        for Removed { entry, form, bytes: size, unused, .. } in &collected.removed {
            let (form, unused) = (name(*form), unused_for(*unused));
            print_line(format_args!("{entry} {DIM}{form}, {}, not used for {unused}{DIM:#}", bytes(*size)));
        }
    }
    let freed: u64 = collected.removed.iter().map(|removed| removed.bytes).sum();
    let what = if arguments.dry_run { "would remove" } else { "removed" };
    print_line(format_args!(
        "{GOOD}{what}{GOOD:#} {}, {}; {} stay, {}",
        counted(collected.removed.len(), "package"),
        bytes(freed),
        collected.kept,
        bytes(collected.kept_bytes)
    ));
    if collected.held > 0 {
        let projects = counted(collected.projects, "project");
        print_line(format_args!("{DIM}of them {} held by {projects}{DIM:#}", collected.held));
    }
    Ok(ExitCode::SUCCESS)
}

/// In days, where there are some.
fn unused_for(time: Duration) -> String {
    let days = (time.as_secs() / (24 * 60 * 60)) as usize;
    if days > 0 { counted(days, "day") } else { duration(time) }
}

fn collected_json(collected: &Collected, dry_run: bool) -> serde_json::Value {
    let removed = collected.removed.iter().map(|removed| {
        json!({
            "entry": removed.entry,
            "form": name(removed.form),
            "bytes": removed.bytes,
            "unusedSeconds": removed.unused.as_secs(),
            "believed": removed.believed,
        })
    });
    json!({
        "dryRun": dry_run,
        "removed": removed.collect::<Vec<_>>(),
        "kept": collected.kept,
        "keptBytes": collected.kept_bytes,
        "held": collected.held,
        "projects": collected.projects,
        "forgotten": collected.forgotten,
    })
}
