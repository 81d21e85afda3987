//! Products of matrices, layer normalisation and softmax.

use super::attributes::{axis, float, integer};
use super::{Compiler, Input, Reason};
use crate::gradient::ops::binary::{Binary, Pair};
use crate::gradient::ops::linear::MatMul;
use crate::gradient::ops::norm::{LayerNorm, Softmax};
use crate::gradient::program::Source;
use crate::gradient::real::Real;
use crate::onnx::NodeProto;

impl<T: Real> Compiler<'_, T> {
    pub(super) fn gemm(&mut self, node: &NodeProto) -> Result<(), Reason> {
        let (a, b) = (self.needed(node, 0)?, self.needed(node, 1)?);
        let transposed = ["transA", "transB"].map(|name| integer(node, name).unwrap_or(0) != 0);
        let (&[a0, a1], &[b0, b1]) = (&a.shape[..], &b.shape[..]) else {
            return Err(format!("it multiplies {:?} and {:?}", a.shape, b.shape));
        };
        let (m, k) = if transposed[0] { (a1, a0) } else { (a0, a1) };
        let (inner, n) = if transposed[1] { (b1, b0) } else { (b0, b1) };
        if k != inner || m * k * n == 0 {
            return Err(format!("it multiplies {:?} and {:?}", a.shape, b.shape));
        }
        let alpha = T::of(float(node, "alpha", 1.0));
        let product = MatMul { size: [m, k, n], transposed, alpha, batch: vec![[0, 0]] };
        let made = if variable(&a) || variable(&b) {
            self.push(product, vec![a.source, b.source], vec![m, n])
        } else {
            return Err("both of its factors are constant".into());
        };
        let beta = float(node, "beta", 1.0);
        let made = match self.input(node, 2)? {
            Some(c) if beta == 1.0 => self.pair(Pair::Add, made, c, vec![m, n])?,
            Some(c) => {
                let beta = self.constant(vec![], vec![T::of(beta)]);
                let shape = c.shape.clone();
                let scaled = self.pair(Pair::Mul, c, beta, shape)?;
                self.pair(Pair::Add, made, scaled, vec![m, n])?
            }
            None => made,
        };
        self.name(node, &made)
    }

    pub(super) fn matmul(&mut self, node: &NodeProto) -> Result<(), Reason> {
        let (a, b) = (self.needed(node, 0)?, self.needed(node, 1)?);
        let refuse = || format!("it multiplies {:?} and {:?}", a.shape, b.shape);
        let mut left = a.shape.clone();
        let mut right = b.shape.clone();
        if left.is_empty() || right.is_empty() {
            return Err(refuse());
        }
        if left.len() == 1 {
            left.insert(0, 1);
        }
        if right.len() == 1 {
            right.push(1);
        }
        let (left_batch, &[m, k]) = left.split_last_chunk().ok_or_else(refuse)?;
        let (right_batch, &[inner, n]) = right.split_last_chunk().ok_or_else(refuse)?;
        if k != inner || m * k * n == 0 {
            return Err(refuse());
        }
        let (_, shape) = self.output(node, 0)?;
        // Where all matrices on the left meet one on the right, they are one tall matrix.
        if right_batch.iter().product::<usize>() == 1 {
            let rows = left.iter().product::<usize>() / k;
            let size = [rows, k, n];
            let one = MatMul { size, transposed: [false; 2], alpha: T::one(), batch: vec![[0, 0]] };
            let made = self.push(one, vec![a.source, b.source], shape);
            return self.name(node, &made);
        }
        let batch = batches(left_batch, right_batch).ok_or_else(refuse)?;
        let many = MatMul { size: [m, k, n], transposed: [false; 2], alpha: T::one(), batch };
        let made = self.push(many, vec![a.source, b.source], shape);
        self.name(node, &made)
    }

    /// A function of two tensors as a step.
    pub(super) fn pair(
        &mut self,
        pair: Pair,
        a: Input,
        b: Input,
        shape: Vec<usize>,
    ) -> Result<Input, Reason> {
        let op = Binary::new(pair, &a.shape, &b.shape, &shape)
            .ok_or_else(|| format!("{:?} and {:?} do not go together to {shape:?}", a.shape, b.shape))?;
        Ok(self.push(op, vec![a.source, b.source], shape))
    }

    pub(super) fn layer_normalization(&mut self, node: &NodeProto) -> Result<(), Reason> {
        let input = self.image(node)?;
        let first = axis(integer(node, "axis").unwrap_or(-1), input.shape.len())?;
        let length = input.shape[first..].iter().product::<usize>();
        if length == 0 {
            return Err("there is nothing to normalise".into());
        }
        let norm = LayerNorm { length, epsilon: T::of(float(node, "epsilon", 1e-5)) };
        let shape = input.shape.clone();
        let mut made = self.push(norm, vec![input.source], shape.clone());
        for (index, pair) in [(1, Pair::Mul), (2, Pair::Add)] {
            if let Some(parameter) = self.input(node, index)? {
                made = self.pair(pair, made, parameter, shape.clone())?;
            }
        }
        self.name(node, &made)
    }

    pub(super) fn softmax(&mut self, node: &NodeProto) -> Result<(), Reason> {
        let input = self.image(node)?;
        let logarithm = node.op_type() == "LogSoftmax";
        let given = integer(node, "axis");
        // Before operator set 13 everything from the axis on was one row.
        let old = self.version < 13;
        let axis = axis(given.unwrap_or(if old { 1 } else { -1 }), input.shape.len())?;
        let after: usize = input.shape[axis + 1..].iter().product();
        let (length, inner) = if old { (input.shape[axis] * after, 1) } else { (input.shape[axis], after) };
        if length * inner == 0 {
            return Err("there is nothing to normalise".into());
        }
        let made = self.push(Softmax { length, inner, logarithm }, vec![input.source], input.shape);
        self.name(node, &made)
    }
}

fn variable(input: &Input) -> bool {
    matches!(input.source, Source::Value(_))
}

/// For each matrix of the broadcast batch, its indices on both sides.
fn batches(left: &[usize], right: &[usize]) -> Option<Vec<[usize; 2]>> {
    let rank = left.len().max(right.len());
    let padded = |shape: &[usize]| -> Vec<usize> {
        std::iter::repeat_n(1, rank - shape.len()).chain(shape.iter().copied()).collect()
    };
    let (left, right) = (padded(left), padded(right));
    let mut batches = vec![[0, 0]];
    for (&a, &b) in left.iter().zip(&right) {
        if a != b && a != 1 && b != 1 {
            return None;
        }
        let step = |length: usize, i: usize| if length == 1 { 0 } else { i };
        let next = |[x, y]: [usize; 2]| (0..a.max(b)).map(move |i| [x * a + step(a, i), y * b + step(b, i)]);
        batches = batches.into_iter().flat_map(next).collect();
    }
    Some(batches)
}
