//! A run's records, read once: its summary, and the series of every lane that pictures show.

use super::ReportError;
use super::series::Series;
use super::source::Run;
use crate::filter::Filter;
use crate::record::read::{Record, read_records};
use crate::record::summary::LaneSummary;
use crate::record::tally::Tally;
use crate::record::{Key, LaneId, LaneInfo, Observer, Quantity, StepReport};
use std::collections::BTreeMap;

/// A lane with what was measured of it.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Which run of the report it is of.
    pub run: usize,
    /// What it is.
    pub info: LaneInfo,
    /// How it came out.
    pub summary: LaneSummary,
    /// What was measured, in parts of the run. Of cos(ĝ, g) of the whole model it is |cos(ĝ, g)|, whose mean has a floor; of standard
    /// errors their squares, which add up.
    pub series: BTreeMap<Key, Series>,
    /// Singular values of each site, the first and the last that were measured, with their steps.
    pub spectra: BTreeMap<u16, [(u64, Vec<f64>); 2]>,
}

#[derive(Debug, Default)]
struct Curves {
    info: Option<LaneInfo>,
    series: BTreeMap<Key, Series>,
    spectra: BTreeMap<u16, [(u64, Vec<f64>); 2]>,
    seconds: f64,
}

/// Takes in what a run tells.
struct Gatherer {
    tally: Tally,
    lanes: BTreeMap<LaneId, Curves>,
}

impl Observer for Gatherer {
    fn lane_started(&mut self, info: &LaneInfo) {
        self.tally.lane_started(info);
        // A second start is a reset: what was before no longer counts.
        let curves = Curves { info: (!info.trial).then(|| info.clone()), ..Curves::default() };
        self.lanes.insert(info.lane, curves);
    }

    fn step(&mut self, report: &StepReport) {
        self.tally.step(report);
        let Some(lane) = self.lanes.get_mut(&report.lane).filter(|lane| lane.info.is_some()) else { return };
        lane.seconds += report.seconds.training();
        for &(key, value) in &report.values {
            let value = match key.quantity {
                Quantity::Cosine if key.site.is_none() => value.abs(),
                quantity if quantity.is_error() => value * value,
                _ => value,
            };
            lane.series.entry(key).or_default().push(report.step, lane.seconds, value);
        }
        for (site, values) in &report.spectra {
            let found = (report.step, values.clone());
            lane.spectra.entry(*site).and_modify(|both| both[1] = found.clone()).or_insert([found.clone(), found]);
        }
    }

    fn lane_changed(&mut self, change: &crate::record::LaneChange) {
        self.tally.lane_changed(change);
    }

    fn lane_ended(&mut self, end: &crate::record::LaneEnd) {
        self.tally.lane_ended(end);
    }
}

/// The lanes of `run`, number `place` of a report; those alone that meet `filter`. With how
/// many there are, and whether the run was cut off: `None` where its records have no end.
pub(super) fn gather(
    run: &Run,
    place: usize,
    filter: Option<&Filter>,
) -> Result<(Vec<Lane>, usize, Option<bool>), ReportError> {
    let tuned = run.workspace.as_ref().and_then(|workspace| workspace.tune.as_ref()).map(|tune| tune.over.as_str());
    let tally = Tally::new(&run.header.name, tuned);
    let mut gatherer = Gatherer { tally, lanes: BTreeMap::new() };
    let mut interrupted = None;
    for record in read_records(&run.records)? {
        let record = record?;
        // What follows a summary belongs to a run that went on.
        interrupted = match &record {
            Record::Summary(summary) => Some(summary.interrupted),
            _ => None,
        };
        record.tell(&mut gatherer);
    }
    let Gatherer { tally, mut lanes, .. } = gatherer;
    let summaries = tally.summary(interrupted.unwrap_or(true)).lanes;
    let all = summaries.len();
    let meets = |lane: &LaneSummary| filter.is_none_or(|filter| tally.meets(lane.lane, filter));
    let chosen = summaries.into_iter().filter(meets).filter_map(|summary| {
        let Curves { info, series, spectra, .. } = lanes.remove(&summary.lane)?;
        Some(Lane { run: place, info: info?, summary, series, spectra })
    });
    Ok((chosen.collect(), all, interrupted))
}
