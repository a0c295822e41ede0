//! What the commands that change a table have in common: how they end, and who hears of it.

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
    /// `None` if there was nothing to do.
    pub(crate) report: Option<R>,
    /// What failed after something was done.
    pub(crate) failed: Result<(), Error>,
    /// How it ends unless something failed.
    pub(crate) exit: Exit,
    /// What the operator may want to do next.
    pub(crate) advice: Vec<String>,
    /// Whether nothing more is to be done, in no other schema either.
    pub(crate) over: bool,
    /// Who is at it, where nothing was done for that reason.
    pub(crate) skipped: Option<Holder>,
}

impl<R> CommandOutcome<R> {
    /// Another sessctl is at it, and that is to be no failure. Of somebody else nobody knows whether the work gets done.
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

/// One run of a command, and who hears of it.
pub(crate) struct CommandRun<'a> {
    pub(crate) command: &'static str,
    pub(crate) format: ReportFormat,
    /// Where the report goes.
    pub(crate) out: &'a mut dyn Write,
    pub(crate) audit: &'a cli::Audit,
    /// Whether anything can be changed. Only such a run is put on record.
    pub(crate) acts: bool,
}

impl CommandRun<'_> {
    /// Runs a command, tells what it did, whatever put an end to it, and only then that.
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
                let told = match &report {
                    Some(report) => ctx.print(self.out, self.format, report),
                    None => Ok(()),
                };
                for advice in &advice {
                    ctx.talk.advice(advice);
                }
                let ended = match (failed, told) {
                    (Err(error), _) => Err(error),
                    // Whether somebody read the report changes nothing of how it ended.
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
