//! From pixels to the network's input (spec §2.4).

use ndarray::{Array3, Array4, ArrayView3, s};
use serde::Deserialize;

/// Visual degrees of a model's input unless its card says otherwise (spec §2.3).
pub const DEFAULT_DEGREES: f64 = 8.0;
/// Longest side of a network's input, in pixels.
pub const MAX_INPUT_SIDE: u32 = 8192;

/// How images become a network's input: resize, reorder the channels, scale, subtract the mean, divide by the standard deviation.
///
/// The element is ((pixel × scale) − mean) / std in f32, with `mean` and `std` in the order of `channels`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// Height and width of the input in pixels.
    pub size: [u32; 2],
    /// Order of the channels.
    pub channels: Channels,
    /// Factor on pixels 0..255.
    pub scale: Scale,
    /// Subtracted per channel after scaling.
    pub mean: [f32; 3],
    /// Divided by per channel.
    pub std: [f32; 3],
    /// How an image of another size is brought to `size`.
    #[serde(default)]
    pub resize: Resize,
    /// Order of the input's axes.
    #[serde(default)]
    pub layout: Layout,
    /// Visual degrees that the input spans.
    #[serde(default = "default_degrees")]
    pub degrees: f64,
}

fn default_degrees() -> f64 {
    DEFAULT_DEGREES
}

/// Order of colour channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red (Caffe models).
    Bgr,
}

/// Factor on pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Scale {
    /// 0..255 stay as they are.
    #[serde(rename = "1")]
    One,
    /// 0..1.
    #[serde(rename = "1/255")]
    By255,
}

/// How an image of another size is brought to the input's size; always bilinear with antialiasing, as PIL does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// To exactly the input's size, whatever the aspect ratio (the reference's rule).
    #[default]
    Exact,
    /// The shorter side to this many pixels, keeping the aspect ratio, then the centre is cut out.
    Shorter(u32),
}

/// Order of the input's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Image, channel, row, column.
    #[default]
    Nchw,
    /// Image, row, column, channel.
    Nhwc,
}

impl Preprocessing {
    /// Checks values that the types allow but no network has.
    pub(crate) fn check(&self) -> Result<(), String> {
        let sides = 1..=MAX_INPUT_SIDE;
        if !self.size.iter().all(|side| sides.contains(side)) {
            return Err(format!(
                "`input.size = {:?}`: each side must be 1 to {MAX_INPUT_SIDE} pixels",
                self.size
            ));
        }
        if let Resize::Shorter(side) = self.resize
            && (!sides.contains(&side) || self.size.iter().any(|&crop| crop > side))
        {
            return Err(format!(
                "`input.resize.shorter = {side}`: must be at least `input.size` {:?} and at most {MAX_INPUT_SIDE}, or there is nothing to crop from",
                self.size
            ));
        }
        if !self.mean.iter().all(|mean| mean.is_finite())
            || !self.std.iter().all(|std| std.is_finite() && *std > 0.0)
        {
            return Err("`input.mean` must be finite and `input.std` above 0".into());
        }
        if !(self.degrees > 0.0 && self.degrees <= 360.0) {
            return Err(format!("`input.degrees = {}`: must be above 0 and at most 360", self.degrees));
        }
        Ok(())
    }

    /// Every parameter as text, floats by their bits: what a digest covers.
    pub(crate) fn canonical(&self) -> String {
        let bits = |values: &[f32; 3]| values.map(|value| format!("{:08x}", value.to_bits())).join(",");
        format!(
            "resampling pillow size {}x{} channels {:?} scale {:?} mean {} std {} resize {:?} layout {:?} degrees {:016x}",
            self.size[0],
            self.size[1],
            self.channels,
            self.scale,
            bits(&self.mean),
            bits(&self.std),
            self.resize,
            self.layout,
            self.degrees.to_bits()
        )
    }

    /// Shape of one image as the network gets it.
    pub fn input_shape(&self) -> [usize; 4] {
        let [height, width] = self.size.map(|side| side as usize);
        match self.layout {
            Layout::Nchw => [1, 3, height, width],
            Layout::Nhwc => [1, height, width, 3],
        }
    }

