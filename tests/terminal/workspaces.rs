//! Workspaces opened, changed, run and saved by typing, without leaving the program.

use crate::SMALL;
use crate::screen::Workbench;

#[test]
fn a_shipped_workspace_is_edited_and_run_in_place() {
    let state = tempfile::tempdir().expect("a folder");
    let place = state.path().display().to_string();
    let mut bench = Workbench::start(SMALL, 120, 40, &[("XDG_STATE_HOME", &place)]);
    bench.wait_for("the lanes", |screen| screen.contains("Lanes 2") && screen.contains("Loss"));
    bench.press("W");
    bench.wait_for("the browser", |screen| screen.contains("Workspaces") && screen.contains("shipped"));
    bench.press("how much does it matter");
    bench.press("\r");
    bench.wait_for("the text", |screen| screen.contains("sgd(lr: 0.001)") && screen.contains("sound"));

    // Wrong while it is typed, with its place; right again once it is taken back.
    bench.press("x");
    bench.wait_for("what is wrong", |screen| screen.contains("1 wrong"));
    bench.press("\u{12}");
    bench.wait_for("that it does not run", |screen| screen.contains("does not run yet"));
    bench.press("\u{14}");
    bench.wait_for("that it is sound", |screen| screen.contains("sound"));

    bench.press("\u{12}");
    bench.wait_for("the question", |screen| screen.contains("End this session and run it?"));
    bench.press("y");
    bench.wait_for("the other lanes", |screen| screen.contains("Lanes 7") && screen.contains("fashion-mini"));
    bench.press("q");
    bench.answer_yes_until_ended();
    assert_eq!(bench.exit_code(), 0);
    bench.assert_restored();
}

#[test]
fn lanes_that_were_changed_are_saved_as_a_workspace() {
    let folder = tempfile::tempdir().expect("a folder");
    let (place, file) = (folder.path().display().to_string(), folder.path().join("mine.ron"));
    let mut bench = Workbench::start(SMALL, 120, 40, &[("XDG_STATE_HOME", &place)]);
    bench.wait_for("the lanes", |screen| screen.contains("Lanes 2") && screen.contains("Loss"));
    bench.press("j+");
    bench.wait_for("the new rate", |screen| screen.contains("0.00316"));
    bench.press(&format!(":save-workspace {}\r", file.display()));
    bench.wait_for("that it is saved", |screen| screen.contains("saved as"));
    bench.press("\u{1b}");
    bench.wait_for("the panes", |screen| !screen.contains("saved as") && screen.contains("Loss"));
    // A file that is there is not written over unasked.
    std::fs::write(&file, "mine").expect("the file is written");
    bench.press(&format!(":save-workspace {}\r", file.display()));
    bench.wait_for("the question", |screen| screen.contains("Write over it?"));
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), "mine");
    bench.press("y");
    bench.wait_for("that it is saved", |screen| screen.contains("saved as"));
    let text = std::fs::read_to_string(&file).expect("it is there");
    let workspace =
        guesswork::workspace::Workspace::from_text(&text, "mine.ron").unwrap_or_else(|error| panic!("{error}"));
    let rates: Vec<f64> =
        workspace.lanes.iter().filter_map(|lane| lane.optimizer).map(|optimizer| optimizer.lr()).collect();
    assert_eq!(rates, [0.1, 0.00316]);
    bench.press("\u{1b}");
    bench.wait_for("the panes", |screen| !screen.contains("saved as") && screen.contains("Loss"));
    bench.press("q");
    bench.answer_yes_until_ended();
    bench.assert_restored();
}

#[test]
fn lanes_are_filtered_and_runs_go_to_a_target() {
    let mut bench = Workbench::start(SMALL, 120, 40, &[]);
    bench.wait_for("the lanes", |screen| screen.contains("Lanes 2") && screen.contains("Loss"));
    bench.press("/strategy=weight*\r");
    bench.wait_for("one lane", |screen| screen.contains("Lanes 1") && !screen.contains("backprop"));
    bench.press("/\r");
    bench.wait_for("both lanes", |screen| screen.contains("Lanes 2"));
    bench.press("/lr>\r");
    bench.wait_for("the place of the error", |screen| screen.contains("column 4"));
    bench.press("\u{1b}");
    bench.wait_for("the key line", |screen| !screen.contains("column 4"));
    bench.press(" ");
    bench.wait_for("the pause", |screen| screen.contains("paused"));
    let step = bench.settled_step();
    bench.press(&format!(":run-to {}\r", step + 40));
    bench.wait_for("the step", |screen| crate::screen::step_of(screen) == Some(step + 40));
    assert_eq!(bench.settled_step(), step + 40);
    bench.press("S");
    bench.wait_for("the question", |screen| screen.contains("Stop training?"));
    bench.press("y");
    bench.wait_for("the end", |screen| screen.contains("finished"));
    bench.press("q");
    bench.answer_yes_until_ended();
    assert_eq!(bench.exit_code(), 0);
}
