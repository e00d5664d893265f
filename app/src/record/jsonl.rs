//! Records as JSON Lines: one compact object a line, `"record"` its first field and its kind.
//!
//! | record | when | fields |
//! |---|---|---|
//! | `run` | first | [`RunHeader`] |
//! | `lane` | a lane starts; a second one of the same number after a reset, which voids the steps before it | [`LaneInfo`] |
//! | `step` | every step of every lane; at its end one more, numbered by the steps taken, with the last measurements and no loss of a batch | `lane`, `step` from 0; each quantity of the whole model by [`Quantity::name`]; `sites`: each per-site quantity as an array in the order of the lane's `sites`, `null` where it was not measured; `spectra`: singular values, an array a site; `metrics`: the plugin's own, arrays; `time` |
//! | `change` | a lane's settings were changed while it ran | [`LaneChange`] |
//! | `message` | anything said | [`Message`] |
//! | `end` | a lane ends | `lane`, `steps`, `reason`, `time` |
//! | `summary` | last | [`super::summary::Summary`] |
//!
//! Numbers read back as the very f64 that was measured; NaN and infinities are strings ([`super::number`]).
//!
//! **What a clock decides stands under `time`, and nothing else does**: the start of the run, seconds by stage, steps per
//! second. Without `time`, the `lane`, `step` and `end` records of two runs of one experiment on one build and device are
//! equal byte for byte, whether a run was interrupted and resumed or not, at any number of threads. `host` of the first
//! record names machine, device and threads. Messages may differ: loading is told again on resume.
//!
//! A reader skips fields and records that it does not know: they may be added within a major version.
#![forbid(unsafe_code)]

use super::number::write_json;
use super::output::{Output, Watch};
use super::time::Utc;
use super::{
    LaneChange, LaneEnd, LaneId, LaneInfo, Message, Observer, Quantity, RECORD_SCHEMA, StageSeconds, StepReport,
};
use crate::workspace::{DataSpec, LossSpec, ModelSpec, Precision, Problem, Workspace, to_ron};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;

/// The first record: what is run, by which program, on what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunHeader {
    /// Version of the format, [`RECORD_SCHEMA`].
    pub schema: String,
    /// Version of the program.
    pub version: String,
    /// Name of the workspace.
    pub name: String,
    /// The question it asks.
    pub question: String,
    /// Data set and its preparation.
    pub data: DataSpec,
    /// Architecture.
    pub model: ModelSpec,
    /// Loss.
    pub loss: LossSpec,
    /// Examples in a batch.
    pub batch: usize,
    /// Data type of parameters and activations.
    pub dtype: Precision,
    /// Seeds that each lane runs with, unless it has its own.
    pub seeds: Vec<u64>,
    /// Seed of the order of the data.
    pub data_seed: u64,
    /// Steps each lane is to take.
    pub steps: u64,
    /// The whole workspace, overrides applied, as RON: written to a file it runs the same experiment.
    pub workspace: String,
    /// Where it runs.
    pub host: Host,
    /// When it started.
    pub time: Started,
}

/// Where a run takes place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// `cpu`, `cuda:0`, `metal`.
    pub device: String,
    /// Threads that compute; `None` where that is not known.
    pub threads: Option<usize>,
    /// Operating system and architecture, `linux-x86_64`.
    pub platform: String,
    /// The command line that began the run; `None` where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

impl Host {
    /// This machine, with that device and number of threads.
    pub fn new(device: impl Into<String>, threads: Option<usize>) -> Self {
        let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
        Self { device: device.into(), threads, platform, command: None }
    }

    /// The same, with the command line that begins the run.
    pub fn by(self, command: impl Into<String>) -> Self {
        Self { command: Some(command.into()), ..self }
    }
}

/// When a run started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// RFC 3339, UTC.
    pub started: String,
}

impl RunHeader {
    /// The header of a run of `workspace` on `host` that starts now.
    pub fn new(workspace: &Workspace, host: Host) -> Self {
        let Problem::Network(problem) = &workspace.problem;
        Self {
            schema: RECORD_SCHEMA.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            name: workspace.name.clone(),
            question: workspace.question.clone(),
            data: problem.data.clone(),
            model: problem.model.clone(),
            loss: problem.loss,
            batch: problem.batch,
            dtype: workspace.dtype,
            seeds: workspace.seeds.clone(),
            data_seed: workspace.data_seed,
            steps: workspace.steps,
            workspace: to_ron(workspace).unwrap_or_default(),
            host,
            time: Started { started: Utc::now().rfc3339() },
        }
    }
}

