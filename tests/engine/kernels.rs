//! The kernels: against Candle's operations, and what they refuse.

use super::support::{assert_close, assert_near, column, largest, numbers, random, zeros};
use candle_core::{DType, Device, Result, Tensor};
use guesswork::kernel::{self, Activation, Adam, Arena, Sgd};

#[test]
fn a_sum_times_a_mask_is_both_passes() {
    for rows in [3, 500] {
        let (a, e, b) = (random(2 * rows, 200, 1), random(2 * rows, 200, 2), random(rows, 200, 3));
        let (dst, sum, expected) = (zeros(2 * rows, 200), zeros(2 * rows, 200), zeros(2 * rows, 200));
        kernel::add(&sum, &a, &e).unwrap();
        kernel::hadamard(&expected, &sum, &b).unwrap();
        kernel::hadamard_sum(&dst, &a, &e, &b).unwrap();
        assert_close("(a + e) ⊙ b", &dst, &expected, 0.0);
        kernel::with_candle(|| kernel::hadamard_sum(&dst, &a, &e, &b)).unwrap();
        assert_close("by Candle", &dst, &expected, 1e-15);
    }
}

#[test]
fn the_largest_magnitude_counts_what_is_not_finite() {
    for length in [1, 5, 100_000] {
        let a = random(1, length, 9);
        let expected = largest(&a);
        assert_near("largest", kernel::largest(&a).unwrap(), expected, 0.0);
        for (value, nan) in [(f64::NEG_INFINITY, false), (f64::NAN, true), (-f64::NAN, true)] {
            kernel::fill(&a.narrow(1, length / 2, 1).unwrap(), value).unwrap();
            let found = kernel::largest(&a).unwrap();
            assert!(if nan { found.is_nan() } else { found == f64::INFINITY }, "{value}: {found}");
        }
    }
}

#[test]
fn rows_of_the_smallest_numbers_are_normalised_and_nothing_becomes_nan() {
    let made = || Tensor::from_vec(vec![1e-40f32, 0.0, -2e-40, 3e-25, 0.0, 4e-25, 0.0, 0.0, 0.0], (3, 3), &Device::Cpu);
    let (own, candle) = (made().unwrap(), made().unwrap());
    kernel::normalise_rows(&own, 5.0).unwrap();
    kernel::with_candle(|| kernel::normalise_rows(&candle, 5.0)).unwrap();
    let fifth = 5f64.sqrt();
    let expected = [fifth, 0.0, -2.0 * fifth, 3.0, 0.0, 4.0, 0.0, 0.0, 0.0];
    for (name, found) in [("own", numbers(&own)), ("by Candle", numbers(&candle))] {
        // The smallest numbers have five digits there.
        for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert_near(&format!("{name}, {place}"), *found, expected, 1e-4);
        }
    }
}

#[test]
fn windows_of_any_side_are_gathered_and_pooled_as_by_candle() {
    let both = |what: &str, dst: &Tensor, run: &dyn Fn() -> Result<()>| {
        kernel::fill(dst, f64::NAN).unwrap();
        run().unwrap();
        let own = dst.copy().unwrap();
        kernel::with_candle(run).unwrap();
        assert_close(what, &own, dst, 1e-15);
    };
    let cases = [1, 2, 3, 4, 5].into_iter().flat_map(|side| [1, 2].map(|stride| (side, stride)));
    for (side, stride) in cases {
        for (channels, height, width) in [(1, 6, 5), (3, 5, 7), (19, 6, 6), (4099, 5, 5)] {
            let windows = |padding| kernel::Windows { channels, height, width, side, stride, padding };
            let image = random(2 * height * width, channels, 1);
            for padding in 0..3 {
                let (gy, gx) = windows(padding).grid().unwrap();
                let dst = zeros(2 * gy * gx, windows(padding).columns());
                let what = format!("{channels}×{height}×{width}, side {side}, stride {stride}, padding {padding}");
                both(&what, &dst, &|| kernel::im2col(&dst, &image, windows(padding)));
            }
            let (gy, gx) = windows(0).grid().unwrap();
            let dst = zeros(2 * gy * gx, channels);
            let what = format!("{channels}×{height}×{width}, squares of {side}, stride {stride}");
            both(&what, &dst, &|| kernel::average_pool(&dst, &image, windows(0)));
        }
    }
}