    /// One image (height x width x 3, RGB) as the network's input (a batch of one, see [`Preprocessing::input_shape`]).
    ///
    /// # Errors
    /// A message if the image is empty, has not three channels, or would be resized beyond [`MAX_INPUT_SIDE`] x 4.
    pub fn apply(&self, pixels: ArrayView3<'_, u8>) -> Result<Array4<f32>, String> {
        let [height, width] = self.size;
        let resized = match self.resize {
            Resize::Exact => resize(pixels, height, width)?,
            Resize::Shorter(side) => {
                let (tall, wide) = shorter_to(pixels.dim(), side);
                crop_centre(&resize(pixels, tall, wide)?, height as usize, width as usize)
            }
        };
        Ok(self.normalise(&resized))
    }

    fn normalise(&self, pixels: &Array3<u8>) -> Array4<f32> {
        let table = self.value_tables();
        let source = |channel: usize| match self.channels {
            Channels::Rgb => channel,
            Channels::Bgr => 2 - channel,
        };
        match self.layout {
            Layout::Nchw => Array4::from_shape_fn(self.input_shape(), |(_, c, y, x)| {
                table[c][usize::from(pixels[[y, x, source(c)]])]
            }),
            Layout::Nhwc => Array4::from_shape_fn(self.input_shape(), |(_, y, x, c)| {
                table[c][usize::from(pixels[[y, x, source(c)]])]
            }),
        }
    }

    /// The value of each of the 256 grey levels, per channel.
    fn value_tables(&self) -> [[f32; 256]; 3] {
        let mut tables = [[0.0; 256]; 3];
        for (channel, table) in tables.iter_mut().enumerate() {
            for (level, value) in (0u8..=255).zip(table.iter_mut()) {
                let scaled = match self.scale {
                    Scale::One => f32::from(level),
                    Scale::By255 => f32::from(level) / 255.0,
                };
                *value = (scaled - self.mean[channel]) / self.std[channel];
            }
        }
        tables
    }
}

/// Pillow's bilinear resampling, antialiased, to exactly `height` x `width`, bit for bit (spec §2.4).
///
/// # Errors
/// A message if the image is empty, has not three channels, or a side is out of range.
pub fn resize(pixels: ArrayView3<'_, u8>, height: u32, width: u32) -> Result<Array3<u8>, String> {
    let (rows, columns, channels) = pixels.dim();
    if channels != 3 || rows == 0 || columns == 0 {
        return Err(format!(
            "the image is {rows} x {columns} x {channels}; height x width x 3 with at least one pixel is needed"
        ));
    }
    if (rows, columns) == (height as usize, width as usize) {
        return Ok(pixels.to_owned());
    }
    if ![height, width].iter().all(|side| (1..=MAX_INPUT_SIDE * 4).contains(side)) {
        return Err(format!(
            "the image ({rows} x {columns}) would be resized to {height} x {width}, which is out of range"
        ));
    }
    Ok(crate::resize::bilinear(pixels, height as usize, width as usize))
}

/// Height and width when the shorter side becomes `side` (the longer is truncated, as torchvision does).
fn shorter_to((rows, columns, _): (usize, usize, usize), side: u32) -> (u32, u32) {
    let short = rows.min(columns).max(1) as u128;
    let long = |length: usize| u32::try_from(u128::from(side) * length as u128 / short).unwrap_or(u32::MAX);
    if rows <= columns { (side, long(columns)) } else { (long(rows), side) }
}

/// The middle `height` x `width` pixels; the first row and column are rounded half to even.
fn crop_centre(pixels: &Array3<u8>, height: usize, width: usize) -> Array3<u8> {
    let (rows, columns, _) = pixels.dim();
    let (top, left) =
        (crate::screen::half_to_even(rows - height), crate::screen::half_to_even(columns - width));
    pixels.slice(s![top..top + height, left..left + width, ..]).to_owned()
}
