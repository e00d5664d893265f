//! Lanes that mix strategies: what they equal, what they say, what they are refused for.

use crate::support::{Place, Ran, digits, end, kind, library};
use serde_json::Value;

/// The losses of a lane, to the bit.
fn losses(records: &[Value], lane: u64) -> Vec<u64> {
    let steps = kind(records, "step").into_iter().filter(|record| record["lane"] == lane);
    steps.filter_map(|record| record["loss"].as_f64()).map(f64::to_bits).collect()
}

/// A run of one mixture, beside backpropagation, with the strategies of the tests at hand.
fn mixed(members: &str, settings: &str, arguments: &[&str]) -> Ran {
    let lanes = format!(r#"(strategy: "mixture", name: "mixed", of: [{members}]{settings}), (strategy: "backprop")"#);
    let faults = library("faults");
    let place = Place::new(&digits(&lanes, "steps: 5"));
    place.batch(&[&["--threads", "2", "--plugin-path", faults.to_str().unwrap()], arguments].concat())
}

#[test]
fn a_mixture_of_one_is_its_strategy_with_rows_made_equally_long() {
    let settings = "scope: example, guesses: 2, optimizer: sgd(lr: 0.01)";
    let lanes = format!(
        r#"(strategy: "weight-transpose", name: "alone", normalise: row, {settings}),
           (strategy: "mixture", name: "one", normalise: none, of: [(strategy: "weight-transpose")], {settings}),
           (strategy: "mixture", name: "mirrored", normalise: none, of: [(strategy: "weight-transpose", weight: -1)], {settings}),
           (strategy: "mixture", name: "two", normalise: none,
            of: [(strategy: "weight-transpose"), (strategy: "weight-transpose", weight: 0.5)], {settings})"#
    );
    let records = Place::new(&digits(&lanes, "steps: 20")).batch(&[]).expect(0).records();
    let alone = losses(&records, 0);
    assert_eq!((alone.len(), &losses(&records, 1)), (20, &alone));
    // d and E change their signs together.
    assert_eq!(losses(&records, 2), alone);
    assert_ne!(losses(&records, 3), alone);
}

#[test]
fn the_card_has_the_members_names_weights_and_formulas() {
    let members = r#"(strategy: "weight-transpose", params: {"depth": 2}), (strategy: "label-guess", weight: 0.5)"#;
    let records = mixed(members, "", &[]).expect(0).records();
    let card = &kind(&records, "lane")[0]["card"];
    assert_eq!((&card["name"], &card["kind"]), (&"Mixture".into(), &"signal".into()));
    assert!(card["formula"].as_str().unwrap().starts_with("E_l = Σ_m w_m N(E_l^m)"), "{card}");
    let members = card["members"].as_array().unwrap();
    assert_eq!(members.len(), 2);
    assert_eq!((&members[0]["strategy"], &members[0]["weight"]), (&"weight-transpose".into(), &1.0.into()));
    assert_eq!((&members[0]["params"], &members[1]["params"]), (&"depth 2".into(), &"".into()));
    assert_eq!((&members[1]["strategy"], &members[1]["weight"]), (&"label-guess".into(), &0.5.into()));
    assert!(members[0]["formula"].as_str().unwrap().contains("W_{l+1}"), "{card}");
    let version = card["version"].as_str().unwrap();
    assert!(version.contains("weight-transpose ") && version.contains("label-guess "), "{version}");
}

#[test]
fn strategies_of_other_libraries_take_part_and_say_who_they_are() {
    let members = r#"(strategy: "fault-tells", params: {"at": 1}), (strategy: "weight-transpose"),
        (strategy: "fault-tells", weight: 0.5, params: {"at": 3})"#;
    let records = mixed(members, "", &[]).expect(0).records();
    assert_eq!((&end(&records, 0)["reason"], &end(&records, 0)["steps"]), (&"done".into(), &5.into()));
    for step in kind(&records, "step").into_iter().filter(|record| record["lane"] == 0 && record["loss"].is_number()) {
        let number = step["step"].as_u64().unwrap();
        let told = |name: &str| step["metrics"].get(name).cloned();
        let once = |at: u64| (number >= at).then(|| serde_json::json!([at as f64]));
        assert_eq!((told("fault-tells[0].at"), told("fault-tells[2].at")), (once(1), once(3)), "{step}");
    }
    let said: Vec<&str> = kind(&records, "message").iter().filter_map(|message| message["text"].as_str()).collect();
    assert!(said.contains(&"fault-tells[0]: told at step 1"), "{said:?}");
    assert_eq!(said.iter().filter(|text| text.starts_with("fault-tells[2]: ")).count(), 2, "{said:?}");
}

#[test]
fn a_member_that_fails_ends_the_lane_with_its_place() {
    let members = r#"(strategy: "weight-transpose"), (strategy: "fault-error", params: {"at": 2})"#;
    let ran = mixed(members, "", &[]).expect(4);
    let records = ran.records();
    let reason = end(&records, 0)["reason"]["plugin"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("of[1]: ") && reason.contains("fault-error"), "{reason}");
    assert_eq!((&end(&records, 0)["steps"], &end(&records, 1)["reason"]), (&2.into(), &"done".into()));
    // What is not finite is found with who wrote it.
    let members = r#"(strategy: "weight-transpose"), (strategy: "fault-late-nan", params: {"at": 4})"#;
    let records = mixed(members, "", &[]).expect(4).records();
    let reason = end(&records, 0)["reason"]["plugin"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("of[1]: ") && reason.contains("NaN"), "{reason}");
}

#[test]
fn what_cannot_be_mixed_is_refused_before_training_with_its_place() {
    let transpose = r#"(strategy: "weight-transpose")"#;
    for (members, code, words) in [
        ("".to_owned(), 3, &["tiny.ron:", "a mixture needs at least one strategy"][..]),
        (
            r#"(strategy: "weight-transpose", weight: 0)"#.to_owned(),
            3,
            &["tiny.ron:", "expected a weight other than 0"],
        ),
        (format!(r#"{transpose}, (strategy: "backprop")"#), 3, &["tiny.ron:", "no guess"]),
        (format!(r#"{transpose}, (strategy: "mixture")"#), 3, &["tiny.ron:", "a mixture in a mixture"]),
        (
            format!(r#"{transpose}, (strategy: "label-gues")"#),
            4,
            &["lane `mixed`", "of[1]", "did you mean `label-guess`?"],
        ),
        (
            format!(r#"{transpose}, (strategy: "weight-transpose", params: {{"depth": 99}})"#),
            3,
            &["lane `mixed`", "of[1]", "parameter `depth`", "1 to 64"],
        ),
        (
            format!(r#"{transpose}, (strategy: "weight-perturbation")"#),
            3,
            &["lane `mixed`", "of[1]", "directions in weights", "mix strategies of one kind"],
        ),
    ] {
        let ran = mixed(&members, "", &[]).expect(code).says(words);
        assert!(ran.out.is_empty(), "{members}: {}", ran.out);
    }
    // What a member's plugin refuses.
    let debiased = format!(r#"{transpose}, (strategy: "downstream", params: {{"debias": 0.1}})"#);
    mixed(&debiased, ", scope: example", &[]).expect(4).says(&["lane `mixed`", "of[1]", "set `scope`"]);
    // Only a mixture has members, and `check` finds all this too.
    let lanes = format!(r#"(strategy: "weight-transpose", of: [{transpose}])"#);
    let place = Place::new(&digits(&lanes, "steps: 2"));
    place.run(&["check", "tiny.ron"]).expect(3).says(&["only a mixture is made of other strategies"]);
    let lanes = format!(r#"(strategy: "mixture", of: [{transpose}, (strategy: "momentum")])"#);
    let place = Place::new(&digits(&lanes, "steps: 2"));
    place.run(&["check", "tiny.ron"]).expect(3).says(&["of[1]", "mix strategies of one kind"]);
}

#[test]
fn the_name_is_the_host_s() {
    let place = Place::new("()");
    let list = place.run(&["plugin", "list"]).expect(0).out;
    assert!(list.contains("momentum") && !list.lines().any(|line| line.starts_with("mixture")), "{list}");
    place.run(&["plugin", "info", "mixture"]).expect(4).says(&["`mixture` is built in"]);
}

#[test]
fn a_member_s_weight_is_swept_and_set() {
    let lanes = r#"(strategy: "backprop"), (strategy: "mixture",
        of: [(strategy: "weight-transpose"), (strategy: "activation-mixing", weight: 0.25)], optimizer: sgd(lr: 0.01))"#;
    let sweep = r#"steps: 3, sweep: [(path: "of[1].weight", values: [0.5, 2])]"#;
    let place = Place::new(&digits(lanes, sweep));
    let records = place.batch(&[]).expect(0).records();
    let weights = |records: &[Value]| -> Vec<(String, f64)> {
        let lanes = kind(records, "lane").into_iter().filter(|lane| lane["spec"]["strategy"] == "mixture");
        let weight = |lane: &Value| lane["spec"]["of"][1]["weight"].as_f64().unwrap();
        lanes.map(|lane| (lane["name"].as_str().unwrap().to_owned(), weight(lane))).collect()
    };
    assert_eq!(
        weights(&records),
        [("mixture weight[1]=0.5".to_owned(), 0.5), ("mixture weight[1]=2.0".to_owned(), 2.0)]
    );
    assert_ne!(losses(&records, 1), losses(&records, 2));
    let records = place.batch(&["--set", "sweep=[]", "--set", "lanes[1].of[1].weight=0.5"]).expect(0).records();
    assert_eq!(weights(&records), [("mixture".to_owned(), 0.5)]);
    place.batch(&["--set", "lanes[1].of[2].weight=1"]).expect(3).says(&["there is no place 2 in `of`: it has 2"]);
}
