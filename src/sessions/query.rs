//! Which sessions a command is about, and what one row is to that question. `list` asks it like `logout-user` does, so
//! what one shows the other deletes.

use django_session::{Auth, Decoded, Login, UserIds, Verdict};

use crate::model::{Row, SavedWindow};
use crate::report::Matches;

/// Which sessions are asked for.
#[derive(Clone, Copy)]
pub(crate) struct SessionQuery<'a> {
    pub(crate) users: UserFilter<'a>,
    /// When they were last saved, if that matters.
    pub(crate) saved: Option<SavedWindow>,
    /// The key of the one session that stays.
    pub(crate) spared: Option<&'a str>,
    /// Leave sessions that no key verifies, although they name a user who is asked for.
    pub(crate) verified_only: bool,
}

/// Whose sessions are asked for.
#[derive(Clone, Copy)]
pub(crate) enum UserFilter<'a> {
    /// Every live row, whatever it is.
    Anybody,
    /// Live sessions of these users.
    These(&'a UserIds),
    /// Live sessions of all users but these.
    AllBut(&'a UserIds),
    /// Every row that is no session of these users, be it anonymous, expired or unreadable.
    EverythingBut(&'a UserIds),
}

/// What a row is to the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is asked for.
    Match,
    /// It is asked for, and no key verifies it.
    Unverified,
    /// It is a session of these users that does not say when it was saved.
    Undated,
    /// It is a session of these users that was saved again since.
    SavedLater,
    /// It is a session of a user who is to be spared, and of somebody else who is not.
    Shared,
    /// It is somebody else's, although the user column was asked for theirs.
    Different,
    /// Its user's id is not one of these, and Django may read it as one.
    Alike,
    /// The key of the table of users cannot hold its user's id: whose it is is not known.
    Unfit,
    /// It cannot be read, and may be asked for.
    Unreadable,
    /// It is not asked for.
    Other,
}

impl<'a> SessionQuery<'a> {
    /// All live sessions of these users.
    pub(crate) fn of(users: UserFilter<'a>) -> Self {
        Self { users, saved: None, spared: None, verified_only: false }
    }

    /// What a row is, its signature checked where the answer depends on it.
    pub(crate) fn verdict<'s>(&self, row: &Row<'_>, session: &Decoded<'s>) -> Verdict<'s> {
        session.verdict(|auth| row.user.is_some() || self.users.wants_auth(auth))
    }

    /// What a row is to the query.
    pub(crate) fn answer(
        &self,
        row: &Row<'_>,
        session: &Decoded<'_>,
        verdict: &Verdict<'_>,
    ) -> Answer {
        let in_time = self.saved.map_or(Some(true), |time| time.contains(session.saved()));
        let login = match verdict {
            Verdict::Login(login) => Some(login),
            Verdict::Unreadable(_) if !self.users.wants_all() => {
                // A time of saving that is known to be another is known, whatever the row holds.
                return if in_time == Some(false) { Answer::Other } else { Answer::Unreadable };
            }
            _ => None,
        };
        if !self.users.wants(login) {
            return match login {
                Some(login) if self.users.may_be(login) => match in_time {
                    Some(false) => Answer::Other,
                    _ if self.users.may_mean(login) => Answer::Alike,
                    _ => Answer::Unfit,
                },
                Some(login) if self.users.shares(login) => Answer::Shared,
                Some(login)
                    if login.unclear && self.users.is_about_some() && in_time != Some(false) =>
                {
                    Answer::Unreadable
                }
                Some(login) if login.is_unverified() => Answer::Other,
                Some(_) if row.user.is_some() => Answer::Different,
                _ => Answer::Other,
            };
        }
        if self.spared == Some(row.key) {
            return Answer::Other;
        }
        match in_time {
            None => Answer::Undated,
            Some(false) if self.saved.is_some_and(|time| time.is_before(session.saved())) => {
                Answer::SavedLater
            }
            Some(false) => Answer::Other,
            Some(true) if !self.users.wants_all() && login.is_some_and(Login::is_unverified) => {
                Answer::Unverified
            }
            Some(true) => Answer::Match,
        }
    }

    /// Whether a session of which this is the answer is listed, and deleted once a key has proved right.
    pub(crate) fn takes(&self, answer: Answer) -> bool {
        match answer {
            Answer::Match => true,
            Answer::Unverified => !self.verified_only,
            _ => false,
        }
    }

    /// Counts one answer. Sessions that no key verifies are counted as matches by whoever finds out that the keys are
    /// right.
    pub(crate) fn count(&self, answer: Answer, verdict: &Verdict<'_>, matches: &mut Matches) {
        *match answer {
            Answer::Match => &mut matches.matched,
            Answer::Unverified => &mut matches.unverified,
            Answer::Undated => &mut matches.undated,
            Answer::SavedLater => &mut matches.saved_later,
            Answer::Shared => &mut matches.shared,
            Answer::Different => &mut matches.different,
            Answer::Alike => &mut matches.alike,
            Answer::Unfit => &mut matches.unfit,
            Answer::Unreadable => &mut matches.unreadable,
            Answer::Other => return,
        } += 1;
        if let (Verdict::Login(login), true) = (verdict, self.takes(answer)) {
            matches.impersonated += u64::from(self.users.is_behind(login));
        }
    }
}

impl UserFilter<'_> {
    /// Whether rows without a login are asked for, too.
    fn wants_all(self) -> bool {
        matches!(self, Self::Anybody | Self::EverythingBut(_))
    }

    /// Whether a session of a user who is to be spared is somebody else's, too.
    fn shares(self, login: &Login<'_>) -> bool {
        match self {
            Self::AllBut(spared) | Self::EverythingBut(spared) => {
                login.unclear || login.users().any(|id| !spared.contains(id))
            }
            Self::Anybody | Self::These(_) => false,
        }
    }

    /// Whether it matters which users a session names beside its own.
    fn is_about_some(self) -> bool {
        matches!(self, Self::These(_))
    }

    /// Whether a row with this login, or with none, is asked for.
    pub(crate) fn wants(self, login: Option<&Login<'_>>) -> bool {
        let names =
            |ids: &UserIds| login.is_some_and(|login| login.users().any(|id| ids.contains(id)));
        let may_be = || login.is_some_and(|login| self.may_be(login));
        match self {
            Self::Anybody => true,
            Self::These(ids) => names(ids),
            Self::AllBut(ids) => login.is_some() && !names(ids) && !may_be(),
            Self::EverythingBut(ids) => !names(ids) && !may_be(),
        }
    }

    /// Whether Django may read an id in a session as that of a user who is asked for, or is to be spared.
    fn may_mean(self, login: &Login<'_>) -> bool {
        match self {
            Self::Anybody => false,
            Self::These(ids) | Self::AllBut(ids) | Self::EverythingBut(ids) => {
                login.users().any(|id| ids.may_mean(id))
            }
        }
    }

    /// Whether a session may be of a user who is asked for, or is to be spared, although its id is not theirs: Django may
    /// read it so, or the key of the table of users cannot hold it.
    fn may_be(self, login: &Login<'_>) -> bool {
        self.may_mean(login)
            || match self {
                Self::Anybody => false,
                Self::These(ids) | Self::AllBut(ids) | Self::EverythingBut(ids) => {
                    ids.is_unfit(&login.user_id)
                }
            }
    }

    fn wants_auth(self, auth: &Auth<'_>) -> bool {
        let mut users = auth.user_id.iter().chain(&auth.others);
        match self {
            Self::Anybody => false,
            Self::These(ids) | Self::EverythingBut(ids) => {
                auth.unclear || users.any(|id| ids.contains(id))
            }
            Self::AllBut(ids) => !users.any(|id| ids.contains(id)),
        }
    }

    /// Whether the session is another user's, behind whom one who is asked for stands.
    fn is_behind(self, login: &Login<'_>) -> bool {
        match self {
            Self::These(ids) => !ids.contains(&login.user_id),
            Self::Anybody | Self::AllBut(_) | Self::EverythingBut(_) => !login.others.is_empty(),
        }
    }
}
