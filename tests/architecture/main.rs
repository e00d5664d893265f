//! The house that `ARCHITECTURE.md` draws, held to by reading the sources: imports go down only, `unsafe` and the libraries
//! at the edges stay where they belong, and every file says what it is for.

mod findings;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The floors of `app/src` from the top: a module may use those of later lines. Modules of one line do not know each other.
const FLOORS: [&[&str]; 16] = [
    &["main"],
    &["cli"],
    &["tui", "batch", "bench", "report"],
    &["session"],
    &["options"],
    &["measure"],
    &["strategy"],
    &["estimate"],
    &["model"],
    &["objective"],
    &["kernel"],
    &["data"],
    &["record"],
    &["workspace"],
    &["filter"],
    &["picture"],
];

struct Source {
    /// Path below the crate's `src`.
    path: PathBuf,
    /// The whole text.
    text: String,
    /// The text without comments, strings and characters.
    code: String,
}

impl Source {
    /// The floor it belongs to: `lib` for the crate's root.
    fn module(&self) -> String {
        let first = self.path.components().next().unwrap().as_os_str().to_string_lossy();
        first.trim_end_matches(".rs").to_string()
    }
}

fn sources(folder: &str) -> Vec<Source> {
    fn collect(root: &Path, folder: &Path, found: &mut Vec<Source>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(root, &path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = without_comments(&text);
                found.push(Source { path: path.strip_prefix(root).unwrap().into(), text, code });
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let mut found = Vec::new();
    collect(&root, &root, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "{}", root.display());
    found
}

/// Blanks out comments, strings and characters, so that only code is left to be searched.
fn without_comments(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < letters.len() {
        let rest = &letters[at..];
        let skip = match rest {
            ['/', '/', ..] => rest.iter().position(|&c| c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => {
                rest.windows(2).skip(2).position(|end| end == ['*', '/']).map_or(rest.len(), |end| end + 4)
            }
            ['r', '"' | '#', ..] if !code.ends_with(|c: char| c.is_alphanumeric() || c == '_') => raw_string(rest),
            ['"', ..] => quoted(rest, '"'),
            ['\'', '\\', ..] => quoted(rest, '\''),
            ['\'', _, '\'', ..] => 3,
            _ => 0,
        };
        if skip == 0 {
            code.push(rest[0]);
        } else {
            code.push(' ');
        }
        at += skip.max(1);
    }
    code
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// Length of a raw string, or 0 when it is none (`r#type` is a name).
fn raw_string(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|&&c| c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let closing: String = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let inner: String = rest[2 + hashes..].iter().collect();
    inner.find(&closing).map_or(rest.len(), |end| 2 + hashes + inner[..end].chars().count() + closing.len())
}

/// Names that directly follow `root::` in code, those of a group in braces among them.
fn uses(code: &str, root: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let name = |text: &str| text.trim_start().chars().take_while(|&c| is_name(c)).collect::<String>();
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(root) {
        let whole = !code[..at].ends_with(is_name) && !code[..at].ends_with("::");
        let Some(after) = code[at + root.len()..].strip_prefix("::").filter(|_| whole) else { continue };
        let Some(group) = after.strip_prefix('{') else {
            found.insert(name(after));
            continue;
        };
        let mut depth = 0;
        let mut start = true;
        for (place, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                c if start && !c.is_whitespace() => {
                    found.insert(name(&group[place..]));
                    start = false;
                }
                _ => {}
            }
        }
    }
    found
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

#[test]
fn imports_go_down_only() {
    let mut wrong = Vec::new();
    let mut arrows = BTreeSet::new();
    for source in sources("app/src") {
        let module = source.module();
        if module == "lib" {
            continue;
        }
        let from = floor(&module).unwrap_or_else(|| panic!("`{module}` has no floor in FLOORS and ARCHITECTURE.md"));
        // The program uses the library by its name.
        let root = if module == "main" { "guesswork" } else { "crate" };
        for used in uses(&source.code, root) {
            let Some(to) = floor(&used) else {
                // Macros and constants of the crate's root.
                assert!(
                    !Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(&used).is_dir(),
                    "`{used}` has no floor"
                );
                continue;
            };
            let sideways = to == from && used != module;
            if to < from || sideways {
                wrong.push(format!("{}: {module} must not use {used}", source.path.display()));
            }
            arrows.insert((module.clone(), used));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    // The reader itself works: these arrows are there for certain.
    for arrow in [("main", "cli"), ("cli", "options"), ("data", "workspace")] {
        assert!(arrows.contains(&(arrow.0.to_string(), arrow.1.to_string())), "{arrow:?} was not seen");
    }
}

#[test]
fn libraries_of_the_edges_stay_there() {
    let allowed: [(&str, &[&str]); 6] = [
        ("libloading", &["strategy"]),
        ("ratatui", &["tui"]),
        ("crossterm", &["tui", "batch"]),
        ("tiny_skia", &["picture"]),
        ("ttf_parser", &["picture"]),
        ("clap", &["cli"]),
    ];
    for source in sources("app/src") {
        for (library, modules) in allowed {
            let used = !uses(&source.code, library).is_empty();
            assert!(
                !used || modules.contains(&source.module().as_str()),
                "{}: only {modules:?} may use {library}",
                source.path.display()
            );
        }
    }
}

#[test]
fn unsafe_code_stays_where_it_belongs() {
    // The attribute that exports a plugin's entry point is no unsafe code.
    let plain = |code: &str| code.replace("#[unsafe(no_mangle)]", "");
    let word =
        |code: &str| plain(code).split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == "unsafe");
    for source in sources("app/src") {
        let place = matches!(source.module().as_str(), "kernel" | "strategy");
        // Modules of tests inherit what their parent allows.
        let test = source.path.components().any(|part| part.as_os_str() == "tests");
        if word(&source.code) && !(place && test) {
            assert!(place, "{}: unsafe code", source.path.display());
            assert!(
                source.text.contains("[allow(unsafe_code)]"),
                "{}: says nothing of its unsafe code",
                source.path.display()
            );
        }
    }
    for source in sources("plugin-api/src") {
        let path = source.path.display().to_string();
        assert!(!word(&source.code) || path.starts_with("abi") || path.starts_with("testing"), "{path}: unsafe code");
    }
}

#[test]
fn all_other_modules_forbid_unsafe_code() {
    let forbids = |source: &Source| source.text.contains("#![forbid(unsafe_code)]");
    let sources = sources("app/src");
    // A folder's root file forbids for the files below it.
    let covered: Vec<&Path> = sources
        .iter()
        .filter(|source| source.path.ends_with("mod.rs") && forbids(source))
        .filter_map(|source| source.path.parent())
        .collect();
    for source in &sources {
        let module = source.module();
        let fine = matches!(module.as_str(), "kernel" | "strategy" | "lib")
            || forbids(source)
            || covered.iter().any(|folder| source.path.starts_with(folder))
            || (source.path.ends_with("mod.rs") && !source.code.contains("fn "));
        assert!(fine, "{}: does not forbid unsafe code", source.path.display());
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for folder in ["app/src", "plugin-api/src", "plugins", "tests"] {
        for source in sources(folder) {
            assert!(source.text.starts_with("//! "), "{folder}/{}: no module comment", source.path.display());
        }
    }
}

#[test]
fn the_drawing_names_every_module() {
    let drawing = include_str!("../../ARCHITECTURE.md");
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().trim_end_matches(".rs").to_string();
        assert!(name == "lib" || drawing.contains(&name), "ARCHITECTURE.md does not name `{name}`");
    }
}

#[test]
fn the_reader_sees_code_only() {
    let text = r##"use crate::{a::X, b, c::{d, e}}; // crate::f
        let s = "crate::g"; let r = r#"crate::h"#; let q = '"'; crate::i::j(); /* crate::k */ my_crate::l(); x<'a>"##;
    let found: Vec<String> = uses(&without_comments(text), "crate").into_iter().collect();
    assert_eq!(found, ["a", "b", "c", "i"]);
}
