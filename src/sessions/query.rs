//! The sessions that a command asks for, and the test of one row against them. `list` and `logout-user` share
//! it, so one deletes what the other shows.

use django_session::{Auth, Decoded, Login, UserIds, Verdict};

use super::conditions::{Conditions, Meets};
use crate::model::{Row, SavedWindow, Timestamp};
use crate::report::Matches;

/// Which sessions are asked for.
#[derive(Clone, Copy)]
pub(crate) struct SessionQuery<'a> {
    pub(crate) users: UserFilter<'a>,
    /// Only sessions that were last saved in this window.
    pub(crate) saved: Option<SavedWindow>,
    /// The key of the one session that stays.
    pub(crate) spared: Option<&'a str>,
    /// Skip sessions that no key verifies, even if they name a user who is asked for.
    pub(crate) verified_only: bool,
    /// What sessions have to be besides.
    pub(crate) conditions: Option<&'a Conditions>,
    /// Only sessions beyond the newest few of their user. The answer to a row does not depend on this: it takes all
    /// rows (`newest.rs`).
    pub(crate) newest: Option<Newest>,
}

/// How many sessions of each user stay: those that were saved last.
#[derive(Clone, Copy)]
pub(crate) struct Newest {
    pub(crate) keep: usize,
    /// Sessions that were saved later, in seconds since 1970, are left out: in a scan that proves these are logins since
    /// the command began.
    pub(crate) until: Option<i64>,
}

