//! Lanes with losses of their own on each layer.

use crate::support::{Place, digits, kind, records_of, tensors, timeless};

/// The gradient of heads that learn beside the network is nearer to the network's own than that of heads that stay as they were
/// drawn. Seeds 0 to 2.
#[test]
fn heads_that_learn_guess_better_than_heads_that_stay() {
    let lanes = r#"
        (strategy: "local-loss", name: "learns", scope: example_layer, optimizer: sgd(lr: 0.02)),
        (strategy: "local-loss", name: "stays", params: {"lr": 0.0}, scope: example_layer, optimizer: sgd(lr: 0.02)),
    "#;
    let rest = "seeds: [0, 1, 2], steps: 300, measure: (alignment: 10, test: 0)";
    let records = Place::new(&digits(lanes, rest)).batch(&[]).expect(0).records();
    let mean = |lane: u64| {
        let late = kind(&records, "step").into_iter().filter(|step| step["lane"] == lane);
        let late = late.filter(|step| step["step"].as_u64().is_some_and(|step| (150..300).contains(&step)));
        let cosines: Vec<f64> = late.filter_map(|step| step["cosine"].as_f64()).collect();
        assert_eq!(cosines.len(), 15);
        cosines.iter().sum::<f64>() / cosines.len() as f64
    };
    let names: Vec<&str> = kind(&records, "lane").iter().map(|lane| lane["name"].as_str().unwrap()).collect();
    let of = |name: &str| -> Vec<f64> {
        (0..names.len()).filter(|&lane| names[lane] == name).map(|lane| mean(lane as u64)).collect()
    };
    let (learns, stays) = (of("learns"), of("stays"));
    for (learns, stays) in learns.iter().zip(&stays) {
        assert!(learns > &(stays + 0.05), "{learns} {stays}");
    }
}

const LOCAL: &str = r#"
    (strategy: "backprop", name: "BP"),
    (strategy: "backprop", name: "L-BP", losses: local(greedy: false)),
    (strategy: "backprop", name: "LG-BP", losses: local()),
    (strategy: "activity-perturbation", name: "LG-FG-A", scope: example, output: exact, losses: local()),
    (strategy: "weight-transpose", name: "LG-W^T", scope: example_layer, output: exact, losses: local(groups: 2, aggregate: false)),
"#;

/// Greedy local losses train a network: its test accuracy comes near that of backpropagation, and far above chance by guesses.
#[test]
fn local_losses_train() {
    let rest = "steps: 250, defaults: (optimizer: sgd(lr: 0.1)), measure: (alignment: 25, one_step: 50, test: 250)";
    let workspace = digits(LOCAL, rest).replace("defaults: (normalise: row),", "");
    let place = Place::new(&workspace);
    place.batch(&["--out", "run"]).expect(0);
    let records = records_of(&place.path("run/records.jsonl"));
    let lanes = kind(&records, "lane");
    // Heads of 12·10 + 10 parameters on two blocks; of two groups, 2·(6·10 + 10).
    let plain = lanes[0]["parameters"].as_u64().unwrap();
    for (lane, (more, parts)) in [(0, 1), (260, 2), (260, 3), (260, 3), (280, 3)].into_iter().enumerate() {
        assert_eq!(lanes[lane]["parameters"], plain + more, "{lane}");
        assert_eq!(lanes[lane]["parts"], parts, "{lane}");
    }
    // Heads are among what is kept.
    let kept = tensors(&place.path("run"));
    assert_eq!(kept.keys().filter(|name| name.ends_with("model.fc1.head.weight")).count(), 4);
    let last = |lane: u64, field: &str| -> f64 {
        let steps = kind(&records, "step").into_iter().filter(|step| step["lane"] == lane);
        steps.filter_map(|step| step[field].as_f64()).next_back().unwrap()
    };
    let accuracies: Vec<f64> = (0..5).map(|lane| last(lane, "test_accuracy")).collect();
    assert!(accuracies.iter().take(3).all(|accuracy| *accuracy > 0.8), "{accuracies:?}");
    assert!(accuracies.iter().skip(3).all(|accuracy| *accuracy > 0.5), "{accuracies:?}");
    // The gradient that alignment is measured against is that of the losses the lane trains.
    for lane in 0..3 {
        assert!((last(lane, "cosine") - 1.0).abs() < 1e-6 && (last(lane, "one_step") - 1.0).abs() < 1e-6, "{lane}");
    }
    assert!(last(3, "cosine") > 0.1 && last(4, "cosine") > 0.1);
}

/// Heads are kept: a run that was cut off goes on to the same bits as one that was not.
#[test]
fn a_run_on_local_losses_goes_on_to_the_same_bits() {
    let lanes = r#"
        (strategy: "backprop", optimizer: adam(lr: 0.002), losses: local(greedy: false)),
        (strategy: "local-loss", scope: example, optimizer: sgd(lr: 0.01), losses: local(groups: 2, aggregate: false)),
    "#;
    let place = Place::new(&digits(lanes, "steps: 300, measure: (alignment: 1, test: 1)"));
    place.batch(&["--out", "straight"]).expect(0);
    let cut = place.batch(&["--out", "run", "--time", "0.05s"]).expect(0);
    assert!(cut.error.contains("out of time"), "{}", cut.error);
    place.batch(&["--out", "run", "--resume"]).expect(0);
    let records = |run: &str| timeless(records_of(&place.path(&format!("{run}/records.jsonl"))));
    let whole = |run: &str| {
        let mut records = records(run);
        records.retain(|record| record["record"] == "step");
        records
    };
    assert_eq!(whole("run"), whole("straight"));
    assert_eq!(tensors(&place.path("run")), tensors(&place.path("straight")));
}

#[test]
fn what_local_losses_cannot_do_is_refused_by_name() {
    let refused = |lane: &str, words: &[&str]| {
        Place::new(&digits(lane, "steps: 3")).batch(&[]).expect(3).says(words);
    };
    refused(
        r#"(strategy: "weight-perturbation", source: central(0.001), losses: local())"#,
        &["lane `weight-perturbation`", "source: a difference of losses sees through the borders", "write tangent"],
    );
    refused(r#"(strategy: "backprop", losses: local(patches: true))"#, &["lane `backprop`", "one row an example"]);
    refused(r#"(strategy: "backprop", losses: local(groups: 5))"#, &["5 groups do not divide a width of 12"]);
    let copies = |lane: &str, words: &[&str]| {
        refused(&format!(r#"(strategy: "{lane}, losses: local(groups: 2))"#), words);
    };
    copies(r#"weight-perturbation""#, &["lane `weight-perturbation`", "losses: each copy of a loss", "no signal"]);
    copies(r#"weight-transpose", scope: batch"#, &["scope: each copy of a loss", "example or example_layer"]);
    copies(r#"weight-transpose", scope: example"#, &["output: the heads of copied losses", "write exact"]);
    refused(
        r#"(strategy: "backprop", losses: local(groups: 2, greedy: false))"#,
        &["`greedy: true`", "`aggregate: false`"],
    );
    refused(r#"(strategy: "backprop", losses: locla())"#, &["tiny.ron:", "unknown value `locla`"]);
    let lane = r#"(strategy: "direct-feedback", losses: local())"#;
    Place::new(&digits(lane, "steps: 3")).batch(&[]).expect(4).says(&["trained at 3", "use feedback-alignment"]);
}