#[test]
fn tensors_of_other_rank_are_matrices_and_rows_may_be_a_part() {
    let weight = Tensor::zeros((4, 3, 2, 2), DType::F64, &Device::Cpu).unwrap();
    let (a, b) = (random(10, 4, 1), random(10, 12, 2));
    kernel::gemm(&weight, 0.0, 1.0, &a.narrow(0, 2, 5).unwrap(), true, &b.narrow(0, 2, 5).unwrap(), false).unwrap();
    let expected = a.narrow(0, 2, 5).unwrap().t().unwrap().matmul(&b.narrow(0, 2, 5).unwrap()).unwrap();
    assert_close("a convolution's weight", &weight, &expected, 1e-13);
    let bias = Tensor::zeros(12, DType::F64, &Device::Cpu).unwrap();
    kernel::column_sum(&bias, 0.0, 1.0, &b).unwrap();
    assert_close("a bias", &bias, &b.sum(0).unwrap(), 1e-13);
    let part = b.narrow(0, 3, 2).unwrap();
    kernel::fill(&part, 7.0).unwrap();
    let rows = numbers(&b);
    assert!(rows[36..60].iter().all(|x| *x == 7.0) && rows[35] != 7.0 && rows[60] != 7.0);
}

type Run = fn() -> Result<Vec<Tensor>>;

