//! A mixture while it runs: its weights change, its strategies and what they learned stay.

use crate::support::{Live, SMALL};
use guesswork::session::Command;
use guesswork::workspace::{LaneSpec, MemberSpec};
use std::collections::BTreeMap;

fn mixed() -> String {
    let of = r#"[(strategy: "learned-feedback"), (strategy: "weight-transpose", weight: 0.5)]"#;
    let lane = format!(r#"(strategy: "mixture", of: {of}, optimizer: adam(lr: 0.002))"#);
    SMALL.replace(r#"(strategy: "weight-transpose", scope: example, optimizer: sgd(lr: 0.01))"#, &lane)
}

fn weighing(spec: &LaneSpec, weight: f64) -> Box<LaneSpec> {
    let mut spec = spec.clone();
    spec.of[1].weight = weight;
    Box::new(spec)
}

#[test]
fn a_weight_changed_there_and_back_leaves_what_was_learned() {
    let mut plain = Live::start(&mixed());
    plain.step(12, 0);
    let mut live = Live::start(&mixed());
    live.step(6, 0);
    let spec = live.spec(0);
    live.send(Command::Retune(0, weighing(&spec, 2.0)));
    live.send(Command::Retune(0, weighing(&spec, 0.5)));
    live.step(6, 0);
    assert_eq!(live.losses[&0], plain.losses[&0]);
    let words: Vec<String> = live.changes.iter().map(|change| change.changes[0].to_string()).collect();
    assert_eq!(words, ["of[1].weight 0.5 → 2.0", "of[1].weight 2.0 → 0.5"]);
    assert!(live.session.snapshot().messages.iter().all(|message| !message.text.contains("anew")));
    // Another weight makes another path.
    live.send(Command::Retune(0, weighing(&spec, 2.0)));
    live.step(2, 0);
    plain.step(2, 0);
    assert_ne!(live.losses[&0], plain.losses[&0]);
    plain.stop();
    live.stop();
}

#[test]
fn another_strategy_in_it_is_refused_and_another_parameter_begins_anew() {
    let mut live = Live::start(&mixed());
    live.step(2, 0);
    let spec = live.spec(0);
    let changed = |change: &dyn Fn(&mut Vec<MemberSpec>)| {
        let mut spec = spec.clone();
        change(&mut spec.of);
        live.send(Command::Retune(0, Box::new(spec)));
    };
    changed(&|of| drop(of.pop()));
    assert!(live.refusal(1).contains("keeps the strategies that it mixes"), "{}", live.refusal(1));
    changed(&|of| of.swap(0, 1));
    assert!(live.refusal(2).contains("keeps the strategies that it mixes"), "{}", live.refusal(2));
    changed(&|of| of[0].weight = 0.0);
    assert!(live.refusal(3).contains("of[0].weight: expected a weight other than 0"), "{}", live.refusal(3));
    changed(&|of| of[1].params = BTreeMap::from([("depth".to_owned(), guesswork::workspace::ParamValue::Int(99))]));
    assert!(live.refusal(4).contains("of[1]: parameter `depth`"), "{}", live.refusal(4));
    changed(&|of| of[0].params = BTreeMap::from([("rate".to_owned(), guesswork::workspace::ParamValue::Float(0.5))]));
    live.step(2, 0);
    assert!(live.session.snapshot().messages.iter().any(|message| message.text.contains("own state began anew")));
    live.stop();
}
