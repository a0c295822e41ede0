//! Which files of a crate use which, by the paths in their code.

use std::collections::{BTreeMap, BTreeSet};

/// `["store", "postgres", "sql"]`.
type Path = Vec<String>;

/// Files in a circle, each of which uses others of them. What a file uses of a `mod.rs` above it does not count: a
/// module and its parts may need each other.
pub fn circles(sources: &BTreeMap<String, String>) -> Vec<Vec<String>> {
    let is_code = |file: &str| file.strip_suffix(".rs").is_some();
    let sources = sources.iter().filter(|(file, _)| is_code(file));
    let uses = uses(&sources.map(|(file, code)| (file.clone(), code.clone())).collect());
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        uses.keys().map(|file| (file, reached_from(file, &uses))).collect();
    let mut circles = BTreeSet::new();
    for (file, others) in &reached {
        if others.contains(file) {
            let back = others
                .iter()
                .filter(|other| reached.get(*other).is_some_and(|back| back.contains(file)));
            circles.insert(back.map(ToString::to_string).collect::<Vec<_>>());
        }
    }
    circles.into_iter().collect()
}

fn reached_from<'u>(
    file: &'u String,
    uses: &'u BTreeMap<String, BTreeSet<String>>,
) -> BTreeSet<&'u String> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![file]);
    while let Some(file) = next.pop() {
        let named = uses.get(file).into_iter().flatten();
        next.extend(named.filter(|used| reached.insert(*used)));
    }
    reached
}

/// The files that each file uses.
fn uses(sources: &BTreeMap<String, String>) -> BTreeMap<String, BTreeSet<String>> {
    let files: BTreeMap<Path, &String> =
        sources.keys().filter(|file| *file != "main.rs").map(|file| (module(file), file)).collect();
    let mut named: BTreeMap<&String, Vec<Path>> = BTreeMap::new();
    let mut passed_on: BTreeMap<Path, Path> = BTreeMap::new();
    for (file, code) in sources {
        let own = module(file);
        let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for (is_public, path) in paths(code) {
            let Some(path) = absolute(&path, &own, &files) else { continue };
            if is_public {
                let name = path.last().cloned().into_iter();
                passed_on.insert(own.iter().cloned().chain(name).collect(), path);
            } else {
                named.entry(file).or_default().push(path);
            }
        }
    }
    let of_file = |file: &String| -> BTreeSet<String> {
        let found = named.get(file).into_iter().flatten();
        let found = found.filter_map(|path| resolve(path, &files, &passed_on));
        found.filter(|used| *used != file && !is_above(used, file)).cloned().collect()
    };
    sources.keys().map(|file| (file.clone(), of_file(file))).collect()
}

fn module(file: &str) -> Path {
    let name = file.strip_suffix(".rs").unwrap();
    let name = name.strip_suffix("/mod").unwrap_or(name);
    name.split('/').filter(|part| *part != "lib").map(str::to_owned).collect()
}

fn is_above(module: &str, file: &str) -> bool {
    module.strip_suffix("mod.rs").is_some_and(|folder| file.starts_with(folder))
}

/// The file in which that is which a path names.
fn resolve<'f>(
    path: &[String],
    files: &BTreeMap<Path, &'f String>,
    passed_on: &BTreeMap<Path, Path>,
) -> Option<&'f String> {
    let longest_first = || (0..=path.len()).rev().map(|parts| path.split_at(parts));
    let elsewhere = longest_first().find_map(|(begin, end)| {
        let to = passed_on.get(begin)?;
        // A module may have the name of what it passes on.
        (end.is_empty() || !files.contains_key(begin)).then(|| [to, end].concat())
    });
    match elsewhere {
        Some(path) => resolve(&path, files, passed_on),
        None => longest_first().find_map(|(begin, _)| files.get(begin).copied()),
    }
}

/// A path from the root of the crate; `None` if it is of another crate.
fn absolute(path: &[String], own: &[String], files: &BTreeMap<Path, &String>) -> Option<Path> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    let (begin, rest) = match path.first()?.as_str() {
        "crate" => (&[][..], path.get(1..)?),
        "self" => (own, path.get(1..)?),
        "super" => (own.get(..own.len().checked_sub(ups)?)?, path.get(ups..)?),
        child if files.contains_key(&[own, &[child.to_owned()]].concat()) => (own, path),
        _ => return None,
    };
    Some(begin.iter().chain(rest.iter().filter(|part| *part != "self")).cloned().collect())
}

/// The paths in some code, and whether each is passed on with `pub use`.
fn paths(code: &str) -> Vec<(bool, Path)> {
    let mut found = Vec::new();
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        let (visibility, tree) = match line.trim_start().split_once("use ") {
            Some((before, tree)) if before.is_empty() || is_visibility(before) => (before, tree),
            _ => {
                found.extend(in_expressions(line).map(|path| (false, path)));
                continue;
            }
        };
        let mut tree = tree.to_owned();
        while !tree.ends_with(';') {
            tree.push_str(lines.next().unwrap().trim_start());
        }
        let leaves = leaves(tree.trim_end_matches(';'));
        found.extend(leaves.into_iter().map(|path| (!visibility.is_empty(), path)));
    }
    found
}

fn is_visibility(before_use: &str) -> bool {
    before_use == "pub " || (before_use.starts_with("pub(") && before_use.ends_with(") "))
}

/// Every path that a tree of `use` stands for.
fn leaves(tree: &str) -> Vec<Path> {
    let Some((before, inside)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap().trim();
        return vec![path.split("::").map(str::to_owned).collect()];
    };
    let inside = inside.strip_suffix('}').unwrap();
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for c in inside.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().unwrap().push(c);
    }
    let parts = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty());
    parts.flat_map(|part| leaves(&format!("{before}{part}"))).collect()
}

/// Paths that begin with `crate::`, `super::` or `self::`.
fn in_expressions(code: &str) -> impl Iterator<Item = Path> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    code.split(move |c| !is_name(c))
        .filter(|path| ["crate::", "super::", "self::"].iter().any(|begin| path.starts_with(begin)))
        .map(|path| path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect())
}
