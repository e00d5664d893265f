//! Strategies that each break one rule, for the tests of what the host does then.
//!
//! Up to the step named by the parameter `at` each behaves well: E_l ~ N(0, I).
//!
//! | id | from step `at` on | `at` by default |
//! |---|---|---|
//! | `fault-panic` | panics | 0 |
//! | `fault-error` | returns an error | 0 |
//! | `fault-nan` | fills the last row of each signal with NaN | 0 |
//! | `fault-late-nan` | the same | 5 |
//! | `fault-unwritten` | leaves the signals as they came | 0 |
//! | `fault-overrun` | writes one element past the end of each signal | 0 |
//! | `fault-writes-input` | writes to the activation derivative, an input | 0 |
//! | `fault-observe-writes-input` | writes to the same in `observe` of that step alone | 100 |
//! | `fault-chatter` | prints to standard output and error, and when it is created, which breaks no rule | 0 |
//! | `fault-hold` | changes its state, then waits to be cancelled, where the environment asks for it | 7 |
//! | `fault-tells` | tells of a metric and a message at every step, which breaks no rule | 0 |
//! | `fault-unknown-need` | needs a role that no host knows: must be refused before any step | |

#![allow(unsafe_code)]

mod hold;
mod observe;
mod tell;

use guesswork_plugin::{
    DType, Element, Error, Info, Input, Kind, Matrix, Param, Result, Role, Service, Step, Strategy,
};
use serde::Deserialize;

/// Parameters of every fault.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Params {
    /// The first step at which the rule is broken.
    pub at: u64,
}

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident, $id:literal, $at:literal, $rule:expr;)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub struct $name(Params);

            impl Strategy for $name {
                type Params = Params;

                const INFO: Info = Info::new($id, Kind::Signal)
                    .description("Breaks a rule, for tests.")
                    .formula("E_l ~ N(0, I), until it breaks")
                    .licence(env!("CARGO_PKG_LICENSE"))
                    .needs(&[Role::Derivative])
                    .services(&[Service::Ops, Service::Rng])
                    .cpu_only();

                const PARAMS: &'static [Param] =
                    &[Param::int("at", $at).range(0, 1 << 40).doc("The first step at which the rule is broken.")];

                fn create(params: Params) -> Result<Self> {
                    if $id == "fault-chatter" {
                        println!("chatter on creation");
                    }
                    Ok(Self(params))
                }

                fn propose(&mut self, step: &mut Step<'_>) -> Result {
                    let rule: fn(&mut Step<'_>, usize, usize) -> Result =
                        if step.step() < self.0.at { noise } else { $rule };
                    step.each_guess(rule)
                }
            }
        )+

        guesswork_plugin::export!($($name,)+ hold::Holds, observe::WritesInputWhenToldOfStep, tell::Tells, UnknownNeed);
    };
}

faults! {
    /// Panics.
    Panics, "fault-panic", 0, |step, site, _| panic!("a fault at site {site} of step {}", step.step());
    /// Returns an error.
    Errs, "fault-error", 0, |step, site, _| {
        Err(Error::new(format!("a fault at site {site} of step {}: é", step.step())))
    };
    /// Writes NaN.
    WritesNan, "fault-nan", 0, nan;
    /// Writes NaN, but only after the first steps.
    WritesNanLate, "fault-late-nan", 5, nan;
    /// Leaves its outputs unwritten.
    LeavesUnwritten, "fault-unwritten", 0, |_, _, _| Ok(());
    /// Writes past the end of its outputs.
    Overruns, "fault-overrun", 0, |step, site, guess| {
        noise(step, site, guess)?;
        let signal = step.signal(site, guess)?;
        match step.model().dtype {
            DType::F32 => overrun(step, signal, 1.0_f32),
            _ => overrun(step, signal, 1.0_f64),
        }
    };
    /// Prints.
    Chatters, "fault-chatter", 0, |step, site, guess| {
        if site == 0 {
            println!("chatter on standard output at step {}", step.step());
            eprintln!("chatter on standard error at step {}", step.step());
        }
        noise(step, site, guess)
    };
    /// Writes to an input.
    WritesInput, "fault-writes-input", 0, |step, site, guess| {
        noise(step, site, guess)?;
        let derivative = step.input(Role::Derivative, site)?;
        match step.model().dtype {
            DType::F32 => scribble(step, derivative, 7.0_f32),
            _ => scribble(step, derivative, 7.0_f64),
        }
    };
}

