//! Running on to a step or a target, and stopping.

use crate::support::{Live, SMALL};
use guesswork::filter::parse;
use guesswork::record::summary::EMA;
use guesswork::session::{Command, Status, Until};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn meets(text: &str) -> Command {
    Command::RunUntil(Until::Meets(Arc::new(parse(text).expect("a filter"))))
}

fn wait_for(live: &Live, status: Status) {
    let start = Instant::now();
    while live.session.snapshot().status != status {
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", live.session.snapshot().status);
        std::thread::yield_now();
    }
}

/// Steps that every lane has taken, once the session pauses.
fn paused_at(live: &Live) -> Vec<u64> {
    let start = Instant::now();
    // A snapshot may be older than the steps that were told of.
    let told = |lane: u64| live.losses.values().map(Vec::len).max().is_some_and(|most| lane >= most as u64);
    while live.session.snapshot().status != Status::Paused
        || !live.session.snapshot().lanes.iter().any(|lane| told(lane.step))
    {
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", live.session.snapshot().status);
        std::thread::yield_now();
    }
    live.session.snapshot().lanes.iter().map(|lane| lane.step).collect()
}

#[test]
fn a_run_to_a_step_pauses_there() {
    let mut live = Live::start(SMALL);
    live.step(2, 0);
    live.send(Command::RunUntil(Until::Step(9)));
    live.until("nine steps", |live| live.losses[&0].len() == 9 && live.losses[&1].len() == 9);
    assert_eq!(paused_at(&live), [9, 9]);
    assert_eq!(live.session.snapshot().until, None);
    live.send(Command::RunUntil(Until::Step(9)));
    assert!(live.refusal(1).contains("step 9 is passed already"), "{}", live.refusal(1));
    live.stop();
}

#[test]
fn a_target_is_met_by_the_figures_of_reports() {
    let mut plain = Live::start(SMALL);
    plain.step(30, 1);
    let (mut mean, mut weight) = (0.0, 0.0);
    let running: Vec<f64> = plain.losses[&1]
        .iter()
        .map(|(_, bits)| {
            mean = EMA * mean + (1.0 - EMA) * f64::from_bits(*bits);
            weight = EMA * weight + (1.0 - EMA);
            mean / weight
        })
        .collect();
    plain.stop();
    let target = running[20];
    let first = running.iter().position(|loss| *loss <= target).expect("it is there") as u64 + 1;
    let mut live = Live::start(SMALL);
    live.send(meets(&format!("strategy=activity* loss<={target:?}")));
    live.until("the steps", |live| live.losses.get(&1).is_some_and(|losses| losses.len() as u64 == first));
    assert_eq!(paused_at(&live)[1], first);
    let said = live.session.snapshot().messages.last().expect("it is said").text.clone();
    assert!(said.starts_with("paused: activity-perturbation meets strategy=activity*"), "{said}");
    live.stop();
}

#[test]
fn a_target_that_is_met_already_waits_for_the_next_lane() {
    let mut live = Live::start(SMALL);
    live.step(3, 0);
    live.send(meets("strategy=weight-transpose or steps>=6"));
    live.until("the other lane", |live| live.losses[&1].len() == 6);
    assert_eq!(paused_at(&live), [6, 6]);
    live.stop();
}

#[test]
fn pausing_forgets_the_target() {
    let live = Live::start(SMALL);
    live.send(Command::RunUntil(Until::Step(500)));
    live.send(Command::Pause);
    wait_for(&live, Status::Paused);
    assert_eq!(live.session.snapshot().until, None);
    live.stop();
}

#[test]
fn a_stopped_session_is_finished_and_its_lanes_interrupted() {
    let mut live = Live::start(SMALL);
    live.step(3, 0);
    let snapshot = live.session.snapshot();
    live.send(Command::Stop);
    live.until("both ends", |live| live.ended.len() == 2);
    wait_for(&live, Status::Finished);
    assert!(live.session.snapshot().lanes.iter().all(|lane| lane.ended.is_some()));
    assert_eq!(snapshot.lanes.len(), 2);
}

#[test]
fn the_workspace_of_a_session_runs_its_lanes_as_they_are_now() {
    let mut live = Live::start(SMALL);
    live.step(2, 0);
    let spec = live.spec(0);
    let more = guesswork::workspace::LaneSpec { guesses: Some(3), seeds: Some(vec![1, 2]), ..spec.clone() };
    for seed in [1, 2] {
        let one = guesswork::workspace::LaneSpec { seeds: Some(vec![seed]), ..more.clone() };
        live.send(Command::Add(Box::new(one), None));
    }
    live.send(Command::LearningRate(0, 0.125));
    live.send(Command::Drop(1));
    live.step(1, 3);
    let now = live.session.snapshot().workspace_now().expect("it has begun");
    live.stop();
    let text = guesswork::workspace::to_ron_brief(&now).expect("RON");
    let read =
        guesswork::workspace::Workspace::from_text(&text, "now.ron").unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(read.lanes, now.lanes);
    let runs: Vec<(String, u64, f64)> = read
        .grid()
        .expect("a grid")
        .into_iter()
        .map(|run| (run.name, run.seed, run.spec.optimizer.expect("filled in").lr()))
        .collect();
    let name = "weight-transpose k=3".to_owned();
    assert_eq!(runs, [("weight-transpose".to_owned(), 0, 0.125), (name.clone(), 1, 0.01), (name, 2, 0.01)]);
}
