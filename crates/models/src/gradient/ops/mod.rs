//! Operators and their vector-Jacobian products.

pub(super) mod binary;
pub(super) mod conv;
pub(super) mod linear;
pub(super) mod norm;
pub(super) mod pool;
pub(super) mod shape;
pub(super) mod unary;
pub(super) mod window;
