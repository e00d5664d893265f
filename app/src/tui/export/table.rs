//! Tables of panes that offer none: the lanes with their newest values, the messages, else the pane's lines.

use super::super::lanes::end_sentence;
use super::super::panes::PaneId;
use super::ansi;
use super::{Table, Value};
use crate::record::{Key, Quantity};
use crate::session::protocol::Snapshot;
use ratatui::buffer::Buffer;

/// Quantities of the whole model that the table of lanes has.
const QUANTITIES: [Quantity; 6] = [
    Quantity::Loss,
    Quantity::Accuracy,
    Quantity::TestLoss,
    Quantity::TestAccuracy,
    Quantity::Cosine,
    Quantity::LearningRate,
];

/// The table of `pane`, whose cells are in `buffer`.
pub fn of_text(snapshot: &Snapshot, pane: PaneId, buffer: &Buffer) -> Table {
    match pane {
        PaneId::Lanes | PaneId::LaneLine | PaneId::Cost => lanes(snapshot),
        PaneId::Log => log(snapshot),
        _ => {
            let text = ansi::inside(buffer);
            Table { columns: vec!["text"], rows: text.lines().map(|line| vec![line.trim_end().into()]).collect() }
        }
    }
}

fn lanes(snapshot: &Snapshot) -> Table {
    let mut columns = vec!["lane", "strategy", "seed", "step", "ended"];
    columns.extend(QUANTITIES.map(Quantity::name));
    columns.extend(["seconds_forward", "seconds_guess", "seconds_tangent", "seconds_update", "seconds_measure"]);
    let rows = snapshot.lanes.iter().map(|lane| {
        let newest = |quantity| lane.history.series(Key::whole(quantity)).and_then(|series| series.last());
        let ended = lane.ended.as_ref().map_or(Value::None, |reason| Value::Text(end_sentence(reason)));
        let mut row: Vec<Value> = vec![lane.info.name.as_str().into(), lane.info.spec.strategy.as_str().into()];
        row.extend([Value::Whole(lane.info.seed), Value::Whole(lane.step), ended]);
        row.extend(QUANTITIES.map(|quantity| newest(quantity).map_or(Value::None, |(_, value)| Value::Number(value))));
        let seconds = &lane.seconds;
        row.extend(
            [seconds.forward, seconds.guess, seconds.tangent, seconds.update, seconds.measure].map(Value::Number),
        );
        row
    });
    Table { rows: rows.collect(), columns }
}

fn log(snapshot: &Snapshot) -> Table {
    let row = |message: &crate::record::Message| {
        let level = format!("{:?}", message.level).to_lowercase();
        vec![message.step.map_or(Value::None, Value::Whole), level.as_str().into(), message.text.as_str().into()]
    };
    Table { columns: vec!["step", "level", "text"], rows: snapshot.messages.iter().map(row).collect() }
}
