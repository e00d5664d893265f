//! Sentences on what the curves say, each from a rule with a stated threshold and with the evidence for it.
//!
//! The table [`RULES`] is what runs and what the help screen shows: the two cannot differ.
#![forbid(unsafe_code)]

mod rules;
#[cfg(test)]
mod tests;

pub use rules::RULES;

use super::context::Context;
use super::lanes::Group;
use super::panes::PaneId;
use super::smooth::Derived;
use crate::record::LaneId;
use crate::session::protocol::{Snapshot, Status};

/// How grave a verdict is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// A failure.
    Bad,
    /// Something to look at.
    Warn,
    /// A finding.
    Note,
}

/// Where a verdict can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The pane.
    pub pane: PaneId,
    /// The lane to select.
    pub lane: Option<LaneId>,
    /// The layer to point at.
    pub layer: Option<u16>,
    /// The step to put the crosshair at.
    pub step: Option<u64>,
    /// The steps to show, both ends included; all where `None`.
    pub window: Option<(u64, u64)>,
}

impl Evidence {
    /// A pane, with nothing pointed at.
    pub fn pane(pane: PaneId) -> Self {
        Self { pane, lane: None, layer: None, step: None, window: None }
    }
}

/// A sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// How grave.
    pub weight: Weight,
    /// The sentence.
    pub text: String,
    /// Where it can be seen.
    pub evidence: Evidence,
}

/// What the rules look at.
pub struct Subject<'a> {
    /// The session.
    pub snapshot: &'a Snapshot,
    /// Moving averages.
    pub derived: &'a Derived,
    /// The lanes, folded by seed; the selected one first.
    pub groups: Vec<&'a Group<'a>>,
}

/// What a rule is about.
pub enum Check {
    /// A lane; told whether it is the selected one.
    Lane(fn(&Subject<'_>, &Group<'_>, bool) -> Option<Verdict>),
    /// The session as a whole.
    Session(fn(&Subject<'_>) -> Option<Verdict>),
}

/// A line of the table.
pub struct Rule {
    /// A word for it.
    pub name: &'static str,
    /// When it says so, thresholds included.
    pub when: fn() -> String,
    /// The rule.
    pub check: Check,
}

/// The verdicts on what is shown, gravest first; of equal ones those on the selected lane first.
pub fn verdicts(context: &Context<'_>) -> Vec<Verdict> {
    let selected = context.groups.iter().filter(|group| context.is_selected(group));
    let others = context.groups.iter().filter(|group| !context.is_selected(group));
    let groups = selected.chain(others).collect();
    judge(&Subject { snapshot: context.snapshot, derived: context.derived, groups })
}

/// The verdicts on a subject. A lane that failed is judged no further. What is only noted is noted of the selected lane, and only
/// where nothing graver is said of it.
pub fn judge(subject: &Subject<'_>) -> Vec<Verdict> {
    let mut found = Vec::new();
    if let Status::Failed(why) = &subject.snapshot.status {
        let evidence = Evidence::pane(PaneId::Log);
        found.push(Verdict { weight: Weight::Bad, text: format!("the trainer failed: {why}"), evidence });
    }
    for (index, group) in subject.groups.iter().enumerate() {
        let mut mine: Vec<Verdict> = Vec::new();
        for rule in RULES {
            let Check::Lane(check) = rule.check else { continue };
            if mine.iter().any(|verdict| verdict.weight == Weight::Bad) {
                break;
            }
            let Some(verdict) = check(subject, group, index == 0) else { continue };
            let grave = |verdict: &Verdict| verdict.weight != Weight::Note;
            if grave(&verdict) || (index == 0 && !mine.iter().any(grave)) {
                mine.push(verdict);
            }
        }
        found.append(&mut mine);
    }
    found.extend(RULES.iter().filter_map(|rule| match rule.check {
        Check::Session(check) => check(subject),
        Check::Lane(_) => None,
    }));
    found.sort_by_key(|verdict| verdict.weight);
    found
}
