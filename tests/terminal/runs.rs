//! Runs that are kept: quit and resumed, opened again at their view, watched while another process writes them.

use crate::SMALL;
use crate::screen::{Place, Workbench, last_values, records, step_of};
use guesswork::tui::format;
use std::path::Path;
use std::process::Stdio;

fn records_of(run: &Path) -> Vec<serde_json::Value> {
    records(&std::fs::read_to_string(run.join("records.jsonl")).expect("there are records"))
}

/// The steps of a lane, in the order of its records.
fn steps(records: &[serde_json::Value], lane: u64) -> Vec<u64> {
    let of_lane = records.iter().filter(|record| record["record"] == "step" && record["lane"] == lane);
    of_lane.map(|record| record["step"].as_u64().expect("a step has a number")).collect()
}

/// The arguments of the command that is printed after `sign`.
fn command_after(bench: &Workbench, sign: &str) -> Vec<String> {
    bench.wait_for(sign, |_| bench.raw().split_once(sign).is_some_and(|(_, rest)| rest.contains('\n')));
    let raw = bench.raw();
    let (_, rest) = raw.split_once(sign).expect("just seen");
    rest.lines().next().unwrap_or("").split_whitespace().skip(1).map(str::to_owned).collect()
}

#[test]
fn quitting_while_training_keeps_everything_and_says_how_to_go_on() {
    let place = Place::new(SMALL);
    let mut bench = place.bench(&["small.ron"], 200, 50, &[]);
    bench.wait_for("some steps", |screen| step_of(screen).is_some_and(|step| step > 20));
    bench.press("2");
    bench.wait_for("the second layout", |screen| screen.contains("2 curves"));
    bench.press("q");
    bench.answer_yes_until_ended();
    bench.assert_restored();
    let runs = place.runs();
    assert_eq!(runs.len(), 1, "{runs:?}");
    let stopped = steps(&records_of(&runs[0]), 0).len() as u64;
    let said = command_after(&bench, "go on with: ");
    assert_eq!(said.first().map(String::as_str), Some("open"), "{said:?}");
    assert_eq!(said.last().map(String::as_str), Some("--resume"), "{said:?}");
    assert!(runs[0].ends_with(&said[1]), "{said:?} is not {runs:?}");

    // Looked at: where it stopped, at the view it was left at, and read-only.
    let arguments: Vec<&str> = said.iter().map(String::as_str).collect();
    let mut bench = place.bench(&arguments[..2], 200, 50, &[]);
    bench.wait_for("the stopped run", |screen| screen.contains("stopped · opened") && screen.contains("2 curves"));
    assert_eq!(bench.settled_step(), stopped);
    bench.press("s");
    bench.wait_for("the refusal", |screen| screen.contains("read-only"));

    // And from there trained on.
    bench.press(" ");
    bench.wait_for("the question", |screen| screen.contains("Go on training"));
    bench.press("y");
    bench.wait_for("more steps", |screen| {
        screen.contains("running") && step_of(screen).is_some_and(|step| step > stopped)
    });
    bench.wait_for("the same view", |screen| screen.contains("2 curves"));
    bench.press("q");
    bench.answer_yes_until_ended();

    // The printed command does the same from the shell, and no step is missing or taken twice.
    let before = steps(&records_of(&runs[0]), 1).len() as u64;
    let mut bench = place.bench(&arguments, 200, 50, &[]);
    bench.wait_for("more steps", |screen| step_of(screen).is_some_and(|step| step > before));
    bench.press("q");
    bench.answer_yes_until_ended();
    for lane in [0, 1] {
        let taken = steps(&records_of(&runs[0]), lane);
        assert!(taken.iter().copied().eq(0..taken.len() as u64), "lane {lane}: {taken:?}");
    }
    assert_eq!(place.runs().len(), 1, "nothing new was begun");
}

