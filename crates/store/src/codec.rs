//! Results as bytes. The same result always gives the same bytes: one header field, arrays in a fixed order.

use std::collections::HashMap;

use ndarray::{Array1, Array2};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use ventral_metrics::{LayerGram, Precision, SplitScores};

/// Name of the header field.
pub(crate) const HEADER: &str = "ventral";

/// Bytes that are not those of the expected result.
#[derive(Debug, thiserror::Error)]
#[error("not a stored {kind}: {problem}")]
pub struct CodecError {
    kind: &'static str,
    problem: String,
}

impl CodecError {
    pub(crate) fn new(kind: &'static str, problem: String) -> Self {
        Self { kind, problem }
    }
}

/// A stored `LayerGram`.
#[derive(Debug, Clone)]
pub struct LayerGramRecord(pub LayerGram);

/// A stored score: its raw values.
#[derive(Debug, Clone)]
pub struct ScoreRecord {
    /// r per split and neuroid, or the one value of a metric without splits.
    pub scores: SplitScores,
    /// Number type in which the Gram it was computed from was multiplied; `None` for metrics that read tiles.
    pub precision: Option<Precision>,
    /// Correlations with single features that are not defined, and of how many, where their median is the one value of a split.
    pub undefined: Option<[usize; 2]>,
}

#[derive(Serialize, Deserialize)]
struct GramHeader {
    kind: String,
    features: u64,
    precision: Precision,
    stimuli: usize,
}

#[derive(Serialize, Deserialize)]
struct ScoreHeader {
    kind: String,
    splits: usize,
    neuroids: usize,
    alphas: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    precision: Option<Precision>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    undefined: Option<[usize; 2]>,
}

pub(crate) const GRAM: &str = "layer-gram";
pub(crate) const SCORE: &str = "score";

impl LayerGramRecord {
    /// The Gram as bytes: the lower triangle of the products row by row, the sums, and how exact they are.
    pub fn encode(&self) -> Vec<u8> {
        let gram = &self.0;
        let n = gram.stimuli();
        let triangle = (0..n).flat_map(|i| (0..=i).map(move |j| gram.products[[i, j]]));
        let header = GramHeader {
            kind: GRAM.to_owned(),
            features: gram.features,
            precision: gram.precision,
            stimuli: n,
        };
        encode(
            &header,
            [
                ("noise", Array::f64([gram.noise, gram.faintest])),
                ("products", Array::f64(triangle)),
                ("shift", Array::f64([gram.shift_sum, gram.shift_square])),
                ("shift_products", Array::f64(gram.shift_products.iter().copied())),
                ("sums", Array::f64(gram.sums.iter().copied())),
            ],
        )
    }

    /// The Gram from bytes.
    pub fn decode(payload: &[u8]) -> Result<Self, CodecError> {
        let (header, mut arrays) = decode::<GramHeader>(payload, GRAM)?;
        let n = header.stimuli;
        let damaged = |problem: String| CodecError { kind: GRAM, problem };
        let entries = n.checked_add(1).and_then(|m| n.checked_mul(m)).map(|twice| twice / 2);
        let triangle = arrays.take("products", entries)?;
        let sums = arrays.take("sums", Some(n))?;
        let shift_products = arrays.take("shift_products", Some(n))?;
        let shift = arrays.take("shift", Some(2))?;
        let noise = arrays.take("noise", Some(2))?;
        if header.kind != GRAM {
            return Err(damaged(format!("it is a '{}'", header.kind)));
        }
        let mut products = Array2::zeros((n, n));
        let mut values = triangle.into_iter();
        for i in 0..n {
            for (j, value) in values.by_ref().take(i + 1).enumerate() {
                products[[i, j]] = value;
                products[[j, i]] = value;
            }
        }
        Ok(Self(LayerGram {
            features: header.features,
            precision: header.precision,
            noise: noise[0],
            faintest: noise[1],
            products,
            sums: Array1::from_vec(sums),
            shift_products: Array1::from_vec(shift_products),
            shift_sum: shift[0],
            shift_square: shift[1],
        }))
    }
}

impl ScoreRecord {
    /// The score as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let (splits, neuroids) = self.scores.values.dim();
        let alphas = self.scores.alphas.len();
        let header = ScoreHeader {
            kind: SCORE.to_owned(),
            splits,
            neuroids,
            alphas,
            precision: self.precision,
            undefined: self.undefined,
        };
        encode(
            &header,
            [
                ("alphas", Array::f64(self.scores.alphas.iter().copied())),
                ("values", Array::f64(self.scores.values.iter().copied())),
            ],
        )
    }

    /// The score from bytes.
    pub fn decode(payload: &[u8]) -> Result<Self, CodecError> {
        let (header, mut arrays) = decode::<ScoreHeader>(payload, SCORE)?;
        let damaged = |problem: String| CodecError { kind: SCORE, problem };
        let entries = header.splits.checked_mul(header.neuroids);
        let values = arrays.take("values", entries)?;
        let alphas = arrays.take("alphas", Some(header.alphas))?;
        if header.kind != SCORE {
            return Err(damaged(format!("it is a '{}'", header.kind)));
        }
        let values = Array2::from_shape_vec((header.splits, header.neuroids), values)
            .map_err(|error| damaged(error.to_string()))?;
        let scores = SplitScores { values, alphas };
        Ok(Self { scores, precision: header.precision, undefined: header.undefined })
    }
}

