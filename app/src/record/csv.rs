//! Steps as one wide CSV table (RFC 4180, lines end in CR LF).
//!
//! Columns: `lane,name,strategy,scope,seed,trial,step`, then quantities of the whole model, then per-site columns
//! `cosine[fc1]`, then time: `steps_per_second,seconds_forward,…,seconds_measure`. Which quantities is settled by the
//! workspace's cadences before the first line, so that every file of one experiment has one header. What was not measured
//! at a step is empty; a plugin's own metrics, spectra, messages and ends are in the JSON Lines only. Numbers read back exactly; NaN
//! and infinities are `NaN`, `inf`, `-inf`.
#![forbid(unsafe_code)]

use super::number::write_plain;
use super::output::{Output, Watch};
use super::{Key, LaneChange, LaneId, LaneInfo, Observer, Quantity, StageSeconds, StepReport};
use crate::workspace::{Measure, Scope};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;

/// Writes every step as a line.
#[derive(Debug)]
pub struct Csv<W: Write> {
    output: Output<W>,
    quantities: Vec<Quantity>,
    site_quantities: Vec<Quantity>,
    /// Known from the first lane on: all lanes share the model.
    columns: Option<Vec<Key>>,
    /// Cells before `step`, by lane.
    lanes: BTreeMap<LaneId, (LaneInfo, Vec<u8>)>,
    line: Vec<u8>,
}

impl<W: Write> Csv<W> {
    /// Writes to `writer` what `measure` has measured; `target` names it in errors.
    pub fn new(writer: W, target: impl Into<String>, measure: &Measure) -> Self {
        Self::on(Output::new(writer, target), measure)
    }

    fn on(output: Output<W>, measure: &Measure) -> Self {
        Self {
            output,
            quantities: Quantity::ALL.into_iter().filter(|q| !q.timed() && of_whole(*q, measure)).collect(),
            site_quantities: Quantity::ALL.into_iter().filter(|q| of_sites(*q, measure)).collect(),
            columns: None,
            lanes: BTreeMap::new(),
            line: Vec::with_capacity(1024),
        }
    }

    /// A view of the failure to write, for other threads.
    pub fn watch(&self) -> Watch {
        self.output.watch()
    }

    fn header(&mut self, sites: &[String]) -> Vec<Key> {
        let mut columns: Vec<Key> = self.quantities.iter().map(|quantity| Key::whole(*quantity)).collect();
        self.line.clear();
        self.line.extend_from_slice(b"lane,name,strategy,scope,seed,trial,step");
        for key in &columns {
            self.line.push(b',');
            self.line.extend_from_slice(key.quantity.name().as_bytes());
        }
        for quantity in &self.site_quantities {
            for (index, site) in sites.iter().enumerate() {
                columns.push(Key::site(*quantity, index));
                self.line.push(b',');
                write_text(&mut self.line, &format!("{}[{site}]", quantity.name()));
            }
        }
        self.line.extend_from_slice(
            b",steps_per_second,seconds_forward,seconds_guess,seconds_tangent,seconds_update,seconds_measure\r\n",
        );
        self.output.write(&self.line);
        columns
    }
}

impl Csv<File> {
    /// Writes to a file.
    pub fn create(file: File, target: impl Into<String>, measure: &Measure) -> Self {
        Self::on(Output::file(file, target), measure)
    }
}

impl<W: Write + Send> Observer for Csv<W> {
    fn lane_started(&mut self, info: &LaneInfo) {
        if self.columns.is_none() {
            let columns = self.header(&info.sites);
            self.columns = Some(columns);
        }
        self.lanes.insert(info.lane, (info.clone(), cells(info)));
    }

    fn lane_changed(&mut self, change: &LaneChange) {
        if let Some((info, first)) = self.lanes.get_mut(&change.lane) {
            info.scope = change.scope;
            *first = cells(info);
        }
    }

    fn step(&mut self, report: &StepReport) {
        let (Some(columns), Some((_, cells))) = (&self.columns, self.lanes.get(&report.lane)) else { return };
        let line = &mut self.line;
        line.clear();
        line.extend_from_slice(cells);
        let _ = write!(line, ",{}", report.step);
        for key in columns.iter().chain([&Key::whole(Quantity::StepsPerSecond)]) {
            line.push(b',');
            if let Some(value) = report.get(*key) {
                write_plain(line, value);
            }
        }
        let StageSeconds { forward, guess, tangent, update, measure } = report.seconds;
        for seconds in [forward, guess, tangent, update, measure] {
            line.push(b',');
            write_plain(line, seconds);
        }
        line.extend_from_slice(b"\r\n");
        self.output.write(line);
    }

    fn flush(&mut self) {
        self.output.flush_if_due();
    }

    fn sync(&mut self) {
        self.output.sync();
    }
}

/// The cells that every row of a lane begins with.
fn cells(info: &LaneInfo) -> Vec<u8> {
    let mut cells = info.lane.to_string().into_bytes();
    for text in [&info.name, &info.spec.strategy, scope_name(info.scope)] {
        cells.push(b',');
        write_text(&mut cells, text);
    }
    // Writing to a vector cannot fail.
    let _ = write!(cells, ",{},{}", info.seed, info.trial);
    cells
}

/// A cell of text, quoted where RFC 4180 asks for it.
pub fn write_text(line: &mut Vec<u8>, text: &str) {
    if !text.contains([',', '"', '\r', '\n']) {
        line.extend_from_slice(text.as_bytes());
        return;
    }
    line.push(b'"');
    line.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    line.push(b'"');
}

