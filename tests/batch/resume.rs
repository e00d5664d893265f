//! A run that was interrupted or killed and goes on is, bit for bit, the run that never stopped.

use crate::support::{Place, digits, kind, library, records_of, steps, tensors, timeless};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

/// Long enough to be met in the middle: every step measures all there is.
const STEPS: u64 = 300;

fn place() -> Place {
    let lanes = r#"
        (strategy: "backprop", optimizer: sgd(lr: 0.05, momentum: 0.9, nesterov: true)),
        (strategy: "backprop", name: "adam", optimizer: adam(lr: 0.002), schedule: cosine(warm_up: 10)),
        (strategy: "weight-transpose", scope: example_layer, guesses: 2, optimizer: sgd(lr: 0.01)),
        (strategy: "weight-perturbation", scope: batch, optimizer: sgd(lr: 0.0001)),
        (strategy: "mixture", optimizer: adam(lr: 0.001), of: [
            (strategy: "learned-feedback"),
            (strategy: "learned-feedback", weight: 0.5, params: {"rate": 0.5}),
            (strategy: "self-sharpening", weight: -0.25),
        ]),
    "#;
    let measure = "(alignment: 1, one_step: 1, spectrum: 1, mask_density: 1, test: 1, train: 1)";
    Place::new(&digits(lanes, &format!("steps: {STEPS}, measure: {measure}")))
}

/// A run under way, once it has said `sign` on standard error; with the rest of what it says.
struct UnderWay {
    child: Child,
    error: BufReader<std::process::ChildStderr>,
}

impl UnderWay {
    fn start(place: &Place, arguments: &[&str], sign: impl Fn(&str) -> bool) -> Self {
        Self::start_with(place, arguments, None, sign)
    }

    /// [`UnderWay::start`] with a variable of the environment.
    fn start_with(
        place: &Place,
        arguments: &[&str],
        variable: Option<(&str, &str)>,
        sign: impl Fn(&str) -> bool,
    ) -> Self {
        let mut command = place.command(&[&["--batch", "tiny.ron", "--out", "run"], arguments].concat());
        command.envs(variable);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut error = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while error.read_line(&mut said).unwrap() > 0 {
            if sign(said.lines().last().unwrap()) {
                return Self { child, error };
            }
        }
        let ended = child.wait();
        panic!("the run ended before the sign, {ended:?}: {said}");
    }

