//! `include/guesswork.h` is what the records say, and C and C++ lay it out as Rust does.
//!
//! `GUESSWORK_BLESS=1 cargo test -p guesswork-plugin --test header` writes it anew.

mod archive;
mod c_header;

use c_header::{field_name, parse};
use guesswork_plugin::abi::GW_ABI_FINGERPRINT;
use guesswork_plugin::abi::layout::RECORDS;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const SOURCES: [&str; 3] = ["src/abi/mod.rs", "src/abi/plugin.rs", "src/abi/host.rs"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(path.as_ref())).unwrap_or_else(|error| panic!("{:?}: {error}", path.as_ref()))
}

/// A documented constant of the sources.
struct Constant {
    name: String,
    rust_type: String,
    value: String,
    doc: Vec<String>,
    /// The plain comment above it, which heads a group.
    heading: Option<String>,
}

fn constants() -> Vec<Constant> {
    let mut found = Vec::new();
    for source in SOURCES {
        let (mut doc, mut heading) = (Vec::new(), None);
        for line in read(source).lines() {
            if let Some(text) = line.strip_prefix("/// ") {
                doc.push(text.to_owned());
            } else if let Some(text) = line.strip_prefix("// ") {
                heading = Some(text.to_owned());
            } else {
                if let Some((name, rest)) = line.strip_prefix("pub const ").and_then(|rest| rest.split_once(": ")) {
                    let (rust_type, value) = rest.split_once(" = ").expect("a constant has a value on its line");
                    let value = value.trim_end_matches(';').to_owned();
                    let (name, rust_type, heading) = (name.to_owned(), rust_type.to_owned(), heading.take());
                    found.push(Constant { name, rust_type, value, doc: std::mem::take(&mut doc), heading });
                }
                doc.clear();
            }
        }
    }
    found
}

/// The rules and the table of states and threads, as comments; a row of the table takes three lines.
fn rules() -> String {
    let source = read(SOURCES[0]);
    let lines = source.lines().map_while(|line| line.strip_prefix("//!")).skip_while(|line| *line != " # Rules");
    let mut text = String::new();
    for line in lines {
        match line.trim().strip_prefix("| ").map(|row| row.trim_end_matches('|').split('|').collect::<Vec<_>>()) {
            Some(cells) if cells.len() == 3 && cells[0].trim() != "function" => {
                let [function, when, thread] = [cells[0], cells[1], cells[2]].map(str::trim);
                writeln!(text, "//   {function}\n//       when: {when}\n//       thread: {thread}").unwrap();
            }
            Some(_) => {}
            None if line.starts_with(" |---") => {}
            None => writeln!(text, "//{}", line.replacen(" # ", " ", 1)).unwrap(),
        }
    }
    text
}

fn comment(lines: &[String]) -> String {
    lines.iter().map(|line| format!("// {line}\n")).collect()
}

/// The header as it should be.
fn generate() -> String {
    let config = cbindgen::Config::from_file(root().join("cbindgen.toml")).expect("cbindgen.toml is valid");
    let builder = SOURCES.iter().fold(cbindgen::Builder::new().with_config(config), |b, s| b.with_src(root().join(s)));
    let mut bytes = Vec::new();
    builder.generate().expect("cbindgen reads the records").write(&mut bytes);
    let mut header = String::from_utf8(bytes).expect("the header is UTF-8");

    header = header.replacen("//@RULES@\n", &rules(), 1).trim_start().to_owned();
    let mut left_out = comment(&["Fingerprint of the layout: the host compares it.".to_owned()]);
    writeln!(left_out, "#define GW_ABI_FINGERPRINT UINT64_C({GW_ABI_FINGERPRINT:#018X})\n").unwrap();
    for constant in constants() {
        let documentation = comment(&constant.doc);
        match constant.rust_type.as_str() {
            "&str" => writeln!(left_out, "{documentation}#define {} {}\n", constant.name, constant.value).unwrap(),
            _ => {
                let place = format!("{documentation}#define {} ", constant.name);
                if let Some(heading) = constant.heading {
                    let rule = "-".repeat(116_usize.saturating_sub(heading.chars().count()));
                    header = header.replacen(&place, &format!("// {heading} {rule}\n\n{place}"), 1);
                }
            }
        }
    }
    header = header.replacen("//@CONSTANTS@\n", &left_out, 1);
    header = header.replace("[`", "`").replace("`]", "`").replace("Option::None", "NULL");
    let unfenced = header.lines().filter(|line| !line.trim_start().starts_with("// ```"));
    let text = unfenced.fold(String::new(), |text, line| text + line.trim_end() + "\n");
    text.replace("\n\n\n", "\n\n")
}

