//! One library: loading it, asking its entry, copying what it says of its strategies.
//!
//! A library is never unmapped: its threads and thread-local destructors may outlive every instance. It is initialised
//! once in a process, however often it is found. Whatever is wrong with it becomes a [`Refusal`].
#![allow(unsafe_code)]

use super::fpmode::FpMode;
use super::grants::{Roles, Services};
use super::info::{Kind, StrategyInfo};
use super::params::{ParamKind, ParamSpec};
use super::read::{MOST, array, error_text, record, string, unknown_flags};
use super::refusal::{Refusal, Refused};
use super::{host, image};
use crate::workspace::{BACKPROP, MIXTURE};
use guesswork_plugin::abi::layout::GW_ABI_FINGERPRINT;
use guesswork_plugin::abi::{self, gw_entry, gw_entry_fn, gw_error, gw_param_spec, gw_strategy};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Flags of `gw_entry` that this host understands.
const ENTRY_FLAGS: u64 = abi::GW_ENTRY_DRAFT;
/// Flags of `gw_strategy` that this host understands.
const STRATEGY_FLAGS: u64 = abi::GW_STRATEGY_DETERMINISTIC
    | abi::GW_STRATEGY_STATELESS
    | abi::GW_STRATEGY_LINEAR
    | abi::GW_STRATEGY_DIFFERENCES
    | abi::GW_STRATEGY_UNSCALED;

/// A strategy's functions, and the address it is known by to its library.
pub(super) struct Callable {
    /// A copy of the record: fields that the library does not cover are zero.
    pub record: gw_strategy,
    /// The library's own record.
    pub pointer: *const gw_strategy,
}

// SAFETY: the record is static data of a library that is never unmapped; it is only read.
unsafe impl Send for Callable {}
// SAFETY: as above.
unsafe impl Sync for Callable {}

impl std::fmt::Debug for Callable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Callable({:p})", self.pointer)
    }
}

/// What a library turned out to hold.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Its usable strategies, in its own order.
    pub strategies: Vec<Arc<StrategyInfo>>,
    /// Strategies that cannot be used.
    pub refused: Vec<Refused>,
    /// Things a person should know: the floating-point mode was changed and put back.
    pub notes: Vec<String>,
}

#[derive(Default)]
struct Registry {
    /// By canonical path.
    loaded: BTreeMap<PathBuf, Loaded>,
    /// Addresses of the entries that are initialised: two links to one file give the same.
    initialised: Initialised,
}

/// What came of `init`, by the entry's address.
pub(super) type Initialised = BTreeMap<usize, Result<(), Refusal>>;

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { loaded: BTreeMap::new(), initialised: BTreeMap::new() });

/// Loads the library at `path`. One that is loaded already is kept as it is, even when the file has changed since.
///
/// # Errors
/// Why the whole file cannot be used.
pub fn load(path: &Path) -> Result<Loaded, Refusal> {
    let canonical = path.canonicalize().map_err(|error| Refusal::Unreadable(error.to_string()))?;
    let mut registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(loaded) = registry.loaded.get(&canonical) {
        return Ok(loaded.clone());
    }
    image::check(&canonical)?;
    let mode = FpMode::current();
    let outcome = open(&canonical, path, &mut registry.initialised);
    let changed = mode.restore();
    let mut loaded = outcome?;
    if changed {
        let text = "it changed the floating-point mode when it was loaded (`-ffast-math`?); the mode was put back";
        loaded.notes.push(format!("{}: {text}", path.display()));
    }
    registry.loaded.insert(canonical, loaded.clone());
    Ok(loaded)
}

fn open(canonical: &Path, path: &Path, initialised: &mut Initialised) -> Result<Loaded, Refusal> {
    // SAFETY: running a library's initialisers is what loading a plugin means; the file is a whole library of this
    // machine, and it is never unloaded.
    let library = unsafe { Library::open(Some(canonical), RTLD_NOW | RTLD_LOCAL) };
    let library = ManuallyDrop::new(library.map_err(|error| Refusal::Loader(loader_text(&error, canonical)))?);
    let entry = entry_function(&library)?;
    // SAFETY: the symbol's name carries the major version, and with it the function's type.
    let pointer = unsafe { entry() };
    // SAFETY: the interface: a static record, or null.
    unsafe { describe(pointer, path, initialised) }
}

