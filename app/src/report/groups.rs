//! The lanes of all runs of a report, those of one name together over their seeds.

use super::gather::{Lane, gather};
use super::source::Run;
use super::{ReportError, Unit};
use crate::filter::Filter;
use crate::record::summary::{GroupSummary, Summary, groups};
use crate::record::{Key, Quantity};
use crate::workspace::{BACKPROP, LaneSpec};

/// Lanes of one name: the same settings with several seeds.
#[derive(Clone, Debug)]
pub struct Group {
    /// Their name; with the run's where another run has a lane of that name that is not of the same kind.
    pub name: String,
    /// The lanes, by seed.
    pub lanes: Vec<Lane>,
}

impl Group {
    /// The first lane.
    pub fn first(&self) -> &Lane {
        &self.lanes[0]
    }

    /// Whether it is the reference.
    pub fn is_reference(&self) -> bool {
        self.first().info.spec.strategy == BACKPROP
    }

    /// Parts at which `key` was measured, of the lane that has most.
    pub(super) fn measured(&self, key: Key) -> usize {
        self.lanes.iter().filter_map(|lane| lane.series.get(&key)).map(|series| series.len()).max().unwrap_or(0)
    }

    /// Learning rates, `/` between those that differ.
    pub(super) fn rates(&self) -> String {
        let mut rates: Vec<String> = Vec::new();
        for lane in &self.lanes {
            let rate = lane.info.spec.optimizer.map_or_else(String::new, |optimizer| format!("{}", optimizer.lr()));
            if !rates.contains(&rate) {
                rates.push(rate);
            }
        }
        rates.join("/")
    }
}

/// Runs, read and put together.
#[derive(Clone, Debug)]
pub struct Report {
    /// The runs.
    pub runs: Vec<Run>,
    /// Whether each was cut off; `None` of one whose records have no end.
    pub interrupted: Vec<Option<bool>>,
    /// The lanes, in order of their first.
    pub groups: Vec<Group>,
    /// What horizontal axes count.
    pub unit: Unit,
    /// The filter that chose the lanes.
    pub filter: Option<Filter>,
    /// The command line that made the report.
    pub command: String,
}

impl Report {
    /// Reads `runs` and puts their lanes together: lanes of one name, one problem and the same settings are one group, if no
    /// seed is there twice.
    ///
    /// # Errors
    /// When records cannot be read, or no lane is left.
    pub fn new(runs: Vec<Run>, unit: Unit, filter: Option<Filter>, command: String) -> Result<Self, ReportError> {
        let (mut lanes, mut interrupted, mut all) = (Vec::new(), Vec::new(), 0);
        for (place, run) in runs.iter().enumerate() {
            let (found, count, ended) = gather(run, place, filter.as_ref())?;
            if count == 0 {
                return Err(ReportError::NoLane(run.records.clone()));
            }
            lanes.extend(found);
            interrupted.push(ended);
            all += count;
        }
        if lanes.is_empty() {
            let filter = filter.map_or_else(String::new, |filter| filter.to_string());
            return Err(ReportError::Filtered { lanes: all, filter });
        }
        let groups = together(&runs, lanes);
        Ok(Self { runs, interrupted, groups, unit, filter, command })
    }

    /// The numbers of all groups, found as those of a run's own summary.
    pub fn summary(&self) -> Summary {
        let named = |group: &Group| {
            let name = group.name.clone();
            let lanes = group.lanes.iter().map(move |lane| lane.summary.clone());
            lanes.map(move |summary| crate::record::summary::LaneSummary { name: name.clone(), ..summary }).collect()
        };
        let lanes: Vec<_> = self.groups.iter().flat_map(|group| -> Vec<_> { named(group) }).collect();
        let names: Vec<String> = self.runs.iter().map(|run| run.header.name.clone()).collect();
        let interrupted = self.interrupted.contains(&Some(true));
        let groups: Vec<GroupSummary> = groups(&lanes);
        Summary { name: one(names).join(", "), interrupted, groups, lanes }
    }

    /// Whether any group measured `key` at several times.
    pub(super) fn measured(&self, quantity: Quantity) -> bool {
        self.groups.iter().any(|group| group.measured(Key::whole(quantity)) > 1)
    }
}

/// Each once, in order.
pub(super) fn one<T: PartialEq>(values: Vec<T>) -> Vec<T> {
    let mut found: Vec<T> = Vec::new();
    for value in values {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

fn together(runs: &[Run], lanes: Vec<Lane>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for lane in lanes {
        let alike = |group: &&mut Group| {
            let first = group.first();
            let seedless = |spec: &LaneSpec| LaneSpec { seeds: None, ..spec.clone() };
            let kinds = runs[first.run].kind() == runs[lane.run].kind();
            first.info.name == lane.info.name
                && (first.run == lane.run || kinds && seedless(&first.info.spec) == seedless(&lane.info.spec))
                && group.lanes.iter().all(|other| other.info.seed != lane.info.seed)
        };
        match groups.iter_mut().find(alike) {
            Some(group) => group.lanes.push(lane),
            None => groups.push(Group { name: lane.info.name.clone(), lanes: vec![lane] }),
        }
    }
    let names: Vec<String> = groups.iter().map(|group| group.name.clone()).collect();
    for group in &mut groups {
        group.lanes.sort_by_key(|lane| lane.info.seed);
        if names.iter().filter(|name| **name == group.name).count() > 1 {
            group.name = format!("{} [{}]", group.name, runs[group.lanes[0].run].label());
        }
    }
    // Two runs of one folder's name: they are told apart by number.
    let names: Vec<String> = groups.iter().map(|group| group.name.clone()).collect();
    for (index, group) in groups.iter_mut().enumerate() {
        let before = names[..index].iter().filter(|name| **name == group.name).count();
        if before > 0 {
            group.name = format!("{} #{}", group.name, before + 1);
        }
    }
    groups
}
