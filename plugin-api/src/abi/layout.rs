//! Proofs of the layout, and its fingerprint.
