//! The processor's floating-point mode around code that may change it: a library linked with `-ffast-math` switches
//! subnormals off for the whole thread when it is loaded, and with them the bit-identity of every result.
#![allow(unsafe_code)]

/// The control register of the thread's vector unit (MXCSR, FPCR).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FpMode(u64);

impl FpMode {
    /// The mode as it is; status flags (inexact, underflow, …) left out.
    pub fn current() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let mut register = 0_u32;
            // SAFETY: `stmxcsr` stores four bytes to the address given, which is `register`.
            unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &mut register, options(nostack, preserves_flags)) };
            Self(u64::from(register & !0x3f))
        }
        #[cfg(target_arch = "aarch64")]
        {
            let register: u64;
            // SAFETY: reading FPCR has no effect.
            unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) register, options(nomem, nostack, preserves_flags)) };
            Self(register)
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        Self(0)
    }

    /// Puts this mode back when the thread's has changed since. Whether it had.
    pub fn restore(self) -> bool {
        let changed = Self::current() != self;
        if changed {
            #[cfg(target_arch = "x86_64")]
            {
                let register = self.0 as u32;
                // SAFETY: `ldmxcsr` loads four bytes that `stmxcsr` stored on this thread; all bits are valid ones.
                unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &register, options(nostack, preserves_flags)) };
            }
            #[cfg(target_arch = "aarch64")]
            {
                // SAFETY: the value was read from FPCR.
                unsafe { std::arch::asm!("msr fpcr, {}", in(reg) self.0, options(nomem, nostack, preserves_flags)) };
            }
        }
        changed
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn flush_to_zero_is_undone_and_reported() {
        let before = FpMode::current();
        assert!(!before.restore());
        let flushing = FpMode(before.0 | 0x8040);
        assert!(flushing.restore());
        assert_eq!(FpMode::current(), flushing);
        assert!(before.restore());
        assert_eq!(FpMode::current(), before);
    }
}
