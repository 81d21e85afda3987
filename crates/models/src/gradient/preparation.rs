//! From an image between 0 and 1 to the network's input, as the scorer does it to an image of 8 bits.

use ndarray::{Array3, Array4, ArrayView3};

use super::real::Real;
use crate::Error;
use crate::preprocess::{Channels, Layout, Preprocessing, Resize, Scale};
use crate::screen::{BACKGROUND, half_to_even};

/// A cut of the middle, and one affine map per channel.
pub(super) struct Preparation<T> {
    /// Height and width of the image.
    pub size: [usize; 2],
    /// Height and width of what the network gets, and its first row and column in the image.
    input: [usize; 2],
    corner: [usize; 2],
    /// Per channel of the network: channel of the image, what it is multiplied with, what is added.
    channels: [(usize, T, T); 3],
    layout: Layout,
}

impl<T: Real> Preparation<T> {
    pub fn new(preprocessing: &Preprocessing) -> Self {
        let input = preprocessing.size.map(|side| side as usize);
        let size = match preprocessing.resize {
            Resize::Exact => input,
            Resize::Shorter(side) => [side as usize; 2],
        };
        let corner = [0, 1].map(|axis| half_to_even(size[axis] - input[axis]));
        let channel = |channel: usize| {
            let source = match preprocessing.channels {
                Channels::Rgb => channel,
                Channels::Bgr => 2 - channel,
            };
            let full = match preprocessing.scale {
                Scale::One => 255.0,
                Scale::By255 => 1.0,
            };
            let (mean, std) = (f64::from(preprocessing.mean[channel]), f64::from(preprocessing.std[channel]));
            (source, T::of(full / std), T::of(-mean / std))
        };
        Self { size, input, corner, channels: [0, 1, 2].map(channel), layout: preprocessing.layout }
    }

    /// A grey image as the network gets it.
    pub fn grey(&self, preprocessing: &Preprocessing) -> Result<Array4<f32>, Error> {
        let grey = Array3::from_elem((self.size[0], self.size[1], 3), BACKGROUND);
        preprocessing.apply(grey.view()).map_err(|message| Error::Stimulus { stimulus: 0, message })
    }

    /// Calls with each element of the input: its index, and channel, row and column in the image.
    fn elements(&self, mut call: impl FnMut(usize, usize, [usize; 3])) {
        let [height, width] = self.input;
        for channel in 0..3 {
            let source = self.channels[channel].0;
            for y in 0..height {
                for x in 0..width {
                    let index = match self.layout {
                        Layout::Nchw => (channel * height + y) * width + x,
                        Layout::Nhwc => (y * width + x) * 3 + channel,
                    };
                    call(index, channel, [source, y + self.corner[0], x + self.corner[1]]);
                }
            }
        }
    }

    pub fn forward(&self, image: ArrayView3<'_, T>, input: &mut [T]) {
        self.elements(|index, channel, place| {
            let (_, scale, shift) = self.channels[channel];
            input[index] = image[place] * scale + shift;
        });
    }

    pub fn backward(&self, gradient: &[T]) -> Array3<T> {
        let mut image = Array3::zeros((3, self.size[0], self.size[1]));
        self.elements(|index, channel, place| image[place] = gradient[index] * self.channels[channel].1);
        image
    }
}
