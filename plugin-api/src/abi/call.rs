//! The plugin's way to the host: the service tables, found once, and safe functions over their function pointers.
//!
//! Knows nothing of strategies. A function is used only where the host's table is long enough to hold it.

#![allow(unsafe_code)]

use super::*;
use crate::error::{Error, Result};
use core::cell::RefCell;
use core::marker::PhantomData;
use core::ptr;

/// Reads a field of a foreign record, when the record is there and its `struct_size` covers the field.
///
/// Unsafe to expand: the pointer must be null or point to a record that begins with its `struct_size` and is as long.
macro_rules! covered {
    ($record:expr, $type:ty, $field:ident) => {{
        let record: *const $type = $record;
        let offset = core::mem::offset_of!($type, $field);
        $crate::abi::call::read_covered(record, offset, |record: &$type| &record.$field)
    }};
}
pub(crate) use covered;

/// Reads the field `offset` bytes into the record, if the record is there and covers it. The function is never called:
/// it says what type the field has.
///
/// # Safety
/// `record` is null or begins with its size in bytes and is as long as that says.
pub(crate) unsafe fn read_covered<R, F>(record: *const R, offset: usize, _: fn(&R) -> &F) -> Option<F> {
    if record.is_null() {
        return None;
    }
    // SAFETY: every sized record begins with its size, which is 8 bytes.
    let covered = unsafe { record.cast::<u64>().read_unaligned() };
    let end = (offset + size_of::<F>()) as u64;
    // SAFETY: the writer says that the record reaches past the end of the field.
    (end <= covered).then(|| unsafe { record.byte_add(offset).cast::<F>().read_unaligned() })
}

/// The host's service tables; null where there is none. Static, as the interface says.
#[derive(Clone, Copy)]
pub(crate) struct Tables {
    tensors: *const gw_tensors,
    ops: *const gw_ops,
    rng: *const gw_rng,
    oracle: *const gw_oracle,
    metrics: *const gw_metrics,
    log: *const gw_log,
    control: *const gw_control,
    scratch: *const gw_scratch,
}

// SAFETY: the tables are static and never written; functions are called with the context of a call, by its thread.
unsafe impl Send for Tables {}
// SAFETY: as above.
unsafe impl Sync for Tables {}

impl Tables {
    /// Asks the host for every table.
    ///
    /// # Safety
    /// `host` is null or a valid host.
    pub(crate) unsafe fn find(host: *const gw_host) -> Self {
        let find = |id: &str| -> *const c_void {
            // SAFETY: the host is valid; the id lives during the call.
            unsafe {
                match covered!(host, gw_host, get_extension) {
                    Some(Some(get_extension)) => get_extension(host, gw_str::new(id)),
                    _ => ptr::null(),
                }
            }
        };
        Self {
            tensors: find(GW_EXT_TENSORS).cast(),
            ops: find(GW_EXT_OPS).cast(),
            rng: find(GW_EXT_RNG).cast(),
            oracle: find(GW_EXT_ORACLE).cast(),
            metrics: find(GW_EXT_METRICS).cast(),
            log: find(GW_EXT_LOG).cast(),
            control: find(GW_EXT_CONTROL).cast(),
            scratch: find(GW_EXT_SCRATCH).cast(),
        }
    }

    /// Writes a message outside a call.
    pub(crate) fn log(&self, level: u32, text: &str) {
        let error = RefCell::new(gw_error::empty());
        // SAFETY: a null context is allowed always.
        let call = unsafe { Call::new(self, ptr::null_mut(), &error) };
        call.log(level, text);
    }
}

/// One call of `propose` or `observe`: the tables with the call's context. All functions are safe because the context
/// and every handle obtained with it live as long as `'s`, and because the host checks handles and extents.
pub(crate) struct Call<'s> {
    tables: &'s Tables,
    ctx: *mut gw_context,
    /// What the host fills when a service fails.
    error: &'s RefCell<gw_error>,
    call: PhantomData<&'s mut gw_context>,
}

#[cold]
fn missing(function: &str, id: &str) -> Error {
    Error::with_code(
        GW_NOT_GRANTED,
        format!(
            "the host offers no `{function}` in {id}; name the service in the strategy's INFO, or use a newer host"
        ),
    )
}

#[inline]
fn status(code: i32, error: &gw_error, function: &str) -> Result {
    if code == GW_OK { Ok(()) } else { Err(failure(code, error, function)) }
}

