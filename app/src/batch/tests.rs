//! Batch against a stand-in that takes a round each time it is waited for, and against real sessions of the reference lane.

use super::*;
use crate::options::DeviceChoice;
use crate::record::jsonl::tests::{lane, report};
use crate::record::read::{Record, read_records};
use crate::record::{EndReason, LaneEnd, StageSeconds, StepReport};
use crate::workspace::{Document, Workspace};
use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

/// Bytes that can be looked at after the run.
#[derive(Clone, Default)]
struct Bytes(Arc<Mutex<Vec<u8>>>);

impl Bytes {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("unpoisoned").clone()).expect("text")
    }
}

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("unpoisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A stream that nobody takes, for one reason or another.
struct Refuses(io::ErrorKind);

impl Write for Refuses {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(self.0.into())
    }
}

/// Two lanes; a round each time it is waited for.
struct StandIn {
    state: RefCell<(Vec<Box<dyn Observer>>, u64)>,
    steps: u64,
    reasons: [EndReason; 2],
    /// Raises the signal in this round.
    signal_at: Option<(u64, Arc<AtomicUsize>)>,
    stopped: RefCell<Option<u64>>,
}

impl StandIn {
    fn end(&self, reasons: &[EndReason; 2]) {
        let (observers, round) = &mut *self.state.borrow_mut();
        for (id, reason) in reasons.iter().enumerate() {
            let end = LaneEnd { lane: id, steps: *round, reason: reason.clone(), seconds: StageSeconds::default() };
            observers.iter_mut().for_each(|observer| observer.lane_ended(&end));
        }
    }
}

impl Trainer for StandIn {
    fn stop(&self) {
        *self.stopped.borrow_mut() = Some(self.state.borrow().1);
        self.end(&[EndReason::Interrupted, EndReason::Interrupted]);
    }

    fn wait(&self, _: Duration) -> bool {
        if self.stopped.borrow().is_some() {
            return true;
        }
        let finished = {
            let (observers, round) = &mut *self.state.borrow_mut();
            if let Some((at, signal)) = &self.signal_at
                && at == round
            {
                signal.store(15, Ordering::SeqCst);
            }
            if *round < self.steps {
                for id in 0..2 {
                    let report = report(id, *round, 1.0);
                    observers.iter_mut().for_each(|observer| observer.step(&report));
                }
                observers.iter_mut().for_each(|observer| observer.sync());
                *round += 1;
                false
            } else {
                true
            }
        };
        if finished {
            self.end(&self.reasons);
        }
        finished
    }

    fn join(self) -> Result<Joined, Failure> {
        Ok(Joined { interrupted: self.stopped.borrow().is_some(), unsaved: None })
    }
}

fn workspace() -> Workspace {
    let text = "(name: \"tiny\", steps: 10, seeds: [0], \
                 lanes: [(strategy: \"backprop\"), (strategy: \"backprop\", name: \"slow\", optimizer: sgd(lr: 0.01))], \
                 problem: Network(data: (name: \"digits\"), model: mlp(hidden: [4]), batch: 16), \
                 measure: (alignment: 0, test: 4))";
    let document = Document::parse(text, "tiny.ron").expect("RON");
    document.check().expect("a workspace");
    document.workspace
}

fn batch() -> Batch {
    let mut experiment = Experiment::new(workspace());
    experiment.device = DeviceChoice::Cpu;
    experiment.threads = Some(1);
    let (command, resume_command) = ("guesswork".into(), "guesswork --again".into());
    Batch {
        experiment,
        out: None,
        resume: false,
        format: Format::Jsonl,
        quiet: false,
        filter: None,
        command,
        resume_command,
    }
}

/// What a run came to: its end, standard output, standard error.
type Came = (Ended, String, String);

