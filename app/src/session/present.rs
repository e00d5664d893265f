//! The workspace of a session as it is now: lanes added, changed and dropped while running.
#![forbid(unsafe_code)]

use super::protocol::Snapshot;
use crate::record::EndReason;
use crate::workspace::{Axis, LaneDefaults, LaneSpec, Workspace};

impl Snapshot {
    /// What would run the same lanes from the start: those on the screen, with the settings that they have now. Defaults, tuning
    /// and the sweep of settings have done their work and are left out; a sweep over problems stays, and a lane that trained one of them
    /// trains all. `None` while the session has not begun.
    pub fn workspace_now(&self) -> Option<Workspace> {
        let workspace = self.workspace.as_ref()?;
        let sweep: Vec<Axis> = workspace.sweep.iter().filter(|axis| axis.of_problem()).cloned().collect();
        let mut lanes: Vec<LaneSpec> = Vec::new();
        let mut names: Vec<&str> = Vec::new();
        let there = self.lanes.iter().filter(|lane| !lane.info.trial && lane.ended != Some(EndReason::Dropped));
        for lane in there {
            let (name, seed) = (lane.info.name.as_str(), lane.info.seed);
            let bare = LaneSpec { seeds: None, ..lane.info.spec.clone() };
            // Lanes of several problems are one lane that is swept over them; its name is the given one.
            let place = match sweep.is_empty() {
                true => names.iter().position(|other| *other == name),
                false => lanes.iter().position(|other| LaneSpec { seeds: None, ..other.clone() } == bare),
            };
            let seeds = match place {
                Some(place) => lanes[place].seeds.get_or_insert_default(),
                None => {
                    let given = lane.info.spec.name.as_deref().unwrap_or(&lane.info.spec.strategy);
                    names.push(if sweep.is_empty() { name } else { given });
                    lanes.push(bare);
                    lanes.last_mut()?.seeds.get_or_insert_default()
                }
            };
            if !seeds.contains(&seed) {
                seeds.push(seed);
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
        Some(Workspace { lanes, defaults, sweep, tune: None, ..Workspace::clone(workspace) })
    }
}
