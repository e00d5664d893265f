//! Lanes while the others run.

use crate::support::{Live, SMALL};
use guesswork::record::EndReason;
use guesswork::session::Command;
use guesswork::workspace::{LaneSpec, OptimizerSpec, ParamValue, Scope};

fn with_rate(spec: &LaneSpec, rate: f64) -> LaneSpec {
    LaneSpec { optimizer: spec.optimizer.map(|optimizer| optimizer.with_lr(rate)), ..spec.clone() }
}

#[test]
fn a_rate_changed_live_equals_a_scheduled_one() {
    let scheduled = SMALL.replace("sgd(lr: 0.01)", "sgd(lr: 0.01), schedule: step(every: 10, factor: 0.5)");
    let mut planned = Live::start(&scheduled);
    planned.step(25, 0);

    let mut live = Live::start(SMALL);
    live.step(10, 0);
    let spec = live.spec(0);
    live.send(Command::Retune(0, Box::new(with_rate(&spec, 0.005))));
    live.step(10, 0);
    live.send(Command::LearningRate(0, 0.0025));
    live.step(5, 0);
    assert_eq!(live.losses[&0], planned.losses[&0]);
    assert_eq!(live.losses[&1], planned.losses[&1]);

    let words: Vec<(u64, String)> =
        live.changes.iter().map(|change| (change.step, change.changes[0].to_string())).collect();
    assert_eq!(words, [(10, "lr 0.01 → 0.005".to_owned()), (20, "lr 0.005 → 0.0025".to_owned())]);
    let marks: Vec<u64> = live.session.snapshot().lanes[0].history.marks().iter().map(|mark| mark.step).collect();
    assert_eq!(marks, [10, 20]);
    planned.stop();
    live.stop();
}

#[test]
fn settings_changed_before_the_first_step_equal_those_of_the_file() {
    let changed = SMALL.replace("scope: example,", "scope: layer, guesses: 3, scaling: unit, params: {\"depth\": 2},");
    let mut planned = Live::start(&changed);
    planned.step(12, 0);
    let mut live = Live::start(SMALL);
    let spec = live.spec(0);
    let mut wanted = LaneSpec { scope: Some(Scope::Layer), guesses: Some(3), ..spec };
    wanted.scaling = Some(guesswork::workspace::GuessScaling::Unit);
    wanted.params.insert("depth".to_owned(), ParamValue::Int(2));
    live.send(Command::Retune(0, Box::new(wanted)));
    live.step(12, 0);
    assert_eq!(live.losses[&0], planned.losses[&0]);
    planned.stop();
    live.stop();
}

#[test]
fn a_change_there_and_back_between_two_steps_leaves_no_trace() {
    let mut plain = Live::start(SMALL);
    plain.step(14, 1);
    let mut live = Live::start(SMALL);
    live.step(7, 1);
    let spec = live.spec(1);
    let other = LaneSpec { guesses: Some(2), scope: Some(Scope::Batch), ..spec.clone() };
    live.send(Command::Retune(1, Box::new(other)));
    live.send(Command::Retune(1, Box::new(spec)));
    live.step(7, 1);
    assert_eq!(live.losses[&1], plain.losses[&1]);
    assert_eq!(live.changes.len(), 2);
    plain.stop();
    live.stop();
}

#[test]
fn a_copy_with_the_same_seed_follows_the_same_path_and_another_seed_does_not() {
    let mut live = Live::start(SMALL);
    live.step(9, 0);
    let spec = live.spec(0);
    live.send(Command::Add(Box::new(LaneSpec { seeds: Some(vec![0]), ..spec.clone() }), None));
    live.send(Command::Add(Box::new(LaneSpec { seeds: Some(vec![5]), ..spec.clone() }), None));
    live.step(9, 2);
    assert_eq!(live.losses[&2], live.losses[&0][..9]);
    assert_ne!(live.losses[&3], live.losses[&0][..9]);
    assert_eq!(live.losses[&0].len(), 18);
    // Another seed of the same settings belongs to the lane; the same seed once more is a lane of its own.
    let names: Vec<&str> = live.started.iter().map(|info| info.name.as_str()).collect();
    assert_eq!(names, ["weight-transpose", "activity-perturbation", "weight-transpose #2", "weight-transpose"]);

    live.send(Command::Add(Box::new(LaneSpec { guesses: Some(4), ..spec }), None));
    live.step(1, 4);
    assert_eq!(live.started[4].name, "weight-transpose k=4");
    live.stop();
}

