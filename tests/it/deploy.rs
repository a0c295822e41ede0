//! What `docs/deploy.md` has operators install: checked by systemd itself, and its command lines are run.

use std::path::Path;
use std::process::Command;

use crate::world::{World, program};

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

#[test]
fn systemd_accepts_the_units() {
    let folder = std::env::temp_dir().join(format!("sessctl-units-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let binary = program(&[]).get_program().to_owned();
    let service = read("deploy/sessctl-purge.service")
        .replace("/usr/local/bin/sessctl", binary.to_str().unwrap());
    let units = [
        ("sessctl-purge.service", service),
        ("sessctl-purge.timer", read("deploy/sessctl-purge.timer")),
    ];
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no"]);
    for (name, unit) in &units {
        std::fs::write(folder.join(name), unit).unwrap();
        command.arg(folder.join(name));
    }
    let verified = command.output().expect("systemd-analyze");
    let security = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", "--threshold=20"])
        .arg(folder.join("sessctl-purge.service"))
        .output()
        .unwrap();
    let _ = std::fs::remove_dir_all(&folder);
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && !said.contains("sessctl-purge"), "{said}");
    assert!(security.status.success(), "{}", String::from_utf8_lossy(&security.stdout));
}

/// In minutes at most: it ends what `--run-time` did not.
fn minutes(time: &str) -> u32 {
    let (number, unit) = time.split_at(time.find(|c: char| !c.is_ascii_digit()).unwrap());
    number.parse::<u32>().unwrap() * if unit == "h" { 60 } else { 1 }
}

/// A stranger who holds the lock (exit code 3) is to be noticed, and a run that hangs is to end.
#[test]
fn the_unit_hides_no_failure_and_ends() {
    let service = read("deploy/sessctl-purge.service");
    let value = |name: &str| service.lines().find_map(|line| line.strip_prefix(name));
    for hides in ["SuccessExitStatus=", "RestartPreventExitStatus=", "TimeoutStartFailureMode="] {
        assert_eq!(value(hides), None, "{hides}");
    }
    assert!(!value("ExecStart=").unwrap().starts_with('-'));
    let (_, run_time) = value("ExecStart=").unwrap().split_once("--run-time ").unwrap();
    let timeout = value("TimeoutStartSec=").unwrap();
    assert!(timeout.ends_with("min") && minutes(timeout) > minutes(run_time), "{timeout}");
}

/// The arguments of each command line of the binary in these files.
fn command_lines() -> Vec<Vec<String>> {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let (service, docs, job) =
        (read("deploy/sessctl-purge.service"), read("docs/deploy.md"), read("deploy/cronjob.yaml"));
    let mut lines: Vec<_> = service
        .lines()
        .chain(docs.lines())
        .filter_map(|line| line.split_once("/usr/local/bin/sessctl "))
        .map(|(_, arguments)| words(arguments))
        .collect();
    let args = job.lines().find_map(|line| line.trim().strip_prefix("args: [")).unwrap();
    lines.push(words(&args.trim_end_matches(']').replace(',', " ")));
    lines
}

#[test]
fn their_command_lines_purge() {
    let lines = command_lines();
    assert_eq!(lines.len(), 3);
    for arguments in lines {
        World::each("deploy", |w| {
            w.expired(3).live(2);
            let mut command = program(&[]);
            command.args(&arguments).env("DATABASE_URL", w.url());
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{arguments:?}: {said}");
            assert_eq!(w.count(), 2, "{arguments:?}");
            if arguments.contains(&"--quiet".to_owned()) {
                assert!(output.stdout.is_empty() && said.is_empty(), "{said}");
            }
        });
    }
}

#[test]
fn the_alert_names_a_metric_that_is_written() {
    let metric = "sessctl_purge_last_success_timestamp_seconds";
    assert!(read("docs/deploy.md").contains(metric));
    let w = World::sqlite("deploy_metrics");
    w.expired(1);
    let file = w.file("sessctl.prom", "");
    w.run(&["purge-expired", "--metrics-file", &file]).ok();
    assert!(std::fs::read_to_string(file).unwrap().contains(metric));
}
