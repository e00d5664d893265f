//! `gw.tensors/1`: inputs by role, outputs, persistent matrices, views and memory.
#![allow(unsafe_code)]

use super::{Problem, Reply, place, serve};
use crate::kernel;
use crate::strategy::context::{Phase, State};
use crate::strategy::grants::Roles;
use crate::strategy::guarded::fingerprint;
use crate::strategy::handles::Label;
use candle_core::{DType, Device, Tensor};
use guesswork_plugin::abi::{self, DLDataType, DLDevice, DLTensor, gw_context, gw_error, gw_tensor, gw_tensors};
use std::borrow::Cow;

/// The table.
pub(in crate::strategy) static TABLE: gw_tensors = gw_tensors {
    struct_size: size_of::<gw_tensors>() as u64,
    input: Some(input),
    output: Some(output),
    set_seed: Some(set_seed),
    persistent: Some(persistent),
    shape: Some(shape),
    reshape: Some(reshape),
    rows: Some(rows),
    data: Some(data),
};

unsafe extern "C" fn input(
    ctx: *mut gw_context,
    role: u32,
    site: u32,
    index: u32,
    out: *mut gw_tensor,
    err: *mut gw_error,
) -> i32 {
    let service = |state: &mut State<'_>| {
        // SAFETY: the interface: writable memory for a handle.
        let out = unsafe { place(out)? };
        let (tensor, label) = find(state, role, site, index)?;
        out.put(state.handles.add(&tensor, false, label)?);
        Ok(())
    };
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { serve(ctx, err, "input", None, service) }
}

/// The tensor of a role, and what it is called.
fn find<'a>(state: &State<'a>, role: u32, site: u32, index: u32) -> Reply<(Cow<'a, Tensor>, Label)> {
    let prepared = state.prepared;
    if !prepared.plan.granted.has(role) {
        let name = Roles::name(role);
        let text = format!("the input {name} was not granted; name it in the strategy's needs or wants");
        return Err(Problem::not_granted(text));
    }
    if role >= abi::GW_ROLE_COUNT {
        return Err(Problem::invalid(format!("the input {} is not known to this host", Roles::name(role))));
    }
    let absent = || Problem::state(format!("the input {} does not exist in this run or step", Roles::name(role)));
    let graph = state.tape.graph();
    // An output has its own scores and error; anywhere else the logits' are meant.
    let output = || {
        let own = graph.sites.get(site as usize).and_then(|place| place.output);
        let output = own.unwrap_or(graph.outputs.len() - 1);
        let scored = graph.nodes[graph.outputs[output]].site.ok_or_else(absent)?;
        exists(state, scored, role)?;
        Ok::<_, Problem>((output, scored))
    };
    match role {
        abi::GW_ROLE_LOGITS => {
            let (_, scored) = output()?;
            return Ok((Cow::Borrowed(state.tape.pre_activation(scored)), Label::Input(role, None)));
        }
        abi::GW_ROLE_OUTPUT_ERROR => {
            let error = state.inputs.output_errors.get(output()?.0).ok_or_else(absent)?;
            return Ok((Cow::Borrowed(error), Label::Input(role, None)));
        }
        abi::GW_ROLE_LABELS => {
            let labels = state.inputs.labels.ok_or_else(absent)?;
            return Ok((Cow::Borrowed(labels), Label::Input(role, None)));
        }
        _ => {}
    }
    let number = site as usize;
    let Some(view) = prepared.sites.get(number) else {
        return Err(Problem::invalid(format!("there is no site {site}; the model has {}", prepared.sites.len())));
    };
    let label = Label::Input(role, Some(number));
    let tape = state.tape;
    let parameter = |list: &'a [Tensor], part: usize| match list.get(view.first_parameter + part) {
        Some(tensor) if part < view.shapes.len() => Ok(Cow::Borrowed(tensor)),
        _ => Err(Problem::invalid(format!("site `{}` has no bias", view.name))),
    };
    let part = match index {
        0 | 1 => index as usize,
        _ => return Err(Problem::invalid(format!("index is {index}, expected 0 (weight) or 1 (bias)"))),
    };
    let earlier = |list: Option<&'a [Tensor]>| match list {
        Some(list) => parameter(list, part),
        None => Ok(Cow::Owned(parameter(state.theta, part)?.zeros_like()?)),
    };
    let tensor = match role {
        abi::GW_ROLE_WEIGHT => parameter(state.theta, 0)?,
        abi::GW_ROLE_BIAS => parameter(state.theta, 1)?,
        abi::GW_ROLE_PREVIOUS_ESTIMATE => earlier(state.inputs.previous_estimate)?,
        abi::GW_ROLE_PREVIOUS_UPDATE => earlier(state.inputs.previous_update)?,
        abi::GW_ROLE_GRADIENT => parameter(state.inputs.gradient.ok_or_else(absent)?, part)?,
        _ => {
            exists(state, number, role)?;
            match role {
                abi::GW_ROLE_INPUT => {
                    let node = tape.graph().sites[number].node;
                    let layer = &tape.graph().nodes[node].layer;
                    let rows = tape.at(state.theta, node, |at| Ok(layer.rows(at).cloned()))?;
                    Cow::Owned(rows.ok_or_else(absent)?)
                }
                abi::GW_ROLE_PRE_ACTIVATION if !tape.keeps_pre_activation(number) => return Err(absent()),
                abi::GW_ROLE_PRE_ACTIVATION => Cow::Borrowed(tape.pre_activation(number)),
                abi::GW_ROLE_ACTIVATION => Cow::Borrowed(tape.activation(number)),
                _ => match (tape.derivative(number), &prepared.ones[number]) {
                    (Some(derivative), _) => Cow::Borrowed(derivative),
                    (None, Some(ones)) => Cow::Borrowed(ones),
                    (None, None) => return Err(absent()),
                },
            }
        }
    };
    Ok((tensor, label))
}

