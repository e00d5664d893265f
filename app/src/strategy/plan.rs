//! What a plugin decided in `prepare`, read back and checked.
#![allow(unsafe_code)]

use super::grants::{Roles, Services};
use super::info::Kind;
use super::read::{array, string, unknown_flags};
use super::sites::SiteView;
use guesswork_plugin::abi::{self, gw_plan};

/// Most elements of one scratch or persistent matrix, and of all scratch of a call.
pub(super) const LARGEST: u64 = 1 << 33;
/// Most forward equivalents of oracles a step.
const MOST_ORACLE: f64 = 1e9;

/// When `propose` is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallMode {
    /// For each site, as soon as S_l, X_l and M_l exist.
    Layer,
    /// Once, after the whole forward pass.
    Model,
}

/// Where a signal guess is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalAt {
    /// At the pre-activation, mask included.
    PreActivation,
    /// At the activation: the host multiplies it by M_l.
    Activation,
}

/// How a weight direction is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Dense.
    Dense,
    /// V_l = U Rᵀ with factors of this rank, and a dense bias part.
    Factors(usize),
    /// A seed for each site and guess.
    Seed,
}

/// A matrix that the host keeps for the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Persistent {
    /// Name in checkpoints.
    pub name: String,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
}

/// A checked plan, with what the run granted.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What the strategy writes.
    pub kind: Kind,
    /// When `propose` is called.
    pub call_mode: CallMode,
    /// Where a signal guess is given.
    pub signal_at: SignalAt,
    /// How a weight direction is given.
    pub direction: Direction,
    /// Scratch elements a call may take without a remark.
    pub scratch: usize,
    /// Persistent matrices.
    pub persistent: Vec<Persistent>,
    /// Forward equivalents a step may spend on oracles.
    pub oracle_budget: f64,
    /// Inputs granted: the run must supply these with every call.
    pub granted: Roles,
    /// Services that are used.
    pub services: Services,
    /// Whether it makes the guesses of a step one without the other, so that they can be asked for a few at a time.
    pub independent: bool,
    /// Whether the granted inputs suffice to build the true gradient.
    pub gradient_capable: bool,
}

/// A plan as it goes to `prepare`: the defaults that the interface states.
pub(super) fn default_plan(services: Services) -> gw_plan {
    gw_plan {
        struct_size: size_of::<gw_plan>() as u64,
        call_mode: abi::GW_CALL_LAYER,
        signal_at: abi::GW_AT_PRE_ACTIVATION,
        direction: abi::GW_DIRECTION_DENSE,
        rank: 1,
        flags: 0,
        scratch: 0,
        persistent: std::ptr::null(),
        persistent_count: 0,
        persistent_stride: 0,
        oracle_budget: 0.0,
        services: services.0,
    }
}

/// Checks what came back.
///
/// # Errors
/// A sentence that names the field, what it holds and what is expected.
///
/// # Safety
/// The pointers in `plan` are null or lead where the interface says; the instance is prepared.
pub(super) unsafe fn read_plan(
    plan: &gw_plan,
    kind: Kind,
    granted: Roles,
    services: Services,
    sites: &[SiteView],
) -> Result<Plan, String> {
    let bits = unknown_flags(plan.flags, 0);
    if bits != 0 {
        return Err(format!("it sets the must-understand flags {bits:#x}, which this host does not know"));
    }
    let call_mode = match plan.call_mode {
        abi::GW_CALL_LAYER => CallMode::Layer,
        abi::GW_CALL_MODEL => CallMode::Model,
        other => return Err(format!("call_mode is {other}, expected GW_CALL_LAYER or GW_CALL_MODEL")),
    };
    let signal_at = match plan.signal_at {
        abi::GW_AT_PRE_ACTIVATION => SignalAt::PreActivation,
        abi::GW_AT_ACTIVATION => SignalAt::Activation,
        other => return Err(format!("signal_at is {other}, expected GW_AT_PRE_ACTIVATION or GW_AT_ACTIVATION")),
    };
    let direction = match plan.direction {
        abi::GW_DIRECTION_DENSE => Direction::Dense,
        abi::GW_DIRECTION_FACTORS => {
            let largest = sites.iter().map(|site| site.weight[0].max(site.weight[1])).max().unwrap_or(0);
            if plan.rank == 0 || plan.rank as usize > largest {
                return Err(format!("rank is {}, expected 1 to {largest}, the longest side of a weight", plan.rank));
            }
            Direction::Factors(plan.rank as usize)
        }
        abi::GW_DIRECTION_SEED => Direction::Seed,
        other => return Err(format!("direction is {other}, expected one of GW_DIRECTION_*")),
    };
    let extra = Services(plan.services).without(services);
    if !extra.is_empty() {
        return Err(format!("it uses the service {extra}, which was not granted"));
    }
    let services = Services(plan.services);
    if plan.scratch > LARGEST {
        return Err(format!("scratch is {} elements; at most {LARGEST} can be", plan.scratch));
    }
    let budget = plan.oracle_budget;
    if !(0.0..=MOST_ORACLE).contains(&budget) {
        return Err(format!("oracle_budget is {budget}, expected 0 to {MOST_ORACLE} forward equivalents"));
    }
    if budget > 0.0 && !services.has(abi::GW_SERVICE_ORACLE) {
        return Err("it plans an oracle budget without the service oracle".into());
    }
    if budget > 0.0 && call_mode == CallMode::Layer {
        return Err("it plans an oracle budget in call mode layer; oracles answer only in call mode model".into());
    }
    let independent = plan.flags & abi::GW_PLAN_INDEPENDENT != 0;
    if budget > 0.0 && independent {
        return Err(
            "it plans an oracle budget, which is a step's, for guesses that may be asked for in several calls \
                    (GW_PLAN_INDEPENDENT)"
                .into(),
        );
    }
    // SAFETY: the caller's promise.
    let persistent = unsafe { persistent(plan)? };
    let gradient_capable = super::grants::gradient_capable(granted);
    let scratch = plan.scratch as usize;
    let oracle_budget = budget;
    Ok(Plan {
        kind,
        call_mode,
        signal_at,
        direction,
        scratch,
        persistent,
        oracle_budget,
        granted,
        services,
        independent,
        gradient_capable,
    })
}

unsafe fn persistent(plan: &gw_plan) -> Result<Vec<Persistent>, String> {
    // SAFETY: the array of the plan, or null.
    let records = unsafe { array(plan.persistent, plan.persistent_count, plan.persistent_stride, "the plan") };
    let mut matrices: Vec<Persistent> = Vec::new();
    for (index, record) in records.map_err(|refusal| refusal.to_string())?.iter().enumerate() {
        let what = format!("the name of persistent matrix {index}");
        // SAFETY: a string of the plan.
        let name = unsafe { string(record.name, &what) }.map_err(|refusal| refusal.to_string())?;
        if name.is_empty() || matrices.iter().any(|other| other.name == name) {
            return Err(format!("{what} is `{name}`; names must be there and differ"));
        }
        let count = record.rows.checked_mul(record.columns).filter(|count| (1..=LARGEST).contains(count));
        if count.is_none() {
            let (rows, columns) = (record.rows, record.columns);
            return Err(format!(
                "the persistent matrix `{name}` is {rows}×{columns}, expected 1 to {LARGEST} elements"
            ));
        }
        matrices.push(Persistent { name, rows: record.rows as usize, columns: record.columns as usize });
    }
    Ok(matrices)
}
