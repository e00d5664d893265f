//! The table behind `gw_tensor`: every matrix that a call has handed out.
//!
//! A handle is 2³²·(generation of the call) + index + 1, so that one of an earlier call is refused and not taken for
//! another matrix.
//!
//! A strategy asks for the same matrices in the same order at every step. What was found out of each (its form as a matrix,
//! where its memory lies) is kept from call to call and used again where the tensor at the same place is the same, by
//! Candle's number of it, which no other tensor ever has.
#![forbid(unsafe_code)]

use super::grants::Roles;
use super::services::{Problem, Reply};
use super::sites::{SiteView, as_matrix, matrix_shape};
use candle_core::{Tensor, TensorId};
use guesswork_plugin::abi::gw_tensor;
use std::cell::Cell;

/// Most handles of one call.
const MOST: usize = 1 << 20;
/// Most entries that are kept from call to call.
const KEPT: usize = 256;

/// A matrix that a plugin knows by handle.
#[derive(Debug)]
pub(super) struct Entry {
    /// The matrix: two-dimensional, contiguous, the storage's own memory.
    pub tensor: Tensor,
    /// Whether the plugin may write it.
    pub writable: bool,
    /// What it is.
    pub label: Label,
    /// What it shows.
    shown: Shown,
    /// Rows and columns.
    pub extents: (usize, usize),
    /// Which storage, and which elements of it.
    memory: Memory,
    /// Extents and strides as DLPack wants them, at an address that stays.
    pub strided: Option<Box<[i64; 4]>>,
    /// Whether the first address was given out: its content is watched where it is an input.
    address_given: bool,
    /// Whether it was the destination of something, or could have been.
    touched: Cell<bool>,
}

/// A tensor, and what is seen of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shown {
    tensor: TensorId,
    view: View,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    /// All of it as a matrix.
    Whole,
    /// All of it as rows × columns.
    Shaped(usize, usize),
    /// Rows from the first of two numbers on, as many as the second.
    Rows(usize, usize),
}

/// What a matrix is, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// The input of a role, at a site where it belongs to one.
    Input(u32, Option<usize>),
    /// What is written at a site.
    Output(usize),
    /// A persistent matrix of the plan.
    Persistent(usize),
    /// A scratch matrix.
    Scratch,
}

#[derive(Clone, Copy, Debug)]
struct Memory {
    storage: usize,
    start: usize,
    end: usize,
}

/// How two operands lie to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overlap {
    /// Different storages.
    Apart,
    /// One storage, different elements.
    Neighbours,
    /// Common elements.
    Shared,
}

impl Memory {
    fn of(tensor: &Tensor) -> Self {
        let (storage, layout) = tensor.storage_and_layout();
        let start = layout.start_offset();
        Self { storage: std::ptr::from_ref(&*storage).addr(), start, end: start + layout.shape().elem_count() }
    }
}

impl Entry {
    /// Takes note that its address was given out; whether for the first time.
    pub fn give_address(&mut self) -> bool {
        self.touched.set(true);
        !std::mem::replace(&mut self.address_given, true)
    }

    fn new(tensor: Tensor, writable: bool, label: Label, shown: Shown) -> Self {
        let [rows, columns] = matrix_shape(tensor.dims());
        let memory = Memory::of(&tensor);
        let extents = (rows, columns);
        let touched = Cell::new(false);
        Self { tensor, writable, label, shown, extents, memory, strided: None, address_given: false, touched }
    }

    /// How the memory of two entries lies.
    #[inline]
    pub fn overlap(&self, other: &Self) -> Overlap {
        let (a, b) = (self.memory, other.memory);
        match () {
            () if a.storage != b.storage => Overlap::Apart,
            () if a.start < b.end && b.start < a.end => Overlap::Shared,
            () => Overlap::Neighbours,
        }
    }
}

/// Handles of one call.
#[derive(Debug)]
pub(super) struct Handles<'a> {
    generation: u32,
    sites: &'a [SiteView],
    /// Those of this call, and behind them what is kept of earlier ones.
    entries: &'a mut Vec<Entry>,
    /// How many are of this call.
    count: usize,
}

impl<'a> Handles<'a> {
    /// An empty table; `generation` differs from call to call and is not 0, `kept` is what [`Handles::keep`] left of an
    /// earlier call.
    pub fn new(generation: u32, sites: &'a [SiteView], kept: &'a mut Vec<Entry>) -> Self {
        Self { generation, sites, entries: kept, count: 0 }
    }

    /// Ends the call: leaves what the next may use again.
    pub fn keep(self) {
        self.entries.truncate(KEPT);
    }

    /// A matrix in words: `derivative of site `fc1``.
    pub fn describe(&self, label: Label) -> String {
        let site = |site: usize| self.sites.get(site).map_or("", |site| site.name.as_str());
        match label {
            Label::Input(role, None) => Roles::name(role),
            Label::Input(role, Some(number)) => format!("{} of site `{}`", Roles::name(role), site(number)),
            Label::Output(number) => format!("output of site `{}`", site(number)),
            Label::Persistent(index) => format!("persistent matrix {index}"),
            Label::Scratch => "scratch matrix".into(),
        }
    }