/// Refuses values of a site that this step's forward pass has not reached: they are those of the step before.
fn exists(state: &State<'_>, site: usize, role: u32) -> Reply<()> {
    let Some(ready) = state.ready else { return Ok(()) };
    let place = &state.tape.graph().sites[site];
    if place.activation.unwrap_or(place.node) <= ready {
        return Ok(());
    }
    let (site, name) = (&state.prepared.sites[site].name, Roles::name(role));
    Err(Problem::state(format!("the {name} of site `{site}` does not exist yet; plan call mode model to read it")))
}

unsafe extern "C" fn output(
    ctx: *mut gw_context,
    output: u32,
    site: u32,
    guess: u32,
    out: *mut gw_tensor,
    err: *mut gw_error,
) -> i32 {
    let service = |state: &mut State<'_>| {
        // SAFETY: the interface: writable memory for a handle.
        let out = unsafe { place(out)? };
        let outputs = own_site(state, site)?;
        let Some(matrix) = outputs.ask(output, site as usize, guess as usize) else {
            let (name, guesses) = (&state.prepared.sites[site as usize].name, outputs.guesses());
            let offered = outputs.offered();
            let text = format!(
                "no output {output} for guess {guess} at site `{name}`: there is {offered}, guess 0 to {}",
                guesses - 1
            );
            return Err(Problem::invalid(text));
        };
        let label = Label::Output(site as usize);
        out.put(state.handles.add(matrix, state.phase == Phase::Propose, label)?);
        Ok(())
    };
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { serve(ctx, err, "output", None, service) }
}

/// The outputs, when the call is the one that writes `site`.
fn own_site<'a>(state: &State<'a>, site: u32) -> Reply<&'a crate::strategy::Outputs> {
    let Some(outputs) = state.outputs else { return Err(Problem::state("this call has no outputs")) };
    let sites = state.prepared.sites.len();
    if site as usize >= sites {
        return Err(Problem::invalid(format!("there is no site {site}; the model has {sites}")));
    }
    match state.site {
        Some(own) if own != site as usize => Err(Problem::state(format!(
            "this call writes site {own}, not {site}; plan call mode model to write all at once"
        ))),
        _ => Ok(outputs),
    }
}

unsafe extern "C" fn set_seed(ctx: *mut gw_context, site: u32, guess: u32, seed: u64, err: *mut gw_error) -> i32 {
    let service = |state: &mut State<'_>| {
        if state.phase != Phase::Propose {
            return Err(Problem::state("seeds are set during propose"));
        }
        let outputs = own_site(state, site)?;
        if outputs.set_seed(site as usize, guess as usize, seed) {
            return Ok(());
        }
        Err(Problem::invalid(format!("no seed for guess {guess} at site {site}: there is {}", outputs.offered())))
    };
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { serve(ctx, err, "set_seed", None, service) }
}