/// Which users' sessions are asked for.
#[derive(Clone, Copy)]
pub(crate) enum UserFilter<'a> {
    /// Every live row, with or without a login.
    Anybody,
    /// Live sessions of these users.
    These(&'a UserIds),
    /// Live sessions of all users but these.
    AllBut(&'a UserIds),
    /// Every row except the sessions of these users: anonymous, expired and unreadable rows too.
    EverythingBut(&'a UserIds),
}

/// What a row is to a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The query asks for it.
    Match,
    /// The query asks for it, and no key verifies it.
    Unverified,
    /// A session of these users without a time of saving.
    Undated,
    /// A session of these users that was saved again after the window.
    SavedLater,
    /// A session of a spared user and, by impersonation, of another user who is not spared.
    Shared,
    /// The user column names a user who is asked for, but the data names another.
    Different,
    /// Its user id is spelled otherwise than those asked for, but Django may read it as one of them.
    Alike,
    /// The key of the table of users cannot hold its user id, so the user is unknown.
    Unfit,
    /// It cannot be read, or not as far as matters, so the query may ask for it.
    Unreadable,
    /// The query asks for anonymous sessions, and this one may hold a login under a key of the site's own.
    MaybeLogin,
    /// The query does not ask for it.
    Other,
}

impl Newest {
    pub(crate) fn of(keep: Option<u16>) -> Option<Self> {
        keep.map(|keep| Self { keep: usize::from(keep), until: None })
    }
}

impl<'a> SessionQuery<'a> {
    /// The same for a scan that proves, of a command that begins to delete now.
    pub(crate) fn proving(self) -> Self {
        let until = Some(Timestamp::now().as_seconds());
        Self { newest: self.newest.map(|newest| Newest { until, ..newest }), ..self }
    }

    /// All live sessions of these users.
    pub(crate) fn of(users: UserFilter<'a>) -> Self {
        Self {
            users,
            saved: None,
            spared: None,
            verified_only: false,
            conditions: None,
            newest: None,
        }
    }

    /// Whether it asks for sessions without a login only.
    pub(crate) fn is_of_visitors(&self) -> bool {
        self.conditions.is_some_and(Conditions::are_for_visitors)
    }

    /// The beginning of the key of the one session that it asks for.
    pub(crate) fn key_prefix(&self) -> Option<String> {
        self.conditions.and_then(Conditions::key_prefix)
    }

    /// Decides what a row is. It checks the signature only where the answer depends on it.
    pub(crate) fn verdict<'s>(&self, row: &Row<'_>, session: &Decoded<'s>) -> Verdict<'s> {
        session.verdict(|auth| {
            row.user.is_some() || self.conditions.is_some() || self.users.wants_auth(auth)
        })
    }

    /// Tests a row against the query.
    pub(crate) fn answer(
        &self,
        row: &Row<'_>,
        session: &Decoded<'_>,
        verdict: &Verdict<'_>,
    ) -> Answer {
        let Some(conditions) = self.conditions else {
            return self.answer_by_user(row, session, verdict);
        };
        let meets = conditions.meet(row, session, verdict);
        if meets == Meets::No {
            return Answer::Other;
        }
        match (self.answer_by_user(row, session, verdict), meets) {
            (Answer::Match | Answer::Unverified, Meets::Unknown) => Answer::Unreadable,
            (Answer::Match | Answer::Unverified, Meets::UnlessLogin) => Answer::MaybeLogin,
            (Answer::Match | Answer::Unverified, Meets::SavedSince) => Answer::SavedLater,
            (Answer::Match, _) if conditions.need_proof(session) => Answer::Unverified,
            (answer, _) => answer,
        }
    }

    fn answer_by_user(
        &self,
        row: &Row<'_>,
        session: &Decoded<'_>,
        verdict: &Verdict<'_>,
    ) -> Answer {
        let in_time = self.saved.map_or(Some(true), |time| time.contains(session.saved()));
        let login = match verdict {
            Verdict::Login(login) => Some(login),
            Verdict::Unreadable(_) if !self.users.wants_all() => {
                // A row that was saved outside the window is not asked for, even if the rest of it cannot be
                // read.
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
                    if in_time != Some(false)
                        && self.users.is_about_some()
                        && (login.unclear || self.users.is_unfit_behind(login)) =>
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

    /// Whether sessions with this answer are listed, and deleted once a key has proved right.
    pub(crate) fn takes(&self, answer: Answer) -> bool {
        match answer {
            Answer::Match => true,
            Answer::Unverified => !self.verified_only,
            _ => false,
        }
    }

    /// Counts one answer. The caller counts unverified sessions as matches once a key has proved right.
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
            Answer::Unreadable | Answer::MaybeLogin => &mut matches.unreadable,
            Answer::Other => return,
        } += 1;
        if let (Verdict::Login(login), true) = (verdict, self.takes(answer)) {
            matches.impersonated += u64::from(self.users.is_behind(login));
        }
    }
}

/// Whose session a cache entry holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// That of a user whose sessions are to end.
    Theirs,
    /// That of somebody who cannot be told: it may be theirs.
    Unknown,
    /// That of nobody, or of somebody else.
    Others,
}

impl UserFilter<'_> {
    /// Whose session it is, by what a cache entry holds.
    pub(crate) fn whose(self, entry: &Verdict<'_>) -> Whose {
        match entry {
            Verdict::Anonymous { .. } => Whose::Others,
            Verdict::Login(login) if self.wants(Some(login)) => Whose::Theirs,
            Verdict::Login(login) => {
                let may_be = self.may_be(login) || login.unclear || self.is_unfit_behind(login);
                if self.is_about_some() && may_be { Whose::Unknown } else { Whose::Others }
            }
            Verdict::Unreadable(_) | Verdict::Damaged(_) => Whose::Unknown,
        }
    }

    /// Whether the filter includes rows without a login.
    fn wants_all(self) -> bool {
        matches!(self, Self::Anybody | Self::EverythingBut(_))
    }

    /// Whether a spared user's session also belongs, by impersonation, to a user who is not spared.
    fn shares(self, login: &Login<'_>) -> bool {
        match self {
            Self::AllBut(spared) | Self::EverythingBut(spared) => {
                login.unclear || login.users().any(|id| !spared.contains(id))
            }
            Self::Anybody | Self::These(_) => false,
        }
    }

    /// Whether the filter names users, so that the other users in an impersonated session matter.
    pub(crate) fn is_about_some(self) -> bool {
        matches!(self, Self::These(_))
    }

    /// Whether the filter includes a row with this login, or one without a login.
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

    /// Whether Django may read the id of this login as that of a user whom the filter names.
    fn may_mean(self, login: &Login<'_>) -> bool {
        match self {
            Self::Anybody => false,
            Self::These(ids) | Self::AllBut(ids) | Self::EverythingBut(ids) => {
                login.users().any(|id| ids.may_mean(id))
            }
        }
    }

    /// Whether a session may belong to a user whom the filter names, although the ids differ: Django may read
    /// its id so, or the key of the table of users cannot hold its id.
    fn may_be(self, login: &Login<'_>) -> bool {
        self.may_mean(login)
            || match self {
                Self::Anybody => false,
                Self::These(ids) | Self::AllBut(ids) | Self::EverythingBut(ids) => {
                    ids.is_unfit(&login.user_id)
                }
            }
    }

    /// Whether the key of the table of users cannot hold an id of somebody behind the login, in any reading.
    fn is_unfit_behind(self, login: &Login<'_>) -> bool {
        let (Self::These(ids) | Self::AllBut(ids) | Self::EverythingBut(ids)) = self else {
            return false;
        };
        let is_read_otherwise =
            |id: &str| login.users().any(|one| !ids.is_unfit(one) && is_reading(one, id));
        login.others.iter().any(|id| ids.is_unfit(id) && !is_read_otherwise(id))
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

    /// Whether the session is another user's whom a user of this filter impersonates.
    pub(crate) fn is_behind(self, login: &Login<'_>) -> bool {
        match self {
            Self::These(ids) => !ids.contains(&login.user_id),
            Self::Anybody | Self::AllBut(_) | Self::EverythingBut(_) => !login.others.is_empty(),
        }
    }
}

/// Whether both ids can be read from one signed text: the id alone, and the id with a part of the signature.
pub(crate) fn is_reading(id: &str, longer: &str) -> bool {
    longer.strip_prefix(id).is_some_and(|rest| rest.starts_with([':', '/']))
}
