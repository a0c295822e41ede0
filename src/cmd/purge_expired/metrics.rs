//! Writes metrics of a purge in the text format of Prometheus, for the textfile collector of its node
//! exporter.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use super::report::PurgeReport;
use crate::error::{Error, Exit};
use crate::files::{Place, as_operator};
use crate::model::Timestamp;

const LAST_SUCCESS: &str = "sessctl_purge_last_success_timestamp_seconds";

/// Replaces the file by rename, so that no reader sees half of it. A run that fails keeps the time of the
/// last success.
pub(super) fn write(file: &Path, report: &PurgeReport, exit: Exit) -> Result<(), Error> {
    let write = || {
        let place = Place::of_output(file)?;
        let last_success =
            if exit == Exit::Done { Some(seconds(Timestamp::now())) } else { last_success(&place) };
        place.replace(text(report, last_success).as_bytes())
    };
    as_operator(write).map_err(|source| Error::cannot_write(file, source))
}

/// The time of the last success that an earlier run wrote, if the file is ours.
fn last_success(place: &Place) -> Option<f64> {
    const MOST_BYTES: u64 = 1 << 16;
    let mut text = String::new();
    place.open().ok()?.take(MOST_BYTES).read_to_string(&mut text).ok()?;
    value(&text, LAST_SUCCESS)
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

/// The value of a metric in a text that this module wrote.
fn value(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().parse().ok()
}

#[allow(clippy::cast_precision_loss, reason = "metrics are floating point numbers")]
fn seconds(instant: Timestamp) -> f64 {
    instant.as_micros() as f64 / 1e6
}

/// Checks that the file can be written, before the purge begins.
pub(super) fn may_write(file: &Path) -> Result<(), Error> {
    as_operator(|| Place::of_output(file).and_then(|place| place.demand_replaceable()))
        .map_err(|source| Error::cannot_write(file, source))
}