fn came<R: Ready>(
    batch: Batch,
    records: Option<io::ErrorKind>,
    signal: Arc<AtomicUsize>,
    prepare: impl FnOnce(Experiment) -> Result<R, Failure>,
) -> Came {
    let (stdout, mut stderr) = (Bytes::default(), Bytes::default());
    let mut out: Box<dyn Write> = match records {
        Some(kind) => Box::new(Refuses(kind)),
        None => Box::new(stdout.clone()),
    };
    let error = stderr.clone();
    let quiet = batch.quiet;
    let around = Surroundings {
        records: match records {
            Some(kind) => Box::new(Refuses(kind)),
            None => Box::new(stdout.clone()),
        },
        out: &mut *out,
        out_width: WIDTH,
        display: if quiet { Display::quiet(&mut stderr) } else { Display::lines(&mut stderr) },
        error_width: WIDTH,
        interrupt: Interrupt::with(signal),
    };
    let ended = drive(batch, around, prepare);
    (ended, stdout.text(), error.text())
}

/// What makes a [`StandIn`].
struct StandInPlan {
    steps: u64,
    reasons: [EndReason; 2],
    signal_at: Option<(u64, Arc<AtomicUsize>)>,
}

impl Ready for StandInPlan {
    type Trainer = StandIn;

    fn host(&self) -> Host {
        Host::new("cpu", Some(1))
    }

    fn costs(&self) -> Vec<u64> {
        Vec::new()
    }

    fn alike(&self) -> bool {
        true
    }

    fn keep(&mut self, _: PathBuf, _: bool) {}

    fn start(self, mut observers: Vec<Box<dyn Observer>>) -> Result<StandIn, Failure> {
        for (id, name) in ["backprop", "slow"].into_iter().enumerate() {
            observers.iter_mut().for_each(|observer| observer.lane_started(&lane(id, name, 0)));
        }
        let Self { steps, reasons, signal_at } = self;
        Ok(StandIn { state: RefCell::new((observers, 0)), steps, reasons, signal_at, stopped: RefCell::default() })
    }
}

fn stand_in(batch: Batch, records: Option<io::ErrorKind>, reasons: [EndReason; 2], signal_at: Option<u64>) -> Came {
    let signal = Arc::<AtomicUsize>::default();
    let raised = signal.clone();
    came(batch, records, signal, move |experiment| {
        let signal_at = signal_at.map(|at| (at, raised));
        Ok(StandInPlan { steps: experiment.workspace.steps, reasons, signal_at })
    })
}

const DONE: [EndReason; 2] = [EndReason::Done, EndReason::Done];

#[test]
fn records_on_standard_output_and_the_table_on_standard_error() {
    let (ended, out, error) = stand_in(batch(), None, DONE, None);
    assert_eq!(ended, Ended::Done);
    let kinds: Vec<&str> = out.lines().filter_map(|line| line.split('"').nth(3)).collect();
    assert_eq!(kinds[..3], ["run", "lane", "lane"]);
    assert_eq!(kinds.iter().filter(|kind| **kind == "step").count(), 20);
    assert_eq!(kinds[kinds.len() - 3..], ["end", "end", "summary"]);
    for stage in ["starting 2 lanes, 20 steps in all", "10 %, 2 of 20", "100 %", "slow (seed 0): done after 10 steps"] {
        assert!(error.contains(stage), "{stage}: {error}");
    }
    assert!(error.contains("train loss"), "{error}");
}

#[test]
fn the_table_goes_to_standard_output_when_records_do_not() {
    let (ended, out, error) = stand_in(Batch { format: Format::None, quiet: true, ..batch() }, None, DONE, None);
    assert_eq!(ended, Ended::Done);
    assert!(out.starts_with("lane"), "{out}");
    assert_eq!(error, "");
}

#[test]
fn a_closed_pipe_is_a_quiet_end() {
    let (ended, _, error) = stand_in(batch(), Some(io::ErrorKind::BrokenPipe), DONE, None);
    assert_eq!(ended, Ended::Done);
    assert!(!error.contains("error") && !error.contains("train loss") && !error.contains("100 %"), "{error}");
}

#[test]
fn a_full_disk_ends_the_run_and_is_told() {
    let (ended, _, error) = stand_in(batch(), Some(io::ErrorKind::StorageFull), DONE, None);
    assert_eq!(ended, Ended::Failed);
    assert!(error.contains("error: cannot write standard output"), "{error}");
}

