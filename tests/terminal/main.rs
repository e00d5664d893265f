//! The workbench on a real pseudo-terminal, read back through a screen model: what a person sees and types.
//!
//! Nothing here waits a fixed time: each step waits until the screen shows what is expected, and fails with the screen's
//! text when it never does.
#![forbid(unsafe_code)]

mod example;
mod keys;
mod lanes;
mod lines;
mod mouse;
mod robust;
mod runs;
mod screen;
mod workspaces;

use guesswork::tui::terminal::Screen;
use screen::Workbench;

const SMALL: &str = r#"(
    name: "small",
    problem: Network(data: (name: "digits"), model: mlp(hidden: [16, 16]), batch: 32),
    lanes: [(strategy: "backprop"), (strategy: "weight-transpose", optimizer: sgd(lr: 0.001))],
    steps: 1000000,
    measure: (alignment: 5, test: 50),
)"#;

#[test]
fn a_session_from_the_first_frame_to_the_restored_terminal() {
    let mut bench = Workbench::start(SMALL, 200, 50, &[]);
    bench.wait_for("the loss pane", |screen| screen.contains("Loss"));
    bench.wait_for("the heatmap", |screen| screen.contains("Alignment") && screen.contains("fc1"));
    bench.wait_for("curves", |screen| screen.chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c)));
    bench.wait_for("heat", |screen| screen.contains('▀'));

    // Training goes on: the picture changes by itself.
    let before = bench.text();
    bench.wait_for("a change", |screen| screen != before);

    // Paused: the step stands still; a single step moves it by one.
    bench.press(" ");
    bench.wait_for("the pause", |screen| screen.contains("paused"));
    let step = bench.settled_step();
    bench.press("s");
    bench.wait_for("one step more", |screen| screen::step_of(screen) == Some(step + 1));
    assert_eq!(bench.settled_step(), step + 1);

    // Another lane, the help and back.
    bench.press("j");
    bench.wait_for("the other lane's formula", |screen| screen.contains("Weight transpose"));
    bench.press("?");
    bench.wait_for("the help", |screen| screen.contains("type to search"));
    bench.press("\u{1b}");
    bench.wait_for("the panes again", |screen| !screen.contains("type to search") && screen.contains("Formula"));

    // Every size down to a sentence, and back.
    for (columns, rows, words) in [(80, 24, "quit"), (40, 12, "lane"), (12, 3, "Guesswork"), (200, 50, "Alignment")] {
        bench.resize(columns, rows);
        bench.wait_for("a frame of the new size", |screen| screen.contains(words));
    }
    bench.wait_for("the dashboard again", |screen| screen.contains("Formula") && screen.contains("Alignment"));

    // Quitting asks while there is something to lose, and leaves the terminal as it was.
    bench.press("q");
    bench.answer_yes_until_ended();
    assert_eq!(bench.exit_code(), 0);
    bench.assert_restored();
}

#[test]
fn sigterm_restores_the_terminal_and_tells_the_shell() {
    let mut bench = Workbench::start(SMALL, 120, 40, &[]);
    bench.wait_for("the loss pane", |screen| screen.contains("Loss"));
    bench.signal("TERM");
    assert_eq!(bench.exit_code(), 143);
    bench.assert_restored();
}

/// The program of the test below, in a pseudo-terminal of its own.
#[test]
#[ignore = "run by `a_panic_of_the_drawing_gives_the_terminal_back`"]
fn a_drawing_that_panics() {
    let mut screen = Screen::enter(true).expect("a terminal");
    screen
        .draw(|buffer| {
            buffer[(0, 0)].set_symbol("◆");
        })
        .expect("a frame");
    screen.draw(|_| panic!("a fault of the drawing")).expect("a frame");
}

#[test]
fn a_panic_of_the_drawing_gives_the_terminal_back() {
    let mut bench = Workbench::of_test("a_drawing_that_panics", 100, 30);
    assert_eq!(bench.exit_code(), 101, "{}", bench.raw());
    bench.assert_restored();
    let raw = bench.raw();
    let (screen, after) = raw.split_once("\u{1b}[?1049l").expect("the alternate screen is left");
    assert!(screen.contains('◆') && !screen.contains("a fault of the drawing"), "{raw}");
    assert!(after.contains("a fault of the drawing"), "what happened is told where a person sees it: {raw}");
}

#[test]
fn small_terminals_show_what_fits() {
    let mut bench = Workbench::start(SMALL, 80, 24, &[]);
    bench.wait_for("loss and a heatmap at 80×24", |screen| screen.contains("Loss") && screen.contains("Alignment"));
    bench.resize(40, 12);
    bench.wait_for("the lanes' numbers at 40×12", |screen| screen.contains("backprop"));
    bench.press("q");
    bench.answer_yes_until_ended();
    bench.assert_restored();
}

#[test]
fn no_color_means_no_colour() {
    let mut bench = Workbench::start(SMALL, 120, 40, &[("NO_COLOR", "1")]);
    bench.wait_for("the loss pane", |screen| screen.contains("Loss"));
    assert!(bench.is_colourless(), "{}", bench.text());
    bench.press("q");
    bench.answer_yes_until_ended();
}

#[test]
fn a_plugin_that_panics_ends_its_lane_and_the_rest_goes_on() {
    let workspace = SMALL.replace(
        "optimizer: sgd(lr: 0.001))",
        "optimizer: sgd(lr: 0.001)), (strategy: \"fault-panic\", params: {\"at\": 20})",
    );
    let mut bench = Workbench::start(&workspace, 200, 50, &[("GUESSWORK_PLUGIN_PATH", &screen::faults())]);
    bench.wait_for("the message", |screen| screen.contains("panicked"));
    bench.wait_for("the lane's own mark", |screen| {
        screen.lines().any(|line| line.contains("fault-panic") && line.contains('✕'))
    });
    let step = bench.step();
    bench.wait_for("the other lanes going on", |screen| screen::step_of(screen).is_some_and(|now| now > step));
    bench.press("q");
    bench.answer_yes_until_ended();
    bench.assert_restored();
}

#[test]
fn a_workspace_that_is_not_sound_never_opens_the_screen() {
    let mut bench = Workbench::start(&SMALL.replace("weight-transpose", "weight-transpos"), 120, 40, &[]);
    assert_eq!(bench.exit_code(), 4);
    assert!(bench.raw().contains("did you mean `weight-transpose`"), "{}", bench.raw());
    assert!(!bench.raw().contains("\u{1b}[?1049h"), "the alternate screen was entered");
    assert!(bench.has_begun_nothing(), "a run was begun");
}