/// Numbers as little-endian bytes.
pub(crate) struct Array {
    dtype: Dtype,
    bytes: Vec<u8>,
}

impl Array {
    pub fn f64(values: impl IntoIterator<Item = f64>) -> Self {
        Self { dtype: Dtype::F64, bytes: values.into_iter().flat_map(f64::to_le_bytes).collect() }
    }

    pub fn f32(values: impl IntoIterator<Item = f32>) -> Self {
        Self { dtype: Dtype::F32, bytes: values.into_iter().flat_map(f32::to_le_bytes).collect() }
    }

    pub fn u8(bytes: Vec<u8>) -> Self {
        Self { dtype: Dtype::U8, bytes }
    }

    pub fn u32(values: impl IntoIterator<Item = u32>) -> Self {
        Self { dtype: Dtype::U32, bytes: values.into_iter().flat_map(u32::to_le_bytes).collect() }
    }
}

pub(crate) fn encode<H: Serialize, const N: usize>(header: &H, arrays: [(&str, Array); N]) -> Vec<u8> {
    let plain = "headers and arrays are plain data";
    let text = serde_json::to_string(header).unwrap_or_else(|e| unreachable!("{plain}: {e}"));
    let views = arrays.iter().map(|(name, array)| {
        let width = array.dtype.bitsize() / 8;
        let view = TensorView::new(array.dtype, vec![array.bytes.len() / width], &array.bytes);
        (*name, view.unwrap_or_else(|e| unreachable!("{plain}: {e}")))
    });
    let metadata = HashMap::from([(HEADER.to_owned(), text)]);
    safetensors::serialize(views, Some(metadata)).unwrap_or_else(|e| unreachable!("{plain}: {e}"))
}

pub(crate) struct Arrays<'a> {
    kind: &'static str,
    tensors: SafeTensors<'a>,
}

impl Arrays<'_> {
    pub fn take(&mut self, name: &str, expected: Option<usize>) -> Result<Vec<f64>, CodecError> {
        self.numbers(name, Dtype::F64, expected, f64::from_le_bytes)
    }

    pub fn take_f32(&mut self, name: &str, expected: Option<usize>) -> Result<Vec<f32>, CodecError> {
        self.numbers(name, Dtype::F32, expected, f32::from_le_bytes)
    }

    pub fn take_u32(&mut self, name: &str, expected: Option<usize>) -> Result<Vec<u32>, CodecError> {
        self.numbers(name, Dtype::U32, expected, u32::from_le_bytes)
    }

    pub fn take_u8(&mut self, name: &str, expected: Option<usize>) -> Result<Vec<u8>, CodecError> {
        self.numbers(name, Dtype::U8, expected, |[byte]| byte)
    }

    fn numbers<T, const N: usize>(
        &self,
        name: &str,
        dtype: Dtype,
        expected: Option<usize>,
        of: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<T>, CodecError> {
        let damaged = |problem: String| CodecError::new(self.kind, problem);
        let view = self.tensors.tensor(name).map_err(|e| damaged(format!("array '{name}': {e}")))?;
        let data = view.data();
        if view.dtype() != dtype || expected.and_then(|n| n.checked_mul(N)) != Some(data.len()) {
            return Err(damaged(format!("array '{name}' has {} bytes of {:?}", data.len(), view.dtype())));
        }
        Ok(data.as_chunks::<N>().0.iter().map(|chunk| of(*chunk)).collect())
    }
}

pub(crate) fn decode<'a, H: DeserializeOwned>(
    payload: &'a [u8],
    kind: &'static str,
) -> Result<(H, Arrays<'a>), CodecError> {
    let damaged = |problem: String| CodecError { kind, problem };
    let (_, metadata) = SafeTensors::read_metadata(payload).map_err(|e| damaged(e.to_string()))?;
    let header = metadata.metadata().as_ref().and_then(|fields| fields.get(HEADER));
    let header = header.ok_or_else(|| damaged("it has no header".to_owned()))?;
    let header = serde_json::from_str(header).map_err(|e| damaged(e.to_string()))?;
    let tensors = SafeTensors::deserialize(payload).map_err(|e| damaged(e.to_string()))?;
    Ok((header, Arrays { kind, tensors }))
}
