//! Grids with targets, budgets, exclusions and problems of their own: how lanes end, and that a grid that was left goes on as if
//! it had not been.

use crate::support::{Place, digits, end, kind, records_of, steps, tensors, timeless};

#[test]
fn a_lane_ends_at_the_target_and_says_so() {
    let lanes = r#"(strategy: "backprop"), (strategy: "backprop", name: "slow", optimizer: sgd(lr: 1e-9))"#;
    let place = Place::new(&digits(
        lanes,
        r#"steps: 60, stop: (when: "loss < 2 or test_accuracy >= 0.5"), measure: (test: 4)"#,
    ));
    let ran = place.batch(&["--out", "run"]).expect(0).says(&["backprop (seed 0): target after ", "at most "]);
    let records = records_of(&place.path("run/records.jsonl"));
    let ends = end(&records, 0);
    assert_eq!(ends["reason"]["target"], "loss<2 or test_accuracy>=0.5");
    let taken = ends["steps"].as_u64().unwrap();
    assert!((1..60).contains(&taken), "{taken}");
    // The last record has the figures of the parameters as they were left.
    let last = kind(&records, "step").into_iter().rfind(|step| step["lane"] == 0).unwrap();
    assert_eq!(last["step"], taken);
    let gap = last["train_accuracy"].as_f64().unwrap() - last["test_accuracy"].as_f64().unwrap();
    assert_eq!(last["generalisation_gap"].as_f64().unwrap(), gap);
    assert_eq!(end(&records, 1)["reason"], "done");
    let summary = &records.last().unwrap()["lanes"][0];
    assert_eq!((&summary["reason"]["target"], &summary["steps"]), (&ends["reason"]["target"], &ends["steps"]));
    assert_eq!(summary["figures"]["generalisation_gap"].as_f64().unwrap(), gap);
    assert!(ran.out.contains("target"), "{}", ran.out);
    let met = place.run(&["--batch", "tiny.ron", "--filter", "end=target", "--format", "none"]).expect(0);
    assert!(met.out.contains("backprop") && !met.out.contains("slow"), "{}", met.out);
}

#[test]
fn a_budget_ends_a_lane_before_it_would_be_passed() {
    let lanes = r#"(strategy: "backprop"), (strategy: "weight-transpose", scope: example, guesses: 3)"#;
    let run = |budget: &str| {
        let rest = format!("steps: 40, budget: ({budget}), defaults: (optimizer: sgd(lr: 0.01), schedule: cosine())");
        let workspace = digits(lanes, &rest).replace("defaults: (normalise: row),", "");
        Place::new(&workspace).batch(&[]).expect(0).records()
    };
    let spent = |records: &[serde_json::Value], lane: u64| {
        let end = end(records, lane);
        (end["reason"]["budget"].as_str().map(str::to_owned), end["steps"].as_u64().unwrap())
    };
    // 32 examples a step.
    let records = run("examples: 167");
    assert_eq!(spent(&records, 0), (Some("examples".into()), 5));
    assert_eq!(kind(&records, "lane")[0]["steps"], 5);
    // The schedule ends with the budget: half a cosine over five steps.
    let rates = kind(&records, "step").into_iter().filter(|step| step["lane"] == 0);
    let rates: Vec<f64> = rates.filter_map(|step| step["learning_rate"].as_f64()).collect();
    for (step, rate) in rates.iter().enumerate() {
        let expected = 0.01 * 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / 5.0).cos());
        assert!((rate - expected).abs() < 1e-12, "{step}: {rate} {expected}");
    }
    // Three scalars an example and step; backpropagation needs none.
    let records = run("derivatives: 700");
    assert_eq!((spent(&records, 0), spent(&records, 1)), ((None, 40), (Some("derivatives".into()), 7)));
    let flop = kind(&records, "lane").iter().map(|lane| lane["flop"].as_u64().unwrap()).collect::<Vec<_>>();
    let records = run(&format!("flop: {}.5", 10 * flop[0]));
    assert_eq!(spent(&records, 0), (Some("FLOP".into()), 10));
    assert_eq!(spent(&records, 1), (Some("FLOP".into()), (10 * flop[0]) / flop[1]));
}

