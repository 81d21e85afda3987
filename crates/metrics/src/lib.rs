//! The mathematics of scores: Gram matrices, splits, regressions, RSA, CKA, ceilings
