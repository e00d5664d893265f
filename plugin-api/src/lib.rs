//! The stable interface between Guesswork and its strategy plugins.
//!
//! A strategy is a way to guess a network's gradient: it writes a signal E_l at the pre-activations of each layer, or a
//! direction V_l in weight space, and the host finds out by the forward mode how far the loss falls along it. A plugin is a
//! dynamic library of strategies. This one is complete:
//!
//! ```
//! use guesswork_plugin::{Flag, Info, Kind, Param, Result, Role, Service, Step, Strategy, export};
//!
//! #[derive(serde::Deserialize)]
//! struct MaskedNoise {
//!     deviation: f64,
//! }
//!
//! impl Strategy for MaskedNoise {
//!     type Params = Self;
//!     const INFO: Info = Info::new("org.example.masked-noise", Kind::Signal)
//!         .formula("E_l = σ ε ⊙ M_l,  ε ~ N(0, I)")
//!         .needs(&[Role::Derivative])
//!         .services(&[Service::Ops, Service::Rng])
//!         .flags(&[Flag::Deterministic, Flag::Stateless, Flag::Linear]);
//!     const PARAMS: &'static [Param] = &[Param::float("deviation", 1.0).bounds(0.0, 1e6).doc("Deviation σ of the noise.")];
//!
//!     fn create(params: Self) -> Result<Self> {
//!         Ok(params)
//!     }
//!
//!     fn propose(&mut self, step: &mut Step<'_>) -> Result {
//!         step.each_guess(|step, site, guess| {
//!             let signal = step.signal(site, guess)?;
//!             step.normal(signal, site, guess, 0, self.deviation)?;
//!             step.hadamard(signal, step.input(Role::Derivative, site)?)
//!         })
//!     }
//! }
//!
//! export!(MaskedNoise);
//! # let mut host = guesswork_plugin::testing::Host::of::<MaskedNoise>().param("deviation", 2.0).start()?;
//! # host.step()?;
//! # let expected = host.normal(1, 0, 0, 4, 4).map(|value| 2.0 * value).hadamard(host.derivative(1));
//! # host.signal(1, 0).assert_close(&expected, 1e-14);
//! # Ok::<(), guesswork_plugin::Error>(())
//! ```
//!
//! with a manifest that says `crate-type = ["cdylib", "rlib"]` and names `guesswork-plugin` and `serde`.
//!
//! | read | for |
//! |---|---|
//! | [`Strategy`] | what there is to implement, and when each method is called |
//! | [`Info`], [`Param`] | identity, needs, services; the schema of the parameters |
//! | [`Model`], [`Plan`] | what is known before training, and what is decided then |
//! | [`Step`] | inputs, outputs, scratch, operations, random draws, oracles, metrics, messages |
//! | [`dense`] | small dense matrices of a strategy's own |
//! | [`Debias`] | the bias of a linear guess divided out |
//! | [`testing`] | a host for `cargo test` |
//! | [`abi`] | the C records underneath, their rules, states and threads; `include/guesswork.h` is made from them |
//!
//! # Notation
//!
//! Batches are row-major: B examples, P_l rows an example at layer l, width n_l. X_{l-1} is layer l's input, W_l its weight
//! (n_l × n_{l-1}), S_l = X_{l-1} W_lᵀ + b_l its pre-activation, X_l = φ(S_l) and M_l = φ'(S_l). A *site* is the output of a
//! layer with parameters; sites count from 0 in the order of execution, so layer l's is site l − 1. K guesses are made a step.

#![deny(unsafe_code)]

pub mod abi;
mod debias;
pub mod dense;
mod error;
mod info;
mod matrix;
mod model;
mod ops;
mod param;
mod step;
mod strategy;
pub mod testing;
mod values;

pub use abi::memory::Element;
pub use debias::Debias;
pub use error::{Error, Result};
pub use info::{Flag, Info, Kind, Role, Service};
pub use matrix::{Handle, Input, Matrix, Operand, Source};
pub use model::{CallMode, DType, Device, Direction, LayerKind, Model, Persistent, Plan, Scope, SignalAt, Site};
pub use param::Param;
pub use step::{Level, Part, Step};
pub use strategy::{Outcome, Strategy};
pub use values::Value;

/// Exports strategies from a `cdylib`: `export!(First, Second);` once in the crate's root. Defines the one symbol that
/// the host looks up.
///
/// A crate built with `panic = "abort"` is refused: a panic in a strategy would end the host.
#[macro_export]
macro_rules! export {
    ($($strategy:ty),+ $(,)?) => {
        #[cfg(panic = "abort")]
        ::core::compile_error!(
            "a Guesswork plugin must be built with `panic = \"unwind\"`: with \"abort\" a panic in a strategy would \
             end the host; remove `panic = \"abort\"` from the profile"
        );

        /// The entry of the plugin: pure, and always the same.
        #[unsafe(no_mangle)]
        pub extern "C" fn gw_plugin_entry_v1() -> *const $crate::abi::gw_entry {
            struct Exported;
            impl $crate::abi::shim::Exported for Exported {
                fn library() -> &'static $crate::abi::shim::Library {
                    static LIBRARY: ::std::sync::OnceLock<$crate::abi::shim::Library> = ::std::sync::OnceLock::new();
                    LIBRARY.get_or_init(|| {
                        let strategies = ::std::vec![$($crate::abi::shim::describe::<$strategy>()),+];
                        $crate::abi::shim::Library::new::<Exported>(strategies)
                    })
                }
            }
            <Exported as $crate::abi::shim::Exported>::library().entry()
        }
    };
}

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The plugin in the project's README is built, as the one above is.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct ProjectReadme;
