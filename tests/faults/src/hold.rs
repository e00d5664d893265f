//! A strategy with a state that is changed before a step is whole: what a checkpoint of a cancelled step must not hold.

use guesswork_plugin::{Error, Info, Kind, Model, Param, Plan, Result, Service, Step, Strategy};

/// Name of the variable of the environment that says whether the step is held.
const HOLD: &str = "GUESSWORK_TEST_HOLD";

/// E_l = (1 + c/100 + m/10) ε with the number of sites c seen by the instance and m seen by a persistent matrix. At the
/// second site of step `at` it waits until the run is cancelled, where the environment asks for it.
#[derive(Debug)]
pub struct Holds {
    at: u64,
    seen: u64,
    matrix: usize,
}

impl Strategy for Holds {
    type Params = super::Params;

    const INFO: Info = Info::new("fault-hold", Kind::Signal)
        .description("Counts, and is cancelled in the midst of a step, for tests.")
        .formula("E_l = (1 + c/100 + m/10) ε")
        .licence(env!("CARGO_PKG_LICENSE"))
        .services(&[Service::Ops, Service::Rng, Service::Control])
        .cpu_only();

    const PARAMS: &'static [Param] = &[Param::int("at", 7).range(0, 1 << 40).doc("The step that is held.")];

    fn create(params: super::Params) -> Result<Self> {
        Ok(Self { at: params.at, seen: 0, matrix: 0 })
    }

    fn prepare(&mut self, _: &Model, plan: &mut Plan) -> Result {
        self.matrix = plan.persist("seen", 1, 1);
        Ok(())
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        self.seen += 1;
        let matrix = step.persistent(self.matrix)?;
        let kept = step.dot(matrix, matrix)?.sqrt();
        step.fill(matrix, kept + 1.0)?;
        if step.step() == self.at && step.site() == Some(1) && std::env::var_os(HOLD).is_some() {
            eprintln!("holding step {}", self.at);
            while !step.cancelled() {
                std::thread::yield_now();
            }
            return Err(Error::cancelled());
        }
        let deviation = 1.0 + self.seen as f64 / 100.0 + kept / 10.0;
        step.each_guess(|step, site, guess| {
            let signal = step.signal(site, guess)?;
            step.normal(signal, site, guess, 0, deviation)
        })
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(self.seen.to_le_bytes().to_vec())
    }

    fn load(&mut self, bytes: &[u8]) -> Result {
        let bytes = bytes.try_into().map_err(|_| Error::new(format!("a state of {} bytes, not of 8", bytes.len())))?;
        self.seen = u64::from_le_bytes(bytes);
        Ok(())
    }
}
