//! The tensors of a call: storage between guard elements, and the handles to it.
//!
//! Memory is made of `Cell`s, because a strategy may write it through a pointer while this side holds it too.

#![forbid(unsafe_code)]

use super::Grid;
use crate::abi::{DLDataType, DLDevice, DLTensor, gw_tensor};
use crate::error::{Error, Result};
use crate::model::DType;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Guard elements before and after each storage.
const GUARDS: usize = 16;
/// Bit patterns of signalling kind that no arithmetic produces: what guards, and what is not yet written.
const GUARD_64: u64 = 0x7FF0_DEAD_5AFE_0001;
const GUARD_32: u32 = 0x7F8D_EA01;
const UNWRITTEN_64: u64 = 0x7FF8_0BAD_0BAD_0002;
const UNWRITTEN_32: u32 = 0x7FC0_BA02;

#[derive(Debug)]
enum Cells {
    F32(Box<[Cell<f32>]>),
    F64(Box<[Cell<f64>]>),
}

/// A matrix between guards.
#[derive(Debug)]
pub(super) struct Storage {
    pub(super) name: String,
    rows: usize,
    columns: usize,
    cells: Cells,
}

impl Storage {
    /// A matrix whose elements are not yet written.
    pub(super) fn unwritten(name: String, rows: usize, columns: usize, dtype: DType) -> Rc<Self> {
        let count = rows * columns;
        let place = |i: usize| (GUARDS..GUARDS + count).contains(&i);
        let cells = match dtype {
            DType::F32 => {
                let bits = |i| if place(i) { UNWRITTEN_32 } else { GUARD_32 };
                Cells::F32((0..count + 2 * GUARDS).map(|i| Cell::new(f32::from_bits(bits(i)))).collect())
            }
            _ => {
                let bits = |i| if place(i) { UNWRITTEN_64 } else { GUARD_64 };
                Cells::F64((0..count + 2 * GUARDS).map(|i| Cell::new(f64::from_bits(bits(i)))).collect())
            }
        };
        Rc::new(Self { name, rows, columns, cells })
    }

    /// A matrix with content.
    pub(super) fn holding(name: String, content: &Grid, dtype: DType) -> Rc<Self> {
        let storage = Self::unwritten(name, content.rows(), content.columns(), dtype);
        content.values().iter().enumerate().for_each(|(i, &value)| storage.set(i, value));
        storage
    }

    fn get(&self, i: usize) -> f64 {
        match &self.cells {
            Cells::F32(cells) => cells[GUARDS + i].get().into(),
            Cells::F64(cells) => cells[GUARDS + i].get(),
        }
    }

    fn set(&self, i: usize, value: f64) {
        match &self.cells {
            Cells::F32(cells) => cells[GUARDS + i].set(value as f32),
            Cells::F64(cells) => cells[GUARDS + i].set(value),
        }
    }

    /// The content.
    pub(super) fn grid(&self) -> Grid {
        Grid::from_fn(self.rows, self.columns, |i, j| self.get(i * self.columns + j))
    }

    /// Bits of every element, to compare with later.
    pub(super) fn bits(&self) -> Vec<u64> {
        let range = GUARDS..GUARDS + self.rows * self.columns;
        match &self.cells {
            Cells::F32(cells) => cells[range].iter().map(|cell| cell.get().to_bits().into()).collect(),
            Cells::F64(cells) => cells[range].iter().map(|cell| cell.get().to_bits()).collect(),
        }
    }

    /// Whether the guards are as they were.
    ///
    /// # Errors
    /// When one was written: says on which side and how far off.
    pub(super) fn check_guards(&self) -> Result {
        let end = GUARDS + self.rows * self.columns;
        let intact = |i: usize| match &self.cells {
            Cells::F32(cells) => cells[i].get().to_bits() == GUARD_32,
            Cells::F64(cells) => cells[i].get().to_bits() == GUARD_64,
        };
        if let Some(i) = (end..end + GUARDS).find(|&i| !intact(i)) {
            return Err(Error::new(format!("{}: element {} past the end was written", self.name, i - end)));
        }
        if let Some(i) = (0..GUARDS).rev().find(|&i| !intact(i)) {
            return Err(Error::new(format!("{}: element {} before the start was written", self.name, GUARDS - i)));
        }
        Ok(())
    }

    /// Whether every element was written and is finite.
    ///
    /// # Errors
    /// When one is not: names row and column.
    pub(super) fn check_finite(&self) -> Result {
        for (i, bits) in self.bits().into_iter().enumerate() {
            let (row, column) = (i / self.columns, i % self.columns);
            let (unwritten, value) = match &self.cells {
                Cells::F32(_) => (bits == u64::from(UNWRITTEN_32), f64::from(f32::from_bits(bits as u32))),
                Cells::F64(_) => (bits == UNWRITTEN_64, f64::from_bits(bits)),
            };
            let wrong = match value {
                _ if unwritten => "was left unwritten".to_owned(),
                value if !value.is_finite() => format!("is {value}"),
                _ => continue,
            };
            return Err(Error::new(format!("{}: row {row}, column {column} {wrong}", self.name)));
        }
        Ok(())
    }
}