#[test]
fn the_end_of_the_lanes_is_the_exit_code() {
    let diverged = || EndReason::Diverged("loss is NaN".into());
    let plugin = || EndReason::Plugin("panicked".into());
    for (reasons, code) in [
        ([EndReason::Done, diverged()], 0),
        ([diverged(), diverged()], 5),
        ([EndReason::Done, plugin()], 4),
        ([EndReason::Failed("out of memory".into()), plugin()], 1),
        ([EndReason::OutOfTime, EndReason::OutOfTime], 0),
    ] {
        let (ended, _, error) = stand_in(batch(), None, reasons.clone(), None);
        assert_eq!(ended.code(), code, "{reasons:?}: {error}");
    }
}

#[test]
fn a_signal_stops_and_says_how_to_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let batch = Batch { out: Some(folder.path().into()), ..batch() };
    let (ended, out, error) = stand_in(batch, None, DONE, Some(4));
    assert_eq!(ended.code(), 143);
    assert!(error.contains("continue with: guesswork --again"), "{error}");
    assert!(out.contains("interrupted"), "the table: {out}");
    assert!(folder.path().join("summary.json").exists());
}

#[test]
fn a_refused_start_names_why_and_leaves_nothing() {
    let failed = |error: SessionError| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("run");
        let refused = |batch| came::<StandInPlan>(batch, None, Arc::default(), |_| Err(error.into()));
        let (ended, out, text) = refused(Batch { out: Some(path.clone()), ..batch() });
        assert!(text.starts_with("error: ") && text.lines().count() == 1, "{text}");
        assert_eq!((out.as_str(), path.exists()), ("", false), "nothing is left behind");
        ended
    };
    let (lane, reason) = ("a".to_owned(), "no".to_owned());
    assert_eq!(failed(SessionError::Lane { lane: lane.clone(), reason: reason.clone() }), Ended::Invalid);
    assert_eq!(failed(SessionError::Plugin { lane, reason }), Ended::Plugin);
    assert_eq!(failed(SessionError::Trainer("died".into())), Ended::Failed);
}

fn session(batch: Batch) -> Came {
    came(batch, None, Arc::default(), prepare)
}

/// A session that is told to stop while the trainer waits within an observer.
struct Held {
    session: Session,
    release: Sender<()>,
}

impl Trainer for Held {
    fn stop(&self) {
        self.session.send(Command::Stop);
        let _ = self.release.send(());
    }

    fn wait(&self, timeout: Duration) -> bool {
        Session::wait(&self.session, timeout)
    }

    fn join(self) -> Result<Joined, Failure> {
        Trainer::join(self.session)
    }
}

/// Raises a signal at a step of lane 0 and waits until the session has been told to stop.
struct Raise {
    step: u64,
    signal: Arc<AtomicUsize>,
    released: Receiver<()>,
}

impl Observer for Raise {
    fn step(&mut self, report: &StepReport) {
        if (report.lane, report.step) == (0, self.step) {
            self.signal.store(15, Ordering::SeqCst);
            let _ = self.released.recv();
        }
    }
}

/// A session whose checkpoints cannot be written, for a folder is in the way.
struct Blocked {
    prepared: Prepared,
    file: PathBuf,
}

impl Ready for Blocked {
    type Trainer = Session;

    fn host(&self) -> Host {
        Ready::host(&self.prepared)
    }

    fn costs(&self) -> Vec<u64> {
        Ready::costs(&self.prepared)
    }

    fn alike(&self) -> bool {
        Ready::alike(&self.prepared)
    }

    fn keep(&mut self, folder: PathBuf, resume: bool) {
        fs::create_dir_all(&self.file).expect("a folder in the way");
        self.prepared.keep(folder, resume);
    }

    fn start(self, observers: Vec<Box<dyn Observer>>) -> Result<Session, Failure> {
        Ready::start(self.prepared, observers)
    }
}

/// What makes a [`Held`].
struct HeldPlan {
    prepared: Prepared,
    step: u64,
    signal: Arc<AtomicUsize>,
}

impl Ready for HeldPlan {
    type Trainer = Held;

    fn host(&self) -> Host {
        Ready::host(&self.prepared)
    }

    fn costs(&self) -> Vec<u64> {
        Ready::costs(&self.prepared)
    }

    fn alike(&self) -> bool {
        Ready::alike(&self.prepared)
    }

