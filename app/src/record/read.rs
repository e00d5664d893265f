//! Reading records back: typed, in order, one at a time, whatever the size of the file.
//!
//! The file may still be written: a last line without its end is not there yet, and is read once it has one. What an older or newer
//! minor version adds (records, fields, quantities) is skipped.
#![forbid(unsafe_code)]

use super::jsonl::RunHeader;
use super::number::Number;
use super::summary::Summary;
use super::{
    EndReason, Key, LaneChange, LaneEnd, LaneId, LaneInfo, Message, Observer, Quantity, StageSeconds, StepReport,
};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// One record.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// What is run.
    Run(Box<RunHeader>),
    /// A lane starts.
    Lane(Box<LaneInfo>),
    /// A lane took a step.
    Step(StepReport),
    /// A lane's settings were changed while it ran.
    Change(Box<LaneChange>),
    /// Something was said.
    Message(Message),
    /// A lane ended.
    End(LaneEnd),
    /// How the run came out.
    Summary(Box<Summary>),
}

impl Record {
    /// Tells `observer` what the record says; headers and summaries are not events.
    pub fn tell(&self, observer: &mut dyn Observer) {
        match self {
            Self::Lane(info) => observer.lane_started(info),
            Self::Step(report) => observer.step(report),
            Self::Change(change) => observer.lane_changed(change),
            Self::Message(message) => observer.message(message),
            Self::End(end) => observer.lane_ended(end),
            Self::Run(_) | Self::Summary(_) => {}
        }
    }
}

/// Why records cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// A line is no record.
    #[error("{}:{line}: not a record: {error}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// What was expected.
        error: serde_json::Error,
    },
    /// The records are of another major version.
    #[error("{}: records of schema `{found}`; this program reads `{}`", path.display(), super::RECORD_SCHEMA)]
    Schema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: String,
    },
}

/// The records of a file, in order.
///
/// # Errors
/// When the file cannot be opened.
pub fn read_records(path: &Path) -> Result<Records<BufReader<File>>, ReadError> {
    match File::open(path) {
        Ok(file) => Ok(Records::new(BufReader::with_capacity(256 * 1024, file), path)),
        Err(error) => Err(ReadError::Io { path: path.into(), error }),
    }
}

/// Tells `observer` everything that the records of `path` say, as it was told when it happened.
///
/// # Errors
/// When the file cannot be read or a line is no record.
pub fn replay(path: &Path, observer: &mut dyn Observer) -> Result<(), ReadError> {
    for record in read_records(path)? {
        record?.tell(observer);
    }
    Ok(())
}

/// An iterator over records. After a `None` it may go on, when the source has grown.
#[derive(Debug)]
pub struct Records<R> {
    reader: R,
    path: PathBuf,
    line: u64,
    buffer: Vec<u8>,
    consumed: u64,
}

impl<R: BufRead> Records<R> {
    /// Reads from `reader`; `path` names it in errors.
    pub fn new(reader: R, path: impl Into<PathBuf>) -> Self {
        Self { reader, path: path.into(), line: 0, buffer: Vec::new(), consumed: 0 }
    }

    /// Bytes taken from the reader so far, those of an unfinished line included.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    fn malformed(&self, error: serde_json::Error) -> ReadError {
        ReadError::Malformed { path: self.path.clone(), line: self.line, error }
    }

    /// The record in the buffer; `None` for a kind that is not known.
    fn parse(&self) -> Result<Option<Record>, ReadError> {
        let body = self.buffer.as_slice();
        let head: Head<'_> = serde_json::from_slice(body).map_err(|error| self.malformed(error))?;
        let record = match head.record.as_ref() {
            "run" => {
                let found = head.schema.unwrap_or_default();
                if major(&found) != major(super::RECORD_SCHEMA) {
                    return Err(ReadError::Schema { path: self.path.clone(), found: found.into() });
                }
                serde_json::from_slice(body).map(Record::Run)
            }
            "lane" => serde_json::from_slice(body).map(Record::Lane),
            "step" => serde_json::from_slice(body).map(|Step(report)| Record::Step(report)),
            "change" => serde_json::from_slice(body).map(Record::Change),
            "message" => serde_json::from_slice(body).map(Record::Message),
            "end" => serde_json::from_slice(body)
                .map(|End { lane, steps, reason, time }| Record::End(LaneEnd { lane, steps, reason, seconds: time })),
            "summary" => serde_json::from_slice(body).map(Record::Summary),
            _ => return Ok(None),
        };
        record.map(Some).map_err(|error| self.malformed(error))
    }
}

