//! What comes with the program: docs/releasing.md says why each of these must hold. What changes them changes a list here, so
//! that a person has looked at it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test helper that cannot go on must stop the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Licences, as crates spell them, under which all of it may be given away with the program.
const LICENCES: &[&str] = &[
    "Apache-2.0",
    "MIT",
    "MIT OR Apache-2.0",
    "Apache-2.0 OR MIT",
    "MIT/Apache-2.0",
    "Unlicense OR MIT",
    "(MIT OR Apache-2.0) AND Unicode-3.0",
    "Unicode-3.0",
    // Lists of certificates, which are data.
    "CDLA-Permissive-2.0",
    "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
    "Apache-2.0 OR ISC OR MIT",
    "Apache-2.0 OR BSL-1.0 OR MIT",
    "Zlib OR Apache-2.0 OR MIT",
    "Apache-2.0 AND ISC",
    "ISC",
    "Zlib",
    "BSD-3-Clause",
];

/// Crates that are in the program in more than one version, since others ask for an old one: most of them are the hashes of
/// `mysql_common`.
const TWICE: &[&str] = &[
    "block-buffer",
    "cpufeatures",
    "crypto-common",
    "digest",
    "fallible-iterator",
    "getrandom",
    "sha1",
    "sha2",
    "syn",
];

/// Crates that bring C or assembly.
const NATIVE: &[&str] = &["libsqlite3-sys", "ring"];

struct Crates {
    packages: BTreeMap<String, Value>,
    /// Those that are in the program or that build it: not what only tests need.
    shipped: BTreeSet<String>,
    ours: String,
    /// All crates of this repository.
    members: BTreeSet<String>,
}

impl Crates {
    fn of_this_machine() -> Self {
        let host = Command::new("rustc").arg("-vV").output().unwrap().stdout;
        let host = String::from_utf8(host).unwrap();
        let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let metadata = Command::new(env!("CARGO"))
            .args(["metadata", "--frozen", "--format-version=1", "--filter-platform", host])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
        let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
        let id = |value: &Value| value.as_str().unwrap().to_owned();
        let by_id = |list: &Value| -> BTreeMap<String, Value> {
            list.as_array().unwrap().iter().map(|item| (id(&item["id"]), item.clone())).collect()
        };
        let nodes = by_id(&metadata["resolve"]["nodes"]);
        let ours = id(&metadata["resolve"]["root"]);
        let mut shipped = BTreeSet::new();
        let mut next = vec![ours.clone()];
        while let Some(package) = next.pop() {
            if !shipped.insert(package.clone()) {
                continue;
            }
            for dependency in nodes[&package]["deps"].as_array().unwrap() {
                let kinds = dependency["dep_kinds"].as_array().unwrap();
                if kinds.iter().any(|kind| kind["kind"] != "dev") {
                    next.push(id(&dependency["pkg"]));
                }
            }
        }
        let members = metadata["workspace_members"].as_array().unwrap().iter().map(id).collect();
        Self { packages: by_id(&metadata["packages"]), shipped, ours, members }
    }

    fn shipped(&self) -> impl Iterator<Item = &Value> {
        self.packages
            .iter()
            .filter(|(id, _)| self.shipped.contains(*id))
            .map(|(_, package)| package)
    }
}

fn name(package: &Value) -> &str {
    package["name"].as_str().unwrap()
}

#[test]
fn every_licence_has_been_looked_at() {
    let crates = Crates::of_this_machine();
    let unknown: Vec<_> = crates
        .packages
        .values()
        .filter(|package| !package["license"].as_str().is_some_and(|text| LICENCES.contains(&text)))
        .map(|package| format!("{}: {}", name(package), package["license"]))
        .collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn every_crate_is_from_the_registry() {
    let crates = Crates::of_this_machine();
    let registry = "registry+https://github.com/rust-lang/crates.io-index";
    for (id, package) in crates.packages.iter().filter(|(id, _)| !crates.members.contains(*id)) {
        assert_eq!(package["source"], registry, "{id}");
    }
}

#[test]
fn no_crate_is_there_twice_unless_known() {
    let crates = Crates::of_this_machine();
    let mut versions: BTreeMap<&str, u32> = BTreeMap::new();
    for package in crates.shipped() {
        *versions.entry(name(package)).or_default() += 1;
    }
    let twice: Vec<_> =
        versions.into_iter().filter(|(_, n)| *n > 1).map(|(name, _)| name).collect();
    assert_eq!(twice, TWICE);
}

#[test]
fn no_crate_brings_c_unless_known() {
    let crates = Crates::of_this_machine();
    let native: BTreeSet<_> =
        crates.shipped().filter(|package| package["links"].is_string()).map(name).collect();
    assert_eq!(native, NATIVE.iter().copied().collect());
}

#[test]
fn no_crate_needs_a_newer_compiler_than_we_say() {
    let crates = Crates::of_this_machine();
    let version = |package: &Value| -> Option<Vec<u32>> {
        let text = package["rust_version"].as_str()?;
        let mut parts: Vec<u32> = text.split('.').map(|part| part.parse().unwrap()).collect();
        parts.resize(3, 0);
        Some(parts)
    };
    let ours = version(&crates.packages[&crates.ours]).unwrap();
    for package in crates.shipped() {
        assert!(version(package) <= Some(ours.clone()), "{}", name(package));
    }
    let clippy =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("clippy.toml")).unwrap();
    let said = format!("msrv = \"{}.{}\"", ours[0], ours[1]);
    assert!(clippy.lines().any(|line| line == said), "clippy.toml does not say {said}");
}

#[test]
fn every_dependency_has_its_reason() {
    let crates = Crates::of_this_machine();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let reasons = fs::read_to_string(root.join("docs/dependencies.md")).unwrap();
    let dashed = |text: &str| text.replace('_', "-");
    let dependencies = |id: &String| crates.packages[id]["dependencies"].as_array().unwrap();
    for dependency in crates.members.iter().flat_map(dependencies) {
        let name = dependency["name"].as_str().unwrap();
        let reasons = dashed(&reasons);
        assert!(
            reasons.contains(&dashed(name)),
            "docs/dependencies.md does not say what {name} is for"
        );
    }
}

#[test]
fn what_is_fuzzed_is_what_is_shipped() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let locked = |path: &str| -> BTreeSet<(String, String)> {
        let lock = fs::read_to_string(root.join(path)).unwrap();
        let field = |package: &str, name: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim_matches([' ', '=', '"']).to_owned()
        };
        let packages = lock.split("[[package]]").skip(1);
        packages.map(|package| (field(package, "name"), field(package, "version"))).collect()
    };
    let (ours, fuzzed) = (locked("Cargo.lock"), locked("fuzz/Cargo.lock"));
    let only_there: Vec<_> = fuzzed.difference(&ours).map(|(name, _)| name.as_str()).collect();
    assert_eq!(only_there, ["arbitrary", "jobserver", "libfuzzer-sys", "sessctl-fuzz"]);
}