/// Every kernel once, with all its results.
const RUNS: &[(&str, Run)] = &[
    ("fill, add_scalar, scale", || {
        let x = zeros(3, 4);
        kernel::fill(&x, 2.5)?;
        kernel::add_scalar(&x, 0.5)?;
        kernel::scale(&x, -3.0)?;
        Ok(vec![x])
    }),
    ("copy, axpy, axpby", || {
        let (x, y) = (zeros(3, 4), random(3, 4, 1));
        kernel::copy(&x, &y)?;
        kernel::axpy(&x, 0.3, &random(3, 4, 2))?;
        let z = random(3, 4, 3);
        kernel::axpby(&z, 0.7, 1.5, &y)?;
        Ok(vec![x, z])
    }),
    ("add", || {
        let x = zeros(3, 4);
        kernel::add(&x, &random(3, 4, 1), &random(3, 4, 2))?;
        Ok(vec![x])
    }),
    ("hadamard", || {
        let (x, y, z) = (zeros(6, 4), random(6, 4, 1), random(6, 4, 2));
        kernel::hadamard(&x, &y, &random(2, 4, 3))?;
        kernel::hadamard_add(&y, 0.5, &z, &random(3, 4, 4))?;
        kernel::hadamard_assign(&z, &random(1, 4, 5))?;
        Ok(vec![x, y, z])
    }),
    ("keep_nonzero", || {
        let (x, mask) = (random(6, 4, 1), random(3, 4, 2).relu()?);
        kernel::keep_nonzero(&x, &mask)?;
        Ok(vec![x])
    }),
    ("transpose_blocks", || {
        let (x, y) = (random(8, 3, 1), random(6, 4, 2));
        kernel::transpose_blocks(&y, 0.5, &x, 4)?;
        Ok(vec![y])
    }),
    ("rows and columns", || {
        let (x, row, a) = (random(5, 4, 1), random(1, 4, 2), random(5, 4, 3));
        kernel::add_row(&x, -0.5, &row)?;
        let repeated = zeros(5, 4);
        kernel::repeat_row(&repeated, &row)?;
        let (sum, products) = (random(1, 4, 4), random(1, 4, 5));
        kernel::column_sum(&sum, 0.5, 2.0, &x)?;
        kernel::column_dot(&products, 0.5, 2.0, &x, &a)?;
        Ok(vec![x, repeated, sum, products])
    }),
    ("row factors", || {
        let (x, y, z, factors) = (zeros(6, 4), random(6, 4, 1), random(6, 4, 2), random(6, 1, 3));
        kernel::row_scale(&x, &y, &factors)?;
        kernel::row_scale_assign(&y, &factors)?;
        kernel::row_combine(&z, 0.5, &y, &[0.1, -0.2, 0.3], 2)?;
        let (u, v) = (random(6, 4, 4), random(6, 4, 5));
        kernel::block_combine(&u, 0.5, &y, &[0.1, -0.2, 0.3, 0.4], (3, 2))?;
        kernel::block_combine(&v, 0.0, &y, &[0.1, -0.2, 0.3, 0.4, 0.5, -0.6, 0.7, 0.8], (3, 1))?;
        Ok(vec![x, y, z, u, v])
    }),
    ("row_dot, group_dot, norms", || {
        let (dst, a, b) = (zeros(6, 1), random(6, 4, 1), random(2, 4, 2));
        kernel::row_dot(&dst, &a, &b)?;
        let groups = kernel::group_dot(&a, &b, 3)?;
        Ok(vec![dst, column(groups), column(kernel::row_norms_squared(&a)?)])
    }),
    ("group_sum, group_spread", || {
        let (x, y) = (zeros(2, 4), random(6, 4, 1));
        kernel::group_sum(&x, 0.5, &y, 3)?;
        kernel::group_spread(&y, 0.25, 2.0, &x, 3)?;
        Ok(vec![x, y])
    }),
    ("normalise_rows", || {
        let x = random(4, 5, 1);
        kernel::fill(&x.narrow(0, 2, 1)?, 0.0)?;
        kernel::normalise_rows(&x, 3.0)?;
        Ok(vec![x])
    }),
    ("reductions", || {
        let (a, b) = (random(30, 41, 1), random(30, 41, 2));
        let values = vec![kernel::dot(&a, &b)?, kernel::norm_squared(&a)?, kernel::sum(&a)?];
        let signs = kernel::count_equal_signs(&a, &b)? as f64;
        Ok(vec![column(values), column(vec![signs])])
    }),
    ("softmax, one_hot, losses", || {
        let (p, logits) = (zeros(4, 5), (random(4, 5, 1) * 30.0)?);
        kernel::softmax(&p, &logits)?;
        let (classes, hot) = (column(vec![0.0, 4.0, 2.0, 2.0]), zeros(4, 5));
        kernel::one_hot(&hot, &classes)?;
        let (entropy, squared) = (zeros(4, 5), zeros(4, 5));
        let a = kernel::cross_entropy(&logits, &classes, Some((&entropy, 0.25)))?;
        let b = kernel::squared_error(&logits, &classes, Some((&squared, 0.25)))?;
        let correct = column(vec![a.correct as f64, b.correct as f64 + 1.0]);
        Ok(vec![p, hot, entropy, squared, column(a.losses), column(b.losses), correct])
    }),
    ("activations", || {
        let s = (random(7, 5, 1) * 2.0)?;
        let mut all = Vec::new();
        for function in
            [Activation::Relu, Activation::LeakyRelu, Activation::Tanh, Activation::Gelu, Activation::Identity]
        {
            let (x, m) = (zeros(7, 5), zeros(7, 5));
            kernel::activation(function, &s, &x, &m)?;
            all.extend([x, m]);
        }
        Ok(all)
    }),
    ("sgd", || {
        let (a, b, c, g) = (random(3, 4, 1), random(3, 4, 2), random(3, 4, 3), random(3, 4, 4));
        let settings = Sgd { lr: 0.1, momentum: 0.9, nesterov: false, weight_decay: 0.01 };
        let (v, w) = (random(3, 4, 5), random(3, 4, 6));
        kernel::sgd(&a, &g, None, settings)?;
        kernel::sgd(&b, &g, Some(&v), settings)?;
        kernel::sgd(&c, &g, Some(&w), Sgd { nesterov: true, ..settings })?;
        Ok(vec![a, b, c, v, w])
    }),
    ("adam", || {
        let (theta, m, v) = (random(3, 4, 1), zeros(3, 4), zeros(3, 4));
        let settings = Adam { lr: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.02 };
        for t in 1..4 {
            kernel::adam(&theta, &random(3, 4, 10 + t), &m, &v, settings, t)?;
        }
        Ok(vec![theta, m, v])
    }),
    ("draws and classes", || {
        let (x, c) = (random(5, 7, 1), zeros(5, 1));
        kernel::categorical(
            &c,
            &x.abs()?,
            kernel::DrawKey { seed: 1, instance: 0, step: 0, site: 0, guess: 0, draw: 0 },
        )?;
        Ok(vec![x, (c + 1.0)?])
    }),
    ("factorisations", || {
        let (q, a) = (random(6, 4, 1), random(6, 4, 2));
        kernel::orthonormalise(&q)?;
        let (u, s, v) = (zeros(6, 3), zeros(1, 3), zeros(4, 3));
        kernel::svd(&a, &u, &s, &v)?;
        Ok(vec![q, u, s, v, column(kernel::singular_values(&a)?)])
    }),
];

