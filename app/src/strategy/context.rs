//! What stands behind `gw_context`: the call under way, as the services see it.
//!
//! The record a plugin gets a pointer to belongs to its instance and lives as long; the state of a call is hung into it
//! when the call begins and taken out when it returns. So a context that a plugin kept is refused, not followed.
#![allow(unsafe_code)]

use super::account::Account;
use super::call::{Call, Oracle};
use super::draws::Draws;
use super::events::Events;
use super::guarded::{Guarded, fingerprint};
use super::handles::{Handles, Label};
use super::outputs::Outputs;
use super::plan::Plan;
use super::scratch::Kept;
use super::services::{Problem, Reply};
use super::sites::SiteView;
use crate::model::{Graph, Tape};
use candle_core::Tensor;
use guesswork_plugin::abi::gw_context;
use std::cell::RefCell;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// First word of every context, so that another pointer given in its place is noticed.
const MAGIC: u64 = 0x6775_6573_7377_6b31;

/// The record behind `gw_context`.
#[derive(Debug)]
pub(super) struct Context {
    magic: u64,
    active: AtomicPtr<()>,
    thread: AtomicUsize,
    /// Metrics and messages of the instance.
    pub events: Mutex<Events>,
    /// What was asked of the services.
    pub account: Account,
    /// Set from outside when the run is to end.
    cancelled: Mutex<Arc<AtomicBool>>,
}

/// Which function of the plugin is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// `propose`.
    Propose,
    /// `observe`.
    Observe,
}

impl Phase {
    /// The function.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Propose => "propose",
            Self::Observe => "observe",
        }
    }
}

/// What an instance knows since `prepare`.
#[derive(Debug)]
pub(super) struct Prepared {
    pub plan: Plan,
    pub sites: Arc<[SiteView]>,
    pub batch: usize,
    pub guesses: usize,
    pub seed: u64,
    pub instance: u64,
    /// Persistent matrices by name.
    pub persistent: Vec<(String, Guarded)>,
    /// M_l where no activation follows: ones.
    pub ones: Vec<Option<Tensor>>,
    /// Of each site, whether the way back to it passes nothing that the call for it could find unmade, in call mode `layer`.
    pub clear: Vec<bool>,
    /// FLOP of a tangent of the whole network, for the batch.
    pub tangent_flop: u64,
}

/// The call under way.
pub(super) struct State<'a> {
    pub phase: Phase,
    pub prepared: &'a Prepared,
    pub tape: &'a Tape,
    pub theta: &'a [Tensor],
    pub step: u64,
    pub site: Option<usize>,
    /// What is added to the numbers of guesses in the keys of draws.
    pub first_guess: u32,
    /// Last node of the graph whose values of this step exist; `None` when all do.
    pub ready: Option<usize>,
    pub inputs: &'a super::call::Inputs<'a>,
    pub outputs: Option<&'a Outputs>,
    pub oracle: Option<&'a mut dyn Oracle>,
    pub oracle_left: f64,
    pub handles: Handles<'a>,
    pub scratch: &'a mut Kept,
    pub draws: Option<&'a Draws>,
    pub events: &'a Mutex<Events>,
    /// What was asked of the services.
    pub account: &'a Account,
    /// Whether inputs whose address is given out are compared after the call.
    pub scan: bool,
    pub watched: Vec<(Label, Tensor, u64)>,
}

/// Last node whose values of this step exist in the call for `site`, in call mode `layer`.
pub(super) fn ready(graph: &Graph, site: usize) -> usize {
    let place = &graph.sites[site];
    place.activation.unwrap_or(place.node)
}

impl<'a> State<'a> {
    /// The state of a call of `propose`.
    pub fn new(
        call: &'a mut Call<'_>,
        phase: Phase,
        prepared: &'a Prepared,
        handles: Handles<'a>,
        scratch: &'a mut Kept,
        context: &'a Context,
    ) -> Self {
        let ready = call.site.map(|site| ready(call.tape.graph(), site));
        Self {
            phase,
            prepared,
            tape: call.tape,
            theta: call.theta,
            step: call.step,
            site: call.site,
            first_guess: call.first_guess as u32,
            ready,
            inputs: &call.inputs,
            outputs: call.outputs.as_deref(),
            oracle: match &mut call.oracle {
                Some(oracle) => Some(&mut **oracle),
                None => None,
            },
            oracle_left: prepared.plan.oracle_budget,
            handles,
            scratch,
            draws: None,
            events: &context.events,
            account: &context.account,
            scan: false,
            watched: Vec::new(),
        }
    }

