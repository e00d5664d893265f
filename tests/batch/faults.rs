//! Plugins that break a rule beside a healthy lane, files that are no plugins, and a plugin written in C.

use crate::support::{Place, Ran, digits, end, kind, library, records_of, steps};
use std::process::Command;

/// A fault (lane 0) beside backpropagation (lane 1).
fn beside(fault: &str, params: &str) -> Place {
    let lanes = format!(r#"(strategy: "{fault}", params: {{{params}}}), (strategy: "backprop")"#);
    Place::new(&digits(&lanes, "steps: 12"))
}

fn batch(place: &Place, arguments: &[&str]) -> Ran {
    let library = library("faults");
    place.batch(&[&["--threads", "2", "--plugin-path", library.to_str().unwrap()], arguments].concat())
}

#[test]
fn a_fault_ends_its_lane_with_its_place_and_no_other() {
    for (fault, params, at, words) in [
        ("fault-panic", "", 0, &["panicked", "a fault at site 0 of step 0", "propose"][..]),
        ("fault-panic", "\"at\": 7", 7, &["a fault at site 0 of step 7", "step 7"]),
        ("fault-error", "\"at\": 2", 2, &["a fault at site 0 of step 2: é", "step 2"]),
        ("fault-nan", "", 0, &["NaN", "site `fc1`", "row 31, column 0"]),
        ("fault-late-nan", "", 5, &["NaN", "site `fc1`", "row 31, column 0", "step 5"]),
        ("fault-unwritten", "", 0, &["site `fc1`", "unwritten"]),
    ] {
        let ran = batch(&beside(fault, params), &[]).expect(4).says(&[fault]).says(words);
        let records = ran.records();
        let ended = end(&records, 0);
        let reason = ended["reason"]["plugin"].as_str().unwrap_or_else(|| panic!("{fault}: {ended}"));
        assert!(words.iter().all(|word| reason.contains(word)), "{reason}");
        assert_eq!((&ended["steps"], steps(&records, 0)), (&at.into(), (0..at).collect()), "{fault}");
        assert_eq!((&end(&records, 1)["reason"], &end(&records, 1)["steps"]), (&"done".into(), &12.into()), "{fault}");
    }
}

#[test]
fn damaged_memory_ends_the_run() {
    for fault in ["fault-overrun", "fault-writes-input"] {
        // Inputs are compared at the first three steps and every hundredth.
        let place = beside(fault, "\"at\": 2");
        let ran = batch(&place, &["--out", "run"]).expect(4).says(&[fault, "no longer trusted", "step 2"]);
        assert!(!ran.error.contains("panicked"), "{}", ran.error);
        let records = records_of(&place.path("run/records.jsonl"));
        assert!(end(&records, 0)["reason"]["plugin"].as_str().unwrap().contains("no longer trusted"));
        assert_eq!((&end(&records, 1)["reason"], &end(&records, 1)["steps"]), (&"interrupted".into(), &3.into()));
        let kept = std::fs::read_dir(place.path("run/checkpoints")).unwrap().count();
        assert_eq!(kept, 0, "nothing is written over from memory that may be damaged");
    }
}

#[test]
fn an_input_written_when_told_of_a_step_is_seen_at_every_hundredth() {
    let run = |at: u64| {
        let params = format!("\"at\": {at}");
        batch(&beside("fault-observe-writes-input", &params), &["--steps", "102"])
    };
    let ran = run(100).expect(4).says(&["fault-observe-writes-input", "observe", "no longer trusted", "step 100"]);
    let ended = end(&ran.records(), 0)["reason"]["plugin"].as_str().map(str::to_owned);
    assert!(ended.is_some_and(|reason| reason.contains("derivative of site `fc1`")));
    // A step that is not looked at: the activation's derivative is written anew by the next forward pass.
    assert_eq!(end(&run(50).expect(0).records(), 0)["reason"], "done");
}

#[test]
fn an_unknown_need_is_refused_before_training() {
    let ran = batch(&beside("fault-unknown-need", ""), &[]).expect(4).says(&["fault-unknown-need", "60"]);
    assert!(kind(&ran.records(), "step").is_empty());
}

#[test]
fn the_first_failure_ends_the_run_where_that_is_asked_for() {
    let place = beside("fault-error", "\"at\": 2");
    let records = batch(&place, &["--on-plugin-error", "abort"]).expect(4).records();
    assert!(end(&records, 0)["reason"]["plugin"].is_string());
    assert_eq!((&end(&records, 1)["reason"], &end(&records, 1)["steps"]), (&"interrupted".into(), &3.into()));
}

#[test]
fn a_failed_step_is_left_out_where_that_is_asked_for() {
    let skip = ["--on-plugin-error", "skip"];
    let place = beside("fault-error", "\"at\": 9");
    let records = batch(&place, &skip).expect(0).records();
    assert_eq!(steps(&records, 0), [0, 1, 2, 3, 4, 5, 6, 7, 8, 12]);
    assert_eq!((&end(&records, 0)["reason"], &end(&records, 0)["steps"]), (&"done".into(), &12.into()));
    assert_eq!(kind(&records, "message").len(), 3);
    // An instance that panicked is not called again: there is nothing to go on with.
    let records = batch(&beside("fault-panic", "\"at\": 9"), &skip).expect(4).records();
    assert_eq!(end(&records, 0)["steps"], 9);
    assert!(end(&records, 0)["reason"]["plugin"].is_string());
}

#[test]
fn a_failed_lane_stays_failed_when_the_run_goes_on() {
    for fault in ["fault-panic", "fault-error", "fault-late-nan"] {
        let place = beside(fault, "\"at\": 4");
        batch(&place, &["--out", "run"]).expect(4);
        let first = records_of(&place.path("run/records.jsonl"));
        let ran = batch(&place, &["--out", "run", "--resume"]).expect(4);
        assert!(!ran.error.contains("warning"), "{}", ran.error);
        let again = records_of(&place.path("run/records.jsonl"));
        assert_eq!(crate::support::timeless(again), crate::support::timeless(first), "{fault}");
    }
}

#[test]
fn files_that_are_no_plugins_are_listed_with_the_reason() {
    let place = beside("fault-panic", "");
    std::fs::write(place.path("notes.so"), "not a library at all\n").unwrap();
    let whole = std::fs::read(library("faults")).unwrap();
    std::fs::write(place.path("half.so"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(place.path("empty.so"), "").unwrap();
    let arguments = ["plugin", "list", "--plugin-path", "notes.so", "--plugin-path", "half.so"];
    let list =
        place.run(&[&arguments[..], &["--plugin-path", "empty.so", "--plugin-path", "gone.so"]].concat()).expect(0);
    let line = |name: &str| list.out.split('\n').skip_while(|line| !line.contains(name)).take(2).collect::<String>();
    assert!(line("notes.so").contains("not a dynamic library"), "{}", list.out);
    assert!(line("half.so").contains("cut off"), "{}", list.out);
    assert!(line("empty.so").contains("not a dynamic library"), "{}", list.out);
    assert!(line("gone.so").contains("no such file"), "{}", list.out);
    assert!(list.out.contains("weight-transpose"), "the others are usable: {}", list.out);
}

#[test]
fn a_place_for_plugins_that_is_not_there_is_refused_even_where_no_lane_needs_it() {
    let place = beside("fault-panic", "");
    let arguments = ["--batch", "quickstart", "--steps", "1", "--plugin-path", "gone"];
    for arguments in [&arguments[..], &["plugin", "info", "weight-transpose", "--plugin-path", "gone"]] {
        let refused = place.run(arguments).expect(4);
        assert!(refused.error.contains("--plugin-path gone: no such folder or library"), "{}", refused.error);
    }
    std::fs::write(place.path("notes.so"), "not a library at all\n").unwrap();
    for arguments in [&["--batch", "quickstart", "--steps", "1"][..], &["plugin", "info", "weight-transpose"]] {
        let refused = place.run(&[arguments, &["--plugin-path", "notes.so"]].concat()).expect(4);
        assert!(refused.error.contains("--plugin-path notes.so: not a dynamic library"), "{}", refused.error);
    }
}

#[test]
fn a_library_is_shown_with_all_of_its_strategies() {
    let place = beside("fault-panic", "");
    let faults = library("faults");
    let shown = place.run(&["plugin", "info", faults.to_str().unwrap()]).expect(0).out;
    assert!(shown.contains("(fault-panic)") && shown.matches("\nlibrary ").count() > 1, "{shown}");
    std::fs::write(place.path("notes.so"), "not a library at all\n").unwrap();
    place.run(&["plugin", "info", "notes.so"]).expect(4).says(&["notes.so: not a dynamic library"]);
    place.run(&["plugin", "info", "weigt-transpose"]).expect(4).says(&["did you mean `weight-transpose`?"]);
}

#[test]
fn a_library_that_brings_its_process_down_is_listed_and_never_a_crash() {
    let place = beside("fault-panic", "");
    let code = "#include <stdlib.h>\n__attribute__((constructor)) static void start(void) { abort(); }\n";
    std::fs::write(place.path("boom.c"), code).unwrap();
    let (from, to) = (place.path("boom.c"), place.path("libguesswork_boom.so"));
    assert!(Command::new("cc").args(["-fPIC", "-shared", "-o"]).arg(to).arg(from).status().unwrap().success());
    let list = place.run(&["plugin", "list", "--plugin-path", "libguesswork_boom.so"]).expect(0);
    assert!(list.out.contains("loading it ends the process with signal 6"), "{}", list.out);
    assert!(list.out.contains("weight-transpose"), "the others are usable: {}", list.out);
    // It lies beside the workspace, so a run finds it too, and goes on without it.
    let ran = batch(&beside("fault-panic", "\"at\": 20"), &[]).expect(0);
    assert_eq!(end(&ran.records(), 0)["reason"], "done");
    batch(&place, &["--set", "lanes[0].params.at=20"]).expect(0);
}

#[test]
fn a_strategy_in_c_is_built_loaded_and_trains() {
    let lanes = r#"(strategy: "sign-perturbation", scope: example_layer, optimizer: sgd(lr: 0.02))"#;
    let place = Place::new(&digits(lanes, "steps: 30, measure: (alignment: 5, test: 30)"));
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let output = Command::new("cc")
        .args(["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-o"])
        .arg(place.path(if cfg!(target_os = "macos") { "libguesswork_sign.dylib" } else { "libguesswork_sign.so" }))
        .arg(format!("-I{root}/plugin-api/include"))
        .arg(format!("{root}/plugins/examples/c/sign_perturbation.c"))
        .arg("-lm")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let info = place.run(&["plugin", "info", "sign-perturbation", "--plugin-path", "."]).expect(0);
    assert!(info.out.contains("density"), "{}", info.out);
    let records = place.batch(&[]).expect(0).records();
    assert_eq!(steps(&records, 0), (0..=30).collect::<Vec<_>>());
    let losses: Vec<f64> = kind(&records, "step").iter().filter_map(|step| step["loss"].as_f64()).collect();
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(mean(&losses[25..]) < 0.9 * mean(&losses[..5]), "{losses:?}");
}