#[test]
fn a_budget_of_seconds_ends_a_lane_too() {
    let place = Place::new(&digits(r#"(strategy: "backprop")"#, "steps: 10000000, budget: (seconds: 0.05)"));
    let records = place.batch(&[]).expect(0).records();
    assert_eq!(end(&records, 0)["reason"]["budget"], "seconds");
}

#[test]
fn targets_and_budgets_without_meaning_are_code_3() {
    let refused = |rest: &str, words: &[&str]| {
        Place::new(&digits(r#"(strategy: "weight-transpose")"#, rest)).batch(&[]).expect(3).says(words);
    };
    refused("budget: (examples: 31)", &["lane `weight-transpose`", "one step uses more examples than the budget has"]);
    refused("budget: (flop: 0)", &["tiny.ron:", "expected a number of operations above 0"]);
    refused(r#"stop: (when: "tst_accuracy>0.5")"#, &["tiny.ron:", "tst_accuracy"]);
    refused(r#"stop: (when: "test_loss<1"), measure: (test: 0)"#, &["`test_loss` is not measured", "set `test`"]);
    refused(r#"stop: (when: "validation_loss<1")"#, &["`validation_loss` is not measured", "`validation`"]);
    refused(r#"exclude: ["test_loss<1"]"#, &["`test_loss` is not known before a run"]);
    refused(r#"exclude: ["lr>0"]"#, &["every run is left out"]);
    refused(r#"sweep: [(path: "problem.model.hidden", values: [[8], [0]])]"#, &["expected a width from 1"]);
    refused(r#"sweep: [(path: "problem.modl", values: [1])]"#, &["unknown field `modl`", "did you mean `model`?"]);
    let place = Place::new(&digits(r#"(strategy: "backprop")"#, "steps: 3"));
    place.batch(&["--quick"]).expect(3).says(&["it has no `quick` section"]);
}

/// Two networks, three strategies, two seeds, ends of every kind.
fn grid() -> Place {
    let lanes = r#"(strategy: "backprop"), (strategy: "weight-perturbation", optimizer: sgd(lr: 0.001)),
        (strategy: "weight-transpose", scope: example, optimizer: adam(lr: 0.003))"#;
    let rest = r#"steps: 150, seeds: [0, 1], measure: (alignment: 3, test: 10),
        sweep: [(path: "problem.model.hidden", values: [[12], [16, 16]]), (path: "guesses", values: [1, 2])],
        exclude: ["strategy=weight-perturbation guesses=2"],
        stop: (when: "loss<1.2 or best_test_accuracy>0.7 or mean_cosine<0.01"), budget: (derivatives: 6000)"#;
    Place::new(&digits(lanes, rest))
}

#[test]
fn a_half_done_grid_goes_on_to_the_same_end() {
    let place = grid();
    place.batch(&["--out", "straight", "--threads", "2"]).expect(0);
    let whole = records_of(&place.path("straight/records.jsonl"));
    let ends: Vec<String> = kind(&whole, "end").iter().map(|end| end["reason"].to_string()).collect();
    assert_eq!(ends.len(), 2 * (2 + 2 + 4));
    for word in ["target", "budget"] {
        assert!(ends.iter().any(|end| end.contains(word)), "{word}: {ends:?}");
    }
    // Cut off again and again, wherever the clock happens to stand.
    for _ in 0..6 {
        place.batch(&["--out", "run", "--resume", "--threads", "1", "--time", "0.06s"]).expect(0);
    }
    place.batch(&["--out", "run", "--resume", "--threads", "3"]).expect(0);
    assert_eq!(timeless(records_of(&place.path("run/records.jsonl"))), timeless(whole));
    assert!(tensors(&place.path("run")) == tensors(&place.path("straight")));
}

#[test]
fn problems_of_a_sweep_have_networks_of_their_own() {
    let place = grid();
    let records = place.batch(&["--steps", "3", "--set", "seeds=[0]"]).expect(0).records();
    let lanes = kind(&records, "lane");
    let sizes: Vec<(&str, usize, u64)> = lanes
        .iter()
        .map(|lane| {
            let sites = lane["sites"].as_array().unwrap().len();
            (lane["name"].as_str().unwrap(), sites, lane["parameters"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(sizes[0], ("backprop 12", 2, 64 * 12 + 12 + 12 * 10 + 10));
    assert_eq!(sizes[1], ("backprop 16×2", 3, 64 * 16 + 16 + 16 * 16 + 16 + 16 * 10 + 10));
    assert_eq!(lanes[1]["axes"]["problem.model.hidden"], "[16, 16]");
    // A network alone trains as it does in company.
    let alone = place
        .batch(&[
            "--steps",
            "3",
            "--set",
            "seeds=[0]",
            "--set",
            "problem.model.hidden=[16, 16]",
            "--set",
            "sweep=[]",
            "--set",
            "exclude=[]",
        ])
        .expect(0)
        .records();
    let losses = |records: &[serde_json::Value], lane: u64| -> Vec<String> {
        let steps = kind(records, "step").into_iter().filter(|step| step["lane"] == lane);
        steps.map(|step| step["loss"].to_string()).collect()
    };
    assert_eq!(losses(&records, 1), losses(&alone, 0));
    assert_eq!(steps(&alone, 0), [0, 1, 2, 3]);
    place.batch(&["--format", "csv", "--steps", "3"]).expect(3).says(&["layers", "jsonl"]);
}

#[test]
fn the_data_set_can_be_swept() {
    let rest = r#"steps: 4, sweep: [(path: "problem.data.name", values: ["digits", "fashion-mini"])]"#;
    let records = Place::new(&digits(r#"(strategy: "backprop")"#, rest)).batch(&[]).expect(0).records();
    let names: Vec<&str> = kind(&records, "lane").iter().map(|lane| lane["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["backprop digits", "backprop fashion-mini"]);
    assert!(kind(&records, "end").iter().all(|end| end["reason"] == "done"));
}