#[test]
fn loops_agree_with_candle_operations() {
    for (name, run) in RUNS {
        let (loops, candle) = (run().unwrap(), kernel::with_candle(run).unwrap());
        for (index, (loops, candle)) in loops.iter().zip(&candle).enumerate() {
            assert_close(&format!("{name}, result {index}"), loops, candle, 1e-12);
        }
    }
}

#[test]
fn large_passes_agree_with_candle() {
    // Larger than a piece, and no multiple of one.
    let (rows, columns) = (311, 257);
    let (a, b, period) = (random(rows * 3, columns, 1), random(rows * 3, columns, 2), random(rows, columns, 3));
    let close = |name: &str, run: &dyn Fn(&Tensor) -> Result<()>| {
        let (loops, candle) = (a.copy().unwrap(), a.copy().unwrap());
        run(&loops).unwrap();
        kernel::with_candle(|| run(&candle)).unwrap();
        assert_close(name, &loops, &candle, 1e-12);
    };
    close("axpby", &|x| kernel::axpby(x, 0.3, 0.7, &b));
    close("hadamard", &|x| kernel::hadamard_assign(x, &period));
    close("a factor of one row", &|x| kernel::hadamard_assign(x, &period.narrow(0, 1, 1)?));
    close("keep_nonzero", &|x| kernel::keep_nonzero(x, &period.relu()?));
    close("normalise_rows", &|x| kernel::normalise_rows(x, 2.0));
    close("transpose", &|x| kernel::transpose_blocks(x, 0.5, &b, rows));
    close("softmax", &|x| kernel::softmax(x, &b));
    close("add_row", &|x| kernel::add_row(x, 2.0, &period.narrow(0, 1, 1)?));
    close("adam", &|x| {
        let (m, v) = (b.zeros_like()?, b.zeros_like()?);
        let settings = Adam { lr: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.02 };
        kernel::adam(x, &b, &m, &v, settings, 1)
    });
    close("sgd", &|x| {
        let settings = Sgd { lr: 0.1, momentum: 0.9, nesterov: true, weight_decay: 0.1 };
        kernel::sgd(x, &b, Some(&b.copy()?), settings)
    });
    let (x, y) = (random(1, columns, 4), random(1, columns, 4));
    kernel::column_sum(&x, 1.0, 2.0, &a).unwrap();
    kernel::with_candle(|| kernel::column_sum(&y, 1.0, 2.0, &a)).unwrap();
    assert_close("column_sum", &x, &y, 1e-12);
    assert_near("dot", kernel::dot(&a, &b).unwrap(), kernel::with_candle(|| kernel::dot(&a, &b)).unwrap(), 1e-10);
}