#[test]
fn a_finished_run_is_looked_at_again() {
    let place = Place::new(&SMALL.replace("steps: 1000000", "steps: 40"));
    let mut bench = place.bench(&["small.ron", "--out", "kept"], 200, 50, &[]);
    bench.wait_for("the end", |screen| screen.contains("finished"));
    let shown = bench.text();
    bench.press("q");
    bench.answer_yes_until_ended();
    assert_eq!(command_after(&bench, "again with: ")[0], "open");
    assert!(place.runs().is_empty(), "--out was asked for");
    let mut bench = place.bench(&["open", "kept"], 200, 50, &[]);
    bench.wait_for("the finished run", |screen| screen.contains("finished · opened"));
    let lanes = |screen: &str| -> Vec<String> {
        let of_lane = |line: &&str| line.contains("backprop") || line.contains("weight-transpose");
        screen.lines().filter(of_lane).take(2).map(|line| line.chars().take(42).collect()).collect()
    };
    bench.wait_for("the same numbers", |screen| lanes(screen) == lanes(&shown));
    bench.press(" ");
    bench.wait_for("nothing left", |screen| screen.contains("nothing left to train"));
    bench.press("q");
    assert_eq!(bench.exit_code(), 0);
    bench.assert_restored();
}

/// Records without what a clock decides, and without messages.
fn timeless(records: Vec<serde_json::Value>) -> Vec<serde_json::Value> {
    let told = |record: &serde_json::Value| !matches!(record["record"].as_str(), Some("run" | "message"));
    let mut records: Vec<_> = records.into_iter().filter(told).collect();
    for record in &mut records {
        record.as_object_mut().expect("a record is an object").remove("time");
        for lane in record["lanes"].as_array_mut().into_iter().chain(None).flatten() {
            lane.as_object_mut().expect("a lane is an object").remove("time");
        }
        for group in record["groups"].as_array_mut().into_iter().flatten() {
            group.as_object_mut().expect("a group is an object").remove("time");
        }
    }
    // The order of lanes within a round, and of their ends, is the trainer's business.
    records.sort_by_key(|record| (record["record"].to_string(), record["lane"].as_u64(), record["step"].as_u64()));
    records
}

#[test]
fn batch_and_screen_report_the_same_numbers() {
    let place = Place::new(&SMALL.replace("steps: 1000000", "steps: 60"));
    let output = place.command(&["--quiet", "--batch", "small.ron"]).output().expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let of_batch = records(&String::from_utf8(output.stdout).expect("records are UTF-8"));
    let mut bench = place.bench(&["small.ron", "--out", "run"], 200, 50, &[]);
    bench.wait_for("the end", |screen| screen.contains("finished"));
    // What is shown are the records' numbers…
    let shown = |quantity: &str, write: fn(f64) -> String| -> Vec<String> {
        last_values(&of_batch, quantity).into_iter().map(write).collect()
    };
    let expected = shown("test_accuracy", |accuracy| format!("{:.1}%", 100.0 * accuracy));
    assert_eq!(expected.len(), 2, "two lanes");
    bench.wait_for(&format!("the accuracies {expected:?}"), |screen| expected.iter().all(|text| screen.contains(text)));
    bench.press("q");
    bench.answer_yes_until_ended();
    // … and the records of both faces are the same, to the last bit.
    let (batch, screen) = (timeless(of_batch), timeless(records_of(&place.path("run"))));
    assert_eq!(batch.len(), screen.len());
    for (batch, screen) in batch.iter().zip(&screen) {
        assert_eq!(batch, screen);
    }
}

#[test]
fn every_number_on_the_screen_is_that_of_the_records() {
    let place = Place::new(&SMALL.replace("steps: 1000000", "steps: 60"));
    let mut bench = place.bench(&["small.ron", "--out", "run"], 200, 50, &[]);
    bench.wait_for("the end", |screen| screen.contains("finished"));
    let records = records_of(&place.path("run"));
    // The last step at which the alignment was measured.
    let of_lane = |lane: u64| {
        let step = |record: &&serde_json::Value| record["record"] == "step" && record["lane"] == lane;
        records.iter().filter(step).find(|record| record["step"] == 55).expect("the step was taken")
    };
    let number = |value: &serde_json::Value| value.as_f64().expect("it was measured");
    bench.press(":go 55\r");
    for (pane, title, quantity) in
        [("loss", "Loss", "loss"), ("cosine", "Cosine", "cosine"), ("norm-ratio", "Norm ratio", "norm_ratio")]
    {
        bench.press(&format!(":show {pane}\r"));
        bench.wait_for(&format!("the pane {title}"), |screen| {
            screen.contains(title) && screen.contains("step 55") && !screen.contains("Formula")
        });
        for lane in 0..2 {
            let expected = format::exact(number(&of_lane(lane)[quantity]).abs());
            bench.wait_for(&format!("{quantity} {expected} of lane {lane}"), |screen| screen.contains(&expected));
        }
        bench.press("z");
        bench.wait_for("all panes", |screen| screen.contains("Formula"));
    }
    // The layers one by one: what the heatmap says of the cell pointed at.
    bench.press("j");
    bench.wait_for("the lane that guesses", |screen| screen.contains("Weight transpose"));
    let cosines = of_lane(1)["sites"]["cosine"].as_array().expect("layers were measured");
    for (name, cosine) in ["fc1", "fc2", "fc3"].iter().zip(cosines) {
        let cosine = format::exact(number(cosine));
        bench.press("]");
        bench.wait_for(&format!("cosine {cosine} of {name}"), |screen| screen.contains(&format!("{name} {cosine}")));
    }
    bench.press("q");
    assert_eq!(bench.exit_code(), 0);
}

