//! What `README.md` and `docs/*.md` say of themselves, of each other and of these tests: links, names of tests, samples of output.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::world::{RunToEnd, program};

pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    std::fs::read_to_string(repository().join(file))
        .unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Name the library's own tests, too.
const NAME_ALL_TESTS: [&str; 2] = ["docs/reliability.md", "tests/mutants/RESULTS.md"];

/// The name and the text of `README.md`, of each file in `docs/` and of what the mutants showed.
pub(crate) fn pages() -> Vec<(String, String)> {
    let mut files = vec![PathBuf::from("README.md"), PathBuf::from("tests/mutants/RESULTS.md")];
    let docs = std::fs::read_dir(repository().join("docs")).unwrap();
    files.extend(docs.map(|entry| Path::new("docs").join(entry.unwrap().file_name())));
    files.retain(|file| file.extension().is_some_and(|extension| extension == "md"));
    files.sort();
    let names = files.iter().map(|file| file.display().to_string());
    names.map(|file| (file.clone(), read(&file))).collect()
}

/// The fenced blocks of a page in this language.
pub(crate) fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    let fenced = text.split("\n```").skip(1).step_by(2);
    let split = fenced.map(|block| block.split_once('\n').unwrap());
    split.filter(|(word, _)| *word == language).map(|(_, block)| block).collect()
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let names = headings.map(|line| line.trim_start_matches('#').trim().to_lowercase());
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ');
    names.map(|name| name.chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut links = 0;
    for (file, text) in pages() {
        let folder = Path::new(&file).parent().unwrap();
        for link in
            text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link)
        {
            if link.contains("://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let there = if path.is_empty() { PathBuf::from(&file) } else { folder.join(path) };
            assert!(repository().join(&there).exists(), "{file}: {link}");
            let found =
                anchor.is_empty() || anchors(&read(there.to_str().unwrap())).contains(anchor);
            assert!(found, "{file}: no heading for {link}");
            links += 1;
        }
    }
    assert!(links > 70, "{links}");
}

/// Below the title stand two sentences at least, before anything else: what the page is for, and who needs it.
#[test]
fn every_page_begins_with_what_it_is_for() {
    for (file, text) in pages() {
        let (title, rest) = text.split_once("\n\n").unwrap();
        assert!(title.starts_with("# "), "{file}");
        let (first, _) = rest.split_once("\n\n").unwrap();
        let sentences = first.split_whitespace().filter(|word| word.ends_with('.')).count();
        assert!(first.starts_with(char::is_alphanumeric), "{file}: {first}");
        assert!(file == "README.md" || sentences >= 2, "{file}: {first}");
    }
}

/// On a fresh machine one command does the main job, and one runs all tests.
#[test]
fn the_readme_has_the_commands_of_a_newcomer_and_is_short() {
    let readme = read("README.md");
    let commands = blocks(&readme, "sh").join("\n");
    let has = |begin: &str| commands.lines().any(|line| line.starts_with(begin));
    assert!(has("cp fixtures/demo.sqlite3 ./demo.sqlite3 && cargo run ") && has("tests/run"));
    assert!(readme.lines().count() <= 150);
}

/// Everything in these folders that is written in Rust.
fn sources() -> String {
    let mut folders: Vec<PathBuf> =
        ["src", "tests", "crates"].map(|folder| repository().join(folder)).into();
    let mut text = String::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                text += &std::fs::read_to_string(entry).unwrap();
            }
        }
    }
    text
}

/// A promise is kept by the tests that it names: `module::beginning_of_the_name_*`.
#[test]
fn the_tests_that_pages_name_exist() {
    let sources = sources();
    let mut named = 0;
    for (file, text) in pages() {
        for name in text
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|name| !name.contains(['(', ' ', '<', '/', '\n']))
        {
            let Some((path, last)) = name.rsplit_once("::") else { continue };
            let whole = path.replace("::", "/");
            let modules = [&*whole, path.split("::").next().unwrap()];
            let text = |module| std::fs::read_to_string(repository().join("tests/it").join(module));
            let mut found = modules.iter().map(|module| text(format!("{module}.rs")));
            let own = found.find_map(Result::ok);
            if own.is_none() && !NAME_ALL_TESTS.contains(&&*file) {
                continue; // Not a test. There, it is one of the library's own.
            }
            let tests = own.as_ref().unwrap_or(&sources);
            let parts: Vec<&str> = last.split('*').collect();
            let found = match *parts {
                ["", ""] if own.is_some() => tests.contains("#[test]"),
                ["", ""] => {
                    let module = path.trim_end_matches("::tests").rsplit("::").next().unwrap();
                    tests.contains(&format!("mod {module};"))
                }
                ["", end] => tests.contains(&format!("{end}()")),
                [begins, ..] => tests.contains(&format!("fn {begins}")),
                [] => false,
            };
            assert!(found, "{file}: no test {name}");
            named += 1;
        }
    }
    assert!(named > 70, "{named}");
}

/// The names of the fields of a value, and of what is in it; of an array's first element.
fn fields(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            object.iter().map(|(name, value)| (name.clone(), fields(value))).collect()
        }
        Value::Array(array) => array.iter().take(1).map(fields).collect(),
        _ => Value::Null,
    }
}

/// A new field of a report is missing from its sample until somebody adds it.
#[test]
fn samples_of_reports_have_all_fields() {
    let mut samples = 0;
    for block in blocks(&read("docs/output.md"), "json") {
        let sample: Value = match serde_json::from_str(block) {
            Ok(value) => value,
            Err(_) => continue, // Lines of the audit file and of --log-format, each an object.
        };
        let command = sample["command"].as_str().unwrap();
        let more: &[&str] = match command {
            "logout-user" => &["--username", "user42"],
            "flush-all" => &["--yes"],
            "delete" => &["--anonymous", "--yes"],
            _ => &[],
        };
        let folder = std::env::temp_dir().join(format!("sessctl-sample-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let copy = folder.join("demo.sqlite3");
        std::fs::copy(repository().join("fixtures/demo.sqlite3"), &copy).unwrap();
        let mut run = program(&[command, "--format", "json", "--db-timezone", "UTC", "-d"]);
        run.arg(copy).args(more).env("SESSCTL_SECRET_KEY", read("fixtures/demo.secret_key").trim());
        let printed = run.ran("").ok().json();
        let _ = std::fs::remove_dir_all(&folder);
        assert_eq!(fields(&sample), fields(&printed), "the sample of {command}");
        samples += 1;
    }
    assert_eq!(samples, 7);
}
