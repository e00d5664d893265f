//! What must not go wrong when something else does: signals, a terminal that stalls or is lost, storms of sizes, faults of the screen
//! itself, strategies that print.

use crate::SMALL;
use crate::screen::{Place, Workbench, faults, records, step_of, wait_until};
use std::path::{Path, PathBuf};

/// The workbench under way in a folder, keeping its run in `run`.
fn under_way(place: &Place, environment: &[(&str, &str)]) -> (Workbench, PathBuf) {
    let bench = place.bench(&["small.ron", "--out", "run"], 120, 40, environment);
    bench.wait_for("some steps", |screen| step_of(screen).is_some_and(|step| step > 5));
    (bench, place.path("run"))
}

/// Steps that the first lane has recorded.
fn recorded(run: &Path) -> usize {
    let text = std::fs::read_to_string(run.join("records.jsonl")).unwrap_or_default();
    text.lines().filter(|line| line.starts_with(r#"{"record":"step","lane":0,"#)).count()
}

/// Both lanes can go on from where their records end.
fn assert_resumable(run: &Path) {
    for lane in 0..2 {
        assert!(run.join(format!("checkpoints/lane-{lane}.safetensors")).exists(), "no checkpoint of lane {lane}");
    }
    let text = std::fs::read_to_string(run.join("records.jsonl")).expect("there are records");
    let last = records(&text).pop().expect("there are records");
    assert_eq!(last["record"], "summary");
    assert_eq!(last["interrupted"], true);
}

#[test]
fn signals_that_end_it_restore_the_terminal_and_keep_the_run() {
    for (signal, code) in [("TERM", 143), ("HUP", 129), ("INT", 130)] {
        let place = Place::new(SMALL);
        let (mut bench, run) = under_way(&place, &[]);
        bench.signal(signal);
        assert_eq!(bench.exit_code(), code, "{signal}");
        bench.assert_restored();
        bench.wait_for_words("go on with: ");
        assert_resumable(&run);
    }
}

#[test]
fn a_fault_of_the_screen_restores_the_terminal_says_so_and_keeps_the_run() {
    // Release builds have no such fault to ask for.
    if !cfg!(debug_assertions) {
        return;
    }
    let place = Place::new(SMALL);
    let mut bench = place.bench(&["small.ron", "--out", "run"], 120, 40, &[("GUESSWORK_FAULT", "draw")]);
    assert_eq!(bench.exit_code(), 1);
    bench.assert_restored();
    bench.wait_for_words("a fault was asked for by GUESSWORK_FAULT");
    bench.wait_for_words("the screen failed, which is a fault of this program");
    bench.wait_for_words("go on with: ");
    assert_resumable(&place.path("run"));
}

#[test]
fn it_can_be_stopped_and_continued_like_any_program() {
    let place = Place::new(SMALL);
    let (mut bench, _) = under_way(&place, &[]);
    for _ in 0..2 {
        bench.signal("TSTP");
        wait_until("a stop", || bench.process_state().starts_with('T'));
        bench.assert_restored();
        bench.signal("CONT");
        bench.wait_for("the screen again", |screen| screen.contains("Loss") && step_of(screen).is_some());
        let step = bench.step();
        bench.wait_for("more steps", |screen| step_of(screen).is_some_and(|now| now > step));
    }
    bench.press("q");
    bench.answer_yes_until_ended();
    bench.assert_restored();
}

#[test]
fn a_storm_of_sizes_leaves_a_whole_picture() {
    let place = Place::new(SMALL);
    let (mut bench, _) = under_way(&place, &[]);
    for round in 0u16..150 {
        bench.resize(5 + round * 37 % 230, 2 + round * 23 % 70);
    }
    bench.resize(200, 50);
    bench.wait_for("the whole dashboard", |screen| {
        let lines: Vec<&str> = screen.lines().collect();
        lines.len() == 50
            && ["Lanes", "Loss", "Formula", "Alignment"].iter().all(|pane| screen.contains(pane))
            && lines[49].contains("quit")
    });
    let step = bench.step();
    bench.wait_for("more steps", |screen| step_of(screen).is_some_and(|now| now > step));
    bench.press("q");
    bench.answer_yes_until_ended();
    bench.assert_restored();
}

#[test]
fn a_terminal_that_takes_nothing_does_not_hold_up_training() {
    let place = Place::new(&SMALL.replace("steps: 1000000", "steps: 10000"));
    let (mut bench, run) = under_way(&place, &[]);
    let before = recorded(&run);
    // Training goes on to its very end while not a byte is taken.
    bench.stalled().during(|| wait_until("the last step", || recorded(&run) > 10000));
    assert!(before < 10000, "the stall came too late to show anything");
    bench.wait_for("the end, once it is read again", |screen| screen.contains("finished"));
    bench.press("q");
    bench.answer_yes_until_ended();
    bench.assert_restored();
}

#[test]
fn a_terminal_that_takes_nothing_does_not_keep_it_from_ending() {
    let place = Place::new(SMALL);
    let (mut bench, run) = under_way(&place, &[]);
    let stalled = bench.stalled();
    stalled.during(|| {
        let now = recorded(&run);
        // Long enough for frames to fill the terminal's own buffer.
        wait_until("many more steps", || recorded(&run) > now + 3000);
        bench.signal("TERM");
        wait_until("the summary", || run.join("summary.json").exists());
    });
    assert_eq!(bench.exit_code(), 143);
    assert_resumable(&run);
}

#[test]
fn what_a_strategy_prints_goes_to_the_log() {
    let chatter = r#"optimizer: sgd(lr: 0.001)), (strategy: "fault-chatter", params: {"at": 3000})"#;
    let place = Place::new(&SMALL.replace("optimizer: sgd(lr: 0.001))", chatter).replace("1000000", "3010"));
    let mut bench = place.bench(&["small.ron", "--out", "run"], 200, 50, &[("GUESSWORK_PLUGIN_PATH", &faults())]);
    bench.wait_for("the end", |screen| screen.contains("finished"));
    bench.wait_for("the last lines in the log pane", |screen| screen.contains("chatter on standard"));
    bench.press("q");
    bench.answer_yes_until_ended();
    bench.assert_restored();
    let log = std::fs::read_to_string(place.path("run/log.txt")).expect("there is a log");
    for stream in ["output", "error"] {
        assert!(log.contains(&format!("printed: chatter on standard {stream} at step 3000")), "{log}");
    }
    // On the terminal itself nothing was printed but through the screen.
    let raw = bench.raw();
    let outside = raw.split("\u{1b}[?2026h").map(|part| part.rsplit("\u{1b}[?2026l").next().unwrap_or(""));
    assert!(outside.skip(1).all(|text| !text.contains("chatter")), "printed over the screen");
}

#[test]
fn what_a_strategy_prints_before_the_screen_opens_is_not_lost() {
    let chatter = r#"optimizer: sgd(lr: 0.001)), (strategy: "fault-chatter", params: {"at": 3000})"#;
    let place = Place::new(&SMALL.replace("optimizer: sgd(lr: 0.001))", chatter));
    let mut bench = place.bench(&["small.ron", "--out", "run"], 200, 50, &[("GUESSWORK_PLUGIN_PATH", &faults())]);
    bench.wait_for("the line in the log", |screen| screen.contains("chatter on creation"));
    bench.press("q");
    bench.answer_yes_until_ended();
    let (before, _) = bench.raw().split_once("\u{1b}[?1049h").map(|(a, b)| (a.to_owned(), b.len())).expect("a screen");
    assert!(!before.contains("chatter"), "printed on the terminal: {before}");

    // Where no screen comes it is let out, before what is wrong.
    let unsound = r#"(strategy: "fault-chatter"), (strategy: "weight-transpos")"#;
    let place = Place::new(&SMALL.replace(r#"(strategy: "weight-transpose", optimizer: sgd(lr: 0.001))"#, unsound));
    let mut bench = place.bench(&["small.ron"], 200, 50, &[("GUESSWORK_PLUGIN_PATH", &faults())]);
    assert_eq!(bench.exit_code(), 4, "{}", bench.raw());
    bench.wait_for_words("did you mean `weight-transpose`");
    let raw = bench.raw();
    let (said, _) = raw.split_once("did you mean").expect("just seen");
    assert!(said.contains("chatter on creation"), "{raw}");
}

#[test]
fn what_takes_long_to_load_is_told_until_there_is_more_to_say() {
    let place = Place::new(&SMALL.replace(r#"(name: "digits")"#, r#"(name: "mnist", path: "data")"#));
    let data = place.path("data");
    std::fs::create_dir(&data).expect("a folder");
    for name in ["train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"] {
        std::fs::write(data.join(name), []).expect("a file");
    }
    // Who reads a pipe waits for who writes it.
    let pipe = data.join("train-images-idx3-ubyte");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let mut bench = place.bench(&["small.ron"], 100, 30, &[]);
    bench.wait_for("what is waited for", |screen| screen.contains("loading data and strategies ..."));
    std::fs::write(&pipe, []).expect("its reader waits");
    assert_eq!(bench.exit_code(), 3, "{}", bench.raw());
    bench.wait_for("the error alone", |screen| screen.contains("truncated") && !screen.contains("loading"));
    assert!(!bench.raw().contains("\u{1b}[?1049h"), "the alternate screen was entered");
}

#[test]
fn the_screen_tells_its_own_cost() {
    let place = Place::new(SMALL);
    let (mut bench, _) = under_way(&place, &[]);
    bench.press(":perf\r");
    bench.wait_for("the figures", |screen| screen.contains("key to frame ms") && screen.contains("bytes a frame"));
    bench.press("q");
    bench.answer_yes_until_ended();
}
