//! The report of a command over several schemas, as text.

use std::io::{self, Write};

use serde::Serialize;

use super::{Report, sanitize};
use crate::report::{InSchema, Total};

impl<R: Report + Serialize> Report for Total<R> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for InSchema { schema, report, error } in &self.schemas {
            write!(out, "{}: ", sanitize(schema))?;
            match (report, error) {
                (Some(report), _) => report.write(out)?,
                (None, Some(error)) => writeln!(out, "FAILED: {}", sanitize(error))?,
                (None, None) => writeln!(out, "nothing to do")?,
            }
        }
        let meant = self.schemas.len() + self.not_begun.len();
        // With one schema, the schema's own line says it all.
        if let (Some(sum), 0 | 2..) = (&self.sum, meant) {
            if meant > 0 {
                write!(out, "All {meant} schemas: ")?;
            }
            sum.write(out)?;
        }
        if !self.not_begun.is_empty() {
            writeln!(out, "Not begun: {}.", sanitize(&self.not_begun.join(", ")))?;
        }
        Ok(())
    }
}