#[test]
fn optimizers_take_the_documented_steps() {
    let number = |x: f64| Tensor::new(&[[x]], &Device::Cpu).unwrap();
    let value = |x: &Tensor| numbers(x)[0];
    let settings = Sgd { lr: 0.1, momentum: 0.9, nesterov: false, weight_decay: 0.01 };
    let (theta, velocity) = (number(2.0), number(0.0));
    kernel::sgd(&theta, &number(0.5), Some(&velocity), settings).unwrap();
    // v = 0.5 + 0.01·2; θ = 2 − 0.1 v.
    assert_near("first velocity", value(&velocity), 0.52, 1e-14);
    assert_near("first step", value(&theta), 1.948, 1e-14);
    kernel::sgd(&theta, &number(-1.0), Some(&velocity), settings).unwrap();
    let v = 0.9 * 0.52 - 1.0 + 0.01 * 1.948;
    assert_near("second step", value(&theta), 1.948 - 0.1 * v, 1e-14);
    let (theta, velocity) = (number(2.0), number(1.0));
    kernel::sgd(&theta, &number(0.5), Some(&velocity), Sgd { nesterov: true, ..settings }).unwrap();
    let v = 0.9 + 0.52;
    assert_near("Nesterov", value(&theta), 2.0 - 0.1 * (0.52 + 0.9 * v), 1e-14);
    // Adam's first step is η·sign(g), whatever g is.
    let settings = Adam { lr: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 0.0, weight_decay: 0.5 };
    let theta = number(2.0);
    kernel::adam(&theta, &number(-3e-5), &number(0.0), &number(0.0), settings, 1).unwrap();
    assert_near("Adam", value(&theta), 2.0 * (1.0 - 0.05) + 0.1, 1e-12);
}

#[test]
fn factorisations_are_what_they_say() {
    let a = random(9, 5, 1);
    let q = a.copy().unwrap();
    kernel::orthonormalise(&q).unwrap();
    let eye = Tensor::eye(5, DType::F64, &Device::Cpu).unwrap();
    assert_close("QᵀQ", &q.t().unwrap().matmul(&q).unwrap(), &eye, 1e-13);
    let r = q.t().unwrap().matmul(&a).unwrap();
    for (i, row) in r.to_vec2::<f64>().unwrap().iter().enumerate() {
        assert!(row[i] > 0.0 && row[..i].iter().all(|x| x.abs() < 1e-13), "row {i} of R: {row:?}");
    }
    let (u, s, v) = (zeros(9, 5), zeros(1, 5), zeros(5, 5));
    kernel::svd(&a, &u, &s, &v).unwrap();
    let rebuilt = u.broadcast_mul(&s).unwrap().matmul(&v.t().unwrap()).unwrap();
    assert_close("U diag(s) Vᵀ", &rebuilt, &a, 1e-13);
    let values = kernel::singular_values(&a).unwrap();
    assert!(values.windows(2).all(|pair| pair[0] >= pair[1]));
    assert_close("singular values", &column(values), &s, 1e-13);
    assert!(kernel::orthonormalise(&zeros(3, 4)).unwrap_err().to_string().contains("3×4"));
    kernel::fill(&a.narrow(0, 1, 1).unwrap(), f64::NAN).unwrap();
    assert!(kernel::singular_values(&a).is_err());
}

#[test]
fn the_first_number_that_is_not_finite_is_found() {
    let x = random(300, 301, 1);
    assert_eq!(kernel::first_non_finite(&x).unwrap(), None);
    kernel::fill(&x.narrow(0, 250, 1).unwrap(), f64::INFINITY).unwrap();
    assert_eq!(kernel::first_non_finite(&x).unwrap(), Some((250, 0)));
    assert_eq!(kernel::with_candle(|| kernel::first_non_finite(&x)).unwrap(), Some((250, 0)));
}

