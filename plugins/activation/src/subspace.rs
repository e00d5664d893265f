//! Activation subspace: V_l = R Aᵀ, A the `rank` principal directions of the layer's input X_{l-1}, R ~ N(0, I); the bias'
//! part ~ N(0, I).
//!
//! The true gradient δ_lᵀX_{l-1} has its rows in the span of the inputs, so a direction outside it is wasted. The covariance of a
//! row of V_l is A Aᵀ: at scopes `batch` and `layer` E\[ĝ_l\] = g_l A Aᵀ, which is g_l itself once `rank` reaches the rank of
//! X_{l-1}, and the variance counts n_l·r + n_l numbers a layer in place of n_l·n_{l-1} + n_l. A smaller rank trades bias for
//! variance: sweep it.
//!
//! A is found by `iterations` rounds of subspace iteration with X_{l-1}ᵀX_{l-1} from fresh draws (not centred). Directions
//! without variance, where an input has fewer than r, are left out. All guesses of a step share A, and so do the groups of a
//! grouped layer. The scale of a norm has no rows: its part is N(0, I) entirely.
//!
//! Source: feature-aware guesses in weight space (2026), where reports conflict on r.
//!
//! | draw | kind | site, guess, number | extent |
//! |---|---|---|---|
//! | R | normal | l − 1, k, 0 | n_l × r |
//! | bias part | normal | l − 1, k, 1 | 1 × n_l |
//! | start of the subspace | normal | l − 1, 0, 2 | r × n_{l-1} |

use guesswork_plugin::{
    DType, Direction, Flag, Info, Kind, LayerKind, Matrix, Model, Param, Plan, Result, Role, Service, Step, Strategy,
    dense,
};
use serde::Deserialize;

/// Parameters of the strategy.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Params {
    /// Directions of the input, r.
    pub rank: usize,
    /// Rounds of subspace iteration.
    pub iterations: usize,
}

/// The strategy; see the module.
#[derive(Debug)]
pub struct ActivationSubspace {
    params: Params,
    /// Rank of the factors: as asked for, at most the longest side of a weight.
    rank: usize,
    values: Vec<f64>,
    transposed: Vec<f64>,
}

impl Strategy for ActivationSubspace {
    type Params = Params;

    const INFO: Info = Info::new("activation-subspace", Kind::Weight)
        .name("Activation subspace")
        .version(env!("CARGO_PKG_VERSION"))
        .description("A weight direction whose rows lie in the leading principal directions of the layer's input.")
        .formula("V_l = R Aᵀ,  A = top-r principal directions of X_{l-1},  R ~ N(0, I)")
        .citation("Feature-aware guesses in weight space, 2026")
        .licence(env!("CARGO_PKG_LICENSE"))
        .needs(&[Role::Input])
        .services(&[Service::Ops, Service::Rng, Service::Scratch])
        .flags(&[Flag::Deterministic, Flag::Stateless, Flag::Linear])
        .cpu_only();

    const PARAMS: &'static [Param] = &[
        Param::int("rank", 8).range(1, 512).doc("Directions of the input that the rows of V lie in."),
        Param::int("iterations", 4).range(1, 64).doc("Rounds of subspace iteration a step."),
    ];

    fn create(params: Params) -> Result<Self> {
        Ok(Self { params, rank: 0, values: Vec::new(), transposed: Vec::new() })
    }

    fn prepare(&mut self, model: &Model, plan: &mut Plan) -> Result {
        let longest = model.sites.iter().map(|site| site.weight[0].max(site.weight[1])).max();
        self.rank = self.params.rank.min(longest.unwrap_or(1));
        plan.direction = Direction::Factors { rank: self.rank };
        Ok(())
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        step.each_site(|step, site| {
            let place = &step.model().sites[site];
            let norm = place.layer == LayerKind::Norm;
            if !norm {
                self.directions(step, site)?;
            }
            for guess in step.guesses() {
                let (left, right) = (step.left(site, guess)?, step.right(site, guess)?);
                if norm {
                    // The scale is one row: 1 by noise, the other factors nothing.
                    self.values.clear();
                    self.values.resize(self.rank, 0.0);
                    self.values[0] = 1.0;
                    step.write(left, &self.values)?;
                    step.normal(right, site, guess, 0, 1.0)?;
                } else {
                    step.normal(left, site, guess, 0, 1.0)?;
                    step.write(right, &self.transposed)?;
                }
                if place.has_bias {
                    step.normal(step.bias_out(site, guess)?, site, guess, 1, 1.0)?;
                }
            }
            Ok(())
        })
    }
}

