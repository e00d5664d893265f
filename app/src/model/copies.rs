//! Copies of a block's loss, one for each patch and group of channels, and what of the block acts on which of them.
//!
//! All copies have the value of the block's own loss, but in each a signal passes through its own patch and group alone (Ren et al.
//! 2023, who call them replicated). So their gradients add up to that of the block's loss, and a direction at one element is followed
//! only by the copies that the element reaches: the others' scalars, noise to it, are left out.

use super::graph::{Graph, Source};
use super::layer::Couples;

/// The copies of a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copies {
    /// The node that the block ends with: what the copies divide among them.
    pub node: usize,
    /// Patches with copies of their own: all rows of an example, or 1.
    pub patches: usize,
    /// Groups of neighbouring columns with copies of their own.
    pub groups: usize,
}

impl Copies {
    /// Copies an example.
    pub fn count(&self) -> usize {
        self.patches * self.groups
    }
}

/// The cells of an example's value: rows × columns of them, all elements of a cell reaching the same copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cells {
    /// Cells from top to bottom.
    pub rows: usize,
    /// Cells from left to right.
    pub columns: usize,
    /// Whether rows stand for groups and columns for patches.
    pub transposed: bool,
}

impl Cells {
    /// Cells an example.
    pub fn count(&self) -> usize {
        self.rows * self.columns
    }

    /// What each cell reaches of `d`, which has `patches` × `groups` numbers an example: their sums, cell by cell, into `sums`.
    pub fn reach(&self, copies: Copies, d: &[f64], sums: &mut Vec<f64>) {
        sums.clear();
        sums.resize(d.len() / copies.count() * self.count(), 0.0);
        for (index, d) in d.iter().enumerate() {
            let (example, copy) = (index / copies.count(), index % copies.count());
            let (patch, group) = (copy / copies.groups, copy % copies.groups);
            let class = |place: usize, classes: usize, of: usize| place * classes / of;
            let (row, column) = match self.transposed {
                false => (class(patch, self.rows, copies.patches), class(group, self.columns, copies.groups)),
                true => (class(group, self.rows, copies.groups), class(patch, self.columns, copies.patches)),
            };
            sums[(example * self.rows + row) * self.columns + column] += d;
        }
    }

    /// The cells of a layer's input.
    fn behind(self, couples: Couples) -> Self {
        let within = |cells: usize, parts: Option<usize>| parts.map_or(cells, |parts| gcd(cells, parts));
        match couples {
            Couples::Transposed => Self { rows: self.columns, columns: self.rows, transposed: !self.transposed },
            Couples::Within { rows, columns } => {
                Self { rows: within(self.rows, rows), columns: within(self.columns, columns), ..self }
            }
        }
    }

    /// The cells of a value that two layers read.
    fn join(self, other: Self) -> Self {
        if self.transposed != other.transposed {
            return Self { rows: 1, columns: 1, transposed: false };
        }
        Self { rows: gcd(self.rows, other.rows), columns: gcd(self.columns, other.columns), ..self }
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The cells of every site that `copies` see, by site.
pub(super) fn cells(graph: &Graph, copies: Copies) -> Vec<(usize, Cells)> {
    let mut known: Vec<Option<Cells>> = vec![None; graph.nodes.len()];
    known[copies.node] = Some(Cells { rows: copies.patches, columns: copies.groups, transposed: false });
    let mut found = Vec::new();
    for (index, node) in graph.nodes.iter().enumerate().rev() {
        let Some(here) = known[index] else { continue };
        found.extend(node.site.map(|site| (site, here)));
        if node.layer.stops() {
            continue;
        }
        let behind = here.behind(node.layer.couples());
        for source in &node.inputs {
            if let Source::Node(earlier) = *source {
                known[earlier] = Some(known[earlier].map_or(behind, |cells| cells.join(behind)));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_add_up_the_copies_that_they_reach() {
        let copies = Copies { node: 0, patches: 2, groups: 3 };
        let d: Vec<f64> = (0..12).map(f64::from).collect();
        let mut sums = Vec::new();
        let mut reach = |rows, columns, transposed| {
            Cells { rows, columns, transposed }.reach(copies, &d, &mut sums);
            sums.clone()
        };
        assert_eq!(reach(2, 3, false), d);
        assert_eq!(reach(1, 3, false), [3.0, 5.0, 7.0, 15.0, 17.0, 19.0]);
        assert_eq!(reach(2, 1, false), [3.0, 12.0, 21.0, 30.0]);
        assert_eq!(reach(1, 2, true), [3.0, 12.0, 21.0, 30.0]);
        assert_eq!(reach(3, 2, true), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0, 6.0, 9.0, 7.0, 10.0, 8.0, 11.0]);
        assert_eq!(reach(1, 1, false), [15.0, 51.0]);
    }
}
