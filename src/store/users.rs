use super::table::Table;
use super::user_column::UserType;

/// The table of a site's users. Columns that it has not are `None`.
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

/// Tables whose `user_id` refers to the users of the site: of Django's admin, and of packages that many sites have.
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

/// Primary keys of tables of history, which have the columns of the model that they keep (django-simple-history,
/// django-pghistory).
pub(super) const OF_HISTORY: [&str; 2] = ["history_id", "pgh_id"];

/// A table that may be that of the site's users.
#[derive(Clone, Debug)]
pub struct UsersFound {
    /// The table, with those of Django's columns that it has.
    pub users: Users,
    /// What says so.
    pub evidence: Evidence,
    /// In which schema that was found: 0 is that of the sessions, 1 the next one behind it on the search path; below 0 is
    /// one in front of it.
    pub place: i32,
    /// The table to which its key refers: its model inherits from that of this table.
    pub parent: Option<Table>,
}

/// How it is known that a table is one of users. The greater is the stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// It is called as Django's own, or has the columns of Django's `AbstractBaseUser`.
    Shape,
    /// The tables of its model's groups and permissions refer to it. Django names them after the model's own table, and
    /// only a model of users has both.
    Groups,
    /// The session table, or a table of Django's admin or of a package that is known, refers to it by `user_id`.
    Referred,
}

/// What the primary key of a table of users holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserKey {
    /// What a user column of this type holds.
    Of(UserType),
    /// Text that is compared in either case: `citext` of PostgreSQL.
    AnyCase,
    /// Text that is padded with blanks to its length and compared without them: `char(n)` of PostgreSQL.
    Padded,
    /// It is declared so. Other types, numbers with a fraction among them, may have several spellings of one id.
    Other(String),
}

impl UserKey {
    /// The type of user column that holds the same ids; `None` if it is not known.
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

/// Which users are looked for. Columns are unquoted.
#[derive(Clone, Copy, Debug)]
pub enum UserQuery<'q> {
    /// In whose column this text stands.
    Having(&'q str, &'q str),
    /// With this e-mail address.
    Mail(&'q str, Address<'q>),
    /// In whose column it says so. A user of whom it says nothing is not so, as in Python.
    Whether(&'q str, bool),
    /// Any one user.
    Any,
    /// With one of these keys, as [`UserType::fit`] has them.
    Keys(&'q UserKey, &'q [String]),
}

/// An e-mail address. Django makes the domain lower case when a user is created, but not when one is
/// edited, so it may stand there in either.
#[derive(Clone, Copy, Debug)]
pub struct Address<'q> {
    /// All up to the last `@`, and that.
    pub local: &'q str,
    /// What follows.
    pub domain: &'q str,
}

impl<'q> UserQuery<'q> {
    /// The column of which the text itself decides: a database may take texts for equal that are not, and knows
    /// the lower case of ASCII only.
    pub(super) fn exact_column(&self) -> Option<&'q str> {
        match *self {
            Self::Having(column, _) | Self::Mail(column, _) => Some(column),
            Self::Whether(..) | Self::Any | Self::Keys(..) => None,
        }
    }

    /// Whether this text of that column is what was asked for.
    pub(super) fn is(&self, text: Option<&str>) -> bool {
        match self {
            Self::Having(_, value) => text == Some(value),
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

    /// Takes one apart.
    pub fn of(text: &'q str) -> Self {
        let (local, domain) = text.split_at(text.rfind('@').map_or(text.len(), |at| at + 1));
        Self { local, domain }
    }
}

impl Users {
    /// This table, with those of Django's columns that are among these.
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

    /// Django's own, in the schema of the session table.
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
