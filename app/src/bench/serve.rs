//! The line protocol by which another program drives steps: a JSON object a line, an answer a line.
//!
//! ```text
//! {"do": "open", "method": "weight-transpose", "scope": "example", "guesses": 1, "lr": 1e-12, "inputs": 784,
//!  "hidden": [256, 256, 256], "classes": 10, "batch": 128, "file": "case.safetensors"}
//!                                  → {"opened": …, "flop": …} FLOP of a step, as `guesswork bench` counts them
//! {"do": "step", "count": 20}      → {"seconds": 0.31, "losses": [2.41, …]}
//! {"do": "restart"}                parameters as in the file again, batches from the first
//! {"do": "memory"}                 → {"peak": …, "resident": …} bytes; the peak starts anew
//! {"do": "peak"}                   → {"peak": …} FLOP a second of the best 1024³ product so far, after a look at more
//! {"do": "close"}                  drops what was opened
//! ```
//!
//! The file holds `fc1.weight`, `fc1.bias`, …, `x` (N × n_0) and `labels` (N whole numbers). The first line written says
//! who is there; a command that fails is answered with `{"error": …}` and changes nothing.

use super::measure::Peak;
use super::{Bench, BenchError, Memory, Method, Model};
use crate::model::Stored;
use crate::session::{Solo, device, pool};
use crate::workspace::Scope;
use candle_core::{DType, Device, Tensor};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Steps before an opened case answers, as the peers do to compile.
const WARM_UP: usize = 2;

#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
enum Command {
    Open(Case),
    Step { count: usize },
    Restart,
    Memory,
    Peak,
    Close,
}

#[derive(Debug, Deserialize)]
struct Case {
    method: String,
    scope: Option<Scope>,
    guesses: usize,
    lr: f64,
    inputs: usize,
    hidden: Vec<usize>,
    classes: usize,
    batch: usize,
    file: PathBuf,
}

/// Answers commands until `input` ends, stepping in a pool as `bench` says.
///
/// # Errors
/// When the device or the pool cannot be had, or lines cannot be read or written.
pub fn serve(bench: &Bench, input: impl BufRead + Send, mut output: impl Write + Send) -> Result<(), BenchError> {
    let (device, _) = device::open(bench.device)?;
    let pool = pool(bench.threads).map_err(|error| BenchError::Pool(Box::new(error)))?;
    pool.install(|| {
        let mut server = Server { bench, device, opened: None, peak: None };
        let mut hello = json!({ "engine": "guesswork", "version": env!("CARGO_PKG_VERSION") });
        join(&mut hello, memory());
        let mut say = |answer: Value| writeln!(output, "{answer}").and_then(|()| output.flush());
        say(hello)?;
        for line in input.lines() {
            let answer = serde_json::from_str(&line?).map_err(|error| error.to_string());
            let answer = answer.and_then(|command| server.answer(command));
            say(answer.unwrap_or_else(|error| json!({ "error": error })))?;
        }
        Ok(())
    })
}

struct Server<'a> {
    bench: &'a Bench,
    device: Device,
    opened: Option<(Solo, PathBuf)>,
    peak: Option<Peak>,
}

