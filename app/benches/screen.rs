//! What the screen costs, against its budgets: `cargo bench --bench screen`.
//!
//! Frames are those of the real drawing code on a made-up session, told to a terminal that swallows them. Nothing here fails on a slow
//! machine: the figures are printed beside their budgets.
#![forbid(unsafe_code)]

use arc_swap::ArcSwap;
use guesswork::record::{Key, Quantity, StageSeconds, StepReport};
use guesswork::session::history::{LaneHistory, Spill};
use guesswork::session::{Command, Snapshot, Source};
use guesswork::tui::draw::draw;
use guesswork::tui::smooth::Derived;
use guesswork::tui::state::{State, Window};
use guesswork::tui::synthetic::Synthetic;
use guesswork::tui::theme::Theme;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const FRAMES: usize = 500;

fn main() {
    println!("{:<58} {:>12} {:>12}   budget", "", "median", "99 %");
    frames("frame 200×50, 5 lanes × 100 000 steps", State::default(), "4 ms median, 8 ms of 99 %");
    let window = Window::Fixed(20_000, 60_000);
    frames("the same, zoomed to 40 000 steps long past", State { window, ..State::default() }, "");
    let window = Window::Fixed(20_000, 20_400);
    frames("the same, zoomed to 400 steps long past", State { window, ..State::default() }, "");
    frames("the same, logarithmic steps", State { log_x: true, ..State::default() }, "");
    publish();
    append();
    million();
}

fn report(name: &str, mut times: Vec<Duration>, budget: &str) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    println!("{name:<58} {:>12} {:>12}   {budget}", format!("{:.2?}", at(50)), format!("{:.2?}", at(99)));
}

/// Frames while training: between two of them every lane takes a step.
fn frames(name: &str, state: State, budget: &str) {
    let session = Synthetic::new(1, 100_000, 200_000, false);
    let area = Rect::new(0, 0, 200, 50);
    let options = TerminalOptions { viewport: Viewport::Fixed(area) };
    let mut terminal =
        Terminal::with_options(CrosstermBackend::new(std::io::sink()), options).expect("no terminal is asked");
    let state = State { size: (area.width, area.height), ..state };
    let (theme, derived) = (Theme::default(), Derived::default());
    let mut times = Vec::with_capacity(FRAMES);
    for frame in 0..FRAMES + 20 {
        session.send(Command::Step(1));
        let snapshot = session.snapshot();
        let begin = Instant::now();
        derived.begin(&snapshot);
        let drawn = terminal.draw(|frame| drop(draw(&state, &snapshot, &theme, &derived, frame.buffer_mut())));
        drawn.expect("a sink takes everything");
        // The first ones bring the moving averages up to date.
        if frame >= 20 {
            times.push(begin.elapsed());
        }
    }
    report(name, times, budget);
}

/// What the trainer does to publish a snapshot.
fn publish() {
    let base = Synthetic::new(1, 1_000, 5_000, false).snapshot();
    let shared = ArcSwap::from_pointee(Snapshot::default());
    let once = || {
        let begin = Instant::now();
        shared.store(Arc::new(black_box(Snapshot::clone(&base))));
        begin.elapsed()
    };
    report("publish a snapshot of 5 lanes", (0..10_000).map(|_| once()).collect(), "50 µs");
}

fn reports(steps: u64) -> impl Iterator<Item = StepReport> {
    let keys: Vec<Key> = (0..20).map(|site| Key::site(Quantity::Cosine, site)).collect();
    (0..steps).map(move |step| StepReport {
        lane: 0,
        step,
        values: keys
            .iter()
            .enumerate()
            .map(|(site, key)| (*key, (step as f64 * 0.618 + site as f64).fract()))
            .collect(),
        metrics: Vec::new(),
        spectra: Vec::new(),
        seconds: StageSeconds::default(),
    })
}

/// What a step of one lane costs to keep.
fn append() {
    let history = LaneHistory::new();
    let once = |report: StepReport| {
        let begin = Instant::now();
        history.push(&report);
        begin.elapsed()
    };
    report("append a step of 20 values", reports(200_000).map(once).collect(), "");
}

/// A run of a million steps.
fn million() {
    let before = resident();
    let (spill, begin) = (Arc::new(Spill::default()), Instant::now());
    let lanes: Vec<LaneHistory> = (0..5).map(|_| LaneHistory::within(&spill)).collect();
    for report in reports(1_000_000) {
        lanes.iter().for_each(|lane| lane.push(&report));
    }
    let (took, held) = (begin.elapsed(), lanes.iter().map(LaneHistory::bytes).sum::<usize>());
    let grown = resident().zip(before).map_or("?".to_owned(), |(now, before)| format!("{}", (now - before) / 1000));
    println!(
        "1 000 000 steps × 5 lanes × 20 series: {} MB of series, {grown} MB more resident, {took:.1?}   200 MB",
        held / 1_000_000
    );
}

/// Kilobytes that the process holds, where the system says so.
fn resident() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().trim_end_matches(" kB").parse().ok()
}
