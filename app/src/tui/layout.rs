//! Which panes stand where, for every size of terminal: full dashboards, stacked panes, numbers only.
//!
//! A layout is a list of columns; a column is a list of panes with the least and the most rows they can use, and the order in
//! which they give way when there is no room. Nothing is drawn here.
#![forbid(unsafe_code)]

use super::lanes::groups;
use super::panes::PaneId;
use super::state::State;
use super::update::selected;
use crate::record::{Key, Quantity};
use crate::session::protocol::Snapshot;
use ratatui::layout::Rect;

/// What the arrangement depends on besides the size.
#[derive(Clone, Copy, Debug, Default)]
pub struct Needs {
    /// Groups of lanes.
    pub lanes: u16,
    /// Layers of the selected lane.
    pub layers: u16,
    /// Characters of the longest lane name.
    pub name: u16,
    /// Whether effective ranks were measured.
    pub rank: bool,
    /// Whether one-step effectiveness was measured.
    pub one_step: bool,
}

impl Needs {
    /// The needs of `snapshot`.
    pub fn of(state: &State, snapshot: &Snapshot) -> Self {
        let lanes = groups(snapshot);
        let layers = selected(state, &lanes).map_or(0, |group| group.first().info.sites.len());
        let has = |key| snapshot.lanes.iter().any(|lane| lane.history.series(key).is_some());
        Self {
            lanes: lanes.len().min(100) as u16,
            layers: layers.min(200) as u16,
            name: lanes.iter().map(|group| group.name.chars().count()).max().unwrap_or(0).min(60) as u16,
            rank: has(Key::site(Quantity::EffectiveRank, 0)),
            one_step: has(Key::whole(Quantity::OneStep)),
        }
    }
}

/// How much a terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Columns of framed panes.
    Dashboard,
    /// Panes below each other under a line of lanes.
    Stack,
    /// A table of numbers.
    Numbers,
    /// A sentence.
    Sentence,
}

/// The class of a terminal of so many columns and rows.
pub fn class(width: u16, height: u16) -> Class {
    match () {
        () if width >= 116 && height >= 26 => Class::Dashboard,
        () if width >= 64 && height >= 16 => Class::Stack,
        () if width >= 30 && height >= 6 => Class::Numbers,
        () => Class::Sentence,
    }
}

/// A pane of a column.
#[derive(Clone, Copy)]
struct Want {
    pane: PaneId,
    least: u16,
    most: u16,
    weight: u16,
    /// The greatest gives way first.
    rank: u8,
}

const fn want(pane: PaneId, least: u16, most: u16, weight: u16, rank: u8) -> Want {
    Want { pane, least, most, weight, rank }
}

/// A layout: its name, its columns on a dashboard with their weights, its panes in a stack.
pub struct Preset {
    /// Name in the header and the palette.
    pub name: &'static str,
    columns: fn(&Needs) -> Vec<(Width, Vec<Want>)>,
    stack: fn(&Needs) -> Vec<Want>,
}

/// Width of a column.
#[derive(Clone, Copy)]
enum Width {
    /// A share of the terminal in hundredths, within bounds.
    Side(u16, u16, u16),
    /// A share of what is left.
    Fill(u16),
}

const ALL: u16 = u16::MAX;

fn heat_rows(needs: &Needs) -> (u16, u16) {
    let layers = needs.layers.max(1);
    let least = if layers <= 6 { layers.max(3) } else { layers.div_ceil(2).min(12) };
    (least + 3, layers.saturating_mul(3).min(24) + 3)
}

fn side(needs: &Needs) -> (Width, Vec<Want>) {
    let lanes = needs.lanes.max(1);
    let list = lanes.min(16) + 8;
    (
        Width::Side(21, needs.name.saturating_add(21).clamp(36, 44), 48),
        vec![
            want(PaneId::Lanes, lanes.min(16) + 3, list, 4, 0),
            want(PaneId::Formula, 8, 13, 3, 1),
            want(PaneId::Cost, lanes.min(12) + 4, lanes.min(16) + 4, 1, 3),
            want(PaneId::Log, 4, ALL, 1, 2),
        ],
    )
}

