//! What is asked for on the command line and in the file, and what is said when it makes no sense.

use crate::support::{Place, digits, kind, steps};

fn place() -> Place {
    let lanes = r#"(strategy: "backprop"), (strategy: "weight-transpose", scope: example, optimizer: sgd(lr: 0.01))"#;
    Place::new(&digits(lanes, "steps: 8"))
}

fn with_lane(lane: &str) -> Place {
    Place::new(&digits(&format!(r#"(strategy: "backprop"), (strategy: "backprop", name: "b"), {lane}"#), "steps: 4"))
}

#[test]
fn seeds_steps_and_values_win_over_the_file() {
    let arguments = ["--seeds", "0..2", "--steps", "3", "--set", "lanes[1].scope=example_layer", "--set", "batch=16"];
    let records = place().batch(&arguments).expect(0).records();
    let lanes = kind(&records, "lane");
    let seeds: Vec<u64> = lanes.iter().map(|lane| lane["seed"].as_u64().unwrap()).collect();
    assert_eq!(seeds, [0, 1, 0, 1]);
    assert_eq!((&records[0]["batch"], &lanes[2]["scope"]), (&16.into(), &"example_layer".into()));
    assert_eq!(steps(&records, 3), [0, 1, 2, 3]);
    let loss =
        |lane: u64| kind(&records, "step").into_iter().find(|step| step["lane"] == lane).unwrap()["loss"].clone();
    assert_eq!(loss(0), loss(2), "one seed, one start");
    assert_ne!(loss(0), loss(1));
    let groups = &records.last().unwrap()["groups"];
    assert_eq!((groups.as_array().unwrap().len(), &groups[0]["seeds"]), (2, &2.into()));
}

#[test]
fn probing_bias_containment_curvature_and_spectrum_leaves_training_as_it_is() {
    let plain = place().batch(&[]).expect(0).records();
    let cadences = ["bias=2", "bias_guesses=5", "containment=3", "spectrum=4", "hessian=3", "hessian_top=2"];
    let arguments: Vec<String> = cadences.iter().map(|cadence| format!("measure.{cadence}")).collect();
    let arguments: Vec<&str> = arguments.iter().flat_map(|set| ["--set", set]).collect();
    let probed = place().batch(&arguments).expect(0).records();
    let of = |records: &[serde_json::Value], lane: u64, name: &str| -> Vec<serde_json::Value> {
        let steps = kind(records, "step").into_iter().filter(|step| step["lane"] == lane);
        steps.map(|step| step[name].clone()).collect()
    };
    for lane in 0..2 {
        assert_eq!(of(&plain, lane, "loss"), of(&probed, lane, "loss"));
        // Where ĝ is stored to be looked at, its norm is summed in another order.
        for (plain, probed) in of(&plain, lane, "estimate_norm").iter().zip(of(&probed, lane, "estimate_norm")) {
            match (plain.as_f64(), probed.as_f64()) {
                (Some(plain), Some(probed)) => assert!((plain - probed).abs() <= 1e-6 * plain, "{plain} {probed}"),
                neither => assert_eq!(neither, (None, None)),
            }
        }
        assert_eq!(of(&plain, lane, "cosine"), of(&probed, lane, "cosine"));
    }
    let measured = |lane, name: &str| -> Vec<usize> {
        let values = of(&probed, lane, name);
        (0..values.len()).filter(|&step| !values[step].is_null()).collect()
    };
    assert_eq!(measured(1, "variance"), [0, 2, 4, 6]);
    // Backpropagation has neither bias nor variance.
    assert!(measured(0, "variance").is_empty());
    let step = |step: usize| kind(&probed, "step").into_iter().filter(|found| found["lane"] == 1).nth(step).unwrap();
    let sites = &step(3)["sites"];
    assert!((sites["weight_containment"][0].as_f64().unwrap() - 1.0).abs() < 1e-4, "{sites}");
    assert!(sites["activation_containment"][2].is_number(), "{sites}");
    let whole = |name: &str| step(3)[name].as_f64().unwrap_or_else(|| panic!("no {name} in {}", step(3)));
    assert!(whole("hessian_largest") >= whole("hessian_last") && whole("hessian_residual") <= 1e-3);
    assert!((0.0..=1.0).contains(&whole("hessian_estimate")) && whole("hessian_gradient") > whole("hessian_random"));
    // Of backpropagation the estimate is the gradient.
    assert_eq!(of(&probed, 0, "hessian_estimate"), of(&probed, 0, "hessian_gradient"));
    let singular: Vec<f64> = step(4)["spectra"][1].as_array().unwrap().iter().map(|s| s.as_f64().unwrap()).collect();
    assert!(singular.len() == 12 && singular.is_sorted_by(|a, b| a >= b), "{singular:?}");
}

#[test]
fn the_time_limit_ends_every_lane() {
    let records = place().batch(&["--steps", "1000000", "--time", "0.1s", "--threads", "2"]).expect(0).records();
    let ends = kind(&records, "end");
    assert_eq!(ends.len(), 2);
    assert!(ends.iter().all(|end| end["reason"] == "out_of_time" && end["steps"].as_u64() > Some(0)), "{ends:?}");
}

#[test]
fn a_filter_chooses_the_lanes_of_the_table_and_records_hold_all() {
    let place = place();
    let ran = place.batch(&["--format", "none", "--filter", "scope=example* steps>=8 !diverged"]).expect(0);
    assert!(ran.out.contains("weight-transpose") && !ran.out.contains("backprop"), "{}", ran.out);
    let records = place.batch(&["--filter", "backprop"]).expect(0).records();
    assert_eq!(kind(&records, "lane").len(), 2);
    let none = place.batch(&["--format", "none", "--filter", "test_accuracy>2"]).expect(0);
    none.says(&["no lane of 2 meets the filter `test_accuracy>2`"]);
    let wrong = place.batch(&["--filter", "lr > fast"]).expect(2);
    wrong.says(&["expected a number for `lr`, found `fast`", "lr > fast\n       ^^^^"]);
}

#[test]
fn paths_and_values_that_do_not_fit_are_code_3() {
    let place = place();
    place.batch(&["--set", "stepz=3"]).expect(3).says(&["stepz", "did you mean `steps`"]);
    place.batch(&["--set", "lanes[1].scope=exmple"]).expect(3).says(&["exmple", "did you mean `example`"]);
    place.batch(&["--set", "lanes[7].scope=example"]).expect(3).says(&["lanes[7]"]);
    place.batch(&["--set", "batch=128000"]).expect(3).says(&["128000", "1437"]);
    place
        .batch(&["--set", "problem.data.name=mnist", "--set", "problem.data.path=none"])
        .expect(3)
        .says(&["scripts/fetch-data.sh mnist"]);
}

#[test]
fn files_that_are_not_there_or_broken_are_code_3() {
    let place = place();
    place.run(&["--batch", "tny.ron"]).expect(3).says(&["tny.ron"]);
    std::fs::write(place.path("tiny.ron"), "(\n    problem: Network(\n        dta: 1,\n").unwrap();
    place.batch(&[]).expect(3).says(&["tiny.ron:3:", "dta", "`data`"]);
    std::fs::write(place.path("tiny.ron"), [0xff, 0xfe]).unwrap();
    place.batch(&[]).expect(3).says(&["tiny.ron"]);
    std::fs::write(place.path("tiny.ron"), "").unwrap();
    place.batch(&[]).expect(3).says(&["tiny.ron"]);
}

#[test]
fn strategies_and_parameters_are_checked_before_any_step() {
    // With one thread the wrong lane would only have its turn when the others are done.
    for (lane, code, words) in [
        (r#"(strategy: "weight-transpos")"#, 4, ["weight-transpos", "did you mean `weight-transpose`"]),
        (r#"(strategy: "weight-perturbation", params: {"sigmaa": 1.0})"#, 3, ["sigmaa", "weight-perturbation"]),
        (r#"(strategy: "weight-perturbation", scope: example_layer)"#, 3, ["lane `weight-perturbation`", "scope"]),
    ] {
        let place = with_lane(lane);
        let ran = place.batch(&["--threads", "1"]).expect(code).says(&words);
        assert!(ran.out.is_empty() && ran.error.starts_with("error: "), "{lane}: {}", ran.out);
        place.batch(&["--threads", "1", "--out", "runs/a"]).expect(code).says(&words);
        assert!(!place.path("runs").exists(), "a run that is refused leaves nothing behind");
    }
}

#[test]
fn a_device_that_is_not_there_is_named() {
    if cfg!(not(feature = "cuda")) {
        place().batch(&["--device", "cuda:0"]).expect(1).says(&["error: ", "CUDA", "--features cuda", "--device cpu"]);
    }
    if cfg!(not(feature = "metal")) {
        place().batch(&["--device", "metal"]).expect(1).says(&["error: ", "Metal"]);
    }
}

#[test]
fn what_is_not_understood_is_code_2() {
    let place = place();
    for arguments in [&["--bach"][..], &["--format", "xml"], &["--resume"], &["--time", "soon"], &["--threads", "0"]] {
        let ran = place.batch(arguments).expect(2);
        assert!(ran.out.is_empty() && ran.error.starts_with("error:"), "{}", ran.error);
    }
}
