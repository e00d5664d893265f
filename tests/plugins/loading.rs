//! Finding and loading libraries: whatever a file is, it is listed and never stops the program.

use crate::fixture::{catalog, folder, library};
use guesswork::strategy::{Catalog, Origin, Params, Refusal, SearchPath, Unknown, list};
use guesswork::workspace::ParamValue;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::tempdir;

const SHIPPED: [&str; 19] = [
    "activation-mixing",
    "activation-subspace",
    "activity-perturbation",
    "direct-feedback",
    "downstream",
    "feedback-alignment",
    "jacobian-transpose",
    "label-guess",
    "learned-feedback",
    "likelihood-ratio",
    "local-loss",
    "mezo",
    "momentum",
    "orthogonal-transpose",
    "self-sharpening",
    "spsa",
    "weight-perturbation",
    "weight-transpose",
    "whitened",
];

/// The one refusal of a file that is loaded alone.
fn refusal(path: &Path) -> Refusal {
    let catalog = catalog(&[path.to_owned()]);
    assert!(catalog.strategies.is_empty(), "{}", list::list(&catalog));
    assert_eq!(catalog.refused.len(), 1, "{}", list::list(&catalog));
    assert_eq!((catalog.refused[0].path.as_path(), &catalog.refused[0].strategy), (path, &None));
    catalog.refused[0].reason.clone()
}

#[test]
fn the_shipped_strategies_are_found_beside_the_program() {
    let mut path = SearchPath::default();
    path.executable(&std::env::current_exe().unwrap());
    let catalog = Catalog::load(&path);
    let mut ids: Vec<&str> = catalog.strategies.iter().map(|info| info.id.as_str()).collect();
    ids.sort_unstable();
    assert_eq!(ids, SHIPPED);
    assert_eq!(catalog.refused, []);
    assert_eq!(catalog.notes, [""; 0]);
    for info in &catalog.strategies {
        assert!(!info.formula.is_empty() && !info.citation.is_empty() && !info.licence.is_empty(), "{}", info.id);
        assert!(info.library.starts_with(folder()), "{}", info.library.display());
        assert_eq!(info.abi, (1, 0));
    }
}

#[test]
fn list_and_info_tell_a_person_and_a_program_the_same() {
    let folder = tempdir().unwrap();
    let text_file = folder.path().join("libguesswork_notes.so");
    fs::write(&text_file, "dear diary").unwrap();
    let catalog = catalog(&[crate::fixture::folder(), text_file.clone()]);
    let text = list::list(&catalog);
    for id in SHIPPED {
        assert!(text.lines().any(|line| line.starts_with(id)), "{id} in\n{text}");
    }
    assert!(text.contains("Not usable:"), "{text}");
    assert!(
        text.contains(&format!("  {}\n    not a dynamic library: it is a text file", text_file.display())),
        "{text}"
    );
    let json = serde_json::to_value(list::listing(&catalog)).unwrap();
    let ids = json["strategies"].as_array().unwrap().iter().map(|strategy| strategy["id"].as_str().unwrap());
    assert_eq!(ids.filter(|id| SHIPPED.contains(id)).count(), SHIPPED.len());
    assert_eq!(json["unusable"][0]["library"], text_file.display().to_string());
    let info = catalog.get("weight-transpose").unwrap();
    let text = list::info(info);
    for word in ["E_l = (ε W_{l+1}) ⊙ M_l", "depth", "a whole number, 1 to 64", "needs       weight", "signal"] {
        assert!(text.contains(word), "`{word}` in\n{text}");
    }
    let json = serde_json::to_value(info.as_ref()).unwrap();
    assert_eq!(json["params"][0]["key"], "depth");
    assert_eq!(json["params"][0]["type"], "int");
    assert_eq!(json["params"][0]["default"], 1);
}