#[test]
fn nothing_is_kept_when_asked_so() {
    let place = Place::new(SMALL);
    let mut bench = place.bench(&["small.ron", "--no-record"], 120, 40, &[]);
    bench.wait_for("a step", |screen| step_of(screen).is_some_and(|step| step > 2));
    bench.press("q");
    bench.answer_yes_until_ended();
    bench.wait_for_words("nothing of this run was kept");
    assert!(place.runs().is_empty());
}

#[test]
fn a_batch_run_is_watched_until_it_is_stopped_and_when_it_goes_on() {
    let place = Place::new(SMALL);
    let batch = |more: &[&str]| {
        let arguments = [&["--quiet", "--batch", "small.ron", "--out", "run"], more].concat();
        let mut command = place.command(&arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the run starts")
    };
    let signal = |child: &std::process::Child, name: &str| {
        let status = std::process::Command::new("kill").args(["-s", name, &child.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    };
    let mut child = batch(&[]);
    while !place.path("run/records.jsonl").exists() {
        std::thread::yield_now();
    }
    let mut bench = place.bench(&["attach", "run"], 200, 50, &[]);
    bench.wait_for("the run under way", |screen| {
        screen.contains("running · attached") && step_of(screen).is_some_and(|step| step > 5)
    });
    let step = bench.step();
    bench.wait_for("more steps", |screen| step_of(screen).is_some_and(|now| now > step));
    bench.press(" ");
    bench.wait_for("the refusal", |screen| screen.contains("takes no commands from here"));
    signal(&child, "TERM");
    child.wait().expect("it ends");
    bench.wait_for("the stop", |screen| screen.contains("stopped · attached") && screen.contains("before its end"));
    let stopped = bench.settled_step();
    assert_eq!(stopped, steps(&records_of(&place.path("run")), 0).len() as u64);

    let mut child = batch(&["--resume"]);
    bench.wait_for("the run going on", |screen| {
        screen.contains("running · attached") && step_of(screen).is_some_and(|step| step > stopped)
    });
    // Killed in the middle of whatever it was doing.
    signal(&child, "KILL");
    child.wait().expect("it ends");
    bench.wait_for("the stop", |screen| screen.contains("stopped · attached"));
    bench.press("q");
    assert_eq!(bench.exit_code(), 0);
    bench.assert_restored();
}

#[test]
fn a_batch_run_is_watched_to_its_end() {
    let place = Place::new(&SMALL.replace("steps: 1000000", "steps: 300"));
    let arguments = ["--quiet", "--batch", "small.ron", "--out", "run"];
    let mut child = place.command(&arguments).stdout(Stdio::null()).spawn().expect("the run starts");
    while !place.path("run/records.jsonl").exists() {
        std::thread::yield_now();
    }
    let mut bench = place.bench(&["attach", "run"], 200, 50, &[]);
    bench.wait_for("the end", |screen| screen.contains("finished · attached"));
    assert!(child.wait().expect("it ends").success());
    bench.press("q");
    assert_eq!(bench.exit_code(), 0);
}

#[test]
fn what_is_no_run_is_said_before_the_screen_opens() {
    let place = Place::new(SMALL);
    for (arguments, words) in [
        (&["open"][..], "holds no run yet"),
        (&["open", "nowhere"][..], "no run `nowhere`"),
        (&["attach", "small.ron"][..], "holds no run"),
    ] {
        let mut bench = place.bench(arguments, 120, 40, &[]);
        assert_eq!(bench.exit_code(), 3, "{}", bench.raw());
        bench.wait_for_words(words);
        assert!(!bench.raw().contains("\u{1b}[?1049h"), "the alternate screen was entered");
    }
}
