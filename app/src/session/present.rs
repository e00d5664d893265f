//! The workspace of a session as it is now: lanes added, changed and dropped while running.
#![forbid(unsafe_code)]

use super::protocol::Snapshot;
use crate::record::EndReason;
use crate::workspace::{LaneDefaults, LaneSpec, Workspace};

impl Snapshot {
    /// What would run the same lanes from the start: those on the screen, with the settings that they have now. Defaults, sweep
    /// and tuning have done their work and are left out. `None` while the session has not begun.
    pub fn workspace_now(&self) -> Option<Workspace> {
        let workspace = self.workspace.as_ref()?;
        let mut lanes: Vec<LaneSpec> = Vec::new();
        let mut names: Vec<&str> = Vec::new();
        let there = self.lanes.iter().filter(|lane| !lane.info.trial && lane.ended != Some(EndReason::Dropped));
        for lane in there {
            let (name, seed) = (lane.info.name.as_str(), lane.info.seed);
            match names.iter().position(|other| *other == name) {
                Some(place) => lanes[place].seeds.get_or_insert_default().push(seed),
                None => {
                    names.push(name);
                    lanes.push(LaneSpec { name: None, seeds: Some(vec![seed]), ..lane.info.spec.clone() });
                }
            }
        }
        let strategies: Vec<String> = lanes.iter().map(|lane| lane.strategy.clone()).collect();
        for (lane, name) in lanes.iter_mut().zip(names) {
            // A name that would be made again need not be written.
            let alone = strategies.iter().filter(|other| **other == lane.strategy).count() == 1;
            lane.name = (!(alone && name == lane.strategy)).then(|| name.to_owned());
            lane.seeds = lane.seeds.take().filter(|seeds| *seeds != workspace.seeds);
        }
        if lanes.is_empty() {
            lanes.clone_from(&workspace.lanes);
        }
        let defaults = LaneDefaults::default();
        Some(Workspace { lanes, defaults, sweep: Vec::new(), tune: None, ..Workspace::clone(workspace) })
    }
}