#[cold]
fn failure(code: i32, error: &gw_error, function: &str) -> Error {
    let text = error.to_text();
    let text = if text.is_empty() { format!("failed with status {code}") } else { text };
    // The host may have put the function's name in front already.
    let text = if text.starts_with(function) { text } else { format!("{function}: {text}") };
    Error::with_code(code, text)
}

/// Calls `function` of a table with the context, the arguments and an error record.
macro_rules! call {
    ($self:ident, $table:ident: $type:ident, $id:expr, $function:ident($($argument:expr),* $(,)?)) => {{
        // SAFETY: the table is null or the host's static one.
        match unsafe { covered!($self.tables.$table, $type, $function) } {
            Some(Some(function)) => {
                let mut error = $self.error.borrow_mut();
                error.clear();
                // SAFETY: the context is that of the call under way; pointers among the arguments live during it.
                let code = unsafe { function($self.ctx, $($argument,)* &mut *error) };
                status(code, &error, stringify!($function))
            }
            _ => Err(missing(stringify!($function), $id)),
        }
    }};
}

macro_rules! tensors {
    ($self:ident, $($call:tt)*) => { call!($self, tensors: gw_tensors, GW_EXT_TENSORS, $($call)*) };
}

macro_rules! ops {
    ($self:ident, $($call:tt)*) => { call!($self, ops: gw_ops, GW_EXT_OPS, $($call)*) };
}

/// Where a draw stands in the stream of its step: `site`, `guess`, number of the draw.
pub(crate) type Key = (u32, u32, u32);

impl<'s> Call<'s> {
    /// A call with its context.
    ///
    /// # Safety
    /// `ctx` is the context of a call that lasts at least as long as `'s`, or null where only `log` is used.
    #[inline]
    pub(crate) unsafe fn new(tables: &'s Tables, ctx: *mut gw_context, error: &'s RefCell<gw_error>) -> Self {
        Self { tables, ctx, error, call: PhantomData }
    }

    #[inline]
    pub(crate) fn input(&self, role: u32, site: u32, index: u32) -> Result<gw_tensor> {
        let mut out = GW_NO_TENSOR;
        tensors!(self, input(role, site, index, &mut out)).map(|()| out)
    }

    #[inline]
    pub(crate) fn output(&self, output: u32, site: u32, guess: u32) -> Result<gw_tensor> {
        let mut out = GW_NO_TENSOR;
        tensors!(self, output(output, site, guess, &mut out)).map(|()| out)
    }

    pub(crate) fn set_seed(&self, site: u32, guess: u32, seed: u64) -> Result {
        tensors!(self, set_seed(site, guess, seed))
    }

    pub(crate) fn persistent(&self, index: u32) -> Result<gw_tensor> {
        let mut out = GW_NO_TENSOR;
        tensors!(self, persistent(index, &mut out)).map(|()| out)
    }

    pub(crate) fn shape(&self, tensor: gw_tensor) -> Result<[usize; 2]> {
        let (mut rows, mut columns) = (0, 0);
        tensors!(self, shape(tensor, &mut rows, &mut columns)).map(|()| [rows as usize, columns as usize])
    }

    #[inline]
    pub(crate) fn reshape(&self, tensor: gw_tensor, rows: usize, columns: usize) -> Result<gw_tensor> {
        let mut out = GW_NO_TENSOR;
        tensors!(self, reshape(tensor, rows as u64, columns as u64, &mut out)).map(|()| out)
    }

    pub(crate) fn rows(&self, tensor: gw_tensor, start: usize, count: usize) -> Result<gw_tensor> {
        let mut out = GW_NO_TENSOR;
        tensors!(self, rows(tensor, start as u64, count as u64, &mut out)).map(|()| out)
    }

    /// First element of a tensor on the CPU and the number of elements, checked against `bits` an element.
    pub(crate) fn data(&self, tensor: gw_tensor, bits: u8) -> Result<(*mut c_void, usize)> {
        let mut out = DLTensor {
            data: ptr::null_mut(),
            device: DLDevice { device_type: 0, device_id: 0 },
            ndim: 0,
            dtype: DLDataType { code: 0, bits: 0, lanes: 0 },
            shape: ptr::null(),
            strides: ptr::null(),
            byte_offset: 0,
        };
        tensors!(self, data(tensor, &mut out))?;
        if out.device.device_type != 1 {
            return Err(Error::unsupported("the tensor is not in host memory; use operations, or declare `cpu_only`"));
        }
        if out.dtype != (DLDataType { code: 2, bits, lanes: 1 }) {
            let dtype = out.dtype;
            return Err(Error::unsupported(format!("the tensor's elements have {} bits, not {bits}", dtype.bits)));
        }
        let [rows, columns] = self.shape(tensor)?;
        let count = rows * columns;
        let data = out.data.wrapping_byte_add(out.byte_offset as usize);
        let bytes = usize::from(bits) / 8;
        if count > 0 && (data.is_null() || !data.addr().is_multiple_of(bytes)) {
            return Err(Error::invalid("the host gave a null or misaligned address"));
        }
        Ok((data, count))
    }

