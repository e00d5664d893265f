//! The stable interface between Guesswork and its strategy plugins.

#![deny(unsafe_code)]

pub mod abi;
mod error;
mod info;
mod model;
mod ops;
mod param;
mod step;
mod strategy;
pub mod testing;
mod values;

pub use abi::memory::Element;
pub use error::{Error, Result};
pub use info::{Flag, Info, Kind, Role, Service};
pub use model::{CallMode, DType, Device, Direction, LayerKind, Model, Persistent, Plan, Scope, SignalAt, Site};
pub use param::Param;
pub use step::{Handle, Input, Level, Matrix, Operand, Part, Source, Step};
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