/// The layouts in the order of their keys.
pub const PRESETS: [Preset; 5] = [
    Preset {
        name: "overview",
        columns: |needs| {
            let (least, most) = heat_rows(needs);
            let middle = vec![
                want(PaneId::Loss, 8, ALL, 5, 0),
                want(PaneId::Alignment, least, most, 3, 1),
                want(PaneId::Cosine, 7, ALL, 4, 2),
            ];
            let lanes = needs.lanes.clamp(1, 20);
            let mut right =
                vec![want(PaneId::Accuracy, 7, ALL, 4, 2), want(PaneId::Matrix, lanes.min(10) + 3, lanes + 3, 3, 0)];
            if needs.rank {
                right.push(want(PaneId::Spectrum, 7, ALL, 3, 3));
            }
            if needs.one_step {
                right.push(want(PaneId::OneStep, 7, ALL, 3, 4));
            } else {
                right.push(want(PaneId::NormRatio, 7, ALL, 3, 4));
            }
            vec![side(needs), (Width::Fill(60), middle), (Width::Fill(40), right)]
        },
        stack: |needs| {
            let (least, most) = heat_rows(needs);
            vec![
                want(PaneId::Loss, 7, ALL, 5, 0),
                want(PaneId::Alignment, least.min(7), most.min(14), 3, 1),
                want(PaneId::Cosine, 9, ALL, 4, 2),
                want(PaneId::Matrix, needs.lanes + 2, needs.lanes + 2, 1, 3),
            ]
        },
    },
    Preset {
        name: "curves",
        columns: |needs| {
            let curves = vec![want(PaneId::Loss, 8, ALL, 1, 0), want(PaneId::Accuracy, 8, ALL, 1, 1)];
            vec![side(needs), (Width::Fill(1), curves)]
        },
        stack: |_| vec![want(PaneId::Loss, 6, ALL, 1, 0), want(PaneId::Accuracy, 6, ALL, 1, 1)],
    },
    Preset {
        name: "alignment",
        columns: |needs| {
            let (least, most) = heat_rows(needs);
            let panes = vec![
                want(PaneId::Alignment, least, most.max(12), 3, 0),
                want(PaneId::Cosine, 8, ALL, 4, 1),
                want(PaneId::Matrix, needs.lanes.min(16) + 4, needs.lanes + 4, 2, 2),
            ];
            vec![side(needs), (Width::Fill(1), panes)]
        },
        stack: |needs| {
            let (least, most) = heat_rows(needs);
            vec![
                want(PaneId::Alignment, least.min(8), most, 3, 0),
                want(PaneId::Cosine, 7, ALL, 4, 1),
                want(PaneId::Matrix, needs.lanes.min(16) + 2, needs.lanes + 3, 2, 2),
            ]
        },
    },
    Preset {
        name: "inside",
        columns: |needs| {
            let left =
                vec![want(PaneId::Spectrum, 8, ALL, 1, 0), want(PaneId::Cost, needs.lanes.min(14) + 4, ALL, 1, 1)];
            let right = vec![want(PaneId::NormRatio, 8, ALL, 1, 0), want(PaneId::OneStep, 8, ALL, 1, 1)];
            vec![side(&Needs { lanes: needs.lanes, ..*needs }), (Width::Fill(1), left), (Width::Fill(1), right)]
                .into_iter()
                .map(|(width, panes)| {
                    let side = matches!(width, Width::Side(..));
                    (width, panes.into_iter().filter(|want| !side || want.pane != PaneId::Cost).collect())
                })
                .collect()
        },
        stack: |needs| {
            vec![
                want(PaneId::Spectrum, 6, ALL, 1, 1),
                want(PaneId::NormRatio, 6, ALL, 1, 2),
                want(PaneId::Cost, needs.lanes.min(8) + 3, needs.lanes + 3, 1, 0),
            ]
        },
    },
    Preset {
        name: "reading",
        columns: |needs| {
            let lanes = needs.lanes.min(30) + 8;
            let left =
                vec![want(PaneId::Lanes, needs.lanes.min(16) + 3, lanes, 2, 0), want(PaneId::Formula, 8, ALL, 2, 1)];
            let right = vec![
                want(PaneId::Cost, needs.lanes.min(14) + 4, needs.lanes + 5, 2, 1),
                want(PaneId::Log, 4, ALL, 2, 0),
            ];
            vec![(Width::Fill(1), left), (Width::Fill(1), right)]
        },
        stack: |_| vec![want(PaneId::Formula, 6, 12, 2, 1), want(PaneId::Log, 5, ALL, 2, 0)],
    },
];

/// Shares `length` among `wants` in order; those of highest rank give way until the least of all fit.
fn share(mut wants: Vec<Want>, length: u16) -> Vec<(PaneId, u16)> {
    while wants.len() > 1 && wants.iter().map(|want| u32::from(want.least)).sum::<u32>() > u32::from(length) {
        let last = (0..wants.len()).max_by_key(|&index| wants[index].rank).unwrap_or(0);
        wants.remove(last);
    }
    let mut sizes: Vec<u16> = wants.iter().map(|want| want.least.min(length)).collect();
    let mut left = length.saturating_sub(sizes.iter().sum());
    while left > 0 {
        // The next row goes to the pane that is furthest below its share.
        let open = (0..wants.len()).filter(|&index| sizes[index] < wants[index].most);
        let poorest = open.min_by(|&a, &b| {
            let fill = |index: usize| f64::from(sizes[index]) / f64::from(wants[index].weight.max(1));
            fill(a).total_cmp(&fill(b))
        });
        match (poorest, sizes.last_mut()) {
            (Some(index), _) => sizes[index] += 1,
            (None, Some(last)) => *last += 1,
            (None, None) => break,
        }
        left -= 1;
    }
    wants.iter().map(|want| want.pane).zip(sizes).collect()
}