/// A matrix as a handle names it.
#[derive(Clone, Debug)]
pub(super) struct View {
    storage: Rc<Storage>,
    start: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    writable: bool,
    extents: Rc<[i64; 4]>,
}

impl View {
    fn new(storage: Rc<Storage>, start: usize, rows: usize, columns: usize, writable: bool) -> Self {
        let extents = Rc::new([rows as i64, columns as i64, columns as i64, 1]);
        Self { storage, start, rows, columns, writable, extents }
    }

    pub(super) fn read(&self) -> Grid {
        Grid::from_fn(self.rows, self.columns, |i, j| self.storage.get(self.start + i * self.columns + j))
    }

    pub(super) fn write(&self, content: &Grid) {
        content.values().iter().enumerate().for_each(|(i, &value)| self.storage.set(self.start + i, value));
    }

    fn overlaps(&self, other: &Self) -> bool {
        let end = |view: &Self| view.start + view.rows * view.columns;
        Rc::ptr_eq(&self.storage, &other.storage) && self.start < end(other) && other.start < end(self)
    }

    fn dlpack(&self) -> DLTensor {
        let first = GUARDS + self.start;
        let (data, bits) = match &self.storage.cells {
            Cells::F32(cells) => (cells[first..].as_ptr().cast_mut().cast(), 32),
            Cells::F64(cells) => (cells[first..].as_ptr().cast_mut().cast(), 64),
        };
        DLTensor {
            data,
            device: DLDevice { device_type: 1, device_id: 0 },
            ndim: 2,
            dtype: DLDataType { code: 2, bits, lanes: 1 },
            shape: self.extents[..2].as_ptr(),
            strides: self.extents[2..].as_ptr(),
            byte_offset: 0,
        }
    }
}

/// The handles of a call. They die with it: a handle's upper half is the number of its call.
#[derive(Debug)]
pub(super) struct Handles {
    call: u64,
    views: RefCell<Vec<View>>,
}

impl Handles {
    pub(super) fn new(call: u64) -> Self {
        Self { call: call << 32, views: RefCell::default() }
    }

    fn push(&self, view: View) -> gw_tensor {
        let mut views = self.views.borrow_mut();
        views.push(view);
        self.call | views.len() as u64
    }

    pub(super) fn add(&self, storage: &Rc<Storage>, writable: bool) -> gw_tensor {
        self.push(View::new(storage.clone(), 0, storage.rows, storage.columns, writable))
    }

    pub(super) fn get(&self, tensor: gw_tensor) -> Result<View> {
        let index = (tensor ^ self.call).wrapping_sub(1) as usize;
        let found = self.views.borrow().get(index).cloned();
        found.ok_or_else(|| {
            Error::invalid(format!("tensor {tensor:#x} is none of this call's: handles die with their call"))
        })
    }

    /// A destination: writable, and apart from the sources.
    pub(super) fn destination(&self, tensor: gw_tensor, sources: &[&View]) -> Result<View> {
        let view = self.get(tensor)?;
        if !view.writable {
            return Err(Error::invalid(format!("{} is an input: it cannot be written", view.storage.name)));
        }
        match sources.iter().find(|source| source.overlaps(&view)) {
            Some(_) => Err(Error::invalid(format!("{} is destination and source at once", view.storage.name))),
            None => Ok(view),
        }
    }

    pub(super) fn reshape(&self, tensor: gw_tensor, [rows, columns]: [u64; 2]) -> Result<gw_tensor> {
        let view = self.get(tensor)?;
        if rows.checked_mul(columns) != Some((view.rows * view.columns) as u64) {
            let text = format!("{} × {} cannot be seen as {rows} × {columns}", view.rows, view.columns);
            return Err(Error::invalid(text));
        }
        Ok(self.push(View::new(view.storage, view.start, rows as usize, columns as usize, view.writable)))
    }

    pub(super) fn rows(&self, tensor: gw_tensor, start: u64, count: u64) -> Result<gw_tensor> {
        let view = self.get(tensor)?;
        if start.checked_add(count).is_none_or(|end| end > view.rows as u64) {
            return Err(Error::invalid(format!("{} has no {count} rows from row {start} on", view.storage.name)));
        }
        let first = view.start + start as usize * view.columns;
        Ok(self.push(View::new(view.storage, first, count as usize, view.columns, view.writable)))
    }

    /// The tensor as DLPack; its extents live as long as this record.
    pub(super) fn dlpack(&self, tensor: gw_tensor) -> Result<DLTensor> {
        self.get(tensor).map(|view| view.dlpack())
    }
}
