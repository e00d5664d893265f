//! Products, with what follows them in the same pass.

use super::support::{assert_close, assert_near, random};
use candle_core::{DType, Device, Tensor};
use guesswork::kernel::{self, Activation, Sgd};

fn zeros(rows: usize, columns: usize) -> Tensor {
    Tensor::zeros((rows, columns), DType::F64, &Device::Cpu).unwrap()
}

#[test]
fn products_agree_with_candle() {
    let small = [(1, 1, 1), (5, 7, 3), (1, 40, 33), (40, 1, 33), (4, 3, 0)];
    // More rows, columns and places of the inner dimension than are packed at once, whole tiles and parts of them.
    let large = [(130, 70, 90), (300, 260, 200), (24, 64, 128), (1100, 20, 769), (13, 90, 1500), (14, 700, 1000)];
    for (m, n, k) in small.into_iter().chain(large) {
        for flags in 0..4 {
            let (at, bt) = (flags & 1 == 1, flags & 2 == 2);
            let (a, b) = (
                if at { random(k, m, 1) } else { random(m, k, 1) },
                if bt { random(n, k, 2) } else { random(k, n, 2) },
            );
            for (beta, alpha) in [(0.0, 1.0), (1.0, -0.5), (0.25, 2.0)] {
                let dst = random(m, n, 3);
                let op = |x: &Tensor, flipped| if flipped { x.t().unwrap() } else { x.clone() };
                let mut expected = (&dst * beta).unwrap();
                if k > 0 {
                    let product = op(&a, at).matmul(&op(&b, bt)).unwrap();
                    expected = (expected + (product * alpha).unwrap()).unwrap();
                }
                let what = format!("{m}×{k} by {k}×{n}, {at} {bt}, {beta} {alpha}");
                let candle = dst.copy().unwrap();
                kernel::with_candle(|| kernel::gemm(&candle, beta, alpha, &a, at, &b, bt)).unwrap();
                kernel::gemm(&dst, beta, alpha, &a, at, &b, bt).unwrap();
                assert_close(&what, &dst, &expected, 1e-12);
                assert_close(&format!("{what} by Candle"), &candle, &expected, 1e-12);
                let [single, a, b] = [&random(m, n, 3), &a, &b].map(|x| x.to_dtype(DType::F32).unwrap());
                kernel::gemm(&single, beta, alpha, &a, at, &b, bt).unwrap();
                assert_close(&format!("{what} in f32"), &single.to_dtype(DType::F64).unwrap(), &expected, 1e-5);
            }
        }
    }
}

#[test]
fn a_number_of_a_product_does_not_depend_on_what_is_beside_it() {
    for dtype in [DType::F32, DType::F64] {
        let (a, b) = (random(200, 900, 1).to_dtype(dtype).unwrap(), random(150, 900, 2).to_dtype(dtype).unwrap());
        let whole = Tensor::zeros((200, 150), dtype, &Device::Cpu).unwrap();
        kernel::gemm(&whole, 0.0, 1.0, &a, false, &b, true).unwrap();
        for (from, rows) in [(0, 1), (7, 100), (199, 1)] {
            let part = Tensor::zeros((rows, 150), dtype, &Device::Cpu).unwrap();
            kernel::gemm(&part, 0.0, 1.0, &a.narrow(0, from, rows).unwrap().copy().unwrap(), false, &b, true).unwrap();
            assert_close("rows", &part, &whole.narrow(0, from, rows).unwrap(), 0.0);
        }
    }
}

#[test]
fn an_affine_map_is_its_parts_alone_and_with_tangents() {
    for (m, n, k) in [(1, 1, 1), (64, 10, 256), (50, 130, 800), (5, 3, 0)] {
        let (x, w, bias) = (random(m, k, 1), random(n, k, 2), random(1, n, 3));
        let dx = random(3 * m, k, 4);
        let (y, dy, alone) = (zeros(m, n), random(3 * m, n, 5), random(m, n, 6));
        kernel::affine(&y, &x, (&w, &bias), None, Some((&dy, &dx))).unwrap();
        kernel::affine(&alone, &x, (&w, &bias), None, None).unwrap();
        let (expected, tangent) = (zeros(m, n), zeros(3 * m, n));
        kernel::gemm(&expected, 0.0, 1.0, &x, false, &w, true).unwrap();
        kernel::add_row(&expected, 1.0, &bias).unwrap();
        kernel::gemm(&tangent, 0.0, 1.0, &dx, false, &w, true).unwrap();
        assert_close("y", &y, &expected, 1e-14);
        assert_close("y alone", &alone, &y, 0.0);
        assert_close("dy", &dy, &tangent, 0.0);
        let (candle, candle_dy) = (zeros(m, n), zeros(3 * m, n));
        kernel::with_candle(|| kernel::affine(&candle, &x, (&w, &bias), None, Some((&candle_dy, &dx)))).unwrap();
        assert_close("y by Candle", &candle, &y, 1e-12);
        assert_close("dy by Candle", &candle_dy, &dy, 1e-12);
    }
    let refused =
        kernel::affine(&zeros(4, 3), &random(4, 2, 1), (&random(3, 5, 2), &zeros(1, 3)), None, None).unwrap_err();
    assert!(refused.to_string().contains("4×2"), "{refused}");
}

