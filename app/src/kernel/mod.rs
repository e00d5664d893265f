//! Arithmetic in place on matrices: the only place with index arithmetic.
//!
//! A matrix is a contiguous Candle tensor of f32 or f64; one of another rank counts as first dimension × the rest, a
//! vector as one row. Results go into the destination's own storage and on the CPU nothing is allocated for them. On the
//! CPU the loops are written here, over the storages' memory; on other devices the same functions are made of Candle's
//! operations ([`with_candle`] makes them so on the CPU, to compare). Every function gives the same bits at any number
//! of threads.
//!
//! Knows nothing of layers, guesses or workspaces.

mod access;
mod activation;
mod arena;
mod attention;
mod classes;
mod columns;
mod decompose;
mod draw;
mod elementwise;
mod gemm;
mod general;
mod gram;
mod image;
mod norm;
mod optimizer;
mod parallel;
mod philox;
mod product;
mod real;
mod reduce;
mod rows;
mod special;
mod transpose;
mod wide;

pub use access::cpu_pointer;
pub use activation::{Activation, LEAK, activation};
pub use arena::{Arena, Scratch};
pub use attention::{Heads, attention, attention_adjoint, attention_tangent};
pub use classes::{Scores, categorical, cross_entropy, one_hot, softmax, squared_error};
pub use columns::{add_table, gather_columns, scatter_columns};
pub use decompose::{orthonormalise, singular_values, svd, tridiagonal_eigen};
pub use draw::{Draw, DrawKey, draws, fill_draws, fill_draws_at};
pub use elementwise::{
    add, add_scalar, axpby, axpy, copy, fill, hadamard, hadamard_add, hadamard_assign, hadamard_sum, keep_nonzero,
    scale, transpose_blocks,
};
pub use gemm::{Activated, affine, descend, gemm};
#[doc(hidden)]
pub use general::with_candle;
pub use gram::gram;
pub use image::{
    Windows, average_pool, average_pool_adjoint, col2im, im2col, max_pool, max_pool_adjoint, max_pool_tangent,
};
pub use norm::{normalise, normalise_tangent, scale_columns};
pub use optimizer::{Adam, Rate, Sgd, adam, descend_along, sgd};
pub use parallel::attended;
pub use reduce::{count_equal_signs, dot, first_non_finite, largest, norm_squared, sum};
pub use rows::{
    add_row, block_combine, column_dot, column_sum, group_dot, group_spread, group_sum, normalise_rows, repeat_row,
    row_combine, row_dot, row_norms_squared, row_scale, row_scale_assign,
};
