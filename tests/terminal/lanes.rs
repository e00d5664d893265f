//! Lanes added, changed and dropped by typing, while the others run.

use crate::SMALL;
use crate::screen::Workbench;

#[test]
fn a_lane_is_added_retuned_and_dropped_by_hand() {
    let mut bench = Workbench::start(SMALL, 120, 40, &[]);
    bench.wait_for("the lanes", |screen| screen.contains("weight-transpose") && screen.contains("Loss"));

    // A letter finds the strategy; tab goes through the fields.
    bench.press("n");
    bench.wait_for("the form", |screen| screen.contains("New lane") && screen.contains("learning rate"));
    bench.press("b");
    bench.wait_for("the reference", |screen| screen.contains("‹backprop›"));
    bench.press("\t\t");
    bench.press("mine");
    bench.wait_for("the name", |screen| screen.contains("mine"));
    bench.press("\r");
    bench.wait_for("the lane", |screen| !screen.contains("New lane") && screen.contains("mine"));
    bench.wait_for("three lanes", |screen| screen.contains("Lanes 3"));

    // Its learning rate changes while it runs.
    bench.press("jj");
    bench.press("e");
    bench.wait_for("the form of the lane", |screen| screen.contains("nothing changed"));
    bench.press("\u{7f}".repeat(12).as_str());
    bench.press("0.0005");
    bench.wait_for("what changes", |screen| screen.contains("→ 0.0005"));
    bench.press("\r");
    bench.wait_for("the new rate", |screen| screen.contains("η 5.0e−4") || screen.contains("η 0.0005"));

    // A value out of range stays in the form and is said there.
    bench.press("e");
    bench.wait_for("the form again", |screen| screen.contains("nothing changed"));
    bench.press("\u{1b}[H-");
    bench.wait_for("what is wrong", |screen| screen.contains("expected a learning rate of at least 0"));
    bench.press("\r");
    bench.wait_for("the form stays", |screen| screen.contains("expected a learning rate of at least 0"));
    bench.press("\u{1b}");
    bench.wait_for("the panes", |screen| !screen.contains("expected a learning rate"));

    bench.press("x");
    bench.wait_for("the question", |screen| screen.contains("Drop mine?"));
    bench.press("y");
    bench.wait_for("the end of the lane", |screen| screen.contains("dropped"));
    bench.press("x");
    bench.wait_for("the second question", |screen| screen.contains("Take mine off the screen?"));
    bench.press("y");
    bench.wait_for("two lanes", |screen| screen.contains("Lanes 2"));
    bench.press("q");
    bench.answer_yes_until_ended();
    assert_eq!(bench.exit_code(), 0);
    bench.assert_restored();
}