fn place(wants: Vec<Want>, area: Rect) -> Vec<(PaneId, Rect)> {
    let mut y = area.y;
    let rects = share(wants, area.height).into_iter().map(|(pane, height)| {
        let rect = Rect { y, height, ..area };
        y = y.saturating_add(height);
        (pane, rect)
    });
    rects.filter(|(_, rect)| rect.height > 0 && rect.width > 0).collect()
}

fn preset(number: u8) -> &'static Preset {
    PRESETS.get(usize::from(number).saturating_sub(1)).unwrap_or(&PRESETS[0])
}

/// The panes of layout `number` on a dashboard of `area`.
pub fn dashboard(number: u8, area: Rect, needs: &Needs) -> Vec<(PaneId, Rect)> {
    let columns = (preset(number).columns)(needs);
    let side = |width: &Width| match *width {
        Width::Side(share, least, most) => {
            (u32::from(area.width) * u32::from(share) / 100).clamp(least.into(), most.into()) as u16
        }
        Width::Fill(_) => 0,
    };
    let weight = |width: &Width| match *width {
        Width::Fill(weight) => u32::from(weight),
        Width::Side(..) => 0,
    };
    let sides: u16 = columns.iter().map(|(width, _)| side(width)).sum();
    let mut left = area.width.saturating_sub(sides);
    let mut weights: u32 = columns.iter().map(|(width, _)| weight(width)).sum();
    let mut x = area.x;
    let mut placed = Vec::new();
    for (width, panes) in columns {
        let columns = match width {
            Width::Side(..) => side(&width),
            Width::Fill(share) => {
                let columns = (u32::from(left) * u32::from(share) / weights.max(1)) as u16;
                left -= columns;
                weights -= u32::from(share);
                columns
            }
        };
        placed.extend(place(panes, Rect { x, width: columns, ..area }));
        x = x.saturating_add(columns);
    }
    placed
}

/// The panes of layout `number` stacked in `area`.
pub fn stack(number: u8, area: Rect, needs: &Needs) -> Vec<(PaneId, Rect)> {
    place((preset(number).stack)(needs), area)
}

/// Name of layout `number`.
pub fn name(number: u8) -> &'static str {
    preset(number).name
}

/// The panes on the screen now, in order.
pub fn visible(state: &State, snapshot: &Snapshot) -> Vec<PaneId> {
    let (width, height) = state.size;
    let needs = Needs::of(state, snapshot);
    let placed = match class(width, height) {
        Class::Dashboard => dashboard(state.layout, Rect::new(0, 0, width, height - 3), &needs),
        Class::Stack => stack(state.layout, Rect::new(0, 0, width, height - 4), &needs),
        Class::Numbers | Class::Sentence => Vec::new(),
    };
    placed.into_iter().map(|(pane, _)| pane).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panes_tile_the_dashboard() {
        for (width, height) in [(116, 26), (120, 40), (200, 47), (300, 90)] {
            for number in 1..=PRESETS.len() as u8 {
                let needs = Needs { lanes: 5, layers: 4, rank: true, one_step: true, name: 21 };
                let area = Rect::new(0, 1, width, height);
                let placed = dashboard(number, area, &needs);
                let cells: u32 = placed.iter().map(|(_, rect)| rect.area()).sum();
                assert_eq!(cells, area.area(), "layout {number} at {width}×{height}");
                for (index, (pane, rect)) in placed.iter().enumerate() {
                    assert_eq!(rect.intersection(area), *rect, "{pane:?}");
                    assert!(placed[index + 1..].iter().all(|(_, other)| !rect.intersects(*other)), "{pane:?}");
                }
            }
        }
    }

    #[test]
    fn the_small_screen_has_loss_and_a_heatmap() {
        let needs = Needs { lanes: 5, layers: 4, rank: true, one_step: true, name: 21 };
        let placed: Vec<PaneId> = stack(1, Rect::new(0, 2, 80, 20), &needs).into_iter().map(|(pane, _)| pane).collect();
        assert_eq!(placed, [PaneId::Loss, PaneId::Alignment]);
        assert_eq!(class(80, 24), Class::Stack);
        assert_eq!(class(40, 12), Class::Numbers);
        assert_eq!(class(20, 5), Class::Sentence);
    }
}