    #[inline]
    pub(crate) fn matmul(
        &self,
        dst: gw_tensor,
        alpha: f64,
        (a, a_transposed): (gw_tensor, bool),
        (b, b_transposed): (gw_tensor, bool),
        beta: f64,
    ) -> Result {
        ops!(self, matmul(dst, alpha, a, a_transposed.into(), b, b_transposed.into(), beta))
    }

    #[inline]
    pub(crate) fn pull_back(&self, site: u32, signals: &[gw_tensor], dst: gw_tensor) -> Result {
        ops!(self, pull_back(site, signals.as_ptr(), signals.len() as u64, dst))
    }

    #[inline]
    pub(crate) fn hadamard(&self, dst: gw_tensor, a: gw_tensor) -> Result {
        ops!(self, hadamard(dst, a))
    }

    pub(crate) fn keep_nonzero(&self, dst: gw_tensor, a: gw_tensor) -> Result {
        ops!(self, keep_nonzero(dst, a))
    }

    pub(crate) fn softmax(&self, dst: gw_tensor, a: gw_tensor) -> Result {
        ops!(self, softmax(dst, a))
    }

    pub(crate) fn one_hot(&self, dst: gw_tensor, classes: gw_tensor) -> Result {
        ops!(self, one_hot(dst, classes))
    }

    pub(crate) fn categorical(&self, dst: gw_tensor, probabilities: gw_tensor, (site, guess, draw): Key) -> Result {
        ops!(self, categorical(dst, probabilities, site, guess, draw))
    }

    pub(crate) fn axpy(&self, dst: gw_tensor, alpha: f64, x: gw_tensor) -> Result {
        ops!(self, axpy(dst, alpha, x))
    }

    pub(crate) fn scale(&self, dst: gw_tensor, alpha: f64) -> Result {
        ops!(self, scale(dst, alpha))
    }

    pub(crate) fn row_scale(&self, dst: gw_tensor, factors: gw_tensor) -> Result {
        ops!(self, row_scale(dst, factors))
    }

    pub(crate) fn dot(&self, a: gw_tensor, b: gw_tensor) -> Result<f64> {
        let mut out = f64::NAN;
        ops!(self, dot(a, b, &mut out)).map(|()| out)
    }

    pub(crate) fn row_dot(&self, dst: gw_tensor, a: gw_tensor, b: gw_tensor) -> Result {
        ops!(self, row_dot(dst, a, b))
    }

    pub(crate) fn column_sum(&self, dst: gw_tensor, a: gw_tensor) -> Result {
        ops!(self, column_sum(dst, a))
    }

    pub(crate) fn add_row(&self, dst: gw_tensor, alpha: f64, row: gw_tensor) -> Result {
        ops!(self, add_row(dst, alpha, row))
    }

    pub(crate) fn copy(&self, dst: gw_tensor, src: gw_tensor) -> Result {
        ops!(self, copy(dst, src))
    }

    pub(crate) fn fill(&self, dst: gw_tensor, value: f64) -> Result {
        ops!(self, fill(dst, value))
    }

    pub(crate) fn orthonormalise(&self, dst: gw_tensor) -> Result {
        ops!(self, orthonormalise(dst))
    }

    pub(crate) fn svd(&self, a: gw_tensor, u: gw_tensor, s: gw_tensor, v: gw_tensor) -> Result {
        ops!(self, svd(a, u, s, v))
    }

    #[inline]
    pub(crate) fn random_fill(&self, dst: gw_tensor, kind: u32, scale: f64, (site, guess, draw): Key) -> Result {
        call!(self, rng: gw_rng, GW_EXT_RNG, fill(dst, kind, scale, site, guess, draw))
    }

