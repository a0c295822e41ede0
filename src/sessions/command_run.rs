//! Runs a command that changes a table: writes the audit log around it, prints its report, and decides its
//! exit code.

use std::io::Write;

use super::audit::Audit;
use super::pacing::failure;
use crate::cli::{self, ReportFormat};
use crate::context::Ctx;
use crate::engine::StopReason;
use crate::error::{Error, Exit};
use crate::store::Holder;
use crate::ui::Report;

/// What a command did, and how it ended.
pub(crate) struct CommandOutcome<R> {
    /// `None` if nothing was done.
    pub(crate) report: Option<R>,
    /// What failed after something was done.
    pub(crate) failed: Result<(), Error>,
    /// The exit code, unless something failed.
    pub(crate) exit: Exit,
    /// Next steps for the operator.
    pub(crate) advice: Vec<String>,
    /// Whether the run ends here, before any further schema.
    pub(crate) over: bool,
    /// The holder of the lock, where nothing was done because of it.
    pub(crate) skipped: Option<Holder>,
}

impl<R> CommandOutcome<R> {
    /// The lock is held, and the operator asked that this be no failure. If the holder is not known to be a
    /// sessctl, the work may stay undone: then the run is incomplete.
    pub(crate) fn skipped(holder: Holder) -> Self {
        let exit = if holder == Holder::Sessctl { Exit::Done } else { Exit::Incomplete };
        let (failed, advice) = (Ok(()), Vec::new());
        Self { report: None, failed, exit, advice, over: true, skipped: Some(holder) }
    }

    pub(crate) fn new(report: R, ended: Result<(), StopReason>, exit: Exit) -> Self {
        let over = matches!(
            ended,
            Err(StopReason::Limit | StopReason::RunTime | StopReason::Interrupted(_))
        );
        let (failed, advice) = (failure(ended), Vec::new());
        Self { report: Some(report), failed, exit, advice, over, skipped: None }
    }
}

/// One run of a command, and where its report and its audit lines go.
pub(crate) struct CommandRun<'a> {
    pub(crate) command: &'static str,
    pub(crate) format: ReportFormat,
    /// Where the report goes.
    pub(crate) out: &'a mut dyn Write,
    pub(crate) audit: &'a cli::Audit,
    /// Whether this run may change the table. Only such a run is written to the audit log.
    pub(crate) acts: bool,
}

impl CommandRun<'_> {
    /// Runs a command, prints its report even after a failure, and then returns the failure.
    pub(crate) fn execute<R: Report>(
        self,
        ctx: &Ctx<'_>,
        run: impl FnOnce(Option<&Audit>) -> Result<CommandOutcome<R>, Error>,
    ) -> Result<Exit, Error> {
        let audit = if self.acts { Audit::begin(ctx, self.command, self.audit)? } else { None };
        if !self.acts && self.audit.audit_file.is_some() {
            ctx.talk.note("--audit-file: a run that changes nothing leaves no record");
        }
        let (report, ended) = match run(audit.as_ref()) {
            Err(error) => (None, Err(error)),
            Ok(CommandOutcome { report, failed, exit, advice, .. }) => {
                let printed = match &report {
                    Some(report) => ctx.print(self.out, self.format, report),
                    None => Ok(()),
                };
                for advice in &advice {
                    ctx.talk.advice(advice);
                }
                let ended = match (failed, printed) {
                    (Err(error), _) => Err(error),
                    // A report that could not be printed after a hangup does not change the exit code.
                    (_, Err(error)) if !exit.is_hangup() => Err(error.into()),
                    _ => Ok(exit),
                };
                (report, ended)
            }
        };
        let Some(audit) = audit else { return ended };
        match audit.end(report.as_ref(), &ended) {
            Err(error) if ended.is_ok() => Err(error),
            Err(error) => {
                ctx.talk.error(&error);
                ended
            }
            Ok(()) => ended,
        }
    }
}