/// Writes every record as a line.
#[derive(Debug)]
pub struct JsonLines<W: Write> {
    output: Output<W>,
    line: Vec<u8>,
}

/// A record of kind `record` with the fields of `body`.
#[derive(Serialize)]
struct Tagged<'a, T> {
    record: &'static str,
    #[serde(flatten)]
    body: &'a T,
}

/// An `end` record.
#[derive(Serialize)]
struct End<'a> {
    lane: LaneId,
    steps: u64,
    reason: &'a super::EndReason,
    time: &'a StageSeconds,
}

impl<W: Write> JsonLines<W> {
    /// Writes to `writer`, beginning with the `run` record; `target` names it in errors.
    pub fn new(writer: W, target: impl Into<String>, header: &RunHeader) -> Self {
        let mut sink = Self::headless(Output::new(writer, target));
        sink.record("run", header);
        sink
    }

    fn headless(output: Output<W>) -> Self {
        Self { output, line: Vec::with_capacity(1024) }
    }

    /// A view of the failure to write, for other threads.
    pub fn watch(&self) -> Watch {
        self.output.watch()
    }

    /// Writes a record of kind `record` with the fields of `body`, and flushes.
    pub fn record<T: Serialize>(&mut self, record: &'static str, body: &T) {
        self.line.clear();
        // A body that cannot be JSON (a map whose keys are no text) is left out rather than half written.
        if serde_json::to_writer(&mut self.line, &Tagged { record, body }).is_ok() {
            self.finish_line();
            self.output.flush();
        }
    }

    fn finish_line(&mut self) {
        self.line.push(b'\n');
        self.output.write(&self.line);
    }
}

impl JsonLines<File> {
    /// Writes to a new file, beginning with the `run` record.
    pub fn create(file: File, target: impl Into<String>, header: &RunHeader) -> Self {
        let mut sink = Self::headless(Output::file(file, target));
        sink.record("run", header);
        sink
    }

    /// Goes on at the end of `file`, which holds the records of the run so far.
    pub fn append(file: File, target: impl Into<String>) -> Self {
        Self::headless(Output::file(file, target))
    }
}

impl<W: Write + Send> Observer for JsonLines<W> {
    fn lane_started(&mut self, info: &LaneInfo) {
        self.record("lane", info);
    }

    fn step(&mut self, report: &StepReport) {
        write_step(&mut self.line, report);
        self.finish_line();
    }

    fn lane_changed(&mut self, change: &LaneChange) {
        self.record("change", change);
    }

    fn lane_ended(&mut self, end: &LaneEnd) {
        let body = End { lane: end.lane, steps: end.steps, reason: &end.reason, time: &end.seconds };
        self.record("end", &body);
    }

    fn message(&mut self, message: &Message) {
        self.record("message", message);
    }

    fn flush(&mut self) {
        self.output.flush_if_due();
    }

    fn sync(&mut self) {
        self.output.sync();
    }
}

/// Writes a `step` record, without the end of the line. By hand: it is written at every step, its numbers need
/// [`write_json`], and its fields are named by what was measured.
fn write_step(line: &mut Vec<u8>, report: &StepReport) {
    line.clear();
    let _ = write!(line, "{{\"record\":\"step\",\"lane\":{},\"step\":{}", report.lane, report.step);
    for (key, value) in &report.values {
        if key.site.is_none() && !key.quantity.timed() {
            field(line, key.quantity.name(), *value);
        }
    }
    write_sites(line, report);
    write_spectra(line, report);
    if !report.metrics.is_empty() {
        line.extend_from_slice(b",\"metrics\":{");
        for (index, (name, values)) in report.metrics.iter().enumerate() {
            if index > 0 {
                line.push(b',');
            }
            // Text as JSON into memory: cannot fail.
            let _ = serde_json::to_writer(&mut *line, name);
            line.push(b':');
            array(line, values.iter().map(|value| Some(*value)));
        }
        line.push(b'}');
    }
    let StageSeconds { forward, guess, tangent, update, measure } = report.seconds;
    line.extend_from_slice(b",\"time\":{\"forward\":");
    write_json(line, forward);
    for (name, value) in [("guess", guess), ("tangent", tangent), ("update", update), ("measure", measure)] {
        field(line, name, value);
    }
    for (key, value) in &report.values {
        if key.site.is_none() && key.quantity.timed() {
            field(line, key.quantity.name(), *value);
        }
    }
    line.extend_from_slice(b"}}");
}

