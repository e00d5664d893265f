//! Measuring a run at its checkpoints: the numbers that the run itself records there, whenever it is asked, and nothing of it changes.

use crate::support::{Place, digits, kind, library, records_of};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const MEASURE: &str = "measure: (alignment: 4, bias: 4, bias_guesses: 5)";

/// Strategies with and without something to remember: an instance's bytes and a matrix, the last estimate, a learnt matrix.
const LANES: &str = r#"
    (strategy: "backprop", optimizer: sgd(lr: 0.05, momentum: 0.9)),
    (strategy: "weight-transpose", scope: example_layer, guesses: 2, optimizer: sgd(lr: 0.01), seeds: [3, 4]),
    (strategy: "weight-perturbation", scope: batch, optimizer: sgd(lr: 0.0001)),
    (strategy: "fault-hold", optimizer: sgd(lr: 0.001)),
    (strategy: "momentum", scope: batch, optimizer: sgd(lr: 0.0001)),
    (strategy: "learned-feedback", scope: example_layer, optimizer: sgd(lr: 0.001)),
"#;

/// What is measured of the whole model.
const WHOLE: [&str; 12] = [
    "loss",
    "accuracy",
    "estimate_norm",
    "cosine",
    "norm_ratio",
    "sign_agreement",
    "bias_squared",
    "bias_squared_error",
    "variance",
    "variance_error",
    "scalar_fit",
    "scalar_fit_error",
];

/// Trains with the strategies of the tests' plugin.
fn train(place: &Place, arguments: &[&str], code: i32) {
    let library = library("faults");
    let plugins = ["--plugin-path", library.to_str().unwrap(), "--threads", "2"];
    place.batch(&[&plugins, arguments].concat()).expect(code);
}

/// What `guesswork measure … --format json` says.
fn measured(place: &Place, arguments: &[&str]) -> Value {
    let ran = place.run(&[&["measure"], arguments, &["--format", "json"]].concat()).expect(0);
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.out))
}

fn lanes(found: &Value) -> &[Value] {
    found["lanes"].as_array().unwrap()
}

/// Every file below `folder` with its bytes and the time of its last change.
fn files(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let changed = path.metadata().unwrap().modified().unwrap();
            found.insert(path.clone(), (std::fs::read(&path).unwrap(), changed));
        }
    }
    found
}

/// Asserts that `lane` says what the run's own record of that step does.
fn same_as_recorded(lane: &Value, records: &[Value]) {
    let (id, step) = (&lane["lane"], &lane["step"]);
    let record = kind(records, "step").into_iter().find(|record| record["lane"] == *id && record["step"] == *step);
    let record = record.unwrap_or_else(|| panic!("no step {step} of lane {id}"));
    for name in WHOLE {
        assert_eq!(lane[name], record[name], "{name} of {}", lane["name"]);
    }
    let sites = lane["sites"].as_object().unwrap();
    assert!(sites.contains_key("cosine"), "{sites:?}");
    for (name, values) in sites {
        let recorded = record["sites"][name].as_array().unwrap_or_else(|| panic!("{name} is not in {record}"));
        for (site, value) in values.as_array().unwrap().iter().enumerate() {
            assert_eq!(value, recorded.get(site).unwrap_or(&Value::Null), "{name} at site {site} of {}", lane["name"]);
        }
    }
}

#[test]
fn an_ended_lane_is_measured_as_the_run_would_have_gone_on() {
    // Lanes end at step 8 here, and go on to record it there.
    let ended = Place::new(&digits(LANES, &format!("steps: 12, {MEASURE}, stop: (when: \"steps>=8\")")));
    let whole = Place::new(&digits(LANES, &format!("steps: 12, {MEASURE}")));
    train(&ended, &["--out", "run"], 0);
    train(&whole, &["--out", "run"], 0);
    let before = files(&ended.path("run"));
    let found = measured(&ended, &["run"]);
    assert_eq!((&found["schema"], &found["guesses"]), (&"guesswork-measure/1".into(), &5.into()));
    let records = records_of(&whole.path("run/records.jsonl"));
    assert_eq!(lanes(&found).len(), 7);
    for lane in lanes(&found) {
        assert_eq!((&lane["step"], lane.get("left_out")), (&8.into(), None), "{lane}");
        same_as_recorded(lane, &records);
        assert_eq!(lane["bias_squared_error"].is_number(), lane["strategy"] != "backprop", "{lane}");
    }
    // Asked again, at another number of threads, it is the same; the folder is as it was.
    assert_eq!(measured(&ended, &["run", "--threads", "1"]), found);
    assert!(files(&ended.path("run")) == before, "something was written into the run's folder");
}

