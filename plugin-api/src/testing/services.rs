//! The services of the test host: a call's tensors, and the operations on them.

#![forbid(unsafe_code)]

use super::batch::{Batch, Lane, class_of};
use super::memory::{Handles, Storage, View};
use super::network::cross_entropy;
use super::{Grid, algebra};
use crate::abi::serve::{Serve, Unary};
use crate::abi::{self, DLTensor, gw_tensor};
use crate::error::{Error, Result};

/// The services of one call.
pub(super) struct Services<'a> {
    pub(super) lane: &'a Lane,
    pub(super) batch: &'a Batch,
    pub(super) site: u32,
    pub(super) observing: bool,
    pub(super) handles: Handles,
}

fn shapes_differ(what: &str, dst: &View, expected: [usize; 2]) -> Result {
    match [dst.rows, dst.columns] == expected {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "{what}: the destination is {} × {}, expected {} × {}",
            dst.rows, dst.columns, expected[0], expected[1]
        ))),
    }
}

impl Services<'_> {
    fn offers(&self, service: u32, name: &str) -> Result {
        match self.lane.services >> service & 1 {
            1 => Ok(()),
            _ => Err(Error::with_code(abi::GW_NOT_GRANTED, format!("the strategy did not ask for the service {name}"))),
        }
    }

    fn ops(&self) -> Result {
        self.offers(abi::GW_SERVICE_OPS, abi::GW_EXT_OPS)
    }

    fn known_site(&self, site: u32) -> Result<usize> {
        let sites = self.lane.network.sites();
        match (site as usize) < sites {
            true => Ok(site as usize),
            false => Err(Error::invalid(format!("site {site} of {sites}"))),
        }
    }

    /// In call mode `layer` nothing exists yet that comes after the site of the call.
    fn reached(&self, site: usize) -> Result {
        match self.site == abi::GW_ALL_SITES || site <= self.site as usize {
            true => Ok(()),
            false => Err(Error::with_code(
                abi::GW_WRONG_STATE,
                format!("site {site} does not exist yet at site {}: plan call mode `model`", self.site),
            )),
        }
    }

    fn role(&self, role: u32, site: u32, index: u32) -> Result<Grid> {
        let (values, network, last) = (&self.batch.values, &self.lane.network, self.lane.network.sites() - 1);
        let of_batch = |grids: &[Grid]| {
            let site = self.known_site(site)?;
            self.reached(site).map(|()| grids[site].clone())
        };
        let of_layer = |weight: Grid, bias: Grid| if index == 0 { weight } else { bias };
        match role {
            abi::GW_ROLE_WEIGHT => Ok(network.weight(self.known_site(site)?).clone()),
            abi::GW_ROLE_BIAS => Ok(network.bias(self.known_site(site)?).clone()),
            abi::GW_ROLE_INPUT => of_batch(&values.inputs),
            abi::GW_ROLE_PRE_ACTIVATION => of_batch(&values.pre_activations),
            abi::GW_ROLE_DERIVATIVE => of_batch(&values.derivatives),
            abi::GW_ROLE_ACTIVATION => of_batch(&values.activations),
            abi::GW_ROLE_LOGITS => self.reached(last).map(|()| values.pre_activations[last].clone()),
            abi::GW_ROLE_OUTPUT_ERROR => self.reached(last).map(|()| self.batch.output_error()),
            abi::GW_ROLE_LABELS => Ok(Grid::from_fn(self.batch.size, 1, |i, _| self.batch.labels[i] as f64)),
            abi::GW_ROLE_PREVIOUS_ESTIMATE | abi::GW_ROLE_PREVIOUS_UPDATE => {
                let site = self.known_site(site)?;
                Ok(of_layer(network.weight(site).map(|_| 0.0), network.bias(site).map(|_| 0.0)))
            }
            abi::GW_ROLE_GRADIENT => {
                let site = self.known_site(site)?;
                self.reached(last)?;
                let signal = self.batch.true_signals(network).swap_remove(site);
                let ones = Grid::constant(1, signal.rows(), 1.0);
                Ok(of_layer(signal.t().matmul(&values.inputs[site]), ones.matmul(&signal)))
            }
            other => Err(Error::invalid(format!("there is no role {other}"))),
        }
    }

    /// The weight directions written for `guess`.
    fn directions(&self, guess: u32) -> Result<Vec<(Grid, Grid)>> {
        let part = |output, site: usize| {
            let found = self.batch.outputs.get(&(output, site as u32, guess));
            let none = || Error::invalid(format!("guess {guess} has no dense weight direction"));
            found.map(|storage| storage.grid()).ok_or_else(none)
        };
        let sites = 0..self.lane.network.sites();
        sites.map(|site| Ok((part(abi::GW_OUT_WEIGHT, site)?, part(abi::GW_OUT_BIAS, site)?))).collect()
    }

    fn meter(&self, cost: f64) -> Result {
        self.offers(abi::GW_SERVICE_ORACLE, abi::GW_EXT_ORACLE)?;
        if self.observing || self.site != abi::GW_ALL_SITES {
            let text = "oracles may be called inside `propose` in call mode `model` only";
            return Err(Error::with_code(abi::GW_WRONG_STATE, text));
        }
        let (spent, budget) = (self.batch.spent.get() + cost, self.lane.plan.oracle_budget);
        if spent > budget {
            let text = format!("{spent} forward equivalents are more than the plan's budget of {budget}");
            return Err(Error::with_code(abi::GW_BUDGET, text));
        }
        self.batch.spent.set(spent);
        Ok(())
    }

    /// The element of a draw whose guess the strategy numbers from 0 in every call.
    fn element(&self, kind: u32, [site, guess, draw]: [u32; 3], index: u64) -> Result<f64> {
        let key = [site, guess + self.batch.first.get(), draw];
        let unknown = || Error::invalid(format!("there is no kind {kind} of draw"));
        self.batch.draws.element(kind, key, index).ok_or_else(unknown)
    }
}