fn noise(step: &mut Step<'_>, site: usize, guess: usize) -> Result {
    let signal = step.signal(site, guess)?;
    step.normal(signal, site, guess, 0, 1.0)
}

fn nan(step: &mut Step<'_>, site: usize, guess: usize) -> Result {
    noise(step, site, guess)?;
    let signal = step.signal(site, guess)?;
    let last = step.rows(signal, signal.rows() - 1, 1)?;
    step.fill(last, f64::NAN)
}

fn overrun<'s, T: Element>(step: &mut Step<'s>, signal: Matrix<'s>, value: T) -> Result {
    let elements = step.slice_mut::<T>(signal)?;
    let end = elements.as_mut_ptr_range().end;
    // SAFETY: none: this is the fault. The host's guard bytes lie there.
    unsafe { end.write_volatile(value) };
    Ok(())
}

fn scribble<'s, T: Element>(step: &mut Step<'s>, input: Input<'s>, value: T) -> Result {
    let first = step.slice::<T>(input)?.as_ptr().cast_mut();
    // SAFETY: none: this is the fault.
    unsafe { first.write_volatile(value) };
    Ok(())
}

/// Needs a role that no host knows.
#[derive(Debug)]
pub struct UnknownNeed;

impl Strategy for UnknownNeed {
    type Params = ();

    const INFO: Info = Info::new("fault-unknown-need", Kind::Signal)
        .description("Needs role 60, for tests.")
        .formula("E_l ~ N(0, I)")
        .licence(env!("CARGO_PKG_LICENSE"))
        .needs_mask(1 << 60)
        .services(&[Service::Ops, Service::Rng]);

    fn create((): ()) -> Result<Self> {
        Ok(Self)
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        step.each_guess(noise)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guesswork_plugin::abi;
    use guesswork_plugin::testing::Host;

    /// Runs six steps and returns the number of the first that failed, with its error.
    fn first_failure<S: Strategy>(dtype: DType) -> (usize, Error) {
        let mut host = Host::of::<S>().dtype(dtype).guesses(2).start().unwrap();
        (0..6).find_map(|step| host.step().err().map(|error| (step, error))).expect("the fault must be seen")
    }

    fn check<S: Strategy>(step: usize, words: &[&str]) {
        for dtype in [DType::F32, DType::F64] {
            let (at, error) = first_failure::<S>(dtype);
            assert_eq!(at, step, "{error}");
            assert!(words.iter().all(|word| error.text().contains(word)), "{error}");
        }
    }

    #[test]
    fn every_fault_is_seen_and_named() {
        check::<Panics>(0, &["fault-panic panicked at", "lib.rs:", "a fault at site 0 of step 0"]);
        check::<Errs>(0, &["a fault at site 0 of step 0: é"]);
        check::<WritesNan>(0, &["output 0 of site 0, guess 0: row 3, column 0 is NaN"]);
        check::<WritesNanLate>(5, &["row 3, column 0 is NaN"]);
        check::<LeavesUnwritten>(0, &["site 0, guess 0: row 0, column 0 was left unwritten"]);
        check::<Overruns>(0, &["site 0, guess 0: element 0 past the end was written"]);
        check::<WritesInput>(0, &["role 4 of site 0 was written, but is an input"]);
    }

    #[test]
    fn an_unknown_need_is_refused_before_any_step() {
        let error = Host::of::<UnknownNeed>().start().unwrap_err();
        assert_eq!(error.code(), abi::GW_UNSUPPORTED);
        assert!(error.text().contains("fault-unknown-need"), "{error}");
    }

    #[test]
    fn an_instance_is_poisoned_by_its_first_panic() {
        let mut host = Host::of::<Panics>().param("at", 1).start().unwrap();
        host.step().unwrap();
        let first = host.step().unwrap_err();
        assert_eq!(first.code(), abi::GW_PANIC);
        for again in [host.step(), host.reset(), host.observe(0.0, &[], 0.0), host.save().map(drop)] {
            assert_eq!(again.unwrap_err(), first);
        }
    }
}
