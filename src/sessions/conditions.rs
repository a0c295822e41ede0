//! What a session has to be besides whose: anonymous, large, of an old layout, with a value under a key. Each condition narrows
//! the others.

use django_session::{DecodeError, Decoded, Layout, Serializer, Signature, Verdict};

use super::own_logins::{has_django_login, may_be_own_login};
use crate::cli::{self, LayoutName, SerializerName};
use crate::context::Ctx;
use crate::error::Error;
use crate::model::{MASKED_KEY_CHARS, Row, Timestamp, counted, masked_key};
use crate::settings;

/// Conditions that a session has to meet.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub(crate) struct Conditions {
    anonymous: bool,
    logged_in: bool,
    /// Values by the path of keys that leads to each.
    values: Vec<(String, String)>,
    larger_than: Option<usize>,
    serializer: Option<Serializer>,
    layout: Option<Layout>,
    unverified: bool,
    /// The place of the key in the keyring, from 0 on.
    signed_by: Option<usize>,
    unreadable: bool,
    /// The key of the one session.
    key: Option<String>,
    /// Whether a key of the site's own may hold a login.
    has_own_logins: bool,
    deletion: Option<Deletion>,
    /// The options as they were typed.
    typed: Vec<String>,
}

/// What is asked further of sessions that are to be deleted.
struct Deletion {
    /// When the command began, in seconds since 1970.
    began: i64,
    /// Whether a key was given, so that a row which none verifies needs another one that shows the key to be right.
    has_key: bool,
}

/// Whether a session meets conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meets {
    Yes,
    No,
    /// What decides is in a part that cannot be read.
    Unknown,
    /// It names no user, but may hold a login under a key of the site's own.
    UnlessLogin,
    /// It does, and was saved after the command began. Sites make anonymous sessions all the time.
    SavedSince,
}

impl From<bool> for Meets {
    fn from(meets: bool) -> Self {
        if meets { Self::Yes } else { Self::No }
    }
}

