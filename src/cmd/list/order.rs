//! The order of a list, and the rank of a session in it.

use std::cmp::Reverse;
use std::sync::{Arc, PoisonError, RwLock};

use django_session::{Decoded, Verdict};

use crate::cli::{List, ListFormat, SortBy};
use crate::error::Error;
use crate::model::{Expiry, Row};

/// In which order sessions are listed, and how many.
pub(super) struct Order {
    by: SortBy,
    /// Most sessions that are listed.
    pub(super) most: usize,
    /// Whether further sessions are left out; otherwise they are an error.
    pub(super) has_limit: bool,
    /// The last of as many sessions as are listed: what comes behind it is left out.
    last: RwLock<Option<Arc<Rank>>>,
}

/// Most sessions that are sorted, at less than a kilobyte each.
pub(super) const MOST_SORTED: usize = 100_000;
/// Most sessions in a table, if nothing else was asked for.
const MOST_IN_TABLE: u64 = 1_000;
/// Most sessions that are shown with everything in them, if nothing else was asked for.
const MOST_WHOLE: u64 = 100;
/// Most characters of a user id that are compared.
const MOST_CHARS: usize = 200;

/// Where a session belongs: the lesser rank comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// The largest number first; without one last.
    Falling(Reverse<Option<i64>>),
    /// The smallest number first.
    Rising(i64),
    /// Numbers as numbers, then texts, then who has no id.
    User(UserRank, Reverse<Option<i64>>),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum UserRank {
    Number(i128),
    Text(String),
    None,
}

impl Order {
    /// The order that was asked for; `None` if sessions are listed as they come.
    pub(super) fn of(args: &List) -> Result<Option<Self>, Error> {
        let usual = match args.format {
            ListFormat::Table => Some(MOST_IN_TABLE),
            ListFormat::Whole => Some(MOST_WHOLE),
            _ => None,
        };
        let by = match args.sort {
            Some(SortBy::None) => return Ok(None),
            Some(_) if args.format == ListFormat::Count => {
                return Err(Error::usage(
                    "--sort: a number of sessions has no order",
                    "leave it out, or --format",
                ));
            }
            Some(by) => by,
            // Nobody asked for an order: more than can be sorted is listed as it comes.
            None if usual.is_some() && args.limit.is_none_or(is_sortable) => SortBy::Saved,
            None => return Ok(None),
        };
        let limit = args.limit.or(usual);
        let most = limit.map_or(MOST_SORTED, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        if most > MOST_SORTED {
            Err(too_many())
        } else {
            let last = RwLock::new(None);
            Ok(Some(Self { by, most, has_limit: limit.is_some(), last }))
        }
    }

    /// The rank of a session.
    pub(super) fn rank(&self, row: &Row<'_>, session: &Decoded<'_>) -> Rank {
        let saved = Reverse(session.saved());
        match self.by {
            SortBy::Saved | SortBy::None => Rank::Falling(saved),
            SortBy::Size => Rank::Falling(Reverse(i64::try_from(row.data.bytes()).ok())),
            SortBy::Expires => Rank::Rising(match row.expires {
                Expiry::At(at) | Expiry::Wall(at) => at.as_micros_since_2000(),
                Expiry::Unreadable(_) => i64::MAX,
            }),
            SortBy::User => match session.verdict(|_| false) {
                Verdict::Login(login) => Rank::User(user_rank(&login.user_id), saved),
                _ => Rank::User(UserRank::None, saved),
            },
        }
    }

    /// The rank from which on sessions are left out, as far as is known.
    pub(super) fn last(&self) -> Option<Arc<Rank>> {
        self.last.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Leaves out sessions from this rank on.
    pub(super) fn ends_at(&self, rank: &Rank) {
        *self.last.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(rank.clone()));
    }
}

fn is_sortable(limit: u64) -> bool {
    usize::try_from(limit).is_ok_and(|limit| limit <= MOST_SORTED)
}

/// The error for more sessions than are sorted.
pub(super) fn too_many() -> Error {
    Error::usage(
        format!("--sort: at most {MOST_SORTED} sessions can be sorted"),
        "--limit N lists the first N; --sort none lists all as they come, for another program to sort",
    )
}

fn user_rank(id: &str) -> UserRank {
    match id.parse() {
        Ok(number) => UserRank::Number(number),
        Err(_) => UserRank::Text(id.chars().take(MOST_CHARS).collect()),
    }
}
