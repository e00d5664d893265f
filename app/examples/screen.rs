//! The screen without a person before it.
//!
//! `cargo run --release --example screen -- --size 120x36 [--run STEPS] [--layout N] [--ascii]` prints one frame as text: that of the
//! workspace `quickstart`, trained so many steps here and now. All of it but what a clock decides is the same every time.
//!
//! `cargo run --example screen -- [--seeds N] [--done STEPS] [--breaks] [--ascii] [--light] [--layout N]` is the workbench on made-up
//! curves: for work on its look, without a model, data or plugins.
#![forbid(unsafe_code)]

use guesswork::session::protocol::{Command, Snapshot, Status, Until};
use guesswork::session::{Experiment, Prepared};
use guesswork::tui::export::ansi;
use guesswork::tui::smooth::Derived;
use guesswork::tui::state::State;
use guesswork::tui::theme::{Theme, Tier};
use guesswork::tui::{self, TuiOptions, draw, synthetic::Synthetic};
use guesswork::workspace::Embedded;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// The session `quickstart` after so many steps of every lane.
pub fn quickstart(steps: u64) -> Result<Arc<Snapshot>, Box<dyn Error>> {
    let workspace = Embedded::find("quickstart").ok_or("quickstart ships with the program")?.document()?.workspace;
    let mut experiment = Experiment { paused: true, keep_open: true, history: true, ..Experiment::new(workspace) };
    // Cargo puts an example's program beside the strategies' folder, not into it.
    let program = std::env::current_exe()?;
    let folder = program.parent().filter(|folder| folder.ends_with("examples"));
    experiment.plugin_paths.extend(folder.map(|folder| folder.with_file_name("deps")));
    let session = Prepared::load(experiment)?.start(Vec::new())?;
    session.send(Command::RunUntil(Until::Step(steps)));
    let reached = |snapshot: &Snapshot| {
        !snapshot.lanes.is_empty() && snapshot.lanes.iter().all(|lane| lane.step >= steps || lane.ended.is_some())
    };
    loop {
        let snapshot = session.snapshot();
        match &snapshot.status {
            Status::Failed(why) => return Err(why.clone().into()),
            Status::Paused | Status::Finished if reached(&snapshot) => {
                session.send(Command::Stop);
                session.join()?;
                return Ok(snapshot);
            }
            _ => session.wait(Duration::from_millis(5)),
        };
    }
}

/// One frame of `snapshot` as text, without colours.
pub fn frame(snapshot: &Snapshot, (columns, rows): (u16, u16), layout: u8, ascii: bool) -> String {
    let state = State { size: (columns, rows), layout, ..State::default() };
    let theme = Theme { tier: Tier::True, ascii, ..Theme::default() };
    let derived = Derived::default();
    derived.begin(snapshot);
    let mut buffer = Buffer::empty(Rect::new(0, 0, columns, rows));
    draw::draw(&state, snapshot, &theme, &derived, &mut buffer);
    ansi::plain(&buffer)
}

fn size(text: &str) -> Option<(u16, u16)> {
    let (columns, rows) = text.split_once('x')?;
    Some((columns.parse().ok()?, rows.parse().ok()?))
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let number = |flag: &str, otherwise: u64| {
        let at = arguments.iter().position(|argument| argument == flag);
        at.and_then(|at| arguments.get(at + 1)).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    let text = |flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag);
        at.and_then(|at| arguments.get(at + 1))
    };
    if has("--size") {
        let size = text("--size").and_then(|text| size(text)).ok_or("--size wants columns and rows, as 120x36")?;
        let snapshot = quickstart(number("--run", 400))?;
        print!("{}", frame(&snapshot, size, number("--layout", 1) as u8, has("--ascii")));
        return Ok(());
    }
    let session = Synthetic::live(number("--seeds", 1), number("--done", 0), number("--steps", 5000), has("--breaks"));
    let options = TuiOptions {
        ascii: has("--ascii"),
        light: has("--light").then_some(true),
        layout: number("--layout", 1) as u8,
        ..TuiOptions::default()
    };
    let exit = tui::run(session, options)?;
    eprintln!("{exit:?}");
    Ok(())
}