impl Serve for Services<'_> {
    fn input(&self, role: u32, site: u32, index: u32) -> Result<gw_tensor> {
        if role >= abi::GW_ROLE_COUNT || self.lane.granted >> role & 1 == 0 {
            let text = format!("role {role} was not granted: name it among the needs or wants");
            return Err(Error::with_code(abi::GW_NOT_GRANTED, text));
        }
        let content = self.role(role, site, index)?;
        let mut inputs = self.batch.inputs.borrow_mut();
        let (storage, _) = inputs.entry((role, site, index)).or_insert_with(|| {
            let storage = Storage::holding(format!("role {role} of site {site}"), &content, self.lane.dtype);
            let bits = storage.bits();
            (storage, bits)
        });
        Ok(self.handles.add(storage, false))
    }

    fn output(&self, output: u32, site: u32, guess: u32) -> Result<gw_tensor> {
        if self.observing {
            return Err(Error::with_code(abi::GW_WRONG_STATE, "outputs exist inside `propose` only"));
        }
        self.reached(self.known_site(site)?)?;
        let none = || Error::invalid(format!("there is no output {output} of site {site}, guess {guess}"));
        let asked = (guess as usize) < self.lane.at_once;
        let number = guess + self.batch.first.get();
        let storage = self.batch.outputs.get(&(output, site, number)).filter(|_| asked).ok_or_else(none)?;
        Ok(self.handles.add(storage, true))
    }

    fn set_seed(&self, site: u32, guess: u32, seed: u64) -> Result {
        self.known_site(site)?;
        if self.lane.kind != abi::GW_KIND_WEIGHT || self.lane.plan.direction != abi::GW_DIRECTION_SEED {
            return Err(Error::with_code(abi::GW_WRONG_STATE, "the plan's direction is not `seed`"));
        }
        self.batch.seeds.borrow_mut().insert((site, guess), seed);
        Ok(())
    }

    fn persistent(&self, index: u32) -> Result<gw_tensor> {
        let none = || Error::invalid(format!("the plan has no persistent matrix {index}"));
        let storage = self.lane.persistent.get(index as usize).ok_or_else(none)?;
        Ok(self.handles.add(storage, true))
    }

    fn shape(&self, tensor: gw_tensor) -> Result<[u64; 2]> {
        self.handles.get(tensor).map(|view| [view.rows as u64, view.columns as u64])
    }

    fn reshape(&self, tensor: gw_tensor, shape: [u64; 2]) -> Result<gw_tensor> {
        self.handles.reshape(tensor, shape)
    }

    fn rows(&self, tensor: gw_tensor, start: u64, count: u64) -> Result<gw_tensor> {
        self.handles.rows(tensor, start, count)
    }

    fn data(&self, tensor: gw_tensor) -> Result<DLTensor> {
        self.handles.dlpack(tensor)
    }

    fn matmul(&self, dst: gw_tensor, alpha: f64, a: (gw_tensor, bool), b: (gw_tensor, bool), beta: f64) -> Result {
        self.ops()?;
        let (left, right) = (self.handles.get(a.0)?, self.handles.get(b.0)?);
        let out = self.handles.destination(dst, &[&left, &right])?;
        let op = |view: &View, transposed: bool| if transposed { view.read().t() } else { view.read() };
        let (left, right) = (op(&left, a.1), op(&right, b.1));
        if left.columns() != right.rows() {
            let text = format!("matmul: inner extents {} and {} differ", left.columns(), right.rows());
            return Err(Error::invalid(text));
        }
        shapes_differ("matmul", &out, [left.rows(), right.columns()])?;
        let product = left.matmul(&right).map(|value| alpha * value);
        out.write(&if beta == 0.0 { product } else { out.read().map(|value| beta * value).plus(&product) });
        Ok(())
    }

    fn pull_back(&self, site: u32, signals: &[gw_tensor], dst: gw_tensor) -> Result {
        self.ops()?;
        let site = self.known_site(site)?;
        self.reached(site)?;
        let views = signals.iter().map(|&signal| self.handles.get(signal)).collect::<Result<Vec<_>>>()?;
        let out = self.handles.destination(dst, &views.iter().collect::<Vec<_>>())?;
        let derivative = &self.batch.values.derivatives[site];
        shapes_differ("pull_back", &out, [derivative.rows(), derivative.columns()])?;
        let mut sources = self.lane.network.following(site);
        if sources.is_empty() {
            sources.push(site);
        }
        if sources.len() != views.len() {
            let text = format!("pull_back: {} sites follow site {site}, {} signals given", sources.len(), views.len());
            return Err(Error::invalid(text));
        }
        for (&source, view) in sources.iter().zip(&views) {
            let shape = &self.batch.values.pre_activations[source];
            shapes_differ("pull_back, a signal", view, [shape.rows(), shape.columns()])?;
        }
        let signals: Vec<Grid> = views.iter().map(View::read).collect();
        out.write(&self.lane.network.pull_back(site, self.batch.size, &signals, derivative));
        Ok(())
    }

    fn unary(&self, op: Unary, dst: gw_tensor, a: gw_tensor) -> Result {
        self.ops()?;
        let a = self.handles.get(a)?;
        let out = self.handles.destination(dst, &[&a])?;
        let what = format!("{op:?}");
        let (rows, columns) = (out.rows, out.columns);
        match op {
            Unary::OneHot | Unary::RowScale => shapes_differ(&what, &a, [rows, 1])?,
            Unary::ColumnSum => shapes_differ(&what, &out, [1, a.columns])?,
            _ => shapes_differ(&what, &out, [a.rows, a.columns])?,
        }
        let a = a.read();
        let result = match op {
            Unary::Hadamard => out.read().hadamard(&a),
            Unary::KeepNonzero => out.read().hadamard(&a.map(|value| f64::from(value != 0.0))),
            Unary::Softmax => a.softmax(),
            Unary::OneHot => {
                let fits = |&class: &f64| class >= 0.0 && class < columns as f64 && class.fract() == 0.0;
                if let Some(class) = a.values().iter().find(|class| !fits(class)) {
                    return Err(Error::invalid(format!("one_hot: {class} is none of {columns} classes")));
                }
                Grid::from_fn(rows, columns, |i, j| f64::from(a[(i, 0)] as usize == j))
            }
            Unary::RowScale => {
                let old = out.read();
                Grid::from_fn(rows, columns, |i, j| a[(i, 0)] * old[(i, j)])
            }
            Unary::ColumnSum => Grid::constant(1, a.rows(), 1.0).matmul(&a),
            Unary::Copy => a,
        };
        out.write(&result);
        Ok(())
    }

    fn categorical(&self, dst: gw_tensor, probabilities: gw_tensor, key: [u32; 3]) -> Result {
        self.ops()?;
        let p = self.handles.get(probabilities)?;
        let out = self.handles.destination(dst, &[&p])?;
        shapes_differ("categorical", &out, [p.rows, 1])?;
        let p = p.read();
        let classes = (0..p.rows()).map(|row| {
            let uniform = self.element(abi::GW_DRAW_UNIFORM, key, row as u64)?;
            Ok(class_of(p.row(row), uniform) as f64)
        });
        out.write(&Grid::new(p.rows(), 1, classes.collect::<Result<_>>()?));
        Ok(())
    }

    fn axpy(&self, dst: gw_tensor, alpha: f64, x: gw_tensor) -> Result {
        self.ops()?;
        let x = self.handles.get(x)?;
        let out = self.handles.destination(dst, &[&x])?;
        shapes_differ("axpy", &out, [x.rows, x.columns])?;
        out.write(&out.read().plus(&x.read().map(|value| alpha * value)));
        Ok(())
    }

    fn scale(&self, dst: gw_tensor, alpha: f64) -> Result {
        self.ops()?;
        let out = self.handles.destination(dst, &[])?;
        out.write(&out.read().map(|value| alpha * value));
        Ok(())
    }

    fn dot(&self, a: gw_tensor, b: gw_tensor) -> Result<f64> {
        self.ops()?;
        let (a, b) = (self.handles.get(a)?, self.handles.get(b)?);
        shapes_differ("dot", &a, [b.rows, b.columns])?;
        Ok(a.read().hadamard(&b.read()).values().iter().sum())
    }

    fn row_dot(&self, dst: gw_tensor, a: gw_tensor, b: gw_tensor) -> Result {
        self.ops()?;
        let (a, b) = (self.handles.get(a)?, self.handles.get(b)?);
        let out = self.handles.destination(dst, &[&a, &b])?;
        shapes_differ("row_dot", &a, [b.rows, b.columns])?;
        shapes_differ("row_dot", &out, [a.rows, 1])?;
        let product = a.read().hadamard(&b.read());
        out.write(&product.matmul(&Grid::constant(product.columns(), 1, 1.0)));
        Ok(())
    }

    fn add_row(&self, dst: gw_tensor, alpha: f64, row: gw_tensor) -> Result {
        self.ops()?;
        let row = self.handles.get(row)?;
        let out = self.handles.destination(dst, &[&row])?;
        shapes_differ("add_row", &row, [1, out.columns])?;
        let (old, row) = (out.read(), row.read());
        out.write(&Grid::from_fn(out.rows, out.columns, |i, j| old[(i, j)] + alpha * row[(0, j)]));
        Ok(())
    }

    fn fill(&self, dst: gw_tensor, value: f64) -> Result {
        self.ops()?;
        let out = self.handles.destination(dst, &[])?;
        out.write(&Grid::constant(out.rows, out.columns, value));
        Ok(())
    }

    fn orthonormalise(&self, dst: gw_tensor) -> Result {
        self.ops()?;
        let out = self.handles.destination(dst, &[])?;
        if out.rows < out.columns {
            return Err(Error::invalid(format!("orthonormalise: {} rows < {} columns", out.rows, out.columns)));
        }
        let q = algebra::orthonormal(&out.read()).ok_or_else(|| Error::invalid("orthonormalise: dependent columns"))?;
        out.write(&q);
        Ok(())
    }

    fn svd(&self, a: gw_tensor, usv: [gw_tensor; 3]) -> Result {
        self.ops()?;
        let a = self.handles.get(a)?;
        let [u, s, v] = usv.map(|tensor| self.handles.destination(tensor, &[&a]));
        let (u, s, v) = (u?, s?, v?);
        let k = s.columns;
        if k > a.rows.min(a.columns) {
            return Err(Error::invalid(format!("svd: {k} triples of a {} × {} matrix", a.rows, a.columns)));
        }
        shapes_differ("svd, u", &u, [a.rows, k])?;
        shapes_differ("svd, s", &s, [1, k])?;
        shapes_differ("svd, v", &v, [a.columns, k])?;
        let (left, values, right) = algebra::singular(&a.read(), k);
        u.write(&left);
        s.write(&values);
        v.write(&right);
        Ok(())
    }

    fn random_fill(&self, dst: gw_tensor, kind: u32, scale: f64, key: [u32; 3]) -> Result {
        self.offers(abi::GW_SERVICE_RNG, abi::GW_EXT_RNG)?;
        let out = self.handles.destination(dst, &[])?;
        self.element(kind, key, 0)?;
        let columns = out.columns;
        out.write(&Grid::from_fn(out.rows, columns, |i, j| {
            scale * self.element(kind, key, (i * columns + j) as u64).unwrap_or(f64::NAN)
        }));
        Ok(())
    }

    fn random_draw(&self, kind: u32, key: [u32; 3], start: u64, out: &mut [f64]) -> Result {
        self.offers(abi::GW_SERVICE_RNG, abi::GW_EXT_RNG)?;
        for (index, value) in (start..).zip(out) {
            *value = self.element(kind, key, index)?;
        }
        Ok(())
    }

    fn loss_at(&self, guess: &[u32], t: &[f64], out: &mut [f64]) -> Result {
        self.meter(guess.len() as f64)?;
        for ((&guess, &t), out) in guess.iter().zip(t).zip(out) {
            let moved = self.lane.network.moved(&self.directions(guess)?, t);
            let mut values = moved.forward(self.batch.size, &self.batch.data);
            let logits = values.pre_activations.swap_remove(self.lane.network.sites() - 1);
            *out = cross_entropy(&logits, &self.batch.labels);
        }
        Ok(())
    }

    fn jvp(&self, guess: &[u32], out: &mut [f64]) -> Result {
        self.meter(2.0 * guess.len() as f64)?;
        let error = self.batch.output_error();
        for (&guess, out) in guess.iter().zip(out) {
            let directions = self.directions(guess)?;
            let tangent = self.lane.network.tangent(self.batch.size, &self.batch.data, &self.batch.values, &directions);
            *out = tangent.hadamard(&error).values().iter().sum::<f64>() / self.batch.size as f64;
        }
        Ok(())
    }

    fn logit_tangent(&self, moved: &[gw_tensor], dst: gw_tensor) -> Result {
        self.meter(1.0)?;
        let views = moved.iter().map(|&moved| match moved {
            abi::GW_NO_TENSOR => Ok(None),
            moved => self.handles.get(moved).map(Some),
        });
        let views = views.collect::<Result<Vec<_>>>()?;
        if views.len() != self.lane.network.sites() {
            let (found, sites) = (views.len(), self.lane.network.sites());
            return Err(Error::invalid(format!("logit_tangent: {found} matrices for {sites} sites")));
        }
        let out = self.handles.destination(dst, &views.iter().flatten().collect::<Vec<_>>())?;
        shapes_differ("logit_tangent", &out, [self.batch.size, self.lane.network.classes()])?;
        for (view, shape) in views.iter().zip(&self.batch.values.activations) {
            if let Some(view) = view {
                shapes_differ("logit_tangent, a movement", view, [shape.rows(), shape.columns()])?;
            }
        }
        let moved: Vec<Option<Grid>> = views.iter().map(|view| view.as_ref().map(View::read)).collect();
        out.write(&self.lane.network.logit_tangent(self.batch.size, &self.batch.data, &self.batch.values, &moved));
        Ok(())
    }

    fn metric(&self, name: String, values: &[f64]) -> Result {
        self.offers(abi::GW_SERVICE_METRICS, abi::GW_EXT_METRICS)?;
        if values.len() > 4096 {
            return Err(Error::invalid(format!("metric `{name}` has {} values, more than 4096", values.len())));
        }
        self.batch.metrics.borrow_mut().push((name, values.to_vec()));
        Ok(())
    }

    fn log(&self, level: u32, text: String) {
        self.batch.messages.borrow_mut().push((level, text));
    }

    fn cancelled(&self) -> bool {
        false
    }

    fn scratch(&self, rows: u64, columns: u64) -> Result<gw_tensor> {
        self.offers(abi::GW_SERVICE_SCRATCH, abi::GW_EXT_SCRATCH)?;
        let mut scratch = self.batch.scratch.borrow_mut();
        let name = format!("scratch matrix {}", scratch.len());
        let storage = Storage::unwritten(name, rows as usize, columns as usize, self.lane.dtype);
        scratch.push(storage.clone());
        Ok(self.handles.add(&storage, true))
    }
}
