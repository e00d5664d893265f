//! How lanes and runs end: diverged, tuned, swept.

use crate::support::{Place, digits, end, kind, steps};

#[test]
fn divergence_of_some_is_a_result_and_of_all_is_not() {
    let wild = r#"(strategy: "backprop", name: "wild", optimizer: sgd(lr: 1e12))"#;
    let ran = Place::new(&digits(wild, "steps: 30")).batch(&[]).expect(5).says(&["wild", "diverged"]);
    let records = ran.records();
    let reason = end(&records, 0)["reason"]["diverged"].as_str().unwrap();
    assert!(reason.contains(" at step "), "{reason}");
    assert!(end(&records, 0)["steps"].as_u64() < Some(30));

    let both = format!(r#"{wild}, (strategy: "backprop")"#);
    let records = Place::new(&digits(&both, "steps: 30")).batch(&[]).expect(0).records();
    assert_eq!(end(&records, 1)["reason"], "done");
    assert!(end(&records, 0)["reason"]["diverged"].is_string());
}

#[test]
fn a_diverged_lane_stays_so_when_the_run_goes_on() {
    let wild = r#"(strategy: "backprop", optimizer: sgd(lr: 1e12))"#;
    let place = Place::new(&digits(wild, "steps: 30"));
    place.batch(&["--out", "run"]).expect(5);
    place.batch(&["--out", "run", "--resume"]).expect(5);
}

#[test]
fn tuning_picks_on_the_validation_split_and_says_what() {
    let workspace = |rest: &str| {
        format!(
            "(
                problem: Network(
                    data: (name: \"digits\", validation: 0.2),
                    model: mlp(hidden: [12]),
                    batch: 32,
                ),
                lanes: [(strategy: \"backprop\"), (strategy: \"weight-transpose\", normalise: row)],
                tune: (over: \"lr\", values: [0.000001, 0.05], steps: 15),
                steps: 20,
                {rest}
            )"
        )
    };
    let place = Place::new(&workspace("seeds: [3, 4]"));
    let ran = place.batch(&["--out", "run"]).expect(0);
    let records = crate::support::records_of(&place.path("run/records.jsonl"));
    let lanes = kind(&records, "lane");
    assert_eq!(lanes.iter().filter(|lane| lane["trial"] == true).count(), 4);
    assert_eq!(lanes.len(), 8);
    assert_eq!((steps(&records, 0).last(), steps(&records, 7).last()), (Some(&15), Some(&20)));
    let summary = records.last().unwrap();
    assert_eq!(summary["lanes"].as_array().unwrap().len(), 4, "trials stay out");
    for lane in summary["lanes"].as_array().unwrap() {
        assert_eq!(lane["chosen"]["lr"], "0.05", "{lane}");
        assert!(lane["figures"]["validation_loss"].is_f64());
    }
    assert!(ran.out.contains("0.05"), "{}", ran.out);
    let said = kind(&records, "message");
    assert!(
        said.iter().any(|said| said["text"].as_str().unwrap().contains("backprop: lr = 0.05 is the best")),
        "{said:?}"
    );

    place.batch(&["--out", "run", "--resume"]).expect(0).says(&["100 %, 140 of 140 steps", "8/8 lanes done"]);
    let again = crate::support::records_of(&place.path("run/records.jsonl"));
    assert_eq!(crate::support::timeless(again), crate::support::timeless(records));
}

#[test]
fn tuning_passes_over_lanes_that_have_no_such_setting() {
    let lanes = r#"(strategy: "backprop"), (strategy: "weight-transpose"), (strategy: "mixture", scope: example_layer,
        of: [(strategy: "weight-transpose"), (strategy: "activation-mixing")])"#;
    let tune = "tune: (over: \"of[1].weight\", values: [0.5, 2.0], steps: 3), steps: 4";
    let workspace = format!(
        "(problem: Network(data: (name: \"digits\", validation: 0.2), model: mlp(hidden: [12])), lanes: [{lanes}], {tune})"
    );
    let records = Place::new(&workspace).batch(&[]).expect(0).records();
    let lanes = kind(&records, "lane");
    let trials = lanes.iter().filter(|lane| lane["trial"] == true).map(|lane| lane["name"].as_str().unwrap());
    assert_eq!(trials.collect::<Vec<_>>(), ["mixture", "mixture"]);
    let summary = records.last().unwrap();
    let chosen: Vec<usize> =
        summary["lanes"].as_array().unwrap().iter().map(|lane| lane["chosen"].as_object().unwrap().len()).collect();
    assert_eq!(chosen, [0, 0, 1], "{summary}");
    let said = kind(&records, "message");
    let told = said.iter().filter(|said| said["text"].as_str().unwrap().contains("of[1].weight"));
    assert_eq!(told.count(), 1, "only of the lane that has it: {said:?}");
}

#[test]
fn a_sweep_crosses_its_values_with_the_lanes() {
    let lanes = r#"(strategy: "backprop"), (strategy: "activity-perturbation", optimizer: sgd(lr: 0.001))"#;
    let rest = r#"sweep: [(path: "scope", values: [layer, example, example_layer])], steps: 4"#;
    let records = Place::new(&digits(lanes, rest)).batch(&[]).expect(0).records();
    let lanes = kind(&records, "lane");
    let scopes: Vec<Option<&str>> = lanes.iter().map(|lane| lane["scope"].as_str()).collect();
    assert_eq!(scopes, [None, Some("layer"), Some("example"), Some("example_layer")]);
    assert!(lanes[1]["name"].as_str().unwrap().contains("layer"));
    assert_eq!(kind(&records, "end").len(), 4);
}
