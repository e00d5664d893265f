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
        // The quick variant runs on embedded data where the set that is named is not here.
        let (report, error, code) = run(&["check", name, "--quick"]);
        assert!(code == 0 && report.contains(": sound"), "{name}: {error}");
    }
    let (_, error, code) = run(&["workspaces", "quickstat"]);
    assert!(code == 3 && error.contains("did you mean `quickstart`?"), "{error}");
}

#[test]
fn a_printed_workspace_is_a_file_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.ron");
    std::fs::write(&file, run(&["workspaces", "scope-matters"]).0).unwrap();
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
    assert!(code == 3 && error.contains("1500") && error.contains("training examples"), "{error}");
    let (_, error, code) =
        run(&["check", "quickstart", "--set", "problem.data.name=mnist", "--set", "problem.data.path=/no/folder"]);
    assert!(code == 3 && error.contains("scripts/fetch-data.sh mnist"), "{error}");
    let (_, error, code) = run(&["check", "no-such-file.ron"]);
    assert!(code == 3 && error.contains("no workspace file"), "{error}");
}

#[test]
fn lanes_are_built_to_see_whether_they_can_be() {
    for (set, code, words) in [
        ("lanes[2].strategy=weight-transpos", 4, &["no strategy is called", "did you mean `weight-transpose`?"][..]),
        ("lanes[1].params.mask=foo", 3, &["lane `activity-perturbation`", "`mask`", "none, derivative, active"]),
        ("lanes[1].params.msk=none", 3, &["did you mean `mask`?"]),
        ("lanes[4].scope=example", 3, &["lane `weight-perturbation`", "write batch or layer"]),
        ("problem.model=mlp(hidden:[16777216,16777216])", 3, &["this machine has", "smaller"]),
        ("problem.model=mlp(hidden:[18446744073709551615])", 3, &["from 1 to 16777216"]),
    ] {
        let (out, error, status) = run(&["check", "quickstart", "--set", set]);
        assert_eq!((status, out.as_str()), (code, ""), "{set}: {error}");
        assert!(words.iter().all(|word| error.contains(word)), "{set}: {error}");
    }
    let (report, _, _) = run(&["check", "quickstart"]);
    assert!(report.contains("mlp 784-128-128-128-10"), "{report}");
}

#[test]
fn the_commands_of_the_readme_can_be_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = std::fs::read_to_string(root.join("README.md")).unwrap();
    let mut checked = 0;
    for line in text.lines().filter_map(|line| line.strip_prefix("cargo run --release -- --batch ")) {
        let line = line.split(['#', '>', '&']).next().unwrap().replace('\'', "");
        let words: Vec<&str> = line.split_whitespace().collect();
        // All that decides whether the lanes can be; `check` builds each of them.
        let sets = words.windows(2).filter(|pair| pair[0] == "--set").flatten().copied();
        let output = guesswork().current_dir(root).arg("check").arg(words[0]).args(sets).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        // And the rest is understood: the program gets as far as the workspace.
        let rest =
            guesswork().current_dir(root).args(["--batch", "no-such-file.ron"]).args(&words[1..]).output().unwrap();
        assert!(String::from_utf8_lossy(&rest.stderr).contains("no workspace file"), "{line}");
        checked += 1;
    }
    assert!(checked >= 5, "only {checked} commands were found");
}

#[test]
fn what_is_no_text_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.ron");
    std::fs::write(&file, [b'(', 0xff, 0xfe]).unwrap();
    for (path, words) in [(file.as_path(), ["no UTF-8 text", "RON"]), (folder.path(), ["a folder", "workspace file"])] {
        let (_, error, code) = run(&["check", path.to_str().unwrap()]);
        assert!(code == 3 && words.iter().all(|word| error.contains(word)), "{error}");
    }
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