    /// Sends a signal; returns the exit code, if there is one, and what was said from then on.
    fn end(mut self, signal: &str) -> (Option<i32>, String) {
        let line = format!("kill -{signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success(), "the run ended before the signal");
        let mut said = String::new();
        std::io::Read::read_to_string(&mut self.error, &mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

fn stands(line: &str) -> bool {
    line.contains(" steps/s")
}

/// The run in the folder `run` is the one of `place` without a stop.
fn same_as_straight(place: &Place, arguments: &[&str]) {
    place.batch(&[&["--out", "straight"], arguments].concat()).expect(0);
    let (straight, run) = (place.path("straight"), place.path("run"));
    let expected = timeless(records_of(&straight.join("records.jsonl")));
    let found = timeless(records_of(&run.join("records.jsonl")));
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
    let (expected, found) = (tensors(&straight), tensors(&run));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, tensor) in &expected {
        assert!(found[name] == *tensor, "{name}");
    }
    assert!(expected.contains_key("lane-0: model.fc1.weight"), "{:?}", expected.keys());
}

#[test]
fn interrupted_then_killed_then_resumed() {
    let place = place();
    let (code, said) = UnderWay::start(&place, &["--threads", "5"], stands).end("INT");
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("interrupted; continue with: ") && said.contains("--out run --threads 5 --resume"), "{said}");
    let stopped = records_of(&place.path("run/records.jsonl"));
    let taken: Vec<u64> = (0..5).map(|lane| steps(&stopped, lane).len() as u64).collect();
    assert!(taken.iter().all(|taken| (1..STEPS).contains(taken)), "{taken:?}");
    assert_eq!(kind(&stopped, "summary")[0]["interrupted"], true);

    let (code, _) = UnderWay::start(&place, &["--threads", "5", "--resume"], stands).end("KILL");
    assert_eq!(code, None);
    let mut file = std::fs::OpenOptions::new().append(true).open(place.path("run/records.jsonl")).unwrap();
    file.write_all(br#"{"record":"step","lane":0,"st"#).unwrap();

    place.batch(&["--out", "run", "--resume", "--threads", "2"]).expect(0).says(&["continuing 5 lanes"]);
    same_as_straight(&place, &["--threads", "1"]);
    // What each strategy of the mixture learned is there, under its place.
    let kept = tensors(&place.path("run"));
    for name in ["0.feedback.fc1.0", "1.feedback.fc1.0", "2.leading.fc2"] {
        assert!(kept.contains_key(&format!("lane-4: strategy.{name}")), "{name}: {:?}", kept.keys());
    }
    assert!(kept["lane-4: strategy.0.feedback.fc1.0"] != kept["lane-4: strategy.1.feedback.fc1.0"]);
}

#[test]
fn killed_between_lanes_then_resumed() {
    let place = place();
    let ended = |line: &str| line.contains("done after");
    let (code, _) = UnderWay::start(&place, &["--threads", "1"], ended).end("KILL");
    assert_eq!(code, None);
    let ran = place.batch(&["--out", "run", "--resume", "--threads", "1"]).expect(0);
    assert!(!ran.error.contains("warning"), "{}", ran.error);
    same_as_straight(&place, &["--threads", "1"]);
}

#[test]
fn a_step_that_is_cancelled_in_its_midst_is_not_half_kept() {
    let lanes = r#"(strategy: "fault-hold", optimizer: sgd(lr: 0.001)), (strategy: "backprop")"#;
    let place = Place::new(&digits(lanes, "steps: 12"));
    let library = library("faults");
    let plugins = ["--plugin-path", library.to_str().unwrap(), "--threads", "2"];
    let hold = ("GUESSWORK_TEST_HOLD", "1");
    let (code, said) = UnderWay::start_with(&place, &plugins, Some(hold), |line| line.contains("holding")).end("TERM");
    assert_eq!(code, Some(143), "{said}");
    assert_eq!(steps(&records_of(&place.path("run/records.jsonl")), 0), (0..7).collect::<Vec<_>>());
    place.batch(&[&["--out", "run", "--resume"][..], &plugins].concat()).expect(0);
    same_as_straight(&place, &plugins);
}

#[test]
fn terminated_has_its_own_code() {
    let place = place();
    let (code, said) = UnderWay::start(&place, &["--threads", "2"], stands).end("TERM");
    assert_eq!(code, Some(143), "{said}");
}

#[test]
fn records_are_the_same_at_any_number_of_threads() {
    let place = place();
    let short = |threads: &str| timeless(place.batch(&["--steps", "12", "--threads", threads]).expect(0).records());
    let one = short("1");
    assert_eq!(one.len(), 5 * (1 + 12 + 1 + 1) + 1);
    assert_eq!(short("2"), one);
    assert_eq!(short("5"), one);
}

#[test]
fn a_run_that_is_done_stays_done() {
    let place = place();
    place.batch(&["--steps", "12", "--out", "run"]).expect(0);
    let (records, state) = (records_of(&place.path("run/records.jsonl")), tensors(&place.path("run")));
    place
        .batch(&["--steps", "12", "--out", "run", "--resume"])
        .expect(0)
        .says(&["100 %, 60 of 60 steps", "5/5 lanes done"]);
    assert_eq!(timeless(records_of(&place.path("run/records.jsonl"))), timeless(records));
    assert!(tensors(&place.path("run")) == state);
    place.batch(&["--steps", "13", "--out", "run", "--resume"]).expect(3).says(&["steps"]);
}

#[test]
fn out_of_time_goes_on_where_it_stood() {
    let place = place();
    let arguments = ["--out", "run", "--threads", "4", "--resume"];
    let cut = place.batch(&[&arguments[..], &["--time", "0.02s"]].concat()).expect(0);
    assert!(
        cut.error.contains("out of time") && cut.error.contains("the time is up; continue with: "),
        "{}",
        cut.error
    );
    place.batch(&arguments).expect(0);
    same_as_straight(&place, &["--threads", "1"]);
}
