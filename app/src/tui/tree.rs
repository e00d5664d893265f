//! A layout as a tree of panes: parts beside or below each other, each with a share of the room between the least it needs and
//! the most it can use. Where there is not room for the least of all, parts give way in a stated order. Nothing is drawn here.
#![forbid(unsafe_code)]

use super::layout::Needs;
use super::panes::PaneId;
use ratatui::layout::Rect;
use serde::Deserialize;

/// More than any terminal has.
pub const ALL: u16 = u16::MAX;

/// A part of a layout.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Part {
    /// A pane.
    Pane {
        /// Which.
        show: PaneId,
        /// The pane in its place while nothing of it was measured.
        #[serde(default)]
        otherwise: Option<PaneId>,
        /// Left out while nothing of it was measured.
        #[serde(default)]
        if_measured: bool,
        /// Its share of the room, against those of the parts around it.
        #[serde(default = "one")]
        share: u16,
        /// Rows or columns that it needs at least; its own need when left out.
        #[serde(default)]
        least: Option<u16>,
        /// Rows or columns that it takes at most; its own use when left out.
        #[serde(default)]
        most: Option<u16>,
        /// The greatest gives way first where there is no room.
        #[serde(default)]
        yields: u8,
    },
    /// Parts from left to right.
    Beside {
        /// The parts.
        parts: Vec<Part>,
        /// Its share of the room.
        #[serde(default = "one")]
        share: u16,
        /// Rows that it needs at least.
        #[serde(default)]
        least: Option<u16>,
        /// Rows that it takes at most.
        #[serde(default)]
        most: Option<u16>,
        /// The greatest gives way first where there is no room.
        #[serde(default)]
        yields: u8,
    },
    /// Parts from top to bottom.
    Below {
        /// The parts.
        parts: Vec<Part>,
        /// Its share of the room.
        #[serde(default = "one")]
        share: u16,
        /// Columns that it needs at least.
        #[serde(default)]
        least: Option<u16>,
        /// Columns that it takes at most.
        #[serde(default)]
        most: Option<u16>,
        /// The greatest gives way first where there is no room.
        #[serde(default)]
        yields: u8,
    },
}

fn one() -> u16 {
    1
}

/// A direction in which room is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Columns.
    X,
    /// Rows.
    Y,
}

impl Part {
    /// A pane and nothing else.
    pub fn pane(show: PaneId) -> Self {
        Self::Pane { show, otherwise: None, if_measured: false, share: 1, least: None, most: None, yields: 0 }
    }

    /// The parts within, and the direction they follow each other in. None within a pane.
    pub fn parts(&self) -> Option<(Axis, &[Part])> {
        match self {
            Self::Pane { .. } => None,
            Self::Beside { parts, .. } => Some((Axis::X, parts)),
            Self::Below { parts, .. } => Some((Axis::Y, parts)),
        }
    }

    /// Share, least, most, and rank in giving way, as written.
    pub fn size(&self) -> (u16, Option<u16>, Option<u16>, u8) {
        match *self {
            Self::Pane { share, least, most, yields, .. }
            | Self::Beside { share, least, most, yields, .. }
            | Self::Below { share, least, most, yields, .. } => (share, least, most, yields),
        }
    }

    /// Its panes, and those that may stand in for them.
    pub fn panes(&self) -> Vec<PaneId> {
        match self {
            Self::Pane { show, otherwise, .. } => std::iter::once(*show).chain(*otherwise).collect(),
            Self::Beside { parts, .. } | Self::Below { parts, .. } => parts.iter().flat_map(Self::panes).collect(),
        }
    }

    /// The pane that a pane's part shows now, if any.
    fn shown(&self, needs: &Needs) -> Option<PaneId> {
        match *self {
            Self::Pane { show, otherwise, if_measured, .. } => match otherwise {
                _ if needs.has(show) => Some(show),
                Some(other) if needs.has(other) || !if_measured => Some(other),
                _ => (!if_measured).then_some(show),
            },
            Self::Beside { .. } | Self::Below { .. } => None,
        }
    }

    /// Whether there is anything to show.
    fn is_there(&self, needs: &Needs) -> bool {
        match self.parts() {
            Some((_, parts)) => parts.iter().any(|part| part.is_there(needs)),
            None => self.shown(needs).is_some(),
        }
    }

    /// What it needs at least and takes at most along `axis`.
    fn bounds(&self, axis: Axis, needs: &Needs) -> (u16, u16) {
        let (_, least, most, _) = self.size();
        let own = match self.parts() {
            None => self.shown(needs).map_or((0, 0), |pane| needs.bounds(pane, axis)),
            Some((along, parts)) => {
                let inner = parts.iter().filter(|part| part.is_there(needs)).map(|part| part.bounds(axis, needs));
                if along == axis {
                    inner.fold((0, 0), |sum: (u16, u16), part| {
                        (sum.0.saturating_add(part.0), sum.1.saturating_add(part.1))
                    })
                } else {
                    (inner.map(|part| part.0).max().unwrap_or(0), ALL)
                }
            }
        };
        let least = least.unwrap_or(own.0);
        (least, most.unwrap_or(own.1).max(least))
    }

