//! Every released header, kept in `abi/`, is a record-wise prefix of the present one: what a plugin was built with then,
//! it finds where it was.

use crate::c_header::{Header, parse};
use crate::root;
use std::fs;

/// Constants that may grow from release to release.
const GROWING: [&str; 3] = ["GW_ABI_MINOR", "GW_ROLE_COUNT", "GW_SERVICE_COUNT"];

fn number(header: &Header, name: &str) -> Option<u64> {
    header.constants.get(name)?.parse().ok()
}

/// What stands in the way of `old` being a prefix of `new`.
fn breaks(old: &Header, new: &Header) -> Vec<String> {
    let mut found = Vec::new();
    for (name, fields) in &old.records {
        match new.records.get(name) {
            None => found.push(format!("record {name} is gone")),
            Some(present) if !present.starts_with(fields) => {
                let place = fields.iter().zip(present).position(|(a, b)| a != b).unwrap_or(present.len());
                found.push(format!("{name}: `{}` is not where it was", fields[place]));
            }
            Some(_) => {}
        }
    }
    for (name, value) in &old.constants {
        let kept = match name.as_str() {
            "GW_ABI_FINGERPRINT" => true,
            growing if GROWING.contains(&growing) => number(new, growing) >= number(old, growing),
            _ => new.constants.get(name) == Some(value),
        };
        if !kept {
            found.push(format!("{name} is no longer {value}"));
        }
    }
    found
}

fn present() -> String {
    fs::read_to_string(root().join("include/guesswork.h")).unwrap()
}

#[test]
fn archived_headers_are_prefixes_of_the_present_one() {
    let present = parse(&present());
    for entry in fs::read_dir(root().join("abi")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "h") {
            let archived = parse(&fs::read_to_string(&path).unwrap());
            assert_eq!(breaks(&archived, &present), Vec::<String>::new(), "{}", path.display());
        }
    }
}

#[test]
fn appending_is_allowed_and_everything_else_is_seen() {
    let text = present();
    let old = parse(&text);
    assert!(old.records.len() > 20 && old.constants.len() > 60);
    assert_eq!(breaks(&old, &old), Vec::<String>::new());

    let appended = text
        .replace("    uint64_t inputs_count;\n} gw_step;", "    uint64_t inputs_count;\n    uint64_t more;\n} gw_step;")
        .replace("#define GW_ABI_MINOR 0", "#define GW_ABI_MINOR 1\n#define GW_ROLE_NEW 12")
        .replace("#define GW_ROLE_COUNT 12", "#define GW_ROLE_COUNT 13");
    assert_ne!(parse(&appended), old);
    assert_eq!(breaks(&old, &parse(&appended)), Vec::<String>::new());
    assert_eq!(breaks(&parse(&appended), &old).len(), 4, "and what is appended cannot be taken away again");

    for (from, to) in [
        ("    uint64_t step;\n", ""),
        ("    uint64_t step;\n", "    int64_t step;\n"),
        ("#define GW_ROLE_LABELS 8", "#define GW_ROLE_LABELS 9"),
        ("typedef struct gw_log {", "typedef struct gw_logs {"),
    ] {
        assert!(text.contains(from), "{from}");
        assert_eq!(breaks(&old, &parse(&text.replace(from, to))).len(), 1, "{from}");
    }
}
