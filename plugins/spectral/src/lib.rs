//! The spectral family: the weight transpose with the singular values of the way down changed — raised to a power, cut and
//! made equal, or divided out.
//!
//! With A = W_{l+1} D_l, D_l = diag(M_l), the weight transpose is E_l = ε A. Every strategy here is E_l = ε f(A Aᵀ) A: the noise
//! at the layer above is shaped by a function of its Gram matrix and then carried down, so that the guess stays in the rows
//! that the true signal lies in.
//!
//! | strategy | f(x) | singular values σ of A become |
//! |---|---|---|
//! | [`sharpening`] | (x/σ₁²)^k, of W alone | σ (σ/σ₁)^{2k} |
//! | [`orthogonal`] | x^{−1/2} on the k largest, else 0 | 1 for the k largest, else 0 |
//! | [`whitened`] | (x + σ)^{−1/2} | σ_j/√(σ_j² + σ) |

#![forbid(unsafe_code)]

mod above;
mod inverse_root;
mod krylov;
mod leading;
pub mod orthogonal;
pub mod sharpening;
pub mod whitened;

guesswork_plugin::export!(sharpening::SelfSharpening, orthogonal::OrthogonalTranspose, whitened::Whitened);
