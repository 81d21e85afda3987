//! Colours. Layers run from blue (first) to red (last); values from blue over grey (0) to yellow.

/// Red, green, blue.
pub(crate) type Rgb = [u8; 3];

/// A voxel of the brain without a value; readable on light and dark pages.
pub(crate) const GREY: Rgb = [143, 147, 154];

/// First to last layer.
const DEPTH: [Rgb; 8] = [
    [59, 76, 192],
    [33, 130, 213],
    [24, 178, 174],
    [86, 180, 74],
    [206, 181, 30],
    [241, 128, 33],
    [214, 48, 39],
    [142, 20, 92],
];
const POSITIVE: [Rgb; 4] = [GREY, [193, 66, 48], [243, 144, 32], [255, 240, 130]];
const NEGATIVE: [Rgb; 4] = [GREY, [48, 88, 176], [52, 158, 222], [176, 236, 255]];
/// Low to high similarity.
const SEQUENTIAL: [Rgb; 6] =
    [[24, 15, 62], [74, 32, 113], [139, 45, 118], [204, 71, 89], [246, 135, 66], [252, 229, 142]];

/// A colour of each layer.
pub(crate) fn layer_colours(layers: usize) -> Vec<Rgb> {
    let share = |layer: usize| if layers < 2 { 0.0 } else { layer as f64 / (layers - 1) as f64 };
    (0..layers).map(|layer| along(&DEPTH, share(layer))).collect()
}

/// The colour of a value between -1 and 1; beyond, that of the end.
pub(crate) fn diverging(value: f64) -> Rgb {
    if value < 0.0 { along(&NEGATIVE, -value) } else { along(&POSITIVE, value) }
}

/// The colour of a value between 0 and 1; beyond, that of the end.
pub(crate) fn sequential(value: f64) -> Rgb {
    along(&SEQUENTIAL, value)
}

/// A share of the way from one colour to another.
pub(crate) fn mix(from: Rgb, to: Rgb, share: f64) -> Rgb {
    std::array::from_fn(|i| {
        (f64::from(from[i]) + share * (f64::from(to[i]) - f64::from(from[i]))).round() as u8
    })
}

fn along(stops: &[Rgb], share: f64) -> Rgb {
    let last = stops.len() - 1;
    let place = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) * last as f64 };
    let below = (place as usize).min(last.saturating_sub(1));
    mix(stops[below], stops[(below + 1).min(last)], place - below as f64)
}

/// `#rrggbb`.
pub(crate) fn hex([r, g, b]: Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Whether dark text is better read on a colour than light text.
pub(crate) fn is_light([r, g, b]: Rgb) -> bool {
    0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b) > 140.0
}

/// Stops of [`diverging`] from `low` to `high` for a CSS gradient.
pub(crate) fn gradient(colour: impl Fn(f64) -> Rgb, low: f64, high: f64) -> String {
    const STOPS: usize = 12;
    let stop = |i: usize| hex(colour(low + (high - low) * i as f64 / STOPS as f64));
    (0..=STOPS).map(stop).collect::<Vec<_>>().join(",")
}