    /// The first input whose memory is not what it was when its address was given out.
    #[inline]
    pub fn changed_input(&self) -> Option<String> {
        if self.watched.is_empty() {
            return None;
        }
        let changed = self.watched.iter().find(|(_, tensor, before)| fingerprint(tensor) != Some(*before));
        changed.map(|(label, ..)| self.handles.describe(*label))
    }
}

/// A number that tells threads apart.
#[inline]
fn this_thread() -> usize {
    thread_local! { static MARK: u8 = const { 0 } }
    MARK.with(|mark| ptr::from_ref(mark).addr())
}

impl Context {
    /// A context with no call under way.
    pub fn new() -> Self {
        Self {
            magic: MAGIC,
            active: AtomicPtr::new(ptr::null_mut()),
            thread: AtomicUsize::new(0),
            events: Mutex::default(),
            account: Account::default(),
            cancelled: Mutex::default(),
        }
    }

    /// Takes the flag that says whether the run is to end.
    pub fn set_cancelled(&self, flag: &Arc<AtomicBool>) {
        *self.cancelled.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(flag);
    }

    /// Whether the run is to end.
    pub fn cancelled(&self) -> bool {
        self.cancelled.lock().unwrap_or_else(PoisonError::into_inner).load(Ordering::Relaxed)
    }

    /// Runs `call` with `state` hung in.
    pub fn during<'a, R>(&self, state: &mut State<'a>, call: impl FnOnce(*mut gw_context) -> R) -> R {
        struct Leave<'c>(&'c Context);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.active.store(ptr::null_mut(), Ordering::Release);
            }
        }
        let cell = RefCell::new(state);
        self.thread.store(this_thread(), Ordering::Relaxed);
        self.active.store(ptr::from_ref(&cell).cast_mut().cast(), Ordering::Release);
        let leave = Leave(self);
        let result = call(ptr::from_ref(self).cast_mut().cast());
        drop(leave);
        result
    }
}

/// The instance's record behind `ctx`.
///
/// # Safety
/// `ctx` is null, or leads to at least eight readable bytes; a context lives as long as its instance.
pub(super) unsafe fn context<'a>(ctx: *mut gw_context) -> Reply<&'a Context> {
    let context = ctx.cast::<Context>();
    // SAFETY: not null and aligned, and the caller promises that the first word can be read.
    if context.is_null() || !context.is_aligned() || unsafe { ptr::addr_of!((*context).magic).read() } != MAGIC {
        return Err(Problem::invalid("the context is null or none; pass on `ctx` of gw_step"));
    }
    // SAFETY: a context, which lives as long as the instance; shared access only.
    Ok(unsafe { &*context })
}

/// Calls `service` with the call under way in `ctx`.
///
/// # Errors
/// When there is none, or it belongs to another thread, or a service calls back into services.
///
/// # Safety
/// As [`context`].
pub(super) unsafe fn enter<R>(ctx: *mut gw_context, service: impl FnOnce(&mut State<'_>) -> Reply<R>) -> Reply<R> {
    // SAFETY: the caller's promise.
    let context = unsafe { context(ctx)? };
    let active = context.active.load(Ordering::Acquire);
    if active.is_null() {
        return Err(Problem::state("no call is under way; services answer only during propose and observe"));
    }
    if context.thread.load(Ordering::Relaxed) != this_thread() {
        return Err(Problem::state("the service was called from another thread than propose"));
    }
    // SAFETY: `during` hung the cell in and takes it out before it dies; on this thread the call is still under way. The
    // state's own lifetime is shortened to this function's: `service` takes it for every lifetime, so that it can
    // neither keep parts of it nor put shorter-lived ones in.
    let cell = unsafe { &*active.cast::<RefCell<&mut State<'_>>>() };
    match cell.try_borrow_mut() {
        Ok(mut state) => service(&mut state),
        Err(_) => Err(Problem::state("a service was called from inside a service")),
    }
}

/// Adds to the events of an instance.
pub(super) fn with_events<R>(events: &Mutex<Events>, add: impl FnOnce(&mut Events) -> R) -> R {
    add(&mut events.lock().unwrap_or_else(PoisonError::into_inner))
}
