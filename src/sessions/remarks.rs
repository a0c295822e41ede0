//! What a command that reads says of sessions that it left out, and of doubts.

use super::unfit_ids::UnfitIds;
use crate::context::Ctx;
use crate::model::counted;
use crate::report::{Doubt, Matches};
use crate::ui;

/// Messages that follow the list or the report.
#[derive(Default)]
pub(crate) struct Remarks {
    pub(crate) matches: Matches,
    pub(crate) doubts: Vec<Doubt>,
    /// Why some of the given ids cannot be ids of users.
    pub(crate) unfit: Option<String>,
    /// Some of the ids in sessions that the key of the table of users cannot hold.
    pub(crate) unfit_ids: UnfitIds,
    /// Whether sessions were selected by what they are.
    pub(crate) has_conditions: bool,
}

impl Remarks {
    pub(crate) fn is_doubtful(&self) -> bool {
        let Matches { unreadable, alike, unfit, different, undated, .. } = self.matches;
        unreadable + alike + unfit + different + undated > 0
            || !self.doubts.is_empty()
            || self.unfit.is_some()
    }

    pub(crate) fn print(&self, ctx: &Ctx<'_>) {
        let Matches { unverified, undated, saved_later, unreadable, alike, unfit, .. } =
            self.matches;
        if unverified > 0 {
            ctx.talk.note(&format!(
                "no key verifies {} of these: Django reads them as empty, unless it has a key that was not given here",
                counted(unverified, "session")
            ));
        }
        if undated > 0 {
            ctx.talk.warning(&format!(
                "{} without a time of saving left out: only Django 3.1 and later write one",
                counted(undated, "row")
            ));
        }
        if saved_later > 0 {
            ctx.talk.note(&format!(
                "{} saved again after that time left out: only the last save is known",
                counted(saved_later, "session")
            ));
        }
        if unreadable > 0 {
            let why = if self.has_conditions {
                "left out that may be among these: what decides cannot be read"
            } else {
                "could not be read and may be anybody's session"
            };
            ctx.talk.warning(&format!("{} {why}", counted(unreadable, "row")));
        }
        if alike > 0 {
            ctx.talk.warning(&format!(
                "{} left out whose id is spelled otherwise, and which Django may read as one of these users: see `sessctl list`",
                counted(alike, "session")
            ));
        }
        if unfit > 0 {
            ctx.talk.warning(&format!(
                "{} left out that no key of the table of users can mean ({}): {}",
                counted(unfit, "session"),
                self.unfit_ids.some(),
                ui::UNFIT
            ));
        }
        if let Some(unfit) = &self.unfit {
            ctx.talk.warning(unfit);
        }
        for doubt in &self.doubts {
            ctx.talk.warning(&ui::doubt(doubt));
        }
    }
}