#[test]
fn files_that_are_no_libraries_are_refused_in_plain_words() {
    let folder = tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let text = refusal(&write("libguesswork_text.so", b"hello\nworld"));
    assert_eq!(text.to_string(), "not a dynamic library: it is a text file that begins with `hello`");
    assert!(matches!(refusal(&write("empty", b"")), Refusal::NotALibrary(text) if text.contains("empty")));
    assert!(matches!(refusal(&write("noise", &[0, 1, 2, 3, 4])), Refusal::NotALibrary(_)));
    assert!(matches!(refusal(&write("windows.dll", b"MZ\x90\0")), Refusal::OtherPlatform(_)));
    assert_eq!(refusal(&folder.path().join("nothing.so")), Refusal::Missing);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_without_opening_it() {
    let folder = tempdir().unwrap();
    let pipe = folder.path().join("libguesswork_pipe.so");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // To open it would wait for whoever writes to it.
    assert_eq!(refusal(&pipe).to_string(), "not a dynamic library: it is no regular file");
    let nowhere = folder.path().join("libguesswork_nowhere.so");
    std::os::unix::fs::symlink("/no/such/library.so", &nowhere).unwrap();
    fs::remove_file(&pipe).unwrap();
    let catalog = catalog(&[folder.path().to_owned()]);
    assert!(matches!(&catalog.refused[0].reason, Refusal::Unreadable(_)), "{}", list::list(&catalog));
}

#[cfg(target_os = "linux")]
#[test]
fn damaged_and_foreign_libraries_are_refused_before_the_loader_sees_them() {
    let whole = fs::read(library("guesswork_label")).unwrap();
    let folder = tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    for length in [5, 63, 100, whole.len() / 4] {
        let reason = refusal(&write(&format!("cut{length}.so"), &whole[..length]));
        assert!(matches!(reason, Refusal::Truncated { .. }), "{length}: {reason}");
    }
    let patched = |name: &str, at: usize, value: u8| {
        let mut bytes = whole.clone();
        bytes[at] = value;
        refusal(&write(name, &bytes))
    };
    let other = if cfg!(target_arch = "aarch64") { 62 } else { 183 };
    let reason = patched("other.so", 18, other).to_string();
    assert!(reason.starts_with("not for this machine: it is built for "), "{reason}");
    assert!(patched("narrow.so", 4, 1).to_string().contains("32-bit"));
    assert!(patched("big.so", 5, 2).to_string().contains("big-endian"));
    assert!(patched("object.so", 16, 1).to_string().contains("no shared object"));
    assert!(matches!(refusal(&write("macos.dylib", &[0xcf, 0xfa, 0xed, 0xfe, 0, 0])), Refusal::OtherPlatform(_)));
    let symbol = b"gw_plugin_entry_v1";
    let mut renamed = whole.clone();
    let places: Vec<usize> = (0..whole.len() - symbol.len()).filter(|&at| whole[at..].starts_with(symbol)).collect();
    places.iter().for_each(|&at| renamed[at] = b'x');
    let reason = refusal(&write("renamed.so", &renamed)).to_string();
    assert!(reason.contains("does not export `gw_plugin_entry_v1`"), "{reason}");
}

/// Builds a library from C with the system's compiler; `None` where there is none.
fn compile(folder: &Path, name: &str, source: &str) -> Option<PathBuf> {
    let (file, library) = (folder.join(format!("{name}.c")), folder.join(format!("{name}.so")));
    fs::write(&file, source).unwrap();
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let status = Command::new(compiler).args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&file).status();
    match status {
        Ok(status) => {
            assert!(status.success());
            Some(library)
        }
        Err(_) => {
            eprintln!("skipped: there is no C compiler (install one, or name it in CC)");
            None
        }
    }
}

