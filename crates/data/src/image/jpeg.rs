//! JPEG through libjpeg (the mozjpeg fork, built from C without assembler), whose inverse transform, upsampling and
//! colour conversion are libjpeg-turbo's integer for integer. The pure-Rust decoders differ from it by up to 5 levels.

use std::cell::Cell;
use std::io::{BufRead, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use mozjpeg::{ColorSpace, Decompress};
use ndarray::Array3;

use crate::error::ParseError;
use crate::limits;

/// The bytes, and whether the decoder asked for more than there are: libjpeg would invent grey for the rest.
struct Source<'a> {
    rest: &'a [u8],
    exhausted: &'a Cell<bool>,
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.rest.read(buffer)
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.exhausted.set(self.exhausted.get() || self.rest.is_empty());
        Ok(self.rest)
    }

    fn consume(&mut self, amount: usize) {
        self.rest = self.rest.get(amount..).unwrap_or_default();
    }
}

pub(super) fn decode(bytes: &[u8]) -> Result<Array3<u8>, ParseError> {
    let scans = bytes.windows(2).filter(|w| w == &[0xff, 0xda]).count();
    ParseError::check("number of scans", scans as u64, limits::MAX_JPEG_SCANS as u64, "MAX_JPEG_SCANS")?;
    // libjpeg reports fatal errors by unwinding with a message.
    match catch_unwind(AssertUnwindSafe(|| decompress(bytes))) {
        Ok(result) => result,
        Err(payload) => {
            let message = payload.downcast_ref::<String>().map_or("the decoder gave up", String::as_str);
            Err(ParseError::Invalid(format!("damaged JPEG: {message}")))
        }
    }
}

fn decompress(bytes: &[u8]) -> Result<Array3<u8>, ParseError> {
    let damaged = |e: std::io::Error| ParseError::Invalid(format!("damaged JPEG: {e}"));
    let exhausted = Cell::new(false);
    let decoder = Decompress::new_reader(Source { rest: bytes, exhausted: &exhausted }).map_err(damaged)?;
    let (width, height) = decoder.size();
    super::check_pixels(width as u64, height as u64)?;
    if matches!(decoder.color_space(), ColorSpace::JCS_CMYK | ColorSpace::JCS_YCCK) {
        return Err(ParseError::Unsupported("a CMYK JPEG".into(), "convert it to RGB"));
    }
    let mut started = decoder.rgb().map_err(damaged)?;
    let pixels: Vec<u8> = started.read_scanlines::<[u8; 3]>().map_err(damaged)?.into_flattened();
    if exhausted.get() {
        return Err(ParseError::invalid(
            "the JPEG data end before the image does; the file is truncated, fetch it again",
        ));
    }
    Array3::from_shape_vec((height, width, 3), pixels)
        .map_err(|e| ParseError::Invalid(format!("damaged JPEG: {e}")))
}