#[test]
fn what_cannot_be_is_refused_and_the_others_go_on() {
    let mut live = Live::start(SMALL);
    live.step(2, 0);
    let spec = live.spec(0);
    live.send(Command::Add(Box::new(LaneSpec { strategy: "weight-transpos".to_owned(), ..spec.clone() }), None));
    assert!(live.refusal(1).contains("did you mean `weight-transpose`?"), "{}", live.refusal(1));
    live.send(Command::Retune(0, Box::new(LaneSpec { strategy: "downstream".to_owned(), ..spec.clone() })));
    assert!(live.refusal(2).contains("it runs `weight-transpose` and keeps it"), "{}", live.refusal(2));
    let mut deep = spec.clone();
    deep.params.insert("depth".to_owned(), ParamValue::Int(-1));
    live.send(Command::Retune(0, Box::new(deep)));
    assert!(live.refusal(3).contains("parameter `depth`"), "{}", live.refusal(3));
    live.send(Command::Retune(0, Box::new(with_rate(&spec, -1.0))));
    assert!(live.refusal(4).contains("optimizer.lr: expected a learning rate of at least 0"));
    live.send(Command::Retune(7, Box::new(spec)));
    assert!(live.refusal(5).contains("it has ended"));
    live.step(3, 0);
    assert_eq!(live.losses[&0].len(), 5);
    let mut plain = Live::start(SMALL);
    plain.step(5, 0);
    assert_eq!(live.losses, plain.losses);
    live.stop();
    plain.stop();
}

#[test]
fn a_dropped_lane_ends_with_its_curve_and_goes_when_dropped_again() {
    let mut live = Live::start(SMALL);
    live.step(3, 0);
    live.send(Command::Drop(1));
    live.until("the end", |live| live.ended.len() == 1);
    assert_eq!((live.ended[0].lane, live.ended[0].steps, &live.ended[0].reason), (1, 3, &EndReason::Dropped));
    live.step(2, 0);
    assert_eq!(live.session.snapshot().lanes.len(), 2);
    live.send(Command::Drop(1));
    live.step(2, 0);
    let lanes = live.stop().lanes;
    assert_eq!(lanes.iter().map(|lane| lane.info.lane).collect::<Vec<_>>(), [0]);
}

#[test]
fn another_optimizer_begins_with_moments_at_zero() {
    let mut live = Live::start(SMALL);
    live.step(4, 1);
    let spec = live.spec(1);
    let sgd = OptimizerSpec::Sgd { lr: 0.01, momentum: 0.9, nesterov: false, weight_decay: 0.0 };
    live.send(Command::Retune(1, Box::new(LaneSpec { optimizer: Some(sgd), ..spec })));
    live.step(1, 1);
    assert!(live.session.snapshot().messages.iter().any(|message| message.text.contains("moments began anew")));
    let fields: Vec<&str> = live.changes[0].changes.iter().map(|change| change.field.as_str()).collect();
    assert!(fields.contains(&"optimizer") && fields.contains(&"optimizer.momentum"), "{fields:?}");
    live.stop();
}

/// Steps of a lane that were told of.
fn taken(live: &Live, lane: usize) -> usize {
    live.losses.get(&lane).map_or(0, Vec::len)
}