impl ActivationSubspace {
    /// Writes the principal directions of the input of `site` to `transposed`, n_{l-1} × r, a direction a column.
    fn directions(&mut self, step: &mut Step<'_>, site: usize) -> Result {
        let x = step.input(Role::Input, site)?;
        // Of a grouped layer the inputs of a group are rows of their own: its weight has the columns of one.
        let (rank, n) = (self.rank, step.model().sites[site].weight[1]);
        let x = step.reshape(x, x.rows() * x.columns() / n.max(1), n)?;
        let (a, y) = (step.scratch(rank, n)?, step.scratch(x.rows(), rank)?);
        // Below the rounding of a product there is no direction.
        let least = if step.model().dtype == DType::F32 { 2e-6 } else { 1e-10 };
        step.normal(a, site, 0, 2, 1.0)?;
        self.orthonormalise(step, a, least)?;
        for _ in 0..self.params.iterations {
            step.matmul(y, x, a.t())?;
            step.matmul(a, y.t(), x)?;
            self.orthonormalise(step, a, least)?;
        }
        self.transposed.clear();
        let columns = (0..n).flat_map(|i| (0..rank).map(move |j| j * n + i));
        self.transposed.extend(columns.map(|index| self.values[index]));
        Ok(())
    }

    fn orthonormalise<'s>(&mut self, step: &mut Step<'s>, a: Matrix<'s>, least: f64) -> Result {
        let (rank, n) = (a.rows(), a.columns());
        step.read(a, &mut self.values)?;
        dense::orthonormalise(&mut self.values, (rank, n, n), least);
        step.write(a, &self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guesswork_plugin::CallMode;
    use guesswork_plugin::testing::{Activation, Grid, Host, Network};

    fn started(network: Network, rank: i64, batch: usize, dtype: DType) -> Host {
        let setup = Host::of::<ActivationSubspace>().network(network).batch(batch).guesses(2).dtype(dtype);
        let mut host = setup.param("rank", rank).param("iterations", 64).start().unwrap();
        host.step().unwrap();
        host
    }

    /// The projector on the `rank` leading principal directions of `x`.
    fn projector(x: &Grid, rank: usize) -> Grid {
        let (n, mut gram) = (x.columns(), x.t().matmul(x).values().to_vec());
        let (mut values, mut work) = (gram.clone(), Vec::new());
        dense::eigen(&mut values, n, &mut work);
        let mut squares: Vec<f64> = (0..n).map(|j| values[j * n + j]).collect();
        squares.sort_by(|a, b| b.total_cmp(a));
        let least = squares[rank.min(n) - 1].max(1e-9 * squares[0]) * (1.0 - 1e-9);
        dense::apply(&mut gram, n, &mut work, |square| f64::from(square >= least));
        Grid::new(n, n, gram)
    }

    #[test]
    fn the_rows_of_v_are_noise_in_the_leading_directions() {
        for network in [
            Network::mlp(&[6, 5, 4, 3], Activation::Tanh),
            Network::residual(4, 6, 3, 3, Activation::Relu),
            Network::tokens(3, &[4, 5, 6, 2], Activation::Tanh),
        ] {
            let host = started(network, 2, 7, DType::F64);
            assert_eq!(host.call_mode(), CallMode::Layer);
            for site in 0..host.network().sites() {
                let (v, bias) = host.direction(site, 1);
                let (out, n) = (v.rows(), v.columns());
                let p = projector(host.input(site), 2);
                v.matmul(&p).assert_close(&v, 1e-5);
                // ‖V‖² is that of the noise: A has orthonormal columns.
                let noise = host.normal(site, 1, 0, out, 2);
                let square = |grid: &Grid| dense::dot(grid.values(), grid.values());
                assert!((square(&v) / square(&noise) - 1.0).abs() < 1e-12, "site {site} of {n} inputs");
                bias.assert_close(&host.normal(site, 1, 1, 1, out), 0.0);
            }
        }
    }

    #[test]
    fn a_rank_beyond_that_of_the_input_spans_it() {
        for (dtype, tolerance) in [(DType::F64, 1e-9), (DType::F32, 1e-4)] {
            // Three examples: rank 3, of six and five inputs.
            let host = started(Network::mlp(&[6, 5, 4], Activation::Tanh), 5, 3, dtype);
            for site in 0..2 {
                let (v, _) = host.direction(site, 0);
                let p = projector(host.input(site), 3);
                v.matmul(&p).assert_close(&v, tolerance);
                // The other two directions have no variance: V is noise in three.
                let rank = (0..2)
                    .map(|guess| host.direction(site, guess).0)
                    .fold(Grid::constant(v.columns(), v.columns(), 0.0), |sum, v| sum.plus(&v.t().matmul(&v)));
                let (n, mut values) = (rank.rows(), rank.values().to_vec());
                dense::eigen(&mut values, n, &mut Vec::new());
                let large = (0..n).filter(|j| values[j * n + j] > 1e-3).count();
                assert_eq!(large, 3, "site {site}");
            }
        }
    }
}