unsafe extern "C" fn persistent(ctx: *mut gw_context, index: u32, out: *mut gw_tensor, err: *mut gw_error) -> i32 {
    let service = |state: &mut State<'_>| {
        // SAFETY: the interface: writable memory for a handle.
        let out = unsafe { place(out)? };
        let all = &state.prepared.persistent;
        let Some((_, guarded)) = all.get(index as usize) else {
            return Err(Problem::invalid(format!("there is no persistent matrix {index}; the plan has {}", all.len())));
        };
        out.put(state.handles.add(guarded.tensor(), true, Label::Persistent(index as usize))?);
        Ok(())
    };
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { serve(ctx, err, "persistent", None, service) }
}

unsafe extern "C" fn shape(
    ctx: *mut gw_context,
    tensor: gw_tensor,
    rows: *mut u64,
    columns: *mut u64,
    err: *mut gw_error,
) -> i32 {
    let service = |state: &mut State<'_>| {
        // SAFETY: the interface: writable memory for two extents.
        let (rows, columns) = unsafe { (place(rows)?, place(columns)?) };
        let (m, n) = state.handles.get(tensor)?.extents;
        rows.put(m as u64);
        columns.put(n as u64);
        Ok(())
    };
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { serve(ctx, err, "shape", None, service) }
}

unsafe extern "C" fn reshape(
    ctx: *mut gw_context,
    tensor: gw_tensor,
    rows: u64,
    columns: u64,
    out: *mut gw_tensor,
    err: *mut gw_error,
) -> i32 {
    let service = |state: &mut State<'_>| {
        // SAFETY: the interface: writable memory for a handle.
        let out = unsafe { place(out)? };
        let (m, n) = state.handles.get(tensor)?.extents;
        if rows.checked_mul(columns) != Some((m * n) as u64) {
            return Err(Problem::invalid(format!("{m}×{n} cannot be seen as {rows}×{columns}")));
        }
        out.put(state.handles.add_reshaped(tensor, rows as usize, columns as usize)?);
        Ok(())
    };
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { serve(ctx, err, "reshape", None, service) }
}

unsafe extern "C" fn rows(
    ctx: *mut gw_context,
    tensor: gw_tensor,
    start: u64,
    count: u64,
    out: *mut gw_tensor,
    err: *mut gw_error,
) -> i32 {
    let service = |state: &mut State<'_>| {
        // SAFETY: the interface: writable memory for a handle.
        let out = unsafe { place(out)? };
        let (m, n) = state.handles.get(tensor)?.extents;
        if count == 0 || start.checked_add(count).is_none_or(|end| end > m as u64) {
            return Err(Problem::invalid(format!("{count} rows from row {start} on do not lie in {m}×{n}")));
        }
        out.put(state.handles.add_rows(tensor, start as usize, count as usize)?);
        Ok(())
    };
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { serve(ctx, err, "rows", None, service) }
}

unsafe extern "C" fn data(ctx: *mut gw_context, tensor: gw_tensor, out: *mut DLTensor, err: *mut gw_error) -> i32 {
    let service = |state: &mut State<'_>| {
        // SAFETY: the interface: writable memory for a DLTensor.
        let out = unsafe { place(out)? };
        let scan = state.scan;
        let entry = state.handles.get_mut(tensor)?;
        let (rows, columns) = entry.extents;
        let Some((pointer, _)) = kernel::cpu_pointer(&entry.tensor) else {
            let device = match entry.tensor.device() {
                Device::Cpu => "the host in a type that has no address",
                Device::Cuda(_) => "a CUDA device",
                Device::Metal(_) => "a Metal device",
            };
            let text = format!("the matrix lives on {device}, whose addresses are not given out; use gw.ops");
            return Err(Problem::unsupported(text));
        };
        let extents = entry.strided.get_or_insert_with(|| {
            let (rows, columns) = (rows as i64, columns as i64);
            Box::new([rows, columns, columns, 1])
        });
        let bits = if entry.tensor.dtype() == DType::F64 { 64 } else { 32 };
        out.put(DLTensor {
            data: pointer.cast(),
            device: DLDevice { device_type: 1, device_id: 0 },
            ndim: 2,
            dtype: DLDataType { code: 2, bits, lanes: 1 },
            shape: extents.as_ptr(),
            strides: extents[2..].as_ptr(),
            byte_offset: 0,
        });
        if entry.give_address() && scan && !entry.writable {
            let watched = fingerprint(&entry.tensor).map(|hash| (entry.label, entry.tensor.clone(), hash));
            state.watched.extend(watched);
        }
        Ok(())
    };
    // SAFETY: the plugin passes its call's context and an error record.
    unsafe { serve(ctx, err, "data", None, service) }
}
