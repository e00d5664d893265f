//! The workbench as lines: no screen, the same commands typed.

use crate::SMALL;
use crate::screen::{Place, Workbench, last_values, records};
use std::io::Write;
use std::process::Stdio;

#[test]
fn on_a_terminal_it_prints_lines_and_takes_the_same_commands() {
    let place = Place::new(SMALL);
    let mut bench = place.bench(&["small.ron", "--plain", "--every", "1s", "--out", "run"], 100, 40, &[]);
    bench.wait_for_words("commands are read here");
    bench.wait_for_words(", running, ");
    bench.press("pause\r");
    bench.wait_for_words(", paused, ");
    bench.press("help single step\r");
    bench.wait_for_words("step [N]: Every lane takes one step");
    bench.press("puase\r");
    bench.wait_for_words("did you mean `pause`?");
    bench.press("show formula\r");
    bench.wait_for_words("Weight transpose");
    bench.press("previous-lane\r");
    bench.wait_for_words("selected backprop");
    bench.press("show formula\r");
    bench.wait_for_words("Backpropagation");
    let running = |bench: &Workbench| bench.raw().matches(", running, ").count();
    let before = running(&bench);
    bench.press("pause\r");
    bench.wait_for("training again", |_| running(&bench) > before);
    bench.press("quit\r");
    bench.wait_for_words("Answer yes or no.");
    bench.press("yes\r");
    assert_eq!(bench.exit_code(), 0);
    bench.wait_for_words("go on with: ");
    assert!(!bench.raw().contains("\u{1b}["), "a line reader is sent no escape sequence: {:?}", bench.raw());
}

#[test]
fn a_kept_run_is_read_out_to_its_end() {
    let place = Place::new(&SMALL.replace("steps: 1000000", "steps: 40"));
    let batch = place.command(&["--quiet", "--batch", "small.ron", "--out", "run"]).output().expect("it runs");
    assert!(batch.status.success(), "{}", String::from_utf8_lossy(&batch.stderr));
    let text = std::fs::read_to_string(place.path("run/records.jsonl")).expect("there are records");
    let accuracies = last_values(&records(&text), "test_accuracy");
    for face in ["open", "attach"] {
        let mut command = place.command(&[face, "run", "--plain"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut keyboard = child.stdin.take().expect("it reads");
        keyboard.write_all(b"show loss\nstep\n").expect("it reads");
        drop(keyboard);
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{face}: {said}");
        assert!(said.contains("step 40 of 40, finished") && said.contains("read-only"), "{face}: {said}");
        assert!(accuracies.iter().all(|value| said.contains(&format!("{:.1} %", 100.0 * value))), "{face}: {said}");
    }
}