#[test]
fn the_committed_header_is_up_to_date() {
    let (path, fresh) = (root().join("include/guesswork.h"), generate());
    if env::var_os("GUESSWORK_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &fresh).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let first = committed.lines().zip(fresh.lines()).position(|(old, new)| old != new);
    assert!(
        committed == fresh,
        "include/guesswork.h is not what src/abi says (first difference after line {first:?}); write it anew with \
         `GUESSWORK_BLESS=1 cargo test -p guesswork-plugin --test header`"
    );
}

#[test]
fn nothing_is_left_out() {
    let header = parse(&generate());
    for record in RECORDS {
        let fields = header.records.get(record.name).unwrap_or_else(|| panic!("{} is missing", record.name));
        let names: Vec<&str> = fields.iter().map(|field| field_name(field)).collect();
        let expected: Vec<&str> = record.fields.iter().map(|field| field.name).collect();
        assert_eq!(names, expected, "{}", record.name);
    }
    assert_eq!(header.records.len(), RECORDS.len(), "every record of the header is in the layout's list");
    for constant in constants() {
        assert!(header.constants.contains_key(&constant.name), "{} is missing", constant.name);
    }
    let expected: BTreeMap<&str, &str> =
        [("GW_OK", "0"), ("GW_EXT_OPS", "\"gw.ops/1\""), ("GW_ALL_SITES", "UINT32_MAX"), ("GW_ROLE_COUNT", "12")]
            .into();
    for (name, value) in expected {
        assert_eq!(header.constants[name], value);
    }
}

/// The layout as assertions of C11 and C++17.
fn assertions() -> String {
    let mut text = String::from(
        "#include \"guesswork.h\"\n#ifdef __cplusplus\n#define HOLDS(what) static_assert(what, #what)\n#else\n#define \
         HOLDS(what) _Static_assert(what, #what)\n#endif\n",
    );
    for record in RECORDS {
        writeln!(text, "HOLDS(sizeof({}) == {});", record.name, record.size).unwrap();
        for field in record.fields {
            let (name, record) = (field.name, record.name);
            writeln!(text, "HOLDS(offsetof({record}, {name}) == {});", field.offset).unwrap();
            writeln!(text, "HOLDS(sizeof((({record} *)0)->{name}) == {});", field.size).unwrap();
        }
    }
    writeln!(text, "HOLDS(GW_ABI_FINGERPRINT == UINT64_C({GW_ABI_FINGERPRINT}));").unwrap();
    text + "static const gw_str text = GW_STR(\"four\");\nint use(const gw_step *step);\n\
            int use(const gw_step *step) { return GW_COVERS(step, batch) && text.len == 4; }\n"
}

/// Compiles `source` with a warning being an error. Prints why it does not when there is no such compiler.
fn compile(compiler: &str, standard: &str, source: &str, text: &str) -> Option<bool> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(source);
    fs::write(&file, text).unwrap();
    let flags = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only"];
    let mut command = Command::new(compiler);
    command.arg(standard).args(flags).arg("-I").arg(root().join("include")).arg(&file);
    match command.output() {
        Ok(output) => {
            print!("{}", String::from_utf8_lossy(&output.stderr));
            Some(output.status.success())
        }
        Err(error) => {
            println!("skipped: the compiler `{compiler}` cannot be run: {error}");
            None
        }
    }
}

#[test]
fn c_and_cpp_lay_the_records_out_as_rust_does() {
    let right = assertions();
    let wrong = right.clone() + "HOLDS(sizeof(gw_error) == 520);\n";
    for (compiler, standard, source) in [("cc", "-std=c11", "layout.c"), ("c++", "-std=c++17", "layout.cpp")] {
        assert_ne!(compile(compiler, standard, source, &right), Some(false), "{compiler} refuses the header");
        assert_ne!(compile(compiler, standard, source, &wrong), Some(true), "{compiler} does not check assertions");
    }
}
