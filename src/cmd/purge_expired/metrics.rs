//! Metrics in the text format of Prometheus, for the textfile collector of its node exporter.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, Exit};
use crate::model::Timestamp;
use crate::report::PurgeReport;

const LAST_SUCCESS: &str = "sessctl_purge_last_success_timestamp_seconds";

/// Writes the file anew, by rename, so that nobody reads half of it. A run without success keeps
/// the time of the last one that had it.
pub(super) fn write(file: &Path, report: &PurgeReport, exit: Exit) -> Result<(), Error> {
    let cannot = |source| Error::CannotWrite { what: file.display().to_string(), source };
    let last_success = if exit == Exit::Done {
        Some(seconds(Timestamp::now()))
    } else {
        fs::read_to_string(file).ok().and_then(|text| value(&text, LAST_SUCCESS))
    };
    replace(file, &text(report, last_success)).map_err(cannot)
}

fn text(report: &PurgeReport, last_success: Option<f64>) -> String {
    let oldest = report.oldest_left.as_deref().and_then(|oldest| oldest.parse().ok());
    let mut text = String::new();
    #[allow(clippy::cast_precision_loss, reason = "metrics are floating point numbers")]
    let metrics = [
        (
            "sessctl_purge_deleted_rows",
            "Rows that the last run deleted.",
            Some(report.deleted as f64),
        ),
        (
            "sessctl_purge_expired_rows_left",
            "Expired rows that the last run left in the table.",
            report.left.map(|rows| rows as f64),
        ),
        (
            "sessctl_purge_oldest_expired_timestamp_seconds",
            "When the oldest row that was left expired.",
            oldest.map(|oldest: Timestamp| seconds(oldest)),
        ),
        (
            "sessctl_purge_duration_seconds",
            "How long the last run took.",
            Some(report.elapsed_seconds),
        ),
        (LAST_SUCCESS, "When a run last ended well.", last_success),
    ];
    for (name, help, value) in metrics {
        if let Some(value) = value {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
        }
    }
    text
}

/// The value of a metric in a text that was written here.
fn value(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().parse().ok()
}

#[allow(clippy::cast_precision_loss, reason = "metrics are floating point numbers")]
fn seconds(instant: Timestamp) -> f64 {
    instant.as_micros() as f64 / 1e6
}

/// Finds out whether the file can be written, before there is something to write.
pub(super) fn may_write(file: &Path) -> Result<(), Error> {
    let cannot = |source| Error::CannotWrite { what: file.display().to_string(), source };
    if file.is_dir() {
        return Err(cannot(io::ErrorKind::IsADirectory.into()));
    }
    let name = unfinished(file);
    fs::File::create(&name).and_then(|_| fs::remove_file(&name)).map_err(cannot)
}

fn unfinished(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    name.into()
}

/// The collector reads `*.prom` only, so the file has another name until it is whole.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let name = unfinished(file);
    let whole = fs::File::create(&name).and_then(|mut new| {
        new.write_all(text.as_bytes())?;
        new.sync_all()?;
        fs::rename(&name, file)
    });
    if whole.is_err() {
        // Whatever the reason was, half a file helps nobody.
        let _ = fs::remove_file(&name);
    }
    whole
}