#[test]
fn a_nan_is_never_lost() {
    let s = random(3, 4, 1);
    kernel::fill(&s.narrow(0, 1, 1).unwrap(), f64::NAN).unwrap();
    for function in [Activation::Relu, Activation::LeakyRelu, Activation::Tanh, Activation::Gelu, Activation::Identity]
    {
        let (x, m) = (zeros(3, 4), zeros(3, 4));
        kernel::activation(function, &s, &x, &m).unwrap();
        assert_eq!(kernel::first_non_finite(&x).unwrap(), Some((1, 0)), "{function:?}");
    }
    let scores = kernel::cross_entropy(&s, &column(vec![0.0; 3]), None).unwrap();
    assert!(scores.losses[1].is_nan() && scores.losses[0].is_finite());
}

#[test]
fn wrong_operands_are_refused_with_their_extents() {
    let (a, b) = (random(3, 4, 1), random(4, 3, 2));
    let text = |result: Result<()>| result.unwrap_err().to_string();
    assert!(text(kernel::axpy(&a, 1.0, &b)).contains("4×3"));
    assert!(text(kernel::gemm(&a, 0.0, 1.0, &a.copy().unwrap(), false, &b, false)).contains("3×4"));
    assert!(text(kernel::hadamard_assign(&a, &random(2, 4, 3))).contains("2×4"));
    assert!(text(kernel::row_combine(&a, 0.0, &a.copy().unwrap(), &[1.0], 2)).contains("1 factors"));
    let blocks = |factors: &[f64]| text(kernel::block_combine(&a, 0.0, &a.copy().unwrap(), factors, (3, 2)));
    assert!(blocks(&[1.0]).contains("1 factors for blocks of 3 × 2"));
    assert!(text(kernel::copy(&a, &a)).contains("shares its storage"));
    assert!(
        text(kernel::copy(&a.narrow(0, 0, 1).unwrap(), &a.narrow(0, 1, 1).unwrap())).contains("shares its storage")
    );
    assert!(text(kernel::fill(&a.t().unwrap(), 1.0)).contains("not contiguous"));
    assert!(text(kernel::one_hot(&a, &column(vec![0.0, 1.0, 4.0]))).contains("example 2"));
    let halves = Tensor::zeros((2, 2), DType::F16, &Device::Cpu).unwrap();
    assert!(text(kernel::fill(&halves, 1.0)).contains("F16"));
    assert!(kernel::axpy(&a, 1.0, &a.to_dtype(DType::F32).unwrap()).is_err());
}

#[test]
fn a_pointer_is_the_storages_own() {
    let x = random(4, 5, 1);
    let (whole, bytes) = kernel::cpu_pointer(&x).unwrap();
    let (part, part_bytes) = kernel::cpu_pointer(&x.narrow(0, 2, 1).unwrap()).unwrap();
    assert_eq!((bytes, part_bytes), (160, 40));
    assert_eq!(part.addr() - whole.addr(), 80);
    assert!(kernel::cpu_pointer(&x.t().unwrap()).is_none());
}

#[test]
fn an_arena_lends_the_same_memory_again() {
    fn send<T: Send>(_: &T) {}
    let arena = Arena::new(DType::F32, &Device::Cpu);
    send(&arena);
    let address = |x: &Tensor| kernel::cpu_pointer(x).unwrap().0;
    let first = arena.take(10, 7).unwrap();
    assert_eq!(first.dims(), [10, 7]);
    let (one, second) = (address(&first), arena.take(10, 7).unwrap());
    assert_ne!(one, address(&second));
    drop(first);
    assert_eq!(address(&arena.take(8, 8).unwrap()), one);
    assert_eq!(arena.take(0, 3).unwrap().elem_count(), 0);
}