#[test]
fn libraries_that_answer_wrongly_are_refused_with_the_reason() {
    let folder = tempdir().unwrap();
    let Some(later) = compile(folder.path(), "later", "const void *gw_plugin_entry_v2(void) { return 0; }") else {
        return;
    };
    assert_eq!(refusal(&later), Refusal::Major { found: 2, expected: 1 });
    let other = compile(folder.path(), "other", "int answer(void) { return 42; }").unwrap();
    assert!(matches!(refusal(&other), Refusal::NoEntry { .. }));
    let null = compile(folder.path(), "null", "const void *gw_plugin_entry_v1(void) { return 0; }").unwrap();
    assert_eq!(refusal(&null).to_string(), "gw_entry: the pointer is null");
    let short = "static const unsigned long long entry[16] = { 24 };\n\
                 const void *gw_plugin_entry_v1(void) { return entry; }";
    let short = compile(folder.path(), "short", short).unwrap();
    assert!(matches!(refusal(&short), Refusal::Short { found: 24, .. }));
    let draft = "static const unsigned long long entry[16] = { 128, 1, 0x1234, 1 };\n\
                 const void *gw_plugin_entry_v1(void) { return entry; }";
    let draft = compile(folder.path(), "draft", draft).unwrap();
    assert!(matches!(refusal(&draft), Refusal::Fingerprint { found: 0x1234, .. }));
    let missing = compile(folder.path(), "missing", "int nowhere(void); int f(void) { return nowhere(); }").unwrap();
    assert!(matches!(refusal(&missing), Refusal::Loader(text) if text.contains("nowhere")));
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn a_library_that_changes_the_floating_point_mode_is_undone() {
    let source = "#include <xmmintrin.h>\n\
                  __attribute__((constructor)) static void fast(void) { _mm_setcsr(_mm_getcsr() | 0x8040); }\n\
                  const void *gw_plugin_entry_v1(void) { return 0; }";
    let folder = tempdir().unwrap();
    let Some(fast) = compile(folder.path(), "fast", source) else { return };
    refusal(&fast);
    let smallest = std::hint::black_box(f64::MIN_POSITIVE);
    assert!(std::hint::black_box(smallest / 2.0) > 0.0, "subnormals are still there");
}

#[test]
fn the_first_of_two_equal_ids_wins_and_the_other_is_listed() {
    let folder = tempdir().unwrap();
    let copy = folder.path().join("libguesswork_again.so");
    fs::copy(library("guesswork_label"), &copy).unwrap();
    let catalog = catalog(&[folder.path().to_owned(), crate::fixture::folder()]);
    assert_eq!(catalog.get("label-guess").unwrap().library, copy);
    let [refused] = &catalog.refused[..] else { panic!("{}", list::list(&catalog)) };
    assert_eq!(refused.strategy.as_deref(), Some("label-guess"));
    assert_eq!(refused.reason, Refusal::Duplicate { id: "label-guess".into(), first: copy });
    assert_eq!(catalog.strategies.iter().filter(|info| info.id == "label-guess").count(), 1);
}

#[cfg(unix)]
#[test]
fn one_file_under_two_names_is_no_duplicate() {
    let folder = tempdir().unwrap();
    let link = folder.path().join("libguesswork_link.so");
    std::os::unix::fs::symlink(library("guesswork_label"), &link).unwrap();
    let catalog = catalog(&[link, crate::fixture::folder()]);
    assert_eq!(catalog.refused, []);
    assert!(catalog.get("label-guess").is_ok());
}

#[test]
fn a_library_is_initialised_once_whoever_asks() {
    let loads: Vec<_> = (0..4).map(|_| std::thread::spawn(|| catalog(&[library("faults")]).strategies.len())).collect();
    let counts: Vec<usize> = loads.into_iter().map(|load| load.join().unwrap()).collect();
    assert_eq!(counts, [counts[0]; 4]);
    assert!(counts[0] > 0);
}

#[test]
fn slips_in_names_and_parameters_are_met_with_the_way_out() {
    let catalog = catalog(&[folder()]);
    let error = catalog.get("weight-transposed").unwrap_err();
    assert_eq!(error.to_string(), "no strategy is called `weight-transposed`; did you mean `weight-transpose`?");
    let error = catalog.get("xyz").unwrap_err();
    assert!(
        matches!(&error, Unknown::Strategy { nearest: None, known, .. } if known.len() == SHIPPED.len()),
        "{error}"
    );
    let info = catalog.get("weight-transpose").unwrap();
    let check = |key: &str, value: ParamValue| {
        Params::check(&info.id, &info.params, &BTreeMap::from([(key.to_owned(), value)]))
            .map_err(|error| error.to_string())
    };
    assert!(check("depth", ParamValue::Int(3)).is_ok());
    assert!(check("dept", ParamValue::Int(3)).unwrap_err().contains("did you mean `depth`"));
    assert!(check("depth", ParamValue::Int(0)).unwrap_err().contains("is 0, expected a whole number, 1 to 64"));
    assert!(check("depth", ParamValue::Text("two".into())).unwrap_err().contains("is the text \"two\", expected"));
}

#[test]
fn the_environment_and_the_workspace_s_folder_are_searched() {
    let folder = tempdir().unwrap();
    let path = SearchPath::standard(&[PathBuf::from("named")], Some(folder.path()));
    let places: Vec<_> = path.places().collect();
    assert_eq!(places[0], (Path::new("named"), Origin::Named));
    assert!(places.contains(&(folder.path(), Origin::Workspace)));
    let position = |origin| places.iter().position(|place| place.1 == origin);
    assert!(position(Origin::Workspace) < position(Origin::Executable));
    assert!(position(Origin::Executable) < position(Origin::Installation));
    let relative = SearchPath::standard(&[], Some(Path::new("")));
    assert!(relative.places().any(|place| place == (Path::new("."), Origin::Workspace)));
}