/// `guesswork-record/1` of `guesswork-record/1.2`.
fn major(schema: &str) -> &str {
    let digits = schema.rfind('/').map_or(0, |slash| slash + 1);
    match schema[digits..].find('.') {
        Some(dot) => &schema[..digits + dot],
        None => schema,
    }
}

impl<R: BufRead> Iterator for Records<R> {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.buffer.last() == Some(&b'\n') {
                self.buffer.clear();
            }
            match self.reader.read_until(b'\n', &mut self.buffer) {
                Err(error) => return Some(Err(ReadError::Io { path: self.path.clone(), error })),
                Ok(count) => self.consumed += count as u64,
            }
            if self.buffer.last() != Some(&b'\n') {
                return None;
            }
            self.line += 1;
            match self.parse() {
                Ok(None) => continue,
                Ok(Some(record)) => return Some(Ok(record)),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// What tells one record from another.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    record: Cow<'a, str>,
    #[serde(borrow, default)]
    schema: Option<Cow<'a, str>>,
}

/// An `end` record.
#[derive(Deserialize)]
struct End {
    lane: LaneId,
    steps: u64,
    reason: EndReason,
    time: StageSeconds,
}

/// A `step` record: its fields are named by what was measured.
struct Step(StepReport);

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(StepVisitor)
    }
}

struct StepVisitor;

impl<'de> Visitor<'de> for StepVisitor {
    type Value = Step;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a step record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Step, A::Error> {
        let (mut lane, mut step) = (None, None);
        let mut sites = Named::default();
        let mut time = Named::default();
        let mut spectra: Vec<Option<Vec<Number>>> = Vec::new();
        let mut report = StepReport {
            lane: 0,
            step: 0,
            values: Vec::new(),
            spectra: Vec::new(),
            metrics: Vec::new(),
            seconds: StageSeconds::default(),
        };
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            match name.as_ref() {
                "lane" => lane = Some(map.next_value()?),
                "step" => step = Some(map.next_value()?),
                "sites" => sites = map.next_value()?,
                "time" => time = map.next_value()?,
                "spectra" => spectra = map.next_value()?,
                "metrics" => report.metrics = map.next_value::<Named<Vec<Option<Number>>>>()?.into_values(),
                name => match Quantity::from_name(name) {
                    Some(quantity) => report.values.push((Key::whole(quantity), map.next_value::<Number>()?.0)),
                    None => {
                        map.next_value::<IgnoredAny>()?;
                    }
                },
            }
        }
        report.lane = lane.ok_or_else(|| serde::de::Error::missing_field("lane"))?;
        report.step = step.ok_or_else(|| serde::de::Error::missing_field("step"))?;
        add_sites(&mut report, sites);
        let numbers = |values: Vec<Number>| values.into_iter().map(|Number(value)| value).collect();
        let known = spectra.into_iter().enumerate().filter_map(|(site, values)| Some((site as u16, numbers(values?))));
        report.spectra = known.collect();
        add_time(&mut report, time);
        Ok(Step(report))
    }
}

fn add_sites(report: &mut StepReport, sites: Named<Vec<Option<Number>>>) {
    for (name, values) in sites.0 {
        let Some(quantity) = Quantity::from_name(&name) else { continue };
        for (site, value) in values.into_iter().enumerate() {
            if let Some(Number(value)) = value {
                report.values.push((Key::site(quantity, site), value));
            }
        }
    }
}

fn add_time(report: &mut StepReport, time: Named<Number>) {
    let seconds = &mut report.seconds;
    for (name, Number(value)) in time.0 {
        match name.as_str() {
            "forward" => seconds.forward = value,
            "guess" => seconds.guess = value,
            "tangent" => seconds.tangent = value,
            "update" => seconds.update = value,
            "measure" => seconds.measure = value,
            name => {
                if let Some(quantity) = Quantity::from_name(name) {
                    report.values.push((Key::whole(quantity), value));
                }
            }
        }
    }
}

/// A JSON object as its entries, in their order.
struct Named<T>(Vec<(String, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl Named<Vec<Option<Number>>> {
    fn into_values(self) -> Vec<(String, Vec<f64>)> {
        let number = |value: Option<Number>| value.map_or(f64::NAN, |Number(value)| value);
        self.0.into_iter().map(|(name, values)| (name, values.into_iter().map(number).collect())).collect()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Named<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Named(entries))
            }
        }

        deserializer.deserialize_map(Entries(std::marker::PhantomData))
    }
}