/// One condition.
type Condition = fn(&Conditions, &Row<'_>, &Decoded<'_>, &Verdict<'_>) -> Meets;

/// All of them. The cheap ones come first.
const ALL: [Condition; 10] = [
    |all, row, _, _| all.key.as_ref().is_none_or(|key| key == row.key).into(),
    |all, row, _, _| all.larger_than.is_none_or(|bytes| row.data.bytes() > bytes).into(),
    |all, _, _, verdict| (!all.unreadable || is_unreadable(verdict)).into(),
    Conditions::meets_layout,
    Conditions::meets_serializer,
    Conditions::meets_anonymous,
    Conditions::meets_logged_in,
    |all, _, session, _| match session.signature() {
        _ if !all.unverified => Meets::Yes,
        Signature::Invalid => Meets::Yes,
        Signature::Valid => Meets::No,
        Signature::Unchecked => Meets::Unknown,
    },
    |all, _, session, _| match session.signature() {
        _ if all.signed_by.is_none() => Meets::Yes,
        Signature::Unchecked => Meets::Unknown,
        Signature::Valid | Signature::Invalid => (all.signed_by == session.signed_by()).into(),
    },
    Conditions::meets_values,
];

impl Conditions {
    /// The conditions that the options name; `None` without one.
    pub(crate) fn of(ctx: &Ctx<'_>, args: &cli::Conditions) -> Result<Option<Self>, Error> {
        let cli::Conditions { anonymous, logged_in, unverified, unreadable, .. } = *args;
        if unverified && ctx.codec.keyring.is_empty() {
            return Err(Error::usage(
                "--unverified: no SECRET_KEY is given, so nothing can be verified",
                "give the site's SECRET_KEY (--secret-key-file, SESSCTL_SECRET_KEY or --django)",
            ));
        }
        let signed_by = args.signed_by.map(|key| place_of_key(ctx, key)).transpose()?;
        let values = args.matches.iter().map(|pair| settings::key_and_value("--match", pair));
        let size = args.larger_than.as_deref();
        let conditions = Self {
            anonymous,
            logged_in,
            values: values.collect::<Result<_, _>>()?,
            larger_than: size.map(|size| settings::bytes("--larger-than", size)).transpose()?,
            serializer: args.serializer.map(|name| match name {
                SerializerName::Json => Serializer::Json,
                SerializerName::Pickle => Serializer::Pickle,
            }),
            layout: args.layout.map(|name| match name {
                LayoutName::Signed => Layout::Signed,
                LayoutName::Legacy => Layout::Legacy,
                LayoutName::Md5 => Layout::Md5,
            }),
            unverified,
            signed_by,
            unreadable,
            key: None,
            has_own_logins: ctx.global.user_keys.is_empty(),
            deletion: None,
            typed: typed(args),
        };
        Ok((!conditions.typed.is_empty()).then_some(conditions))
    }

    /// The condition that it is the session with this key.
    pub(crate) fn of_session(key: &str) -> Self {
        let typed = vec![format!("--session {}", masked_key(key))];
        Self { key: Some(key.to_owned()), typed, ..Self::default() }
    }

    /// The same for sessions that are to be deleted by a command that begins now.
    pub(crate) fn for_deletion(self, ctx: &Ctx<'_>) -> Self {
        let began = Timestamp::now().as_seconds();
        let has_key = !ctx.codec.keyring.is_empty();
        Self { deletion: Some(Deletion { began, has_key }), ..self }
    }

    /// The options as they were typed, but for the rest of a session key.
    pub(crate) fn typed(&self) -> &[String] {
        &self.typed
    }

    /// Whether only sessions without a login meet them.
    pub(crate) fn are_for_visitors(&self) -> bool {
        self.anonymous
    }

    /// As much of the key of the one session as reports show, since the database may log its queries.
    pub(crate) fn key_prefix(&self) -> Option<String> {
        self.key.as_ref().map(|key| key.chars().take(MASKED_KEY_CHARS).collect())
    }

    /// Whether a session meets all of them.
    pub(crate) fn meet(
        &self,
        row: &Row<'_>,
        session: &Decoded<'_>,
        verdict: &Verdict<'_>,
    ) -> Meets {
        let mut all = Meets::Yes;
        for condition in ALL {
            match condition(self, row, session, verdict) {
                Meets::Yes => {}
                Meets::No => return Meets::No,
                doubtful if all == Meets::Yes => all = doubtful,
                _ => {}
            }
        }
        all
    }

    /// Whether a session that meets them may be deleted only once another row has shown that the key is right.
    pub(crate) fn need_proof(&self, session: &Decoded<'_>) -> bool {
        match session.signature() {
            Signature::Valid => false,
            Signature::Invalid => true,
            // It is too large to be read.
            Signature::Unchecked => self.deletion.as_ref().is_some_and(|deletion| deletion.has_key),
        }
    }

    fn meets_layout(&self, row: &Row<'_>, session: &Decoded<'_>, _: &Verdict<'_>) -> Meets {
        match (self.layout, session.layout()) {
            (None, _) => Meets::Yes,
            (Some(wanted), Some(layout)) => (wanted == layout).into(),
            (Some(_), None) if row.data.text().is_none() => Meets::Unknown,
            (Some(_), None) => Meets::No,
        }
    }

    fn meets_serializer(&self, _: &Row<'_>, session: &Decoded<'_>, verdict: &Verdict<'_>) -> Meets {
        match (self.serializer, session.payload()) {
            (None, _) => Meets::Yes,
            (Some(wanted), Ok(payload)) => (wanted == payload.serializer()).into(),
            (Some(_), Err(DecodeError::UnknownSerializer)) => Meets::No,
            (Some(_), Err(_)) if matches!(verdict, Verdict::Damaged(_)) => Meets::No,
            (Some(_), Err(_)) => Meets::Unknown,
        }
    }

    fn meets_anonymous(&self, _: &Row<'_>, session: &Decoded<'_>, verdict: &Verdict<'_>) -> Meets {
        match verdict {
            _ if !self.anonymous => Meets::Yes,
            Verdict::Login(_) | Verdict::Damaged(_) => Meets::No,
            Verdict::Unreadable(_) => Meets::Unknown,
            // `--user-key` may name the key of the members only, and staff logs in as Django does.
            Verdict::Anonymous { .. } if has_django_login(session) => Meets::No,
            Verdict::Anonymous { .. }
                if self.has_own_logins && may_be_own_login(session, verdict) =>
            {
                Meets::UnlessLogin
            }
            Verdict::Anonymous { .. } => {
                let began = self.deletion.as_ref().map_or(i64::MAX, |deletion| deletion.began);
                let is_new = session.saved().is_some_and(|saved| saved > began);
                if is_new { Meets::SavedSince } else { Meets::Yes }
            }
        }
    }

    /// The opposite of [`meets_anonymous`](Self::meets_anonymous): each session meets one of the two, or none if it is in doubt.
    fn meets_logged_in(&self, _: &Row<'_>, session: &Decoded<'_>, verdict: &Verdict<'_>) -> Meets {
        match verdict {
            _ if !self.logged_in => Meets::Yes,
            Verdict::Login(_) => Meets::Yes,
            Verdict::Unreadable(_) => Meets::Unknown,
            Verdict::Anonymous { .. } if has_django_login(session) => Meets::Yes,
            Verdict::Anonymous { .. }
                if self.has_own_logins && may_be_own_login(session, verdict) =>
            {
                Meets::UnlessLogin
            }
            Verdict::Anonymous { .. } | Verdict::Damaged(_) => Meets::No,
        }
    }

    fn meets_values(&self, _: &Row<'_>, session: &Decoded<'_>, verdict: &Verdict<'_>) -> Meets {
        if self.values.is_empty() {
            return Meets::Yes;
        }
        match (verdict, session.payload()) {
            // To the site it is an empty session.
            (Verdict::Damaged(_), _) => Meets::No,
            (Verdict::Login(_) | Verdict::Anonymous { .. }, Ok(payload)) => {
                let mut all = Meets::Yes;
                for (path, value) in &self.values {
                    match payload.holds(path, value) {
                        Ok(true) => {}
                        Ok(false) => return Meets::No,
                        Err(_) => all = Meets::Unknown,
                    }
                }
                all
            }
            _ => Meets::Unknown,
        }
    }
}

/// The place in the keyring of the key that has this number.
fn place_of_key(ctx: &Ctx<'_>, number: usize) -> Result<usize, Error> {
    const HINT: &str = "1 is SECRET_KEY, 2 the first of SECRET_KEY_FALLBACKS, or the second line of --secret-key-file";
    let keys = ctx.codec.keyring.len();
    match number.checked_sub(1) {
        Some(place) if place < keys => Ok(place),
        _ if keys == 0 => Err(Error::usage(
            "--signed-by: no SECRET_KEY is given, so nothing can be verified",
            "give the site's SECRET_KEY (--secret-key-file, SESSCTL_SECRET_KEY or --django)",
        )),
        _ => {
            let keys = u64::try_from(keys).unwrap_or(u64::MAX);
            let are = if keys == 1 { "is" } else { "are" };
            let text = format!("--signed-by {number}: {} {are} given", counted(keys, "key"));
            Err(Error::usage(text, HINT))
        }
    }
}

fn is_unreadable(verdict: &Verdict<'_>) -> bool {
    matches!(verdict, Verdict::Unreadable(_) | Verdict::Damaged(_))
}

/// The options with their values.
fn typed(args: &cli::Conditions) -> Vec<String> {
    let switches = [
        (args.anonymous, "--anonymous"),
        (args.logged_in, "--logged-in"),
        (args.unverified, "--unverified"),
        (args.unreadable, "--unreadable"),
    ];
    let switches = switches.into_iter().filter(|(given, _)| *given);
    let serializer = args.serializer.map(|name| match name {
        SerializerName::Json => "--serializer json",
        SerializerName::Pickle => "--serializer pickle",
    });
    let layout = args.layout.map(|name| match name {
        LayoutName::Signed => "--layout signed",
        LayoutName::Legacy => "--layout legacy",
        LayoutName::Md5 => "--layout md5",
    });
    let words = switches.map(|(_, option)| option).chain(serializer).chain(layout);
    let size = args.larger_than.iter().map(|size| format!("--larger-than {size}"));
    let key = args.signed_by.iter().map(|key| format!("--signed-by {key}"));
    let values = args.matches.iter().map(|pair| format!("--match {pair}"));
    words.map(str::to_owned).chain(size).chain(key).chain(values).collect()
}
