//! From the bytes of a volume to values.

use super::header::{NiftiHeader, NiftiType};

impl NiftiHeader {
    /// Appends the values at `positions`, which lie inside the volume, to `out`. Scaling is done in f64, the result rounded to f32.
    pub(super) fn decode(&self, bytes: &[u8], positions: impl Iterator<Item = usize>, out: &mut Vec<f32>) {
        let (slope, inter) = self.scaling.unwrap_or((1.0, 0.0));
        let scaled = self.scaling.is_some();
        macro_rules! decode {
            ($t:ty) => {{
                let numbers = bytes.as_chunks::<{ size_of::<$t>() }>().0;
                out.extend(positions.map(|position| {
                    let raw = numbers[position];
                    let number =
                        if self.big_endian { <$t>::from_be_bytes(raw) } else { <$t>::from_le_bytes(raw) };
                    if scaled { (number as f64 * slope + inter) as f32 } else { number as f32 }
                }))
            }};
        }
        #[allow(clippy::unnecessary_cast)] // One type is f32, one f64.
        match self.data_type {
            NiftiType::U8 => decode!(u8),
            NiftiType::I8 => decode!(i8),
            NiftiType::U16 => decode!(u16),
            NiftiType::I16 => decode!(i16),
            NiftiType::U32 => decode!(u32),
            NiftiType::I32 => decode!(i32),
            NiftiType::U64 => decode!(u64),
            NiftiType::I64 => decode!(i64),
            NiftiType::F32 => decode!(f32),
            NiftiType::F64 => decode!(f64),
        }
    }
}
