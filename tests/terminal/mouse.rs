//! The mouse: what a click, a drag and the wheel do, as a terminal reports them (SGR).

use crate::SMALL;
use crate::screen::{Look, Place, Workbench, step_of};

/// Left button.
const LEFT: u8 = 0;
const RIGHT: u8 = 2;
/// Added while a button is held.
const MOVED: u8 = 32;
const UP: u8 = 64;
const DOWN: u8 = 65;

fn report(bench: &mut Workbench, button: u8, (column, row): (u16, u16), pressed: bool) {
    let end = if pressed { 'M' } else { 'm' };
    bench.press(&format!("\u{1b}[<{button};{};{}{end}", column + 1, row + 1));
}

fn click(bench: &mut Workbench, at: (u16, u16)) {
    report(bench, LEFT, at, true);
    report(bench, LEFT, at, false);
}

/// Waits until the screen is another than `looked`, and still.
fn answered(bench: &Workbench, what: &str, looked: &Look) {
    bench.wait_for(what, |_| bench.look() != *looked);
    bench.come_to_rest();
}

/// The loss pane: its left edge, its top, and the row of its axis of steps.
fn loss(bench: &Workbench) -> (u16, u16, u16) {
    let (column, top) = bench.find("╭─ Loss");
    let text = bench.text();
    let edge = |(_, line): &(usize, &str)| line.chars().nth(column.into()) == Some('╰');
    let (foot, _) = text.lines().enumerate().skip(top.into()).find(edge).expect("the pane has a foot");
    (column, top, foot as u16 - 1)
}

/// What stands along the loss's axis of steps.
fn axis(bench: &Workbench) -> Vec<u64> {
    let (column, _, row) = loss(bench);
    let text = bench.text();
    let line = text.lines().nth(row.into()).expect("the row is there");
    let inside = line.chars().skip(usize::from(column) + 1).take_while(|letter| *letter != '│').collect::<String>();
    // One blank groups digits, more stand between numbers.
    inside.split("  ").filter_map(|number| number.replace(' ', "").parse().ok()).collect()
}

#[test]
fn clicks_choose_drags_and_the_wheel_zoom() {
    let place = Place::new(SMALL);
    let mut bench = place.bench(&["small.ron", "--no-record"], 200, 50, &[]);
    bench.wait_for("some steps", |screen| step_of(screen).is_some_and(|step| step > 200));
    bench.press(" ");
    bench.wait_for("the pause", |screen| screen.contains("paused"));
    bench.come_to_rest();

    // A lane, then a pane.
    let lane = bench.find("weight-transpose");
    click(&mut bench, lane);
    bench.wait_for("its formula", |screen| screen.contains("Weight transpose"));
    let pane = bench.find("─ Accuracy");
    click(&mut bench, pane);
    bench.press("z");
    bench.wait_for("that pane alone", |screen| screen.contains("Accuracy") && !screen.contains("─ Loss"));
    bench.press("z");
    bench.wait_for("all panes", |screen| screen.contains("─ Loss"));
    bench.come_to_rest();

    // A click on a chart puts the crosshair there, and the right button takes it away.
    let (left, top, foot) = loss(&bench);
    click(&mut bench, (left + 4, top));
    bench.come_to_rest();
    let (looked, whole) = (bench.look(), axis(&bench));
    assert!(whole.len() >= 2, "{whole:?}");
    click(&mut bench, (left + 30, top + 4));
    answered(&bench, "the crosshair", &looked);
    bench.wait_for("its step", |screen| screen.contains("step "));
    report(&mut bench, RIGHT, (left + 30, top + 4), true);
    bench.wait_for("the charts without it", |_| bench.look() == looked);

    // A drag shows what lies between its ends; back is one key.
    report(&mut bench, LEFT, (left + 25, top + 4), true);
    for column in [28, 33, 40] {
        report(&mut bench, LEFT + MOVED, (left + column, top + 4), true);
    }
    report(&mut bench, LEFT, (left + 40, top + 4), false);
    bench.wait_for("a part of the run", |_| axis(&bench) != whole && !axis(&bench).is_empty());
    bench.come_to_rest();
    let part = axis(&bench);
    assert!(part[0] > whole[0] && part.last() < whole.last(), "{part:?} of {whole:?}");
    bench.press("u");
    bench.wait_for("the whole run", |_| axis(&bench) == whole);

    // The wheel on a chart is for steps; left of it, on the axis of values, for those.
    report(&mut bench, UP, (left + 30, top + 4), true);
    bench.wait_for("a part of the run", |_| axis(&bench) != whole);
    report(&mut bench, DOWN, (left + 30, top + 4), true);
    bench.wait_for("the whole run", |_| axis(&bench) == whole);
    bench.come_to_rest();
    let looked = bench.look();
    report(&mut bench, UP, (left + 3, top + 4), true);
    answered(&bench, "other values", &looked);
    assert_eq!(axis(&bench), whole, "the steps stay at row {foot}");
    bench.press("0");
    bench.wait_for("all values", |_| bench.look() == looked);

    bench.press("q");
    assert_eq!(bench.exit_code(), 0);
    bench.assert_restored();
}

#[test]
fn without_the_mouse_the_terminal_keeps_it() {
    let place = Place::new(SMALL);
    let mut bench = place.bench(&["small.ron", "--no-record", "--no-mouse"], 120, 40, &[]);
    bench.wait_for("the loss pane", |screen| screen.contains("Loss"));
    bench.press("q");
    bench.answer_yes_until_ended();
    for mode in ["?1000h", "?1002h", "?1003h"] {
        assert!(!bench.raw().contains(mode), "the mouse was asked for");
    }
}
