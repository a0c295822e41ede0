//! The table of a site's users: its columns, the evidence that a table is one, and queries for users.

use super::table::Table;
use super::user_column::UserType;

/// The table of a site's users. Columns that it lacks are `None`.
#[derive(Clone, Debug)]
pub struct Users {
    /// The table.
    pub table: Table,
    /// Its primary key, unquoted.
    pub key: String,
    /// What users log in with.
    pub username: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Whether a user may log in.
    pub is_active: Option<String>,
    /// Whether a user may enter Django's admin.
    pub is_staff: Option<String>,
    /// Whether a user may do everything.
    pub is_superuser: Option<String>,
}

/// Tables whose `user_id` refers to the table of users: those of Django's admin and of widely used packages.
pub(super) const REFERRING: [&str; 11] = [
    "django_admin_log",
    "authtoken_token",
    "account_emailaddress",
    "socialaccount_socialaccount",
    "usersessions_usersession",
    "mfa_authenticator",
    "social_auth_usersocialauth",
    "oauth2_provider_accesstoken",
    "token_blacklist_outstandingtoken",
    "otp_totp_totpdevice",
    "reversion_revision",
];

/// Words in the names of tables of people. One of them with a column `password` may be the table of users,
/// although its model has no `last_login`.
pub(super) const PEOPLE: [&str; 8] =
    ["user", "member", "person", "people", "customer", "employee", "student", "profile"];

/// Primary keys of history tables, which copy the columns of a model (django-simple-history,
/// django-pghistory).
pub(super) const OF_HISTORY: [&str; 2] = ["history_id", "pgh_id"];

/// A candidate for the table of users.
#[derive(Clone, Debug)]
pub struct UsersFound {
    /// The table, with those columns of Django's user model that it has.
    pub users: Users,
    /// The evidence for it.
    pub evidence: Evidence,
    /// The schema that holds the evidence, counted along the search path: 0 is the schema of the session
    /// table, 1 the next one, -1 the one before.
    pub place: i32,
    /// The table that its key refers to: its model inherits from that table's model.
    pub parent: Option<Table>,
}

impl UsersFound {
    /// Whether Django finds this table in place of the other one, which has the same name and comes later on the
    /// search path.
    pub fn hides(&self, other: &Self) -> bool {
        let (own, others) = (self.users.table.name(), other.users.table.name());
        self.place < other.place && own.eq_ignore_ascii_case(others)
    }
}

/// The evidence that a table holds users. Greater is stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// It has the name of Django's default table, or the columns of Django's `AbstractBaseUser`, or passwords
    /// and a name of people.
    Shape,
    /// Tables of groups and of permissions refer to it. Django names them after the model's table, and only a
    /// user model has both.
    Groups,
    /// The session table, or a table of Django's admin or of a known package, refers to it by `user_id`.
    Referred,
}

/// Whether two users can have the same text in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uniqueness {
    /// No: it is unique, alone or as `lower()` or `upper()` of it, and in all rows.
    Unique,
    /// Yes, although the table has a unique index beside its primary key.
    NotUnique,
    /// The table has no unique index but its primary key, so it does not tell.
    Unknown,
}

impl Uniqueness {
    /// From the unique indexes of the table.
    pub(super) fn of(column_is_unique: bool, has_others: bool) -> Self {
        match (column_is_unique, has_others) {
            (true, _) => Self::Unique,
            (false, true) => Self::NotUnique,
            (false, false) => Self::Unknown,
        }
    }
}

/// The type of the primary key of a table of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserKey {
    /// The same as a user column of this type.
    Of(UserType),
    /// Text that is compared case-insensitively: `citext` of PostgreSQL.
    AnyCase,
    /// Text that is padded with blanks and compared without them: `char(n)` of PostgreSQL.
    Padded,
    /// Another type, by its declared name. Such types, for example numbers with a fraction, may spell one id
    /// in several ways.
    Other(String),
}