/// Copies what an entry and its strategies say, and initialises the library when that has not been done.
///
/// # Safety
/// `pointer` is null, or leads to a static entry of a library that is never unmapped.
pub(super) unsafe fn describe(
    pointer: *const gw_entry,
    path: &Path,
    initialised: &mut Initialised,
) -> Result<Loaded, Refusal> {
    // SAFETY: the interface: a static record, or null.
    let record = unsafe { record(pointer, "")? };
    if record.abi_major != abi::GW_ABI_MAJOR {
        return Err(Refusal::Major { found: record.abi_major, expected: abi::GW_ABI_MAJOR });
    }
    let bits = unknown_flags(record.flags, ENTRY_FLAGS);
    if bits != 0 {
        return Err(Refusal::Flags { what: "gw_entry".into(), bits });
    }
    if record.fingerprint != GW_ABI_FINGERPRINT {
        return Err(Refusal::Fingerprint { found: record.fingerprint, expected: GW_ABI_FINGERPRINT });
    }
    let (Some(count), Some(get)) = (record.count, record.get) else {
        return Err(Refusal::malformed("gw_entry", "`count` and `get` must be given"));
    };
    // SAFETY: a static string of the library.
    let sdk = unsafe { string(record.sdk, "sdk of gw_entry")? };
    initialised.entry(pointer.addr()).or_insert_with(|| initialise(&record)).clone()?;
    // SAFETY: the library is initialised.
    let count = unsafe { count() };
    match count {
        0 => return Err(Refusal::Empty),
        1..=MOST => {}
        _ => return Err(Refusal::malformed("gw_entry", format!("{count} strategies; at most {MOST} are taken"))),
    }
    let mut loaded = Loaded::default();
    for index in 0..count {
        // SAFETY: the library is initialised and the index is below its count.
        let pointer = unsafe { get(index) };
        // SAFETY: the interface: a static record, or null.
        match unsafe { strategy(pointer, path, &sdk, (record.abi_major, record.abi_minor)) } {
            Ok(info) => loaded.strategies.push(Arc::new(info)),
            Err((id, reason)) => {
                let strategy = Some(id.unwrap_or_else(|| format!("#{index}")));
                loaded.refused.push(Refused { path: path.to_owned(), strategy, reason });
            }
        }
    }
    Ok(loaded)
}

/// The loader's words, without the file's name in front.
fn loader_text(error: &libloading::Error, path: &Path) -> String {
    let text = match error {
        libloading::Error::DlOpen { source } => source.to_string(),
        other => other.to_string(),
    };
    text.strip_prefix(&format!("{}: ", path.display())).unwrap_or(&text).to_owned()
}

fn entry_function(library: &Library) -> Result<gw_entry_fn, Refusal> {
    // SAFETY: the symbol's name stands for this type of function.
    if let Ok(entry) = unsafe { library.get::<gw_entry_fn>(abi::GW_ENTRY_SYMBOL) } {
        return Ok(*entry);
    }
    let other = (0..32).filter(|&major| major != abi::GW_ABI_MAJOR).find(|major| {
        // SAFETY: the address is only compared with null, never used.
        unsafe { library.get::<*const ()>(format!("gw_plugin_entry_v{major}").as_str()) }.is_ok()
    });
    Err(match other {
        Some(found) => Refusal::Major { found, expected: abi::GW_ABI_MAJOR },
        None => Refusal::NoEntry { symbol: abi::GW_ENTRY_SYMBOL.into() },
    })
}

fn initialise(entry: &gw_entry) -> Result<(), Refusal> {
    let Some(init) = entry.init else { return Ok(()) };
    let mut error = gw_error::empty();
    // SAFETY: called once, before anything else of the library; the host's record is static.
    let code = unsafe { init(host::record(), &mut error) };
    if code == abi::GW_OK { Ok(()) } else { Err(Refusal::Init { code, text: error_text(&error) }) }
}

type StrategyRefusal = (Option<String>, Refusal);

/// Copies what a library says of one strategy.
///
/// # Safety
/// `pointer` is null, or leads to a static record of an initialised library.
unsafe fn strategy(
    pointer: *const gw_strategy,
    path: &Path,
    sdk: &str,
    abi_version: (u32, u32),
) -> Result<StrategyInfo, StrategyRefusal> {
    // SAFETY: the caller's promise.
    let record = unsafe { record(pointer, "") }.map_err(|reason| (None, reason))?;
    // SAFETY: strings of a static record.
    let id = unsafe { string(record.id, "its id") }.map_err(|reason| (None, reason))?;
    if id.trim().is_empty() || id.chars().any(|c| c.is_whitespace() || c.is_control()) {
        let problem = format!("`{}` is empty or holds white space", id.escape_default());
        return Err((None, Refusal::malformed("its id", problem)));
    }
    // SAFETY: as above.
    unsafe { described(record, pointer, id.clone(), path, sdk, abi_version) }.map_err(|reason| (Some(id), reason))
}

