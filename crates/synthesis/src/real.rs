//! The numbers of images and activations.

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// `f32` in production, `f64` where gradients are checked.
pub trait Real:
    sealed::Sealed + faer::traits::RealField + Copy + Default + PartialOrd + Send + Sync + 'static
{
    /// Share of a sum of squares below which what is left after the mean is removed is rounding.
    const NOTHING: f64;
    /// Spread of an RSM below which it is rounding.
    const NO_SPREAD: f64;
    /// How far from 1 the correlation of two layers may be if they are the same.
    const SAME: f64;

    /// The nearest number of this type.
    fn from_f64(value: f64) -> Self;
    /// The same number, exactly.
    fn to_f64(self) -> f64;
}

impl Real for f32 {
    const NOTHING: f64 = 1e-12;
    const NO_SPREAD: f64 = 1e-7;
    const SAME: f64 = 1e-6;

    #[inline]
    fn from_f64(value: f64) -> Self {
        value as Self
    }

    #[inline]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    const NOTHING: f64 = 1e-13;
    const NO_SPREAD: f64 = 1e-10;
    const SAME: f64 = 1e-12;

    #[inline]
    fn from_f64(value: f64) -> Self {
        value
    }

    #[inline]
    fn to_f64(self) -> f64 {
        self
    }
}