/// Probes, alignment and training itself are the same however many guesses go through the layers side by side.
#[test]
fn guesses_a_few_at_a_time_are_measured_alike() {
    let lane = |name: &str, at_once: &str| {
        format!(
            r#"(strategy: "weight-transpose", name: "{name}", scope: example_layer, guesses: 4{at_once}, optimizer: sgd(lr: 0.01)),"#
        )
    };
    let lanes = [lane("whole", ""), lane("pairs", ", at_once: 2"), lane("single", ", at_once: 1")].concat();
    let place = Place::new(&digits(&lanes, "steps: 6, measure: (alignment: 2, bias: 3, bias_guesses: 5, examples: 2)"));
    place.batch(&["--out", "run", "--threads", "2"]).expect(0);
    let records = records_of(&place.path("run/records.jsonl"));
    let of_lane = |lane: u64| -> Vec<Value> {
        let steps = records.iter().filter(|record| record["lane"] == lane && record.get("step").is_some());
        let bare = steps.cloned().map(|mut record| {
            let fields = record.as_object_mut().unwrap();
            fields.retain(|name, _| name != "lane" && name != "seconds" && !name.contains("time"));
            record
        });
        bare.collect()
    };
    let whole = of_lane(0);
    assert!(whole.iter().any(|record| record.to_string().contains("bias_squared")), "{whole:?}");
    assert_eq!((of_lane(1), of_lane(2)), (whole.clone(), whole));
}

#[test]
fn a_run_that_was_cut_off_is_measured_where_it_stands() {
    let steps = "steps: 4, measure: (alignment: 1, bias: 1, bias_guesses: 5)";
    let place = Place::new(&digits(LANES, steps));
    // The time is up after the first round, of the two lanes that step at the same time.
    train(&place, &["--out", "run", "--time", "0.000001s"], 0);
    let found = measured(&place, &["run"]);
    let there: Vec<bool> = lanes(&found).iter().map(|lane| lane["step"] == 1).collect();
    assert_eq!(there, [true, true, false, false, false, false, false], "{found}");
    assert!(lanes(&found)[2]["left_out"].as_str().unwrap().contains("no checkpoint"), "{found}");
    train(&place, &["--out", "run", "--resume"], 0);
    let records = records_of(&place.path("run/records.jsonl"));
    lanes(&found)[..2].iter().for_each(|lane| same_as_recorded(lane, &records));
}

#[test]
fn lanes_guesses_and_form_are_chosen() {
    let place = Place::new(&digits(LANES, &format!("steps: 2, {MEASURE}")));
    train(&place, &["--out", "run"], 0);
    let chosen = ["run", "--lane", "weight-perturbation", "--lane", "weight-transpose"];
    let few = measured(&place, &chosen);
    let seeds: Vec<(&str, u64)> =
        lanes(&few).iter().map(|lane| (lane["name"].as_str().unwrap(), lane["seed"].as_u64().unwrap())).collect();
    assert_eq!(seeds, [("weight-transpose", 3), ("weight-transpose", 4), ("weight-perturbation", 0)]);
    let many = measured(&place, &[&chosen[..], &["--guesses", "80"]].concat());
    assert_eq!(many["guesses"], 80);
    // An error over sixteen times the guesses is about a fourth; the point and the estimate are the same.
    for (few, many) in lanes(&few).iter().zip(lanes(&many)) {
        assert_eq!((&few["loss"], &few["cosine"]), (&many["loss"], &many["cosine"]));
        let error = |lane: &Value| lane["scalar_fit_error"].as_f64().unwrap();
        assert!(error(many) < error(few), "{many}");
    }
    // Two guesses have a variance without an error.
    let two = measured(&place, &["run", "--lane", "weight-perturbation", "--guesses", "2"]);
    let lane = &lanes(&two)[0];
    assert!(lane["variance"].is_number() && lane.get("variance_error").is_none(), "{lane}");

    let table = place.run(&["measure", "run"]).expect(0).out;
    let row = |start: &str| {
        let line = table.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start}:\n{table}"));
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(row("backprop").contains(" 2 whole ") && row("backprop").ends_with("1.000 exact exact exact"), "{table}");
    assert_eq!(row("weight-perturbation").matches(" ± ").count(), 3, "{table}");
    assert_eq!(table.matches(" fc3 ").count(), 7, "{table}");
    assert!(table.contains("over 5 guesses"), "{table}");
    let silent = place.run(&["measure", "run", "--out", "m.txt"]).expect(0);
    assert_eq!((silent.out.as_str(), std::fs::read_to_string(place.path("m.txt")).unwrap()), ("", table));
}