/// As [`strategy`], the id being known.
unsafe fn described(
    record: gw_strategy,
    pointer: *const gw_strategy,
    id: String,
    path: &Path,
    sdk: &str,
    abi: (u32, u32),
) -> Result<StrategyInfo, Refusal> {
    if [BACKPROP, MIXTURE].contains(&id.as_str()) {
        return Err(Refusal::Reserved(id));
    }
    let bits = unknown_flags(record.flags, STRATEGY_FLAGS);
    if bits != 0 {
        return Err(Refusal::Flags { what: "gw_strategy".into(), bits });
    }
    let Some(kind) = Kind::read(record.kind) else {
        let problem = format!("{} is no kind this host knows; a newer guesswork may", record.kind);
        return Err(Refusal::malformed("its kind", problem));
    };
    for (name, missing) in [
        ("create", record.create.is_none()),
        ("destroy", record.destroy.is_none()),
        ("prepare", record.prepare.is_none()),
        ("propose", record.propose.is_none()),
    ] {
        if missing {
            return Err(Refusal::malformed("gw_strategy", format!("`{name}` must be given")));
        }
    }
    for (name, mask) in [("dtypes", record.dtypes), ("devices", record.devices)] {
        if mask == 0 {
            return Err(Refusal::malformed("gw_strategy", format!("`{name}` names none")));
        }
    }
    // SAFETY: strings of a static record.
    let text = |field, what: &str| unsafe { string(field, what) };
    let name = text(record.name, "its name")?;
    Ok(StrategyInfo {
        name: if name.is_empty() { id.clone() } else { name },
        version: text(record.version, "its version")?,
        description: text(record.description, "its description")?,
        formula: text(record.formula, "its formula")?,
        citation: text(record.citation, "its citation")?,
        licence: text(record.licence, "its licence")?,
        kind,
        dtypes: record.dtypes,
        devices: record.devices,
        flags: record.flags,
        needs: Roles(record.needs),
        wants: Roles(record.wants),
        services: Services(record.services),
        // SAFETY: the schema of a static record.
        params: unsafe { schema(&record)? },
        library: path.to_owned(),
        sdk: sdk.to_owned(),
        abi,
        id,
        callable: Arc::new(Callable { record, pointer }),
    })
}

/// The parameter schema of a strategy.
unsafe fn schema(record: &gw_strategy) -> Result<Vec<ParamSpec>, Refusal> {
    // SAFETY: an array of static records.
    let records = unsafe { array(record.params, record.params_count, record.params_stride, "its parameters")? };
    let mut specs: Vec<ParamSpec> = Vec::with_capacity(records.len());
    for (index, record) in records.iter().enumerate() {
        // SAFETY: a copy of a static record.
        let spec = unsafe { parameter(record, index)? };
        if specs.iter().any(|other| other.key == spec.key) {
            return Err(Refusal::malformed("its parameters", format!("`{}` stands there twice", spec.key)));
        }
        specs.push(spec);
    }
    Ok(specs)
}

/// One parameter, with a default that satisfies its own limits.
unsafe fn parameter(record: &gw_param_spec, index: usize) -> Result<ParamSpec, Refusal> {
    // SAFETY: strings of a static record.
    let text = |field, what: String| unsafe { string(field, &what) };
    let key = text(record.key, format!("the key of parameter {index}"))?;
    if key.is_empty() {
        return Err(Refusal::malformed(format!("the key of parameter {index}"), "it is empty"));
    }
    let what = format!("parameter `{key}`");
    let bad = |problem: String| Refusal::malformed(what.clone(), problem);
    let (min, max) = (record.min, record.max);
    let limits = |default: f64| match () {
        () if min.is_nan() || max.is_nan() || min > max => Err(bad(format!("the limits {min} to {max} admit nothing"))),
        () if !(default >= min && default <= max) => {
            Err(bad(format!("the default {default} lies outside {min} to {max}")))
        }
        () => Ok(()),
    };
    let kind = match record.kind {
        abi::GW_PARAM_INT => {
            limits(record.default_i as f64)?;
            ParamKind::Int { default: record.default_i, min, max }
        }
        abi::GW_PARAM_FLOAT => {
            limits(record.default_f)?;
            ParamKind::Float { default: record.default_f, min, max }
        }
        abi::GW_PARAM_BOOL => match record.default_i {
            0 | 1 => ParamKind::Bool { default: record.default_i == 1 },
            other => return Err(bad(format!("the default of a bool is 0 or 1, not {other}"))),
        },
        abi::GW_PARAM_CHOICE => {
            if record.choices.is_null() || record.choices_count == 0 || record.choices_count > MOST {
                return Err(bad(format!("a choice of {} words", record.choices_count)));
            }
            // SAFETY: not null, and static, of that many strings.
            let words = unsafe { std::slice::from_raw_parts(record.choices, record.choices_count as usize) };
            let words = words.iter().map(|&word| text(word, format!("a choice of {what}")));
            let choices = words.collect::<Result<Vec<_>, _>>()?;
            let default = text(record.default_s, format!("the default of {what}"))?;
            if !choices.contains(&default) {
                return Err(bad(format!("the default `{default}` is none of its choices")));
            }
            ParamKind::Choice { default, choices }
        }
        abi::GW_PARAM_TEXT => ParamKind::Text { default: text(record.default_s, format!("the default of {what}"))? },
        other => return Err(bad(format!("{other} is no type this host knows"))),
    };
    Ok(ParamSpec { doc: text(record.doc, format!("the text of {what}"))?, key, kind })
}
