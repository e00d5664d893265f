//! One loop, compiled for several vector widths, chosen when it runs.
//!
//! The compiler may not reorder floating-point additions nor fuse a product with a sum, so every variant gives the same
//! bits; only the speed differs.

/// Declares a function whose body is compiled for the widest vectors the processor has.
macro_rules! wide {
    ($(#[$meta:meta])* $vis:vis fn $name:ident $(<$real:ident: $bound:path>)? ($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(unsafe_code)]
        $vis fn $name $(<$real: $bound>)? ($($arg: $type),*) $(-> $result)? {
            #[inline(always)]
            fn body $(<$real: $bound>)? ($($arg: $type),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn avx512 $(<$real: $bound>)? ($($arg: $type),*) $(-> $result)? {
                    body($($arg),*)
                }

                #[target_feature(enable = "avx2,fma")]
                fn avx2 $(<$real: $bound>)? ($($arg: $type),*) $(-> $result)? {
                    body($($arg),*)
                }

                match $crate::kernel::wide::width() {
                    // SAFETY: `width` found the processor to have these features.
                    $crate::kernel::wide::Width::Avx512 => return unsafe { avx512($($arg),*) },
                    // SAFETY: `width` found the processor to have these features.
                    $crate::kernel::wide::Width::Avx2 => return unsafe { avx2($($arg),*) },
                    $crate::kernel::wide::Width::Baseline => {}
                }
            }
            body($($arg),*)
        }
    };
}
pub(super) use wide;

/// Which variant the processor can run.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) enum Width {
    /// Vectors of 512 bits.
    Avx512,
    /// Vectors of 256 bits.
    Avx2,
    /// What the target guarantees.
    Baseline,
}

/// The widest variant that the processor can run.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(super) fn width() -> Width {
    if is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
    {
        Width::Avx512
    } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        Width::Avx2
    } else {
        Width::Baseline
    }
}
