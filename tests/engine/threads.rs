//! The kernels at several thread counts.

use super::support::{column, numbers, random, zeros};
use candle_core::{DType, Tensor};
use guesswork::kernel::{self, Activation};

#[test]
fn kernels_are_the_same_at_any_number_of_threads() {
    let all = |threads: usize, dtype: DType| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let cast = |x: Tensor| x.to_dtype(dtype).unwrap();
            let (a, b) = (cast(random(401, 307, 1)), cast(random(307, 503, 2)));
            let product = cast(zeros(401, 503));
            kernel::gemm(&product, 0.0, 1.0, &a, false, &b, false).unwrap();
            let gradient = cast(zeros(307, 503));
            kernel::gemm(&gradient, 0.0, 1.0, &a, true, &product, false).unwrap();
            let outer = cast(zeros(401, 301));
            let (narrow, factor) = (cast(random(401, 256, 3)), cast(random(301, 256, 4)));
            kernel::gemm(&outer, 0.0, 1.0, &narrow, false, &factor, true).unwrap();
            // Taller than wide, with more strips than are packed at once and an inner dimension in parts.
            let tall = cast(zeros(1201, 601));
            let (high, wide) = (cast(random(1201, 1101, 5)), cast(random(1101, 601, 6)));
            kernel::gemm(&tall, 0.0, 1.0, &high, false, &wide, false).unwrap();
            // Two matrices against one weight, whose rows do not fill their panels, and a step of descent.
            let (y, dy) = (cast(zeros(401, 301)), cast(zeros(203, 301)));
            let bias = cast(random(1, 301, 7));
            let part = narrow.narrow(0, 0, 203).unwrap();
            kernel::affine(&y, &narrow, (&factor, &bias), None, Some((&dy, &part))).unwrap();
            let moved = factor.copy().unwrap();
            let rate = kernel::Rate { lr: 0.1, weight_decay: 0.01 };
            let norm = kernel::descend(&moved, &y, &narrow, rate).unwrap();
            let sums = cast(zeros(1, 503));
            kernel::column_sum(&sums, 0.0, 1.0, &product).unwrap();
            let (x, m) = (product.zeros_like().unwrap(), product.zeros_like().unwrap());
            kernel::activation(Activation::Gelu, &product, &x, &m).unwrap();
            let reduced = [
                kernel::dot(&product, &x).unwrap(),
                kernel::norm_squared(&product).unwrap(),
                kernel::sum(&x).unwrap(),
                kernel::group_dot(&product, &x, 401).unwrap()[0],
            ];
            kernel::normalise_rows(&product, 2.0).unwrap();
            // So many scores that threads share them.
            let (logits, signal) = (cast((random(401, 10, 8) * 3.0).unwrap()), cast(zeros(401, 10)));
            let classes = cast(column((0..401).map(|row| f64::from(row % 10)).collect()));
            let scores = [
                kernel::cross_entropy(&logits, &classes, Some((&signal, 0.25))).unwrap(),
                kernel::cross_entropy(&logits, &classes, None).unwrap(),
            ];
            assert_eq!(scores[0], scores[1]);
            let tensors = [product, gradient, outer, tall, y, dy, moved, sums, x, m, signal];
            (tensors.iter().map(numbers).collect::<Vec<_>>(), reduced.to_vec(), norm, scores)
        })
    };
    for dtype in [DType::F32, DType::F64] {
        let one = all(1, dtype);
        assert!(one == all(2, dtype) && one == all(3, dtype), "{dtype:?}");
    }
}
