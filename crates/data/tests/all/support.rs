//! Where the files are.

use std::path::PathBuf;

/// A fixture made by `scripts/goldens/data.py`.
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// The directory of real data; without it the caller returns, and says so.
pub fn real_data() -> Option<PathBuf> {
    let directory = std::env::var_os("VENTRAL_DATA").map(PathBuf::from);
    if directory.is_none() {
        eprintln!("SKIPPED: VENTRAL_DATA is not set");
    }
    directory
}

/// A golden file as JSON.
pub fn golden(name: &str) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(fixture(name)).unwrap()).unwrap()
}

/// Numbers of a JSON array; null is NaN.
pub fn numbers(value: &serde_json::Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
}

/// Equal, NaN to NaN included.
pub fn same(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x == y || (x.is_nan() && y.is_nan()))
}

/// A NIfTI-1 file of float32 zeros, to be filled.
#[derive(Debug, Clone)]
pub struct Nifti {
    pub shape: [usize; 3],
    pub volumes: usize,
    pub affine: [[f32; 4]; 3],
    pub values: Vec<f32>,
}

impl Nifti {
    /// 3 mm voxels.
    pub fn new(shape: [usize; 3], volumes: usize) -> Nifti {
        let affine = [[3.0, 0.0, 0.0, -10.0], [0.0, 3.0, 0.0, -20.0], [0.0, 0.0, 3.0, 5.0]];
        Nifti { shape, volumes, affine, values: vec![0.0; shape.iter().product::<usize>() * volumes] }
    }

    /// The header as nifti1.h lays it out.
    fn header(&self, big: bool, code: i16, bits: i16, scaling: [f32; 2]) -> Vec<u8> {
        let mut bytes = vec![0u8; 352];
        let mut put = |at: usize, number: &[u8]| {
            let mut number = number.to_vec();
            if big {
                number.reverse();
            }
            bytes[at..at + number.len()].copy_from_slice(&number);
        };
        put(0, &348i32.to_le_bytes());
        let [x, y, z] = self.shape;
        for (axis, length) in [4, x, y, z, self.volumes, 1, 1, 1].into_iter().enumerate() {
            put(40 + 2 * axis, &(length as i16).to_le_bytes());
        }
        put(70, &code.to_le_bytes());
        put(72, &bits.to_le_bytes());
        put(108, &352f32.to_le_bytes());
        put(112, &scaling[0].to_le_bytes());
        put(116, &scaling[1].to_le_bytes());
        put(254, &1i16.to_le_bytes());
        for (index, number) in self.affine.iter().flatten().enumerate() {
            put(280 + 4 * index, &number.to_le_bytes());
        }
        bytes[344..348].copy_from_slice(b"n+1\0");
        bytes
    }

    /// As float32, little-endian.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.header(false, 16, 32, [1.0, 0.0]);
        bytes.extend(self.values.iter().flat_map(|v| v.to_le_bytes()));
        bytes
    }

    /// As big-endian int16, each value being `slope` times a number plus `inter`.
    pub fn scaled_bytes(&self, slope: f32, inter: f32) -> Vec<u8> {
        let mut bytes = self.header(true, 4, 16, [slope, inter]);
        bytes.extend(self.values.iter().flat_map(|v| (((v - inter) / slope).round() as i16).to_be_bytes()));
        bytes
    }

    /// Writes it; compressed if the name says so.
    pub fn write(&self, path: &std::path::Path) {
        write_nifti(path, &self.bytes());
    }
}

/// Writes bytes; compressed if the name says so.
pub fn write_nifti(path: &std::path::Path, bytes: &[u8]) {
    if path.extension().is_some_and(|e| e == "gz") {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, bytes).unwrap();
        std::fs::write(path, gzip.finish().unwrap()).unwrap();
    } else {
        std::fs::write(path, bytes).unwrap();
    }
}