#[test]
fn lanes_that_failed_or_diverged_are_left_out_with_the_reason() {
    let lanes_of = r#"
        (strategy: "fault-error", params: {"at": 4}, optimizer: sgd(lr: 0.001)),
        (strategy: "backprop", name: "wild", optimizer: sgd(lr: 1e9)),
        (strategy: "backprop"),
    "#;
    let place = Place::new(&digits(lanes_of, "steps: 6"));
    train(&place, &["--out", "run"], 4);
    let found = measured(&place, &["run"]);
    let why = |lane: usize| lanes(&found)[lane]["left_out"].as_str().unwrap_or_default().to_owned();
    assert!(why(0).contains("failed at step 4") && why(0).contains("a fault at site 0"), "{found}");
    assert!(why(1).contains("diverged"), "{found}");
    assert!(why(2).is_empty() && (lanes(&found)[2]["cosine"].as_f64().unwrap() - 1.0).abs() < 1e-6, "{found}");
    let table = place.run(&["measure", "run"]).expect(0).out;
    assert!(table.contains("wild (seed 0) is left out: diverged"), "{table}");
}

#[test]
fn trials_of_a_tuning_stage_are_no_lanes_and_a_tuned_one_has_what_was_chosen() {
    let lane = r#"(strategy: "weight-transpose", scope: example_layer)"#;
    let tune = "tune: (over: \"lr\", values: [0.01, 0.02], steps: 2)";
    let place = Place::new(&digits(lane, &format!("steps: 3, {MEASURE}, {tune}")));
    train(&place, &["--out", "run", "--set", "problem.data.validation=0.1"], 0);
    let found = measured(&place, &["run"]);
    let [lane] = lanes(&found) else { panic!("one lane: {found}") };
    assert_eq!((&lane["lane"], &lane["step"]), (&2.into(), &3.into()));
    let chosen =
        kind(&records_of(&place.path("run/records.jsonl")), "lane")[2]["spec"]["optimizer"]["sgd"]["lr"].clone();
    assert_eq!(lane["learning_rate"], chosen);
}

#[test]
fn what_cannot_be_measured_is_said() {
    let place = Place::new(&digits(LANES, "steps: 2"));
    std::fs::create_dir(place.path("plugins")).unwrap();
    let library = library("faults");
    let ending = library.extension().unwrap().to_string_lossy().into_owned();
    let copy = place.path("plugins").join(format!("libguesswork_faults.{ending}"));
    std::fs::copy(&library, &copy).unwrap();
    place.batch(&["--plugin-path", "plugins", "--out", "run"]).expect(0);

    place.run(&["measure", "nowhere"]).expect(3).says(&["no run `nowhere`"]);
    place.run(&["measure", "."]).expect(3).says(&["holds no run", "workspace.ron"]);
    place.run(&["measure", "tiny.ron"]).expect(3).says(&["tiny.ron holds no run"]);
    let lane = place.run(&["measure", "run", "--lane", "weight-transpos"]).expect(3);
    lane.says(&["no lane `weight-transpos` in this run", "did you mean `weight-transpose`?", "`momentum`"]);
    place.run(&["measure", "run", "--guesses", "1"]).expect(2).says(&["--guesses", "expected 2 to 100000 guesses"]);
    place.run(&["measure", "run", "--out", "run/m.json"]).expect(2).says(&["--out run/m.json", "only read"]);
    place.run(&["measure", "run", "--out", "no/such/m.json"]).expect(1).says(&["no/such/m.json"]);
    place.run(&["measure", "run", "--plugin-path", "none"]).expect(4).says(&["--plugin-path none"]);

    std::fs::remove_file(&copy).unwrap();
    place.run(&["measure", "run"]).expect(4).says(&["no strategy is called `fault-hold`"]);
    place.run(&["measure", "run", "--lane", "weight-transpose"]).expect(0);

    let checkpoints = place.path("run/checkpoints");
    let kept = checkpoints.join("lane-0.safetensors");
    let bytes = std::fs::read(&kept).unwrap();
    std::fs::write(&kept, &bytes[..bytes.len() - 1]).unwrap();
    place.run(&["measure", "run", "--lane", "backprop"]).expect(1).says(&["lane-0.safetensors is damaged"]);
    std::fs::remove_file(&kept).unwrap();
    let none = place.run(&["measure", "run", "--lane", "backprop"]).expect(3);
    none.says(&["no checkpoint of `backprop` in", "run/checkpoints"]);
    std::fs::remove_dir_all(&checkpoints).unwrap();
    place.run(&["measure", "run"]).expect(3).says(&["no checkpoint of a lane in"]);
}