/// `,"sites":{"cosine":[…],…}`, where anything was measured of a site.
fn write_sites(line: &mut Vec<u8>, report: &StepReport) {
    let mut first = true;
    for quantity in Quantity::ALL {
        let of = |key: &super::Key| key.site.filter(|_| key.quantity == quantity);
        let Some(last) = report.values.iter().filter_map(|(key, _)| of(key)).max() else { continue };
        line.extend_from_slice(if first { b",\"sites\":{" } else { b"," });
        first = false;
        let _ = write!(line, "\"{}\":", quantity.name());
        array(line, (0..=last).map(|site| report.get(super::Key::site(quantity, usize::from(site)))));
    }
    if !first {
        line.push(b'}');
    }
}

/// `,"spectra":[[σ₁,…],null,…]` in the order of the sites, where singular values were measured.
fn write_spectra(line: &mut Vec<u8>, report: &StepReport) {
    let Some(last) = report.spectra.iter().map(|(site, _)| *site).max() else { return };
    line.extend_from_slice(b",\"spectra\":[");
    for site in 0..=last {
        if site > 0 {
            line.push(b',');
        }
        match report.spectra.iter().find(|(other, _)| *other == site) {
            Some((_, values)) => array(line, values.iter().map(|value| Some(*value))),
            None => line.extend_from_slice(b"null"),
        }
    }
    line.push(b']');
}

fn field(line: &mut Vec<u8>, name: &str, value: f64) {
    let _ = write!(line, ",\"{name}\":");
    write_json(line, value);
}

