//! Options that select users by name, address or flags: `--username`, `--staff` and the like.

use std::path::PathBuf;

use clap::Args;

use super::WHOM;

/// Options of commands that only read, which select users.
#[derive(Clone, Debug, Args)]
pub struct Whom {
    /// Only sessions of this user; may be repeated.
    #[arg(id = "whom_users", long = "user", value_name = "ID", allow_negative_numbers = true, help_heading = WHOM)]
    pub users: Vec<String>,
    /// Also of users with the ids in this file, one a line; - is standard input.
    #[arg(long, value_name = "FILE", help_heading = WHOM)]
    pub from_file: Option<PathBuf>,
    /// Users by what the site knows of them.
    #[command(flatten)]
    pub selectors: UserSelectors,
}

impl Whom {
    /// The options that select users.
    pub(super) const OPTIONS: [&'static str; 8] = [
        "whom_users",
        "from_file",
        "usernames",
        "emails",
        "deactivated",
        "staff",
        "superusers",
        "deleted_users",
    ];

    /// Whether one of these options was typed.
    pub fn is_given(&self) -> bool {
        !self.users.is_empty() || self.from_file.is_some() || self.selectors.is_given()
    }
}

/// Options that select users by their row in the table of users.
#[derive(Clone, Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch that was typed")]
pub struct UserSelectors {
    /// Users who log in with this name; may be repeated.
    #[arg(long = "username", value_name = "NAME", help_heading = WHOM)]
    pub usernames: Vec<String>,
    /// Users with this e-mail address; may be repeated.
    #[arg(long = "email", value_name = "ADDRESS", help_heading = WHOM)]
    pub emails: Vec<String>,
    /// Instead of named users: all who may not log in any more (is_active). With --staff or --superusers, only those who are
    /// that, too.
    #[arg(long, alias = "inactive", help_heading = WHOM)]
    pub deactivated: bool,
    /// Instead of named users: all who may enter Django's admin (is_staff).
    #[arg(long, help_heading = WHOM)]
    pub staff: bool,
    /// Instead of named users: all who may do everything (is_superuser).
    #[arg(long, help_heading = WHOM)]
    pub superusers: bool,
    /// Instead of named users: all who have sessions and exist no longer.
    #[arg(long, help_heading = WHOM)]
    pub deleted_users: bool,
    /// Table of users; by default the one to which the site's foreign keys refer, or auth_user.
    #[arg(long, value_name = "[SCHEMA.]NAME", help_heading = WHOM)]
    pub user_table: Option<String>,
}

impl UserSelectors {
    /// The options that make ids on the command line unnecessary.
    pub(super) const OR_IDS: [&'static str; 7] =
        ["from_file", "usernames", "emails", "deactivated", "staff", "superusers", "deleted_users"];

    /// Whether one of these options was typed.
    pub fn is_given(&self) -> bool {
        !self.usernames.is_empty()
            || !self.emails.is_empty()
            || self.deleted_users
            || !self.conditions().is_empty()
    }

    /// The conditions that were typed.
    pub fn conditions(&self) -> Vec<&'static str> {
        let all = [
            (self.deactivated, "--deactivated"),
            (self.staff, "--staff"),
            (self.superusers, "--superusers"),
        ];
        all.into_iter().filter(|(given, _)| *given).map(|(_, option)| option).collect()
    }
}
