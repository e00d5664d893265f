//! What was measured, as data and as a table.

use serde::Serialize;
use std::fmt::Write;

/// All that was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What it was measured on.
    pub machine: Machine,
    /// Rounds of turns.
    pub rounds: usize,
    /// FLOP a second of the best 1024³ product in the same pool, single precision.
    pub gemm_peak: f64,
    /// A row a model and method.
    pub rows: Vec<Row>,
}

/// What it was measured on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// The processor, as the system calls it.
    pub processor: String,
    /// The device that computed: `cpu`, `cuda:0`, `metal`.
    pub device: String,
    /// Threads of the pool.
    pub threads: usize,
    /// Version of this program.
    pub version: String,
}

/// One method on one model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The model, as it was asked for.
    pub model: String,
    /// The method, as it was asked for.
    pub method: String,
    /// Parameters of the model.
    pub parameters: usize,
    /// Mean seconds of a step in each round.
    pub seconds: Vec<f64>,
    /// From their median.
    pub steps_per_second: f64,
    /// FLOP of the products of a step, the strategy's left out, counted from shapes.
    pub flop: u64,
    /// FLOP of the products that the strategy asked for in a step.
    pub strategy_flop: u64,
    /// Median of the rounds' ratios of backpropagation's seconds to these: above 1 is faster.
    pub to_backprop: f64,
    /// Bytes by which the process grew at its peak while the lane was made and took its first steps.
    pub memory: Option<u64>,
}

impl Machine {
    /// This machine.
    pub(super) fn here(threads: usize, device: &str) -> Self {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Self {
            processor: model.map_or(std::env::consts::ARCH, |(_, name)| name.trim()).to_owned(),
            device: device.to_owned(),
            threads,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

impl Row {
    /// FLOP a second.
    fn speed(&self) -> f64 {
        (self.flop + self.strategy_flop) as f64 * self.steps_per_second
    }
}

impl Report {
    /// The table: a block a model.
    pub fn table(&self) -> String {
        let Machine { processor, device, threads, .. } = &self.machine;
        let mut text = format!("{processor}, {device}, threads: {threads}; medians of {} rounds, f32\n", self.rounds);
        let _ = writeln!(text, "GEMM peak {:.1} GFLOP/s (best 1024³ product)", self.gemm_peak / 1e9);
        let width = self.rows.iter().map(|row| row.method.len()).max().unwrap_or(0).max("METHOD".len());
        for rows in self.rows.chunk_by(|a, b| a.model == b.model) {
            let _ = writeln!(text, "\n{}, {} parameters", rows[0].model, rows[0].parameters);
            let _ = writeln!(
                text,
                "{:<width$} {:>9} {:>9} {:>11} {:>7} {:>10} {:>9}",
                "METHOD", "STEPS/S", "MS/STEP", "GFLOP/STEP", "% PEAK", "/ BACKPROP", "PEAK MIB"
            );
            for row in rows {
                let memory =
                    row.memory.map_or("–".to_owned(), |bytes| format!("{:.1}", bytes as f64 / f64::from(1 << 20)));
                let _ = writeln!(
                    text,
                    "{:<width$} {:>9.1} {:>9.3} {:>11.4} {:>7.1} {:>10.2} {memory:>9}",
                    row.method,
                    row.steps_per_second,
                    1e3 / row.steps_per_second,
                    (row.flop + row.strategy_flop) as f64 / 1e9,
                    100.0 * row.speed() / self.gemm_peak,
                    row.to_backprop,
                );
            }
        }
        text
    }
}

/// The median; of an even number the mean of the middle two, of none NaN.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[middle],
        _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_numbers() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn the_table_relates_steps_to_the_peak_and_to_backpropagation() {
        let row = |model: &str, method: &str, rate: f64| Row {
            model: model.into(),
            method: method.into(),
            parameters: 1000,
            seconds: vec![1.0 / rate],
            steps_per_second: rate,
            flop: 2_000_000_000,
            strategy_flop: 500_000_000,
            to_backprop: rate / 20.0,
            memory: Some(3 << 19),
        };
        let machine = Machine { processor: "P".into(), device: "cpu".into(), threads: 2, version: "0".into() };
        let rows = vec![row("a", "backprop", 20.0), row("a", "guess", 10.0), row("b", "backprop", 20.0)];
        let table = Report { machine, rounds: 5, gemm_peak: 100e9, rows }.table();
        let expected = "\
P, cpu, threads: 2; medians of 5 rounds, f32
GEMM peak 100.0 GFLOP/s (best 1024³ product)

a, 1000 parameters
METHOD     STEPS/S   MS/STEP  GFLOP/STEP  % PEAK / BACKPROP  PEAK MIB
backprop      20.0    50.000      2.5000    50.0       1.00       1.5
guess         10.0   100.000      2.5000    25.0       0.50       1.5

b, 1000 parameters
METHOD     STEPS/S   MS/STEP  GFLOP/STEP  % PEAK / BACKPROP  PEAK MIB
backprop      20.0    50.000      2.5000    50.0       1.00       1.5
";
        assert_eq!(table, expected);
    }
}