    fn keep(&mut self, folder: PathBuf, resume: bool) {
        self.prepared.keep(folder, resume);
    }

    fn start(self, mut observers: Vec<Box<dyn Observer>>) -> Result<Held, Failure> {
        let Self { prepared, step, signal } = self;
        let (release, released) = channel();
        observers.push(Box::new(Raise { step, signal, released }));
        Ok(Held { session: prepared.start(observers)?, release })
    }
}

/// A session that is terminated in the round of that step.
fn terminated(batch: Batch, step: u64) -> Came {
    let signal = Arc::<AtomicUsize>::default();
    let raised = signal.clone();
    came(batch, None, signal, move |experiment| Ok(HeldPlan { prepared: prepare(experiment)?, step, signal: raised }))
}

/// Every record but messages, without its times.
fn timeless(folder: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(folder.join("records.jsonl")).expect("records");
    let mut records: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("a record")).collect();
    records.retain(|record| record["record"] != "message");
    for record in &mut records {
        record.as_object_mut().expect("an object").remove("time");
        for lists in ["lanes", "groups"] {
            for lane in record.get_mut(lists).and_then(|lanes| lanes.as_array_mut()).into_iter().flatten() {
                lane.as_object_mut().expect("an object").remove("time");
            }
        }
    }
    records
}

#[test]
fn an_interrupted_run_goes_on_as_if_it_had_not_been() {
    let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let mut batch = batch();
    batch.experiment.workspace.steps = 60;
    let to = |folder: &tempfile::TempDir, resume| Batch { out: Some(folder.path().into()), resume, ..batch.clone() };
    assert_eq!(session(to(&folders[0], false)).0, Ended::Done);

    for (part, step) in [0, 17, 18, 59].into_iter().enumerate() {
        let (ended, _, error) = terminated(to(&folders[1], part > 0), step);
        // With the last step there is nothing left to cut off.
        assert_eq!(ended.code(), if step == 59 { 0 } else { 143 }, "{error}");
        assert_eq!(error.contains("continuing"), part > 0, "{error}");
    }
    let (whole, resumed) = (timeless(folders[0].path()), timeless(folders[1].path()));
    assert_eq!(whole.len(), resumed.len());
    for (whole, resumed) in whole.iter().zip(&resumed) {
        assert_eq!(whole, resumed);
    }

    // Once more changes nothing.
    assert_eq!(session(to(&folders[1], true)).0, Ended::Done);
    assert_eq!(timeless(folders[1].path()), whole);
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_a_failure_with_a_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run");
    // A folder of the checkpoint's name cannot be replaced by a file.
    let in_the_way = path.clone();
    let (ended, out, error) =
        came(Batch { out: Some(path), quiet: true, ..batch() }, None, Arc::default(), |experiment| {
            Ok(Blocked { prepared: prepare(experiment)?, file: in_the_way.join("checkpoints/lane-1.safetensors.tmp") })
        });
    assert_eq!(ended, Ended::Failed);
    assert!(error.starts_with("error: cannot write the checkpoint") && error.contains("lane-1"), "{error}");
    assert!(out.contains("backprop") && out.contains("slow"), "{out}");
}

#[test]
fn a_folder_holds_the_whole_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run");
    let batch = Batch { out: Some(path.clone()), format: Format::Csv, ..batch() };
    let (ended, out, error) = session(batch.clone());
    assert_eq!(ended, Ended::Done, "{error}");
    assert!(out.contains("slow"), "{out}");
    let mut losses = Vec::new();
    for record in read_records(&path.join("records.jsonl")).expect("records") {
        if let Record::Step(step) = record.expect("a record") {
            losses.extend(step.get(crate::record::Key::whole(crate::record::Quantity::Loss)));
        }
    }
    assert_eq!(losses.len(), 20);
    let table = fs::read_to_string(path.join("records.csv")).expect("a table");
    assert_eq!(table.lines().count(), 1 + 20 + 2, "header, steps, last measurements");
    assert!(path.join("log.txt").exists() && path.join("workspace.ron").exists());
    let (ended, _, error) = session(batch);
    assert_eq!(ended, Ended::Invalid);
    assert!(error.contains("--resume"), "{error}");
}