    /// Adds a tensor, seen as a matrix.
    #[inline]
    pub fn add(&mut self, tensor: &Tensor, writable: bool, label: Label) -> Reply<gw_tensor> {
        let shown = Shown { tensor: tensor.id(), view: View::Whole };
        if !self.again(shown, writable, label) {
            self.put(Entry::new(as_matrix(tensor)?, writable, label, shown))?;
        }
        Ok(self.last())
    }

    /// Adds the memory of a handle seen as `rows` × `columns`.
    pub fn add_reshaped(&mut self, handle: gw_tensor, rows: usize, columns: usize) -> Reply<gw_tensor> {
        let seen = |tensor: &Tensor| tensor.reshape((rows, columns));
        self.add_view(handle, View::Shaped(rows, columns), seen)
    }

    /// Adds `count` rows of a handle from `start` on.
    pub fn add_rows(&mut self, handle: gw_tensor, start: usize, count: usize) -> Reply<gw_tensor> {
        self.add_view(handle, View::Rows(start, count), |tensor| tensor.narrow(0, start, count))
    }

    fn add_view(
        &mut self,
        handle: gw_tensor,
        view: View,
        make: impl FnOnce(&Tensor) -> candle_core::Result<Tensor>,
    ) -> Reply<gw_tensor> {
        let index = self.index(handle)?;
        let Entry { ref tensor, writable, label, ref touched, .. } = self.entries[index];
        touched.set(true);
        let shown = Shown { tensor: tensor.id(), view };
        if !self.again(shown, writable, label) {
            let tensor = make(&self.entries[index].tensor)?;
            self.put(Entry::new(tensor, writable, label, shown))?;
        }
        Ok(self.last())
    }

    /// Adds what an earlier call had at this place, where it is the same.
    #[inline]
    fn again(&mut self, shown: Shown, writable: bool, label: Label) -> bool {
        match self.entries.get_mut(self.count) {
            Some(kept) if kept.shown == shown => {
                (kept.writable, kept.label, kept.address_given) = (writable, label, false);
                kept.touched.set(false);
                self.count += 1;
                true
            }
            _ => false,
        }
    }

    #[cold]
    fn put(&mut self, entry: Entry) -> Reply<()> {
        if self.count >= MOST {
            return Err(Problem::failed(format!(
                "more than {MOST} matrices were asked for in one call; keep the handles"
            )));
        }
        match self.entries.get_mut(self.count) {
            Some(other) => *other = entry,
            None => self.entries.push(entry),
        }
        self.count += 1;
        Ok(())
    }

    /// The handle that was added last.
    fn last(&self) -> gw_tensor {
        u64::from(self.generation) << 32 | self.count as u64
    }

    #[inline]
    fn index(&self, handle: gw_tensor) -> Reply<usize> {
        let (generation, index) = ((handle >> 32) as u32, (handle & 0xffff_ffff) as usize);
        // No generation is 0: GW_NO_TENSOR is of another.
        if generation == self.generation && (1..=self.count).contains(&index) {
            return Ok(index - 1);
        }
        Err(self.foreign(handle))
    }

    #[cold]
    fn foreign(&self, handle: gw_tensor) -> Problem {
        match handle {
            0 => Problem::invalid("the handle is GW_NO_TENSOR"),
            _ if (handle >> 32) as u32 != self.generation => {
                Problem::state("the handle is of another call; ask for the matrix anew in every call")
            }
            _ => Problem::invalid(format!("{handle:#x} is no handle of this call")),
        }
    }

    /// The matrix of a handle.
    #[inline]
    pub fn get(&self, handle: gw_tensor) -> Reply<&Entry> {
        self.index(handle).map(|index| &self.entries[index])
    }

    /// As [`Handles::get`], for changes to the entry itself.
    pub fn get_mut(&mut self, handle: gw_tensor) -> Reply<&mut Entry> {
        self.index(handle).map(|index| &mut self.entries[index])
    }

    /// Whether the matrix of the call's handle number `index` was written, seen in another way, or its address given out.
    #[inline]
    pub fn touched(&self, index: usize) -> bool {
        index < self.count && self.entries[index].touched.get()
    }

    /// The matrix of a handle that is to be written.
    #[inline]
    pub fn writable(&self, handle: gw_tensor) -> Reply<&Entry> {
        let entry = self.get(handle)?;
        if !entry.writable {
            return Err(self.read_only(entry));
        }
        entry.touched.set(true);
        Ok(entry)
    }

    #[cold]
    fn read_only(&self, entry: &Entry) -> Problem {
        Problem::invalid(format!("the destination, the {}, is an input and read-only", self.describe(entry.label)))
    }
}