impl UserKey {
    /// The type of user column that holds the same ids; `None` if it is unknown.
    pub fn kind(&self) -> Option<UserType> {
        match self {
            Self::Of(kind) => Some(*kind),
            Self::AnyCase | Self::Padded => Some(UserType::Text),
            Self::Other(_) => None,
        }
    }
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct User {
    /// The primary key as text.
    pub id: String,
    /// What the user logs in with.
    pub name: Option<String>,
}

impl User {
    /// Keeps the beginning of a long name: a view can have thousands of users with names of megabytes.
    pub fn new(id: String, name: Option<&str>) -> Self {
        const MOST_CHARS: usize = 200;
        let brief = |name: &str| match name.char_indices().nth(MOST_CHARS) {
            Some(_) => name.chars().take(MOST_CHARS - 1).chain(['…']).collect(),
            None => name.to_owned(),
        };
        Self { id, name: name.map(brief) }
    }
}

/// A query for users. Column names are unquoted.
#[derive(Clone, Copy, Debug)]
pub enum UserQuery<'q> {
    /// Users with this text in this column.
    Having(&'q str, &'q str),
    /// Users whose text in this column differs from this one in nothing but letter case, as far as the database knows
    /// the letters.
    AnyCase(&'q str, &'q str),
    /// Users with this e-mail address in this column.
    Mail(&'q str, Address<'q>),
    /// Users with these values in these boolean columns. NULL counts as false, as in Python.
    Whether(&'q [(&'q str, bool)]),
    /// Any one user.
    Any,
    /// Users with one of these keys, spelled as [`UserType::fit`] returns them.
    Keys(&'q UserKey, &'q [String]),
}

/// An e-mail address. Django lower-cases the domain when it creates a user, but not when a user is edited, so
/// the table may hold either case.
#[derive(Clone, Copy, Debug)]
pub struct Address<'q> {
    /// Everything up to and including the last `@`.
    pub local: &'q str,
    /// The part after it.
    pub domain: &'q str,
}

/// The SQL for [`UserQuery::Whether`].
pub(super) fn all_of(flags: &[(&str, bool)], column: impl Fn(&str) -> String) -> String {
    let flag = |(name, value): &(&str, bool)| {
        format!("{} IS {}", column(name), if *value { "TRUE" } else { "NOT TRUE" })
    };
    flags.iter().map(flag).collect::<Vec<_>>().join(" AND ")
}

impl<'q> UserQuery<'q> {
    /// The column whose text must be compared here and not in the database, which may take different texts
    /// for equal, and may lower-case ASCII only.
    pub(super) fn exact_column(&self) -> Option<&'q str> {
        match *self {
            Self::Having(column, _) | Self::AnyCase(column, _) | Self::Mail(column, _) => {
                Some(column)
            }
            Self::Whether(..) | Self::Any | Self::Keys(..) => None,
        }
    }

    /// Whether this text of that column matches the query.
    pub(super) fn is(&self, text: Option<&str>) -> bool {
        match self {
            Self::Having(_, value) => text == Some(value),
            Self::AnyCase(_, value) => {
                text.is_some_and(|text| text.to_lowercase() == value.to_lowercase())
            }
            Self::Mail(_, address) => text.is_some_and(|text| address.is(text)),
            Self::Whether(..) | Self::Any | Self::Keys(..) => true,
        }
    }
}

impl<'q> Address<'q> {
    fn is(&self, text: &str) -> bool {
        let domain = text.strip_prefix(self.local);
        domain.is_some_and(|domain| domain.to_lowercase() == self.domain.to_lowercase())
    }

    /// Splits an address at its last `@`.
    pub fn of(text: &'q str) -> Self {
        let (local, domain) = text.split_at(text.rfind('@').map_or(text.len(), |at| at + 1));
        Self { local, domain }
    }
}

impl Users {
    /// The table, with those columns of Django's user model that are among `columns`.
    pub(super) fn of(table: Table, key: String, columns: &[String]) -> Self {
        let column =
            |name: &str| columns.iter().find(|column| column.eq_ignore_ascii_case(name)).cloned();
        Self {
            table,
            key,
            username: column("username"),
            email: column("email"),
            is_active: column("is_active"),
            is_staff: column("is_staff"),
            is_superuser: column("is_superuser"),
        }
    }

    /// Django's default table, in the schema of the session table.
    pub fn beside(sessions: &Table) -> Self {
        let column = |name: &str| Some(name.to_owned());
        Self {
            table: sessions.beside("auth_user"),
            key: "id".into(),
            username: column("username"),
            email: column("email"),
            is_active: column("is_active"),
            is_staff: column("is_staff"),
            is_superuser: column("is_superuser"),
        }
    }
}
