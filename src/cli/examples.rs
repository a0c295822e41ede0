//! The examples that `--help` shows first. A test runs them (`tests/it/help.rs`).

pub(super) const SESSCTL: &str = "\
Examples:
  export DATABASE_URL=postgres://sessctl@db.example.com/site
  sessctl logout-user --username bob --dry-run
  sessctl logout-user 42
  sessctl list --logged-in --limit 10
  sessctl purge-expired --quiet
  sessctl stats --svg incident.svg";

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
                // The rest of the line is the shell's.
                let line = line.split(" >").next().unwrap_or_default();
                let parsed = Cli::try_parse_from(line.split_whitespace());
                assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
                tried += 1;
            }
        }
        assert!(tried > 25, "{tried}");
    }
}
