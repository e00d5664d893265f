//! The table behind `gw_tensor`: every matrix that a call has handed out.
//!
//! A handle is 2³²·(generation of the call) + index + 1, so that one of an earlier call is refused and not taken for
//! another matrix.
#![forbid(unsafe_code)]

use super::grants::Roles;
use super::services::{Problem, Reply};
use super::sites::{SiteView, as_matrix};
use candle_core::Tensor;
use guesswork_plugin::abi::gw_tensor;
use std::sync::Arc;

/// Most handles of one call.
const MOST: usize = 1 << 20;

/// A matrix that a plugin knows by handle.
#[derive(Debug)]
pub(super) struct Entry {
    /// The matrix: two-dimensional, contiguous, the storage's own memory.
    pub tensor: Tensor,
    /// Whether the plugin may write it.
    pub writable: bool,
    /// What it is.
    pub label: Label,
    /// Which storage, and which elements of it.
    memory: Memory,
    /// Extents and strides as DLPack wants them, at an address that stays.
    pub extents: Option<Box<[i64; 4]>>,
    /// Whether the first address was given out: its content is watched where it is an input.
    pub address_given: bool,
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
    /// Rows and columns.
    pub fn extents(&self) -> (usize, usize) {
        match self.tensor.dims() {
            &[rows, columns] => (rows, columns),
            _ => (1, self.tensor.elem_count()),
        }
    }

    /// How the memory of two entries lies.
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
pub(super) struct Handles {
    generation: u32,
    sites: Arc<[SiteView]>,
    entries: Vec<Entry>,
}

impl Handles {
    /// An empty table in the memory of `entries`; `generation` differs from call to call and is not 0.
    pub fn new(generation: u32, sites: &Arc<[SiteView]>, mut entries: Vec<Entry>) -> Self {
        entries.clear();
        Self { generation, sites: Arc::clone(sites), entries }
    }

    /// The memory, for the next call.
    pub fn into_entries(mut self) -> Vec<Entry> {
        self.entries.clear();
        self.entries
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
    pub fn add(&mut self, tensor: &Tensor, writable: bool, label: Label) -> Reply<gw_tensor> {
        if self.entries.len() >= MOST {
            return Err(Problem::failed(format!(
                "more than {MOST} matrices were asked for in one call; keep the handles"
            )));
        }
        let tensor = as_matrix(tensor)?;
        let memory = Memory::of(&tensor);
        self.entries.push(Entry { tensor, writable, label, memory, extents: None, address_given: false });
        Ok(u64::from(self.generation) << 32 | self.entries.len() as u64)
    }

    fn index(&self, handle: gw_tensor) -> Reply<usize> {
        let (generation, index) = ((handle >> 32) as u32, (handle & 0xffff_ffff) as usize);
        if handle == 0 {
            return Err(Problem::invalid("the handle is GW_NO_TENSOR"));
        }
        if generation != self.generation {
            return Err(Problem::state("the handle is of another call; ask for the matrix anew in every call"));
        }
        if index == 0 || index > self.entries.len() {
            return Err(Problem::invalid(format!("{handle:#x} is no handle of this call")));
        }
        Ok(index - 1)
    }

    /// The matrix of a handle.
    pub fn get(&self, handle: gw_tensor) -> Reply<&Entry> {
        self.index(handle).map(|index| &self.entries[index])
    }

    /// As [`Handles::get`], for changes to the entry itself.
    pub fn get_mut(&mut self, handle: gw_tensor) -> Reply<&mut Entry> {
        self.index(handle).map(|index| &mut self.entries[index])
    }

    /// The matrix of a handle that is to be written.
    pub fn writable(&self, handle: gw_tensor) -> Reply<&Entry> {
        let entry = self.get(handle)?;
        if !entry.writable {
            return Err(Problem::invalid(format!(
                "the destination, the {}, is an input and read-only",
                self.describe(entry.label)
            )));
        }
        Ok(entry)
    }
}
