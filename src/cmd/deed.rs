//! What the commands that change a table have in common: how they end.

use std::io::{self, ErrorKind};

use super::Ctx;
use crate::cli::ReportFormat;
use crate::engine::Why;
use crate::error::{Error, Exit};
use crate::ui::{self, Report};

/// What a command did, and what put an end to it.
pub(super) struct Deed<R> {
    pub(super) report: R,
    pub(super) ended: Result<(), Why>,
    /// How it ends unless something failed.
    pub(super) exit: Exit,
}

impl<R: Report> Deed<R> {
    /// Tells what was done, whatever put an end to it, and only then that.
    pub(super) fn conclude(self, ctx: &mut Ctx<'_>, format: ReportFormat) -> Result<Exit, Error> {
        let told = tell(ctx, format, &self.report);
        match (self.ended, told) {
            (Err(Why::Failed(error)), _) => Err(error.into()),
            (Err(Why::AnotherInstance), _) => Err(Error::AnotherInstance),
            // Whether somebody read the report changes nothing of how it ended.
            (_, Err(error)) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(self.exit),
        }
    }
}

fn tell(ctx: &mut Ctx<'_>, format: ReportFormat, report: &impl Report) -> io::Result<()> {
    match format {
        ReportFormat::Json => ui::write_json_line(&mut ctx.out, report)?,
        ReportFormat::Human if ctx.talk.is_quiet() => {}
        ReportFormat::Human => report.write(&mut ctx.out)?,
    }
    ctx.out.flush()
}