impl Server<'_> {
    fn answer(&mut self, command: Command) -> Result<Value, String> {
        match command {
            Command::Open(case) => {
                self.opened = None;
                let mut solo = self.open(&case)?;
                for _ in 0..WARM_UP {
                    solo.step().map_err(|error| error.to_string())?;
                }
                let asked = solo.strategy_flop();
                solo.step().map_err(|error| error.to_string())?;
                let flop = solo.info().flop + solo.strategy_flop() - asked;
                restart(&mut solo, &case.file)?;
                self.opened = Some((solo, case.file));
                Ok(json!({ "opened": case.method, "flop": flop }))
            }
            Command::Step { count } => {
                let (solo, _) = self.opened()?;
                let mut losses = Vec::with_capacity(count);
                let start = Instant::now();
                for _ in 0..count {
                    losses.push(solo.step().map_err(|error| error.to_string())?);
                }
                let seconds = start.elapsed().as_secs_f64();
                Ok(json!({ "seconds": seconds, "losses": losses }))
            }
            Command::Restart => {
                let (solo, file) = self.opened()?;
                restart(solo, file)?;
                Ok(json!({ "restarted": true }))
            }
            Command::Memory => {
                let found = memory();
                Memory::restart_peak();
                Ok(found)
            }
            Command::Peak => {
                let mut look = || -> candle_core::Result<f64> {
                    let peak = match &mut self.peak {
                        Some(peak) => peak,
                        None => self.peak.insert(Peak::new(&self.device)?),
                    };
                    peak.look(&self.device)?;
                    Ok(peak.best)
                };
                Ok(json!({ "peak": look().map_err(|error| error.to_string())? }))
            }
            Command::Close => {
                self.opened = None;
                Ok(json!({ "closed": true }))
            }
        }
    }

    fn opened(&mut self) -> Result<&mut (Solo, PathBuf), String> {
        self.opened.as_mut().ok_or_else(|| "no case is open".to_owned())
    }

    fn open(&self, case: &Case) -> Result<Solo, String> {
        let &Case { inputs, guesses, batch, .. } = case;
        let model = Model { inputs, hidden: case.hidden.clone(), batch };
        let method = Method { strategy: case.method.clone(), scope: case.scope, guesses };
        let data = || -> candle_core::Result<_> {
            let mut stored = Stored::open(&case.file)?;
            let classes = stored.tensor("labels", &self.device)?.to_dtype(DType::U32)?.to_vec1::<u32>()?;
            let x = Tensor::zeros(stored.shape("x")?, DType::F32, &self.device)?;
            stored.read_into("x", &x)?;
            model.prepared(x, classes, case.classes)
        };
        let data = data().map_err(|error| error.to_string())?;
        let plan = model.plan(&method, case.lr, data, &self.bench.plugin_paths);
        Solo::new(plan).map_err(|error| error.to_string())
    }
}

fn restart(solo: &mut Solo, file: &Path) -> Result<(), String> {
    solo.network().load(file).map_err(|error| error.to_string())?;
    solo.rewind();
    Ok(())
}

fn memory() -> Value {
    Memory::now().map_or_else(|| json!({ "peak": null, "resident": null }), |memory| json!(memory))
}

/// Adds the fields of `more`.
fn join(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::DeviceChoice;
    use candle_core::Tensor;
    use std::collections::HashMap;
    use std::time::Duration;

    fn answers(lines: &[String]) -> Vec<Value> {
        let bench = Bench {
            models: Vec::new(),
            methods: Vec::new(),
            rounds: 1,
            turn: Duration::ZERO,
            threads: Some(1),
            device: DeviceChoice::Cpu,
            plugin_paths: Vec::new(),
        };
        let mut output = Vec::new();
        serve(&bench, lines.join("\n").as_bytes(), &mut output).unwrap();
        String::from_utf8(output).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn steps_begin_at_the_files_parameters_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("case.safetensors");
        let random = |shape: (usize, usize)| Tensor::randn(0_f32, 1.0, shape, &Device::Cpu).unwrap();
        let zeros = |n: usize| Tensor::zeros(n, DType::F32, &Device::Cpu).unwrap();
        let labels = Tensor::from_iter((0..8).map(|i| i % 3), &Device::Cpu).unwrap();
        let tensors = HashMap::from([
            ("fc1.weight", random((5, 6))),
            ("fc1.bias", zeros(5)),
            ("fc2.weight", random((3, 5))),
            ("fc2.bias", zeros(3)),
            ("x", random((8, 6))),
            ("labels", labels),
        ]);
        candle_core::safetensors::save(&tensors, &file).unwrap();
        let open = json!({
            "do": "open", "method": "backprop", "scope": null, "guesses": 1, "lr": 0.1, "inputs": 6, "hidden": [5],
            "classes": 3, "batch": 4, "file": file,
        });
        let step = json!({ "do": "step", "count": 3 }).to_string();
        let lines = [
            step.clone(),
            open.to_string(),
            step.clone(),
            json!({ "do": "restart" }).to_string(),
            step.clone(),
            json!({ "do": "memory" }).to_string(),
            json!({ "do": "close" }).to_string(),
            step,
            "nonsense".to_owned(),
        ];
        let answers = answers(&lines);
        assert_eq!(answers[0]["engine"], "guesswork");
        assert_eq!(answers[1]["error"], "no case is open");
        assert_eq!(answers[2]["opened"], "backprop");
        let losses = answers[3]["losses"].as_array().unwrap();
        assert!(losses.len() == 3 && losses.iter().all(|loss| loss.as_f64().unwrap() > 0.0), "{losses:?}");
        assert_ne!(losses[0], losses[2], "the same batch two steps later");
        assert_eq!(answers[5]["losses"], answers[3]["losses"]);
        assert_eq!(answers[8]["error"], "no case is open");
        assert!(answers[9]["error"].is_string());
    }
}
