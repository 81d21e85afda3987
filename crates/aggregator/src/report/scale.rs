//! Linear axes with round ticks.

/// A range of data mapped to a range of pixels.
#[derive(Debug, Clone)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    step: f64,
}

/// 1, 2 or 5 times a power of ten, for about `count` steps over `span`.
fn round_step(span: f64, count: usize) -> f64 {
    let rough = span / count.max(1) as f64;
    let power = 10.0_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * power >= rough * (1.0 - 1e-9)).unwrap_or(10.0);
    factor * power
}

impl Scale {
    /// An axis whose ends are ticks and enclose the values; values that are not finite are ignored.
    pub(crate) fn around(values: impl Iterator<Item = f64>, count: usize, from: f64, to: f64) -> Self {
        let (mut low, mut high) = values
            .filter(|v| v.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if high - low < 1e-9 * (1.0 + high.abs()) {
            let half = 0.05 * (1.0 + high.abs());
            (low, high) = (low - half, high + half);
        }
        let step = round_step(high - low, count);
        Self { low: (low / step).floor() * step, high: (high / step).ceil() * step, from, to, step }
    }

    /// Pixel of a value.
    pub(crate) fn at(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Values of the ticks with their labels.
    pub(crate) fn ticks(&self) -> Vec<(f64, String)> {
        let decimals = (-self.step.log10().floor()).clamp(0.0, 9.0) as usize;
        let count = ((self.high - self.low) / self.step).round() as usize;
        (0..=count.min(40))
            .map(|i| {
                let value = self.low + i as f64 * self.step;
                let text = format!("{value:.decimals$}");
                (
                    value,
                    if text.trim_start_matches(['-', '0', '.']).is_empty() { "0".to_owned() } else { text },
                )
            })
            .collect()
    }
}

/// An axis of powers of ten.
#[derive(Debug, Clone)]
pub(crate) struct LogScale {
    /// Exponents at the ends.
    low: i32,
    high: i32,
    from: f64,
    to: f64,
}

impl LogScale {
    /// An axis whose ends are powers of ten and enclose the values; values that are not above 0 are ignored.
    pub(crate) fn around(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = values
            .filter(|v| v.is_finite() && *v > 0.0)
            .map(f64::log10)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        if low > high {
            return Self { low: -1, high: 0, from, to };
        }
        let low = low.floor() as i32;
        Self { low, high: (high.ceil() as i32).max(low + 1), from, to }
    }

    /// Pixel of a value.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let share = (value.log10() - f64::from(self.low)) / f64::from(self.high - self.low);
        self.from + share * (self.to - self.from)
    }

    /// Powers of ten with their labels; 2 and 5 times them where there are few.
    pub(crate) fn ticks(&self) -> Vec<(f64, String)> {
        let factors: &[f64] = if self.high - self.low <= 2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let label = |value: f64, exponent: i32| match exponent {
            -3..=0 => format!("{value:.*}", usize::try_from(-exponent).unwrap_or(0)),
            _ => format!("{value:.0e}"),
        };
        let mut ticks = Vec::new();
        for exponent in self.low..=self.high {
            for factor in factors.iter().filter(|&&factor| exponent < self.high || factor == 1.0) {
                let value = factor * 10f64.powi(exponent);
                ticks.push((value, label(value, exponent)));
            }
        }
        ticks
    }
}