#[test]
fn an_activation_in_the_same_pass_is_the_one_after_it() {
    for kind in [Activation::Relu, Activation::LeakyRelu, Activation::Tanh, Activation::Gelu, Activation::Identity] {
        for dtype in [DType::F32, DType::F64] {
            let make = |rows, columns, seed| random(rows, columns, seed).to_dtype(dtype).unwrap();
            // One part of the inner dimension, and several.
            for (m, n, k) in [(3, 5, 4), (70, 45, 300), (20, 40, 1100)] {
                let (inputs, w, bias) = (make(m, k, 1), make(n, k, 2), make(1, n, 3));
                let (dx, dy, tangent) = (make(2 * m, k, 4), make(2 * m, n, 5), make(2 * m, n, 6));
                let [y, x, slope, expected, expected_x, expected_m] =
                    [7, 8, 9, 10, 11, 12].map(|seed| make(m, n, seed));
                kernel::affine(&expected, &inputs, (&w, &bias), None, Some((&tangent, &dx))).unwrap();
                kernel::activation(kind, &expected, &expected_x, &expected_m).unwrap();
                for beside in [None, Some((&dy, &dx))] {
                    let activated = kernel::Activated { kind, x: &x, m: &slope };
                    kernel::affine(&y, &inputs, (&w, &bias), Some(activated), beside).unwrap();
                    for (found, expected) in [(&y, &expected), (&x, &expected_x), (&slope, &expected_m)] {
                        assert_close("S, X or M", found, expected, 0.0);
                    }
                    [&y, &x, &slope].iter().for_each(|tensor| kernel::fill(tensor, f64::NAN).unwrap());
                }
                assert_close("dy", &dy, &tangent, 0.0);
            }
        }
    }
}

#[test]
fn descent_without_a_stored_gradient_is_product_then_step() {
    let rate = kernel::Rate { lr: 0.1, weight_decay: 0.02 };
    let settings = Sgd { lr: rate.lr, momentum: 0.0, nesterov: false, weight_decay: rate.weight_decay };
    for dtype in [DType::F32, DType::F64] {
        let make = |rows, columns, seed| random(rows, columns, seed).to_dtype(dtype).unwrap();
        for (m, n, k) in [(1, 1, 1), (10, 33, 128), (200, 170, 1000)] {
            let (e, x, theta, scratch) = (make(k, m, 1), make(k, n, 2), make(m, n, 3), make(m, n, 4));
            let expected = theta.copy().unwrap();
            kernel::gemm(&scratch, 0.0, 1.0, &e, true, &x, false).unwrap();
            kernel::sgd(&expected, &scratch, None, settings).unwrap();
            let squared = kernel::descend(&theta, &e, &x, rate).unwrap();
            assert_close("θ", &theta, &expected, 0.0);
            let Some(squared) = squared else { panic!("no tiles for this processor") };
            let tolerance = if dtype == DType::F32 { 1e-6 } else { 1e-12 };
            assert_near("‖g‖²", squared, kernel::norm_squared(&scratch).unwrap(), tolerance);
            // Along a direction: as scaling, then the step.
            let (along, v) = (make(m, n, 5), make(m, n, 6));
            let expected = along.copy().unwrap();
            kernel::axpby(&scratch, 0.0, -1.7, &v).unwrap();
            kernel::sgd(&expected, &scratch, None, settings).unwrap();
            let candle = along.copy().unwrap();
            let squared = kernel::descend_along(&along, &v, -1.7, rate).unwrap();
            assert_close("θ along", &along, &expected, 0.0);
            assert_near("‖cv‖²", squared, kernel::norm_squared(&scratch).unwrap(), 1e-12);
            let by_candle = kernel::with_candle(|| kernel::descend_along(&candle, &v, -1.7, rate)).unwrap();
            assert_near("‖cv‖² by Candle", by_candle, squared, 1e-5);
        }
        // More rows than are summed at once: nothing is done.
        let (theta, long) = (make(3, 2, 1), [make(1025, 3, 2), make(1025, 2, 3)]);
        let before = theta.copy().unwrap();
        assert_eq!(kernel::descend(&theta, &long[0], &long[1], rate).unwrap(), None);
        assert_close("untouched", &theta, &before, 0.0);
    }
}

#[test]
fn a_product_with_beta_zero_does_not_read_its_destination() {
    for dst in [zeros(3, 4), zeros(200, 300)] {
        kernel::fill(&dst, f64::NAN).unwrap();
        let (m, n) = dst.dims2().unwrap();
        kernel::gemm(&dst, 0.0, 1.0, &random(m, 50, 1), false, &random(50, n, 2), false).unwrap();
        assert_eq!(kernel::first_non_finite(&dst).unwrap(), None);
    }
}

/// X·Xᵀ of half the work is bit for bit that of the whole, at extents around those of tiles and of what is packed at once.
#[test]
fn a_gram_matrix_is_the_product_bit_for_bit() {
    for dtype in [DType::F32, DType::F64] {
        for (rows, inner) in [(1, 1), (5, 3), (12, 40), (33, 7), (100, 300), (129, 1500), (260, 64), (7, 0)] {
            let x = random(rows, inner, 4).to_dtype(dtype).unwrap();
            let zeros = || Tensor::ones((rows, rows), dtype, &Device::Cpu).unwrap();
            for shift in [0.0, 1.0] {
                let (expected, found, candle) = (zeros(), zeros(), zeros());
                kernel::gemm(&expected, 0.0, 1.0, &x, false, &x, true).unwrap();
                kernel::add_scalar(&expected, shift).unwrap();
                kernel::gram(&found, &x, shift).unwrap();
                kernel::with_candle(|| kernel::gram(&candle, &x, shift)).unwrap();
                assert_close(&format!("{rows}×{inner} + {shift}"), &found, &expected, 0.0);
                let near = if dtype == DType::F32 { 1e-5 } else { 1e-12 };
                assert_close(&format!("{rows}×{inner} + {shift} by Candle"), &candle, &expected, near);
            }
        }
    }
    let (x, wrong) = (random(3, 4, 1), random(3, 4, 2));
    assert!(kernel::gram(&wrong, &x, 0.0).unwrap_err().to_string().contains("3 rows do not make 3×4"));
}
