//! What goes to which stream, in which format, and readers that go away.

use crate::support::{Place, digits, end, kind, steps};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

const LANES: &str = r#"(strategy: "backprop"), (strategy: "weight-transpose", optimizer: sgd(lr: 0.01))"#;

fn place(steps: u64) -> Place {
    Place::new(&digits(LANES, &format!("steps: {steps}, measure: (alignment: 5, test: 10)")))
}

#[test]
fn records_are_json_lines_on_standard_output_and_progress_is_not() {
    let ran = place(20).batch(&[]).expect(0);
    let records = ran.records();
    assert_eq!((&records[0]["record"], &records[0]["schema"]), (&"run".into(), &"guesswork-record/1".into()));
    assert_eq!((&records[0]["name"], &records[0]["steps"]), (&"tiny".into(), &20.into()));
    assert_eq!(kind(&records, "lane").len(), 2);
    for lane in 0..2 {
        assert_eq!(steps(&records, lane), (0..=20).collect::<Vec<_>>(), "the last holds the last measurements");
        assert_eq!((&end(&records, lane)["reason"], &end(&records, lane)["steps"]), (&"done".into(), &20.into()));
    }
    for step in kind(&records, "step") {
        let number = step["step"].as_u64().unwrap();
        assert_eq!(step["loss"].is_f64(), number < 20, "{step}");
        assert_eq!(step["cosine"].is_f64(), number < 20 && number.is_multiple_of(5), "{step}");
        assert_eq!(step["test_loss"].is_f64(), number.is_multiple_of(10), "{step}");
    }
    let summary = records.last().unwrap();
    assert_eq!((&summary["record"], &summary["interrupted"]), (&"summary".into(), &false.into()));
    let first_loss =
        |lane| kind(&records, "step").into_iter().find(|step| step["lane"] == lane).unwrap()["loss"].as_f64();
    for lane in 0..2 {
        let figures = &summary["lanes"][lane]["figures"];
        assert!(figures["test_loss"].as_f64() < first_loss(lane), "{figures}");
    }
    assert!(ran.error.contains("tiny: starting 2 lanes, 40 steps in all"), "{}", ran.error);
    assert!(ran.error.contains("weight-transpose (seed 0): done after 20 steps"), "{}", ran.error);
    assert!(
        ran.error.contains("test accuracy") || ran.error.contains("test acc"),
        "the table comes last: {}",
        ran.error
    );
}

#[test]
fn quiet_leaves_standard_error_to_errors() {
    let ran = place(5).batch(&["--quiet"]).expect(0);
    assert_eq!(ran.error, "");
    assert_eq!(ran.records().last().unwrap()["record"], "summary");
    place(5).batch(&["--quiet", "--steps", "0"]).expect(3).says(&["error: ", "steps"]);
}

#[test]
fn csv_is_one_table_as_wide_as_its_header() {
    let ran = place(6).batch(&["--format", "csv"]).expect(0);
    let rows: Vec<Vec<&str>> = ran.out.lines().map(|line| line.trim_end().split(',').collect()).collect();
    assert_eq!(rows[0][..7], ["lane", "name", "strategy", "scope", "seed", "trial", "step"]);
    assert_eq!(rows.len(), 1 + 2 * 7);
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{}", ran.out);
    let loss = rows[0].iter().position(|name| *name == "loss").unwrap();
    let first = rows[1..].iter().find(|row| row[0] == "0" && row[6] == "0").unwrap();
    assert!(first[loss].parse::<f64>().unwrap() > 0.0);
    assert!(ran.error.contains("done after 6 steps"));
}

#[test]
fn without_records_the_table_is_the_output() {
    let ran = place(5).batch(&["--format", "none"]).expect(0);
    assert!(ran.out.contains("backprop") && ran.out.contains("weight-transpose"), "{}", ran.out);
    assert!(!ran.out.contains('{'), "{}", ran.out);
    let ran = place(5).batch(&["--format", "none", "--quiet"]).expect(0);
    assert!(ran.error.is_empty() && ran.out.contains("backprop"));
}

#[test]
fn a_run_folder_holds_what_the_documentation_says() {
    let place = place(5);
    let ran = place.batch(&["--out", "runs/a", "--format", "csv"]).expect(0);
    assert!(ran.out.contains("weight-transpose") && !ran.out.contains('{'), "{}", ran.out);
    for name in
        ["workspace.ron", "records.jsonl", "records.csv", "summary.json", "log.txt", "checkpoints/lane-1.safetensors"]
    {
        assert!(place.path("runs/a").join(name).is_file(), "{name}");
    }
    let records = crate::support::records_of(&place.path("runs/a/records.jsonl"));
    assert_eq!(steps(&records, 1), [0, 1, 2, 3, 4, 5]);
    place.batch(&["--out", "runs/a"]).expect(3).says(&["runs/a holds a run already", "--resume"]);
    place.run(&["check", "runs/a/workspace.ron"]).expect(0);
}

#[test]
fn a_reader_that_goes_away_ends_the_run_quietly() {
    // Far more than the test has patience for: only the closed pipe ends it.
    let place = place(1_000_000);
    for format in ["jsonl", "csv"] {
        let mut child = place.command(&["--batch", "tiny.ron", "--format", format, "--quiet"]);
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("guesswork-record/1") || line.starts_with("lane,name"), "{line}");
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(output.status.code(), Some(0), "{format}");
    }
}

#[test]
fn closed_streams_hurt_nobody() {
    let place = place(5);
    let program = env!("CARGO_BIN_EXE_guesswork");
    for (run, closed) in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"].into_iter().enumerate() {
        let line = format!("exec '{program}' --batch tiny.ron --out {run} {closed}");
        let output = std::process::Command::new("sh").args(["-c", &line]).current_dir(place.path("")).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{closed}: {error}");
        assert!(!error.contains("panicked"), "{closed}: {error}");
        let records = crate::support::records_of(&place.path(&run.to_string()).join("records.jsonl"));
        assert_eq!(end(&records, 1)["reason"], "done", "{closed}");
    }
}

#[test]
fn the_screen_without_a_terminal_says_what_to_do() {
    place(5).run(&["tiny.ron"]).expect(1).says(&["--batch"]);
}