#[test]
fn a_resumed_run_has_its_added_and_changed_lanes_to_the_bit() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = |live: &mut Live, cut: bool| {
        live.step(5, 0);
        let spec = live.spec(0);
        let added = LaneSpec { guesses: Some(2), seeds: Some(vec![3]), ..spec.clone() };
        live.send(Command::Add(Box::new(added), None));
        live.step(4, 0);
        live.send(Command::Retune(0, Box::new(LaneSpec { scope: Some(Scope::Layer), ..with_rate(&spec, 1e-5) })));
        live.until("all steps so far", |live| {
            [(0, 9), (1, 9), (2, 4)].iter().all(|(lane, steps)| taken(live, *lane) == *steps)
        });
        if cut {
            live.until("the change", |live| live.changes.len() == 1);
        }
    };
    let mut whole = Live::start(SMALL);
    script(&mut whole, false);
    whole.step(6, 0);
    whole.until("all steps", |live| {
        [(0, 15), (1, 15), (2, 10)].iter().all(|(lane, steps)| taken(live, *lane) == *steps)
    });
    let whole_losses = whole.losses.clone();
    whole.stop();

    let mut first = Live::with(SMALL, Some(folder.path()), false);
    script(&mut first, true);
    let mut losses = first.losses.clone();
    assert!(first.stop().interrupted);
    let mut second = Live::with(SMALL, Some(folder.path()), true);
    second.step(6, 0);
    second.until("all lanes", |live| (0..3).all(|lane| taken(live, lane) == 6));
    for (lane, more) in &second.losses {
        losses.entry(*lane).or_default().extend(more);
    }
    assert_eq!(losses, whole_losses);
    // The change came after the last step before the cut: it is told once more, as no record led up to it.
    assert_eq!(second.changes.iter().map(|change| (change.lane, change.step)).collect::<Vec<_>>(), [(0, 9)]);
    let added = second.started.iter().find(|info| info.lane == 2).expect("it is there again");
    assert_eq!((added.name.as_str(), added.seed), ("weight-transpose k=2", 3));
    second.stop();
}

#[test]
fn a_lane_more_trains_the_problem_of_the_lane_it_was_added_at_also_when_resumed() {
    let swept =
        SMALL.replace("steps: 1000", "sweep: [(path: \"problem.model.hidden\", values: [[12, 12], [8]])], steps: 1000");
    let folder = tempfile::tempdir().expect("a folder");
    let parameters = |live: &Live, lane| {
        let info = live.started.iter().find(|info| info.lane == lane).expect("started");
        (info.name.clone(), info.parameters, info.axes.clone())
    };
    let mut live = Live::with(&swept, Some(folder.path()), false);
    live.step(2, 0);
    live.until("all lanes", |live| live.started.len() == 4);
    let narrow = (0..4).find(|&lane| parameters(&live, lane).0 == "weight-transpose 8").expect("the second network");
    let spec = live.spec(narrow);
    live.send(Command::Add(Box::new(LaneSpec { guesses: Some(2), name: None, ..spec.clone() }), Some(narrow)));
    live.send(Command::Add(Box::new(LaneSpec { guesses: Some(2), name: None, ..spec }), None));
    live.step(3, 0);
    live.until("the lanes", |live| [4, 5].iter().all(|lane| taken(live, *lane) == 3));
    let (name, size, axes) = parameters(&live, 4);
    assert_eq!((size, axes), (parameters(&live, narrow).1, parameters(&live, narrow).2));
    assert_eq!(name, "weight-transpose 8 k=2");
    assert_eq!(parameters(&live, 5).1, parameters(&live, 0).1);
    // What is saved of the session runs on both networks too: the three kinds of lanes on each.
    let runs = live.session.snapshot().workspace_now().expect("it has begun").grid().expect("a grid");
    let names: Vec<String> = runs.iter().map(|run| run.name.clone()).collect();
    let strategies = ["weight-transpose", "activity-perturbation", "weight-transpose"];
    assert!(names.len() == 6 && strategies.iter().all(|strategy| names.iter().any(|name| name.starts_with(strategy))));
    assert_eq!(runs.iter().filter(|run| run.spec.guesses == Some(2)).count(), 2, "{names:?}");
    live.stop();

    let mut again = Live::with(&swept, Some(folder.path()), true);
    again.step(1, 4);
    assert_eq!(parameters(&again, 4), (name, size, parameters(&again, narrow).2));
    again.stop();
}