    pub(crate) fn random_draw(&self, kind: u32, (site, guess, draw): Key, start: u64, out: &mut [f64]) -> Result {
        let (pointer, count) = (out.as_mut_ptr(), out.len() as u64);
        call!(self, rng: gw_rng, GW_EXT_RNG, draw(kind, site, guess, draw, start, pointer, count))
    }

    pub(crate) fn loss_at(&self, guess: &[u32], t: &[f64], out: &mut [f64]) -> Result {
        if guess.len() != t.len() || guess.len() != out.len() {
            return Err(Error::invalid("loss_at: as many step lengths and places for results as guesses are needed"));
        }
        let (guess, count, t, out) = (guess.as_ptr(), guess.len() as u64, t.as_ptr(), out.as_mut_ptr());
        call!(self, oracle: gw_oracle, GW_EXT_ORACLE, loss_at(guess, t, count, out))
    }

    pub(crate) fn jvp(&self, guess: &[u32], out: &mut [f64]) -> Result {
        if guess.len() != out.len() {
            return Err(Error::invalid("jvp: as many places for results as guesses are needed"));
        }
        let (guess, count, out) = (guess.as_ptr(), guess.len() as u64, out.as_mut_ptr());
        call!(self, oracle: gw_oracle, GW_EXT_ORACLE, jvp(guess, count, out))
    }

    pub(crate) fn logit_tangent(&self, moved: &[gw_tensor], dst: gw_tensor) -> Result {
        call!(self, oracle: gw_oracle, GW_EXT_ORACLE, logit_tangent(moved.as_ptr(), moved.len() as u64, dst))
    }

    #[inline]
    pub(crate) fn scratch(&self, rows: usize, columns: usize) -> Result<gw_tensor> {
        let mut out = GW_NO_TENSOR;
        call!(self, scratch: gw_scratch, GW_EXT_SCRATCH, matrix(rows as u64, columns as u64, &mut out)).map(|()| out)
    }

    pub(crate) fn scalar(&self, name: &str, value: f64) -> Result {
        // SAFETY: the table is null or the host's static one.
        match unsafe { covered!(self.tables.metrics, gw_metrics, scalar) } {
            Some(Some(scalar)) => {
                // SAFETY: the context is that of the call under way; the name lives during it.
                let code = unsafe { scalar(self.ctx, gw_str::new(name), value) };
                status(code, &gw_error::empty(), "scalar")
            }
            _ => Err(missing("scalar", GW_EXT_METRICS)),
        }
    }

    pub(crate) fn series(&self, name: &str, values: &[f64]) -> Result {
        // SAFETY: the table is null or the host's static one.
        match unsafe { covered!(self.tables.metrics, gw_metrics, series) } {
            Some(Some(series)) => {
                // SAFETY: the context is that of the call under way; name and values live during it.
                let code = unsafe { series(self.ctx, gw_str::new(name), values.as_ptr(), values.len() as u64) };
                status(code, &gw_error::empty(), "series")
            }
            _ => Err(missing("series", GW_EXT_METRICS)),
        }
    }

    pub(crate) fn log(&self, level: u32, text: &str) {
        // SAFETY: the table is null or the host's static one.
        if let Some(Some(write)) = unsafe { covered!(self.tables.log, gw_log, write) } {
            // SAFETY: the context is null or that of the call under way; the text lives during it. A message that the
            // host does not take is no failure of the strategy.
            let _ = unsafe { write(self.ctx, level, gw_str::new(text)) };
        }
    }

    pub(crate) fn cancelled(&self) -> bool {
        // SAFETY: the table is null or the host's static one; the context is that of the call under way.
        unsafe {
            match covered!(self.tables.control, gw_control, cancelled) {
                Some(Some(cancelled)) => cancelled(self.ctx) != 0,
                _ => false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shorter_record_hides_its_later_fields() {
        let mut step = gw_step {
            struct_size: 32,
            ctx: ptr::null_mut(),
            step: 7,
            site: 3,
            guesses: 1,
            batch: 5,
            progress: 0.5,
            oracle_budget: 2.0,
            signals: ptr::null(),
            inputs: ptr::null(),
            inputs_count: 0,
        };
        // SAFETY: a valid record.
        unsafe {
            assert_eq!(covered!(&step, gw_step, site), Some(3));
            assert_eq!(covered!(&step, gw_step, batch), None);
            step.struct_size = 1 << 20;
            assert_eq!(covered!(&step, gw_step, oracle_budget), Some(2.0));
            assert_eq!(covered!(ptr::null::<gw_step>(), gw_step, site), None);
        }
    }
}
