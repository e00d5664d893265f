//! The commands that print and end, as a person or a script runs them: output, exit codes, closed and broken pipes.

use assert_cmd::Command;
use std::path::Path;
use std::process::Stdio;

fn guesswork() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guesswork"));
    command.env_remove("GUESSWORK_DATA").current_dir(std::env::temp_dir());
    command
}

/// Standard output, standard error, exit code.
fn run(arguments: &[&str]) -> (String, String, i32) {
    let output = guesswork().args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

#[test]
fn workspaces_are_listed_printed_and_sound() {
    let (list, _, code) = run(&["workspaces"]);
    assert_eq!(code, 0);
    for name in list.lines().map(|line| line.split_whitespace().next().unwrap()) {
        let (text, _, code) = run(&["workspaces", name]);
        assert!(code == 0 && text.starts_with("// "), "{name}");
        let (report, error, code) = run(&["check", name]);
        assert!(code == 0 && report.contains(": sound"), "{name}: {error}");
    }
    let (_, error, code) = run(&["workspaces", "quickstat"]);
    assert!(code == 3 && error.contains("did you mean `quickstart`?"), "{error}");
}

#[test]
fn a_printed_workspace_is_a_file_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.ron");
    std::fs::write(&file, run(&["workspaces", "scopes"]).0).unwrap();
    let (report, _, code) = run(&["check", file.to_str().unwrap(), "--set", "steps=7"]);
    assert!(code == 0 && report.contains("steps   7 of"), "{report}");
}

#[test]
fn what_is_wrong_has_a_place_and_code_3() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.ron");
    let text = run(&["workspaces", "quickstart"]).0;
    std::fs::write(&file, text.replace("batch: 128", "bath: 128")).unwrap();
    let (_, error, code) = run(&["check", file.to_str().unwrap()]);
    assert_eq!(code, 3);
    assert!(
        error.contains("mine.ron:") && error.contains("unknown field `bath`") && error.contains("`batch`"),
        "{error}"
    );
    std::fs::write(&file, text.replace("batch: 128", "batch: 128000")).unwrap();
    let (_, error, code) = run(&["check", file.to_str().unwrap()]);
    assert!(code == 3 && error.contains("1500 training examples"), "{error}");
    let (_, error, code) =
        run(&["check", "quickstart", "--set", "problem.data.name=mnist", "--set", "problem.data.path=/no/folder"]);
    assert!(code == 3 && error.contains("scripts/fetch-data.sh mnist"), "{error}");
    let (_, error, code) = run(&["check", "no-such-file.ron"]);
    assert!(code == 3 && error.contains("no workspace file"), "{error}");
}

#[test]
fn usage_errors_have_code_2() {
    for arguments in [&["--nonsense"][..], &["--resume"], &["check", "a", "b"], &["--seeds", "x"]] {
        let (out, error, code) = run(arguments);
        assert!(code == 2 && out.is_empty() && error.starts_with("error:"), "{arguments:?}: {error}");
    }
    assert_eq!(run(&["--help"]).2, 0);
    assert_eq!(run(&["--version"]).0.trim(), concat!("guesswork ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn folders_of_data_are_read_and_counted() {
    let (list, _, code) = run(&["data", "list"]);
    assert!(code == 0 && list.contains("fashion-mini") && list.contains("1500 + 500, 1×28×28, 10 classes"), "{list}");
    let embedded = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/data/embedded/digits");
    let (report, _, code) = run(&["data", "check", embedded.to_str().unwrap()]);
    assert!(code == 0 && report.contains("1437 + 360, 1×8×8, 10 classes"), "{report}");

    let folder = tempfile::tempdir().unwrap();
    let (_, error, code) = run(&["data", "check", folder.path().to_str().unwrap()]);
    assert!(code == 3 && error.contains("no data set"), "{error}");
    for file in std::fs::read_dir(&embedded).unwrap() {
        let file = file.unwrap();
        std::fs::write(folder.path().join(file.file_name()), std::fs::read(file.path()).unwrap()).unwrap();
    }
    let labels = folder.path().join("t10k-labels-idx1-ubyte.gz");
    std::fs::write(&labels, std::fs::read(folder.path().join("train-labels-idx1-ubyte.gz")).unwrap()).unwrap();
    let (_, error, code) = run(&["data", "check", folder.path().to_str().unwrap()]);
    assert!(code == 3 && error.contains("360 images") && error.contains("1437 labels"), "{error}");
    std::fs::remove_file(&labels).unwrap();
    let (_, error, code) = run(&["data", "check", folder.path().to_str().unwrap()]);
    assert!(code == 3 && error.contains("test labels"), "{error}");
}

#[test]
fn completions_and_manual_are_made() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (text, _, code) = run(&["completions", shell]);
        assert!(code == 0 && text.contains("on-plugin-error"), "{shell}");
    }
    let (text, _, code) = run(&["man"]);
    assert!(code == 0 && text.contains(".TH guesswork"));
}

#[test]
fn a_reader_that_goes_away_is_a_quiet_end() {
    for arguments in [&["schema"][..], &["workspaces"], &["completions", "zsh"], &["data", "list"], &["--help"]] {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_guesswork"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    }
}