fn scope_name(scope: Option<Scope>) -> &'static str {
    match scope {
        None => "",
        Some(Scope::Batch) => "batch",
        Some(Scope::Layer) => "layer",
        Some(Scope::Example) => "example",
        Some(Scope::ExampleLayer) => "example_layer",
    }
}

/// Whether a quantity has a column for the whole model.
fn of_whole(quantity: Quantity, measure: &Measure) -> bool {
    match quantity {
        Quantity::Loss | Quantity::Accuracy | Quantity::EstimateNorm | Quantity::LearningRate => true,
        // The end of a lane is tested, and a tuning trial validated, whatever the cadence.
        Quantity::TestLoss | Quantity::TestAccuracy => true,
        Quantity::ValidationLoss | Quantity::ValidationAccuracy => true,
        Quantity::TrainLoss | Quantity::TrainAccuracy | Quantity::GeneralisationGap => measure.train > 0,
        Quantity::Cosine | Quantity::NormRatio | Quantity::SignAgreement => measure.alignment > 0,
        Quantity::OneStep | Quantity::OneStepRaw => measure.one_step > 0,
        Quantity::SignalCosine | Quantity::EffectiveRank | Quantity::StableRank | Quantity::LargestSingular => false,
        Quantity::ActivationEffectiveRank | Quantity::ActivationStableRank => false,
        Quantity::SignalEffectiveRank | Quantity::SignalStableRank => false,
        Quantity::ExampleCosine5 | Quantity::ExampleCosine25 | Quantity::ExampleCosine50 => false,
        Quantity::ExampleCosine75 | Quantity::ExampleCosine95 => false,
        Quantity::BiasSquared | Quantity::Variance | Quantity::ScalarFit => measure.bias > 0,
        Quantity::BiasSquaredError | Quantity::VarianceError | Quantity::ScalarFitError => measure.bias > 0,
        Quantity::WeightContainment | Quantity::WeightContainmentRandom => false,
        Quantity::ActivationContainment | Quantity::ActivationContainmentRandom => false,
        Quantity::HessianLargest | Quantity::HessianLast | Quantity::HessianResidual => measure.hessian > 0,
        Quantity::HessianGradient | Quantity::HessianEstimate | Quantity::HessianRandom => measure.hessian > 0,
        Quantity::MaskDensity => false,
        Quantity::StepsPerSecond => true,
    }
}

/// Whether a quantity has a column for each site.
fn of_sites(quantity: Quantity, measure: &Measure) -> bool {
    match quantity {
        Quantity::Cosine | Quantity::SignalCosine | Quantity::NormRatio | Quantity::SignAgreement => {
            measure.alignment > 0
        }
        Quantity::ExampleCosine5 | Quantity::ExampleCosine25 | Quantity::ExampleCosine50 => measure.examples > 0,
        Quantity::ExampleCosine75 | Quantity::ExampleCosine95 => measure.examples > 0,
        Quantity::EffectiveRank | Quantity::StableRank | Quantity::LargestSingular => measure.spectrum > 0,
        Quantity::ActivationEffectiveRank | Quantity::ActivationStableRank => measure.signal_spectrum > 0,
        Quantity::SignalEffectiveRank | Quantity::SignalStableRank => measure.signal_spectrum > 0,
        Quantity::BiasSquared | Quantity::Variance | Quantity::ScalarFit => measure.bias > 0,
        Quantity::BiasSquaredError | Quantity::VarianceError | Quantity::ScalarFitError => measure.bias > 0,
        Quantity::WeightContainment | Quantity::WeightContainmentRandom => measure.containment > 0,
        Quantity::ActivationContainment | Quantity::ActivationContainmentRandom => measure.containment > 0,
        Quantity::MaskDensity => measure.mask_density > 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::jsonl::tests::{lane, report};
    use crate::record::output::tests::Narrow;
    use std::io::ErrorKind;

    /// What the sink writes of one lane and two steps.
    fn written(measure: &Measure, name: &str) -> String {
        let wide = Narrow::new(usize::MAX, ErrorKind::Other);
        let taken = wide.taken.clone();
        let mut csv = Csv::new(wide, "table", measure);
        csv.lane_started(&lane(4, name, 7));
        let mut first = report(4, 0, f64::NAN);
        first.values.push((Key::site(Quantity::Cosine, 1), -0.5));
        csv.step(&first);
        csv.step(&report(4, 1, 0.1));
        drop(csv);
        let bytes = taken.lock().expect("unpoisoned").clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn every_line_has_the_cells_of_the_header() {
        let text = written(&Measure { spectrum: 10, ..Measure::default() }, "plain");
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{text}");
        let cell =
            |line: usize, title: &str| lines[line][lines[0].iter().position(|other| *other == title).expect(title)];
        assert_eq!(cell(1, "loss"), "NaN");
        assert_eq!(cell(2, "loss"), "0.1");
        assert_eq!((cell(1, "cosine[fc1]"), cell(1, "cosine[fc2]")), ("", "-0.5"));
        assert_eq!((cell(1, "lane"), cell(1, "seed"), cell(1, "scope")), ("4", "7", "example_layer"));
        assert!(lines[0].contains(&"effective_rank[fc1]") && !lines[0].contains(&"one_step"));
    }

    #[test]
    fn text_is_quoted_by_the_rule() {
        let text = written(&Measure::default(), "a \"b\", c");
        assert!(text.contains("4,\"a \"\"b\"\", c\","), "{text}");
        assert_eq!(text.matches("\r\n").count(), 3);
    }
}
