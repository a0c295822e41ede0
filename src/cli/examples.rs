//! What `--help` shows first: lines that can be copied, and are tried (`tests/it/help.rs`).

pub(super) const SESSCTL: &str = "\
Examples:
  export DATABASE_URL=postgres://sessctl@db.example.com/site
  sessctl logout-user 42 --dry-run
  sessctl logout-user 42
  sessctl purge-expired --quiet
  sessctl stats";

pub(super) const LOGOUT_USER: &str = "\
Examples:
  sessctl logout-user 42 --dry-run
  sessctl logout-user 42 1042 --settle 5s
  sessctl logout-user 42 --all-schemas --audit-file /var/log/sessctl.jsonl --reason laptop-stolen
  sessctl logout-user --from-file stolen.txt --saved-between 2026-11-20T14:00 2026-11-20T16:30
  sessctl logout-user 42 --except jo3q3qa3
  sessctl logout-user --username anna --inactive --dry-run
  sessctl --django /srv/shop logout-user --deleted-users";

pub(super) const PURGE_EXPIRED: &str = "\
Examples:
  sessctl purge-expired --dry-run
  sessctl purge-expired --quiet --skip-if-running --run-time 1h
  sessctl purge-expired --older-than 30d --nice 1.0 --max-lag 5s";

pub(super) const FLUSH_ALL: &str = "\
Examples:
  sessctl flush-all --dry-run
  sessctl flush-all --yes --authenticated-only
  sessctl flush-all --yes --except-user 1
  sessctl flush-all --yes --keep-data --secret-key-file key";

pub(super) const BACKFILL: &str = "\
Examples:
  sessctl backfill --dry-run
  sessctl backfill --column user_id --type bigint
  sessctl backfill --watch-nulls";

pub(super) const DOCTOR: &str = "\
Examples:
  sessctl doctor
  sessctl doctor --quiet
  sessctl doctor --format json
  sessctl doctor --grants";

pub(super) const CHECK: &str = "\
Examples:
  sessctl check
  sessctl check --max-expired 100000 --max-age 2d";

pub(super) const LIST: &str = "\
Examples:
  sessctl list --user 42
  sessctl list --format jsonl
  sessctl list --idle 30d --format ids";

pub(super) const SHOW: &str = "\
Examples:
  sessctl show jo3q3qa3
  sessctl show - --format json";

pub(super) const STATS: &str = "\
Examples:
  sessctl stats
  sessctl stats --top 20 --format json
  sessctl stats --saved-between 2026-11-20 2026-11-21";

pub(super) const DECODE: &str = "\
Examples:
  sessctl decode values.txt
  sessctl decode -0 - --secret-key-file key";

pub(super) const DJANGO_CODE: &str = "\
Examples:
  sessctl django-code
  sessctl django-code --column user_id --type bigint --app mysite.session_user --output mysite/session_user";

pub(super) const COMPLETIONS: &str = "\
Examples:
  sessctl completions bash >/etc/bash_completion.d/sessctl
  sessctl completions zsh >/usr/local/share/zsh/site-functions/_sessctl";

pub(super) const MAN: &str = "\
Examples:
  sessctl man --output /usr/local/share/man/man1
  sessctl man";

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use crate::cli::Cli;

    #[test]
    fn every_example_is_understood() {
        let program = Cli::command();
        let helps = std::iter::once(&program).chain(program.get_subcommands());
        let mut tried = 0;
        for command in helps {
            let help = command.get_before_long_help().map(ToString::to_string).unwrap_or_default();
            for line in help.lines().filter_map(|line| line.strip_prefix("  ")) {
                if line.starts_with("export ") {
                    continue;
                }
                // What follows is the shell's.
                let line = line.split(" >").next().unwrap_or_default();
                let parsed = Cli::try_parse_from(line.split_whitespace());
                assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
                tried += 1;
            }
        }
        assert!(tried > 25, "{tried}");
    }
}