    /// Where its panes stand in `area`.
    pub fn place(&self, area: Rect, needs: &Needs) -> Vec<(PaneId, Rect)> {
        if area.is_empty() {
            return Vec::new();
        }
        let Some((axis, parts)) = self.parts() else {
            return self.shown(needs).map(|pane| (pane, area)).into_iter().collect();
        };
        let there: Vec<&Part> = parts.iter().filter(|part| part.is_there(needs)).collect();
        let wants = there.iter().map(|part| {
            let ((least, most), (share, .., yields)) = (part.bounds(axis, needs), part.size());
            Want { least, most, share, yields }
        });
        let length = if axis == Axis::X { area.width } else { area.height };
        let mut at = if axis == Axis::X { area.x } else { area.y };
        let mut placed = Vec::new();
        for (index, size) in divide(wants.collect(), length) {
            let rect = match axis {
                Axis::X => Rect { x: at, width: size, ..area },
                Axis::Y => Rect { y: at, height: size, ..area },
            };
            at = at.saturating_add(size);
            placed.extend(there[index].place(rect, needs));
        }
        placed
    }
}

/// What a part asks for.
#[derive(Clone, Copy, Debug)]
struct Want {
    least: u16,
    most: u16,
    share: u16,
    yields: u8,
}

/// Shares `length` among `wants` in order, each with its place among them; those that yield most go until the least of all fit.
fn divide(wants: Vec<Want>, length: u16) -> Vec<(usize, u16)> {
    let mut kept: Vec<(usize, Want)> = wants.into_iter().enumerate().collect();
    while kept.len() > 1 && kept.iter().map(|(_, want)| u32::from(want.least)).sum::<u32>() > u32::from(length) {
        let last = (0..kept.len()).max_by_key(|&index| kept[index].1.yields).unwrap_or(0);
        kept.remove(last);
    }
    let mut sizes: Vec<u16> = kept.iter().map(|(_, want)| want.least.min(length)).collect();
    let mut left = length.saturating_sub(sizes.iter().sum());
    while left > 0 {
        // The next cell goes to the part that is furthest below its share.
        let open = (0..kept.len()).filter(|&index| sizes[index] < kept[index].1.most);
        let poorest = open.min_by(|&a, &b| {
            let fill = |index: usize| f64::from(sizes[index]) / f64::from(kept[index].1.share.max(1));
            fill(a).total_cmp(&fill(b))
        });
        match (poorest, sizes.last_mut()) {
            (Some(index), _) => sizes[index] += 1,
            (None, Some(last)) => *last += 1,
            (None, None) => break,
        }
        left -= 1;
    }
    kept.into_iter().map(|(index, _)| index).zip(sizes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn want(least: u16, most: u16, share: u16, yields: u8) -> Want {
        Want { least, most, share, yields }
    }

    #[test]
    fn room_is_shared_between_least_and_most() {
        assert_eq!(divide(vec![want(2, ALL, 1, 0), want(2, ALL, 3, 0)], 40), [(0, 10), (1, 30)]);
        assert_eq!(divide(vec![want(2, 5, 1, 0), want(2, ALL, 1, 0)], 40), [(0, 5), (1, 35)]);
        assert_eq!(divide(vec![want(30, ALL, 1, 0), want(2, ALL, 1, 0)], 40), [(0, 30), (1, 10)]);
    }

    #[test]
    fn what_yields_most_goes_first() {
        let wants = vec![want(10, ALL, 1, 0), want(10, ALL, 1, 2), want(10, ALL, 1, 1)];
        let kept = |length| divide(wants.clone(), length).into_iter().map(|(index, _)| index).collect::<Vec<_>>();
        assert_eq!(kept(30), [0, 1, 2]);
        assert_eq!(kept(29), [0, 2]);
        assert_eq!(kept(5), [0]);
        assert_eq!(divide(wants.clone(), 5), [(0, 5)]);
    }

    #[test]
    fn a_pane_makes_room_for_another_until_it_was_measured() {
        let part = Part::Pane {
            show: PaneId::OneStep,
            otherwise: Some(PaneId::NormRatio),
            if_measured: false,
            share: 1,
            least: None,
            most: None,
            yields: 0,
        };
        let area = Rect::new(0, 0, 40, 10);
        let with = Needs::default();
        let without = Needs { unmeasured: vec![PaneId::OneStep], ..Needs::default() };
        assert_eq!(part.place(area, &with), [(PaneId::OneStep, area)]);
        assert_eq!(part.place(area, &without), [(PaneId::NormRatio, area)]);
    }
}
