//! The quick variants of the shipped workspaces run through, and reports of them say what their summaries say.

use crate::support::{Place, digits};
use serde_json::Value;
use std::collections::BTreeMap;

fn read(place: &Place, path: &str) -> String {
    std::fs::read_to_string(place.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn json(place: &Place, path: &str) -> Value {
    serde_json::from_str(&read(place, path)).unwrap()
}

/// Runs the quick variant of a shipped workspace and rebuilds its report; returns the place.
fn rebuilt(name: &str) -> Place {
    let place = Place::new("()");
    place.run(&["--batch", name, "--quick", "--out", "run"]).expect(0);
    place.run(&["report", "run", "--out", "page"]).expect(0);
    let (summary, report) = (json(&place, "run/summary.json"), json(&place, "page/report.json"));
    let groups = |value: &Value| -> BTreeMap<String, Value> {
        let groups = value["groups"].as_array().unwrap().iter();
        groups.map(|group| (group["name"].as_str().unwrap().to_owned(), group.clone())).collect()
    };
    let (expected, found) = (groups(&summary), groups(&report));
    assert!(!expected.is_empty() && expected.keys().eq(found.keys()), "{name}");
    for (lane, group) in &expected {
        for field in ["figures", "steps", "reasons", "chosen", "seeds", "scope"] {
            assert_eq!(group[field], found[lane][field], "{name}: {lane}: {field}");
        }
    }
    assert_eq!(summary["lanes"].as_array().unwrap().len(), report["lanes"].as_array().unwrap().len());
    table_says_what_the_summary_says(name, &read(&place, "page/report.md"), &expected);
    for figure in report["figures"].as_array().unwrap() {
        let stem = figure["name"].as_str().unwrap();
        let svg = read(&place, &format!("page/figures/{stem}.svg"));
        assert!(svg.starts_with("<svg") && svg.contains("guesswork report run"), "{name}: {stem}");
        let png = std::fs::read(place.path(&format!("page/figures/{stem}.png"))).unwrap();
        assert!(png.starts_with(b"\x89PNG") && png.len() > 4000, "{name}: {stem}");
        let points = figure["curves"]
            .as_array()
            .map(|curves| curves.iter().all(|curve| !curve["points"].as_array().unwrap().is_empty()));
        assert_ne!(points, Some(false), "{name}: {stem}");
    }
    let lines = read(&place, "page/report.csv").lines().count();
    assert_eq!(lines, 1 + report["lanes"].as_array().unwrap().len(), "{name}");
    place
}

/// The page's table holds a row for each group, with its test accuracy as the summary has it.
fn table_says_what_the_summary_says(name: &str, page: &str, groups: &BTreeMap<String, Value>) {
    let rows: Vec<Vec<&str>> = page
        .lines()
        .skip_while(|line| *line != "## Results")
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    let column = rows[0].iter().position(|title| *title == "test acc %").expect("a column of test accuracies");
    assert_eq!(rows.len(), 2 + groups.len(), "{name}");
    for row in &rows[2..] {
        let accuracy = &groups[row[0]]["figures"]["test_accuracy"];
        let percent = |value: &Value| value.as_f64().map(|value| format!("{:.1}", 100.0 * value));
        let expected = match (percent(&accuracy["mean"]), percent(&accuracy["error"])) {
            (Some(mean), Some(error)) => format!("{mean} ± {error}"),
            (Some(mean), None) => mean,
            (None, _) => String::new(),
        };
        assert_eq!(row[column], expected, "{name}: {}", row[0]);
    }
}

/// The stems of a page's figures.
fn figures(place: &Place) -> Vec<String> {
    let report = json(place, "page/report.json");
    report["figures"].as_array().unwrap().iter().map(|figure| figure["name"].as_str().unwrap().to_owned()).collect()
}

macro_rules! quick {
    ($($test:ident: $name:literal shows $figures:expr),* $(,)?) => {
        $(
            #[test]
            fn $test() {
                let place = rebuilt($name);
                let there = figures(&place);
                for expected in $figures {
                    let expected: &str = expected;
                    assert!(there.iter().any(|name| name == expected), "{expected} is not among {there:?}");
                }
            }
        )*

        #[test]
        fn every_shipped_workspace_has_a_quick_variant_that_runs_here() {
            let tested = [$($name),*];
            for embedded in guesswork::workspace::EMBEDDED {
                assert!(tested.contains(&embedded.name), "{} is not run by a test", embedded.name);
                assert!(embedded.text.contains("Runtime: "), "{} does not say how long it takes", embedded.name);
            }
        }
    };
}

quick! {
    quickstart: "quickstart" shows ["loss", "test-accuracy", "cosine", "alignment", "one-step"],
    conv: "conv" shows ["loss", "cosine", "alignment"],
    mixer: "mixer" shows ["loss", "cosine"],
    transformer: "transformer" shows ["loss", "cosine"],
    scope_matters: "scope-matters" shows ["example-cosine-fc1", "bias", "variance", "effective-rank-fc1", "stable-rank-fc2", "spectrum-fc2"],
    table: "table" shows ["loss", "test-accuracy", "alignment"],
    paper_cosine: "paper-cosine" shows ["cosine-by-depth", "cosine-16x2", "cosine-64x2", "loss-16x4"],
    paper_accuracy: "paper-accuracy" shows ["test-accuracy-by-width-digits-depth-2", "loss-digits-16x2", "loss-fashion-mini-32x2"],
    paper_one_step: "paper-one-step" shows ["one-step", "cosine"],
    paper_self_sharpening: "paper-self-sharpening" shows ["gap", "effective-rank-fc2", "spectrum-fc3", "cosine"],
    sharpening: "sharpening" shows ["loss", "cosine", "stable-rank-fc3"],
    paper_bias: "paper-bias" shows ["bias", "variance", "scalar-fit"],
    hessian: "hessian" shows ["hessian-estimate", "hessian-gradient", "sharpness", "cosine"],
    paper_mixer: "paper-mixer" shows ["loss", "test-accuracy", "cosine"],
    rank_sweep: "rank-sweep" shows ["cosine-by-rank", "test-accuracy-by-rank"],
    combine: "combine" shows ["cosine-by-guesses", "test-accuracy-by-guesses"],
    equal_budget: "equal-budget" shows ["loss", "test-accuracy"],
    mixture: "mixture" shows ["loss", "test-accuracy", "cosine"],
    cnn: "cnn" shows ["loss", "cosine", "alignment"],
    neighbours: "neighbours" shows ["loss", "cosine", "test-accuracy"],
    fixed_feedback: "fixed-feedback" shows ["loss", "test-accuracy", "activation-rank-fc2", "sharpness"],
    resnet: "resnet" shows ["loss-conv-4-4-8-8-16", "cosine-conv-4-4-8-8-16", "loss-resnet-1x8-1x16", "cosine-resnet-1x8-1x16"],
    standin_cifar10: "standin-cifar10" shows ["train-accuracy", "test-accuracy", "gap"],
}

#[test]
fn networks_of_one_word_have_pictures_of_their_own() {
    let rest = r#"steps: 4, measure: (test: 2), sweep: [(path: "problem.model", values: [
        conv(layers: [(channels: 3, pool: average(2))]), conv(layers: [(channels: 3, pool: max(2))])])]"#;
    let place = Place::new(&digits(r#"(strategy: "backprop")"#, rest));
    place.batch(&["--out", "run"]).expect(0);
    place.run(&["report", "run", "--out", "page"]).expect(0);
    let names: Vec<String> = json(&place, "page/report.json")["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["backprop conv-3", "backprop conv-3 #2"]);
    let there = figures(&place);
    for stem in ["loss-conv-3", "loss-conv-3-2", "test-accuracy-conv-3", "test-accuracy-conv-3-2"] {
        assert!(there.iter().any(|name| name == stem), "{stem} is not among {there:?}");
    }
}

fn two_lanes() -> Place {
    let lanes = r#"(strategy: "backprop"), (strategy: "weight-transpose", scope: example, optimizer: sgd(lr: 0.01))"#;
    Place::new(&digits(lanes, "steps: 20, measure: (alignment: 2, test: 5)"))
}

#[test]
fn a_single_seed_has_the_errors_of_its_probes() {
    let lanes = r#"(strategy: "backprop"), (strategy: "weight-transpose", scope: example, optimizer: sgd(lr: 0.01))"#;
    let place = Place::new(&digits(lanes, "steps: 20, measure: (bias: 5, bias_guesses: 6)"));
    place.batch(&["--out", "run"]).expect(0);
    let page = place.run(&["report", "run"]).expect(0).out;
    let rows: Vec<Vec<&str>> = page
        .lines()
        .skip_while(|line| *line != "## Measured beside training")
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    let row = rows.iter().find(|row| row[0] == "weight-transpose").expect("a row of the lane");
    let records = crate::support::records_of(&place.path("run/records.jsonl"));
    for (title, name) in [("bias²", "bias_squared"), ("variance", "variance"), ("⟨E ĝ, g⟩/‖g‖²", "scalar_fit")]
    {
        let of = |name: &str| -> Vec<f64> { records.iter().filter_map(|record| record[name].as_f64()).collect() };
        let (values, errors) = (of(name), of(&format!("{name}_error")));
        assert_eq!((values.len(), errors.len()), (4, 4));
        let mean = values.iter().sum::<f64>() / 4.0;
        let error = errors.iter().map(|error| error * error).sum::<f64>().sqrt() / 4.0;
        let expected = [mean, error].map(guesswork::record::table::rounded).join(" ± ");
        let column = rows[0].iter().position(|other| *other == title).unwrap_or_else(|| panic!("{title}: {page}"));
        assert_eq!(row[column], expected, "{title}");
    }
    assert!(page.contains("√Σe²/N"), "{page}");
}

#[test]
fn runs_with_other_seeds_are_one_table() {
    let place = two_lanes();
    place.batch(&["--seeds", "0..2", "--out", "a"]).expect(0);
    place.batch(&["--seeds", "2..4", "--out", "b"]).expect(0);
    place.batch(&["--seeds", "0..4", "--out", "all"]).expect(0);
    let groups = |runs: &[&str]| -> Value {
        let ran = place.run(&[&["report"], runs, &["--format", "json"]].concat()).expect(0);
        let report: Value = serde_json::from_str(&ran.out).unwrap();
        report["groups"].as_array().unwrap().iter().map(|group| group["figures"].clone()).collect()
    };
    let (both, all) = (groups(&["a", "b"]), groups(&["all"]));
    assert_eq!(both, all);
    assert_eq!(both[1]["test_accuracy"]["n"], 4);
    // The same seeds twice are two groups, named by their runs.
    let twice = place.run(&["report", "a", "all"]).expect(0).out;
    assert!(twice.contains("| backprop [a] |") && twice.contains("| backprop [all] |"), "{twice}");
}

#[test]
fn a_page_is_one_file_and_says_what_made_it() {
    let place = two_lanes();
    place.batch(&["--seeds", "0..2", "--out", "run"]).expect(0);
    place
        .run(&["report", "run", "--format", "html", "--out", "page", "--filter", "!backprop", "--by", "flop"])
        .expect(0);
    let page = read(&place, "page/report.html");
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    for words in [
        "<td>weight-transpose</td>",
        "Made by <code>guesswork report run --format html --out page --filter &apos;!backprop&apos; --by flop</code>"
            .replace("&apos;", "'")
            .as_str(),
        "guesswork --batch tiny.ron --seeds 0..2 --out run",
        "bands their range",
        ">FLOP</text>",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(
        !page.contains("<td>backprop</td>") && !page.contains("http://") || !page.contains("src="),
        "nothing is fetched"
    );
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
    // A stream of records is a run as well, and one that is not ended says so.
    let records = read(&place, "run/records.jsonl");
    let cut: String = records.lines().take(30).flat_map(|line| [line, "\n"]).collect();
    std::fs::write(place.path("cut.jsonl"), cut).unwrap();
    let text = place.run(&["report", "cut.jsonl"]).expect(0).out;
    assert!(text.contains("(not ended)") && text.contains("have not come to their end"), "{text}");
    assert!(place.run(&["report", "run", "--format", "csv"]).expect(0).out.starts_with("run,lane,name,strategy,"));
}

#[test]
fn what_cannot_be_reported_is_said() {
    let place = two_lanes();
    place.run(&["report", "nowhere"]).expect(3).says(&["no run `nowhere`"]);
    std::fs::write(place.path("empty.jsonl"), "").unwrap();
    place.run(&["report", "empty.jsonl"]).expect(3).says(&["empty.jsonl: no records of a run"]);
    place.batch(&["--out", "run"]).expect(0);
    place.run(&["report", "run", "--filter", "lr>7"]).expect(3).says(&["no lane of 2 meets the filter `lr>7`"]);
    place.run(&["report", "run", "--out", "tiny.ron"]).expect(1).says(&["tiny.ron"]);
    place.run(&["report", "run", "--filter", "lr>fast"]).expect(2).says(&["expected a number"]);
}

#[test]
fn two_runs_are_put_side_by_side() {
    let place = two_lanes();
    place.batch(&["--seeds", "0..2", "--out", "a"]).expect(0);
    place.batch(&["--seeds", "0..2", "--set", "lanes[1].optimizer.lr=0.001", "--out", "b"]).expect(0);
    let text = place.run(&["compare", "a", "b"]).expect(0).out;
    assert!(text.contains("- `lanes[1].optimizer.sgd.lr`: 0.01 → 0.001"), "{text}");
    let row = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {text}"));
    assert!(
        row("| backprop | test acc % |").ends_with("| +0 ± 0 |") || row("| backprop | test acc % |").contains("| +0 ±"),
        "{text}"
    );
    assert!(row("| weight-transpose | train loss |").contains(" ± "), "{text}");
    let alone = place.run(&["compare", "a", "a"]).expect(0).out;
    assert!(alone.contains("Nothing."), "{alone}");
}