fn array(line: &mut Vec<u8>, values: impl Iterator<Item = Option<f64>>) {
    line.push(b'[');
    for (index, value) in values.enumerate() {
        if index > 0 {
            line.push(b',');
        }
        match value {
            Some(value) => write_json(line, value),
            None => line.extend_from_slice(b"null"),
        }
    }
    line.push(b']');
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::record::output::tests::Narrow;
    use crate::record::read::{ReadError, Record, Records};
    use crate::record::{EndReason, Key, Level, StrategyCard};
    use crate::workspace::{Document, LaneSpec, OptimizerSpec, ParamValue, Scope};
    use std::collections::BTreeMap;
    use std::io::ErrorKind;

    /// A workspace with everything left at its default.
    pub(crate) fn workspace() -> Workspace {
        let text = "(name: \"tiny\", lanes: [(strategy: \"weight-transpose\", optimizer: sgd(lr: 0.25))], \
                    problem: Network(data: (name: \"digits\"), model: mlp(hidden: [4])))";
        Document::parse(text, "tiny").expect("a workspace").workspace
    }

    /// A lane with two sites.
    pub(crate) fn lane(lane: LaneId, name: &str, seed: u64) -> LaneInfo {
        let spec = LaneSpec {
            params: BTreeMap::from([("depth".into(), ParamValue::Int(2)), ("scale".into(), ParamValue::Float(1.0))]),
            scope: Some(Scope::ExampleLayer),
            optimizer: Some(OptimizerSpec::default().with_lr(0.25)),
            ..workspace().lanes[0].clone()
        };
        LaneInfo {
            lane,
            name: name.into(),
            spec,
            seed,
            scope: Some(Scope::ExampleLayer),
            sites: vec!["fc1".into(), "fc2".into()],
            site_parameters: vec![260, 50],
            parameters: 310,
            parts: 1,
            card: StrategyCard { formula: "E_l = (ε W_{l+1}) ⊙ M_l".into(), ..StrategyCard::default() },
            flop: 123_456,
            batch: 32,
            gradient_capable: false,
            trial: false,
            steps: 10,
            scalars: 0,
            axes: BTreeMap::new(),
        }
    }

    /// A step with a loss and some seconds.
    pub(crate) fn report(lane: LaneId, step: u64, loss: f64) -> StepReport {
        StepReport {
            lane,
            step,
            values: vec![(Key::whole(Quantity::Loss), loss)],
            spectra: Vec::new(),
            metrics: Vec::new(),
            seconds: StageSeconds { forward: 0.001, guess: 1.0 / 3.0, ..StageSeconds::default() },
        }
    }

    fn full_report() -> StepReport {
        let mut report = report(1, u64::MAX, 0.1 + 0.2);
        report.values.extend([
            (Key::whole(Quantity::Cosine), f64::NEG_INFINITY),
            (Key::site(Quantity::Cosine, 0), 0.5),
            (Key::site(Quantity::Cosine, 1), 5e-324),
            (Key::site(Quantity::MaskDensity, 1), -0.0),
            (Key::whole(Quantity::StepsPerSecond), 412.0),
        ]);
        report.spectra = vec![(1, vec![2.5, 0.125])];
        report.metrics = vec![("rank \"x\"".into(), vec![1.0, f64::MAX]), ("none".into(), vec![])];
        report
    }

    /// What the sink writes when it is told `tell`.
    fn written(tell: impl FnOnce(&mut JsonLines<Narrow>)) -> String {
        let wide = Narrow::new(usize::MAX, ErrorKind::Other);
        let taken = wide.taken.clone();
        let mut sink = JsonLines::new(wide, "records", &RunHeader::new(&workspace(), Host::new("cpu", Some(2))));
        tell(&mut sink);
        drop(sink);
        let bytes = taken.lock().expect("unpoisoned").clone();
        String::from_utf8(bytes).expect("text")
    }

    fn read(text: &str) -> Vec<Record> {
        Records::new(text.as_bytes(), "records").map(|record| record.expect("a record")).collect()
    }

    #[test]
    fn a_step_is_one_compact_line() {
        let text = written(|sink| sink.step(&full_report()));
        let line = text.lines().nth(1).expect("after the header");
        assert_eq!(
            line,
            r#"{"record":"step","lane":1,"step":18446744073709551615,"loss":0.30000000000000004,"cosine":"-inf","sites":{"cosine":[0.5,5e-324],"mask_density":[null,-0.0]},"spectra":[null,[2.5,0.125]],"metrics":{"rank \"x\"":[1.0,1.7976931348623157e308],"none":[]},"time":{"forward":0.001,"guess":0.3333333333333333,"tangent":0.0,"update":0.0,"measure":0.0,"steps_per_second":412.0}}"#
        );
    }

    #[test]
    fn every_record_reads_back_as_it_was_told() {
        let info = lane(1, "weight-transpose", u64::MAX);
        let message = Message { lane: Some(1), step: None, level: Level::Warn, text: "line\nbreak".into() };
        let end = LaneEnd {
            lane: 1,
            steps: 7,
            reason: EndReason::Diverged("loss is NaN".into()),
            seconds: StageSeconds { update: 0.1, ..StageSeconds::default() },
        };
        let text = written(|sink| {
            sink.lane_started(&info);
            sink.step(&full_report());
            sink.message(&message);
            sink.lane_ended(&end);
        });
        let records = read(&text);
        let Record::Run(header) = &records[0] else { panic!("{:?}", records[0]) };
        assert_eq!(header.schema, RECORD_SCHEMA);
        assert_eq!(Document::parse(&header.workspace, "tiny").expect("RON").workspace, workspace());
        assert_eq!(records[1], Record::Lane(Box::new(info)));
        let Record::Step(step) = &records[2] else { panic!("{:?}", records[2]) };
        let full = full_report();
        assert_eq!(step, &full);
        for (key, value) in &full.values {
            assert_eq!(step.get(*key).map(f64::to_bits), Some(value.to_bits()), "{key:?}");
        }
        assert_eq!(records[3], Record::Message(message));
        assert_eq!(records[4], Record::End(end));
        assert_eq!(records.len(), 5);
    }

    #[test]
    fn readers_skip_what_they_do_not_know_and_what_is_half_written() {
        let text = "{\"record\":\"weather\",\"sun\":true}\n\
                    {\"record\":\"step\",\"lane\":0,\"step\":0,\"loss\":1,\"novelty\":{\"a\":[1]},\"time\":{\"tea\":3.0}}\n\
                    {\"record\":\"step\",\"lane\":0,\"st";
        let [Record::Step(step)] = &read(text)[..] else { panic!("one step") };
        assert_eq!(step.get(Key::whole(Quantity::Loss)), Some(1.0));
    }

    #[test]
    fn other_schemas_and_other_files_are_refused_by_line() {
        let refuse = |text: &str| Records::new(text.as_bytes(), "r.jsonl").find_map(Result::err).expect("refused");
        let newer = text_with_schema("guesswork-record/2");
        assert!(matches!(refuse(&newer), ReadError::Schema { found, .. } if found == "guesswork-record/2"));
        assert!(read(&text_with_schema("guesswork-record/1.4")).len() == 1, "a minor version is read");
        let text = refuse("{\"record\":\"weather\"}\nloss,accuracy\n").to_string();
        assert!(text.starts_with("r.jsonl:2: not a record"), "{text}");
    }

    fn text_with_schema(schema: &str) -> String {
        written(|_| {}).replace(RECORD_SCHEMA, schema)
    }

    #[test]
    fn a_closed_pipe_ends_quietly() {
        let narrow = Narrow::new(0, ErrorKind::BrokenPipe);
        let mut sink = JsonLines::new(narrow, "records", &RunHeader::new(&workspace(), Host::default()));
        let watch = sink.watch();
        sink.step(&full_report());
        sink.sync();
        assert!(watch.failure().expect("closed").is_closed_pipe());
    }
}
