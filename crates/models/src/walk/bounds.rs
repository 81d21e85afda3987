//! How much an operator makes and works at most, from the shapes and values that go into it, before it runs.
//!
//! Sizes are f64: they cannot overflow, and nobody needs the last digit of 10^18.

use crate::onnx::{AttributeProto, NodeProto};

/// What goes into an operator.
pub(super) trait Inputs {
    /// Lengths of the axes of an input; `None` for one that is left out or is no tensor.
    fn shape(&self, input: usize) -> Option<Vec<f64>>;
    /// Values of a small input of numbers.
    fn numbers(&self, input: usize) -> Option<Vec<f64>>;
}

/// An upper bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bound {
    /// Elements of all results and of what is needed beside them.
    pub elements: f64,
    /// Multiplications, additions, or whatever the operator repeats.
    pub operations: f64,
}

impl Bound {
    fn of(elements: f64) -> Self {
        Self { elements, operations: elements }
    }

    fn with(elements: f64, operations: f64) -> Self {
        Self { elements, operations }
    }
}

/// Bound of an operator; `all` is the number of elements of all its inputs, which is all that operators without a rule make of them.
pub(super) fn bound(node: &NodeProto, inputs: &dyn Inputs, all: f64) -> Bound {
    let rule = match node.op_type() {
        "Conv" | "ConvInteger" => conv(node, inputs),
        "ConvTranspose" => conv_transpose(node, inputs),
        "MaxPool" | "AveragePool" => pool(node, inputs),
        "MatMul" | "MatMulInteger" => mat_mul(inputs),
        "Gemm" => gemm(node, inputs),
        "MatMulNBits" => mat_mul_bits(node, inputs),
        "Einsum" => einsum(node, inputs),
        "GRU" | "LSTM" | "DynamicQuantizeLSTM" => recurrent(inputs),
        "Attention" | "MultiHeadAttention" | "GroupQueryAttention" => attention(node, inputs, all),
        "DFT" | "STFT" => spectrum(node, inputs, all),
        "NonMaxSuppression" => inputs.shape(0).map(|boxes| {
            let classes = inputs.shape(1).and_then(|scores| scores.get(1).copied()).unwrap_or(1.0);
            let (count, all) = (boxes.get(1).copied().unwrap_or(0.0), product(&boxes));
            Bound::with(all * classes, all * classes * count)
        }),
        _ => size(node, inputs, all).map(Bound::of),
    };
    let bound = rule.unwrap_or(Bound::of(all));
    Bound { elements: bound.elements, operations: bound.operations.max(all) }
}

/// Elements that operators make whose work is no more than that.
fn size(node: &NodeProto, inputs: &dyn Inputs, all: f64) -> Option<f64> {
    let numbers = |input: usize, name: &str| inputs.numbers(input).or_else(|| list(node, name));
    Some(match node.op_type() {
        "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Mod" | "PRelu" | "And" | "Or" | "Xor" | "Equal"
        | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" | "Where" | "Max" | "Min" | "Mean"
        | "Sum" => {
            product(&broadcast(&(0..node.input.len()).filter_map(|i| inputs.shape(i)).collect::<Vec<_>>()))
        }
        "Expand" => product(&broadcast(&[inputs.shape(0)?, inputs.numbers(1)?])),
        "Tile" => product(&inputs.shape(0)?) * product(&inputs.numbers(1)?),
        "ConstantOfShape" => product(&inputs.numbers(0)?),
        "RandomNormal" | "RandomUniform" => product(&list(node, "shape")?),
        "Multinomial" => all * number(node, "sample_size", 1.0),
        "Range" => {
            let first = |input: usize| inputs.numbers(input)?.first().copied();
            ((first(1)? - first(0)?) / first(2)?).ceil().max(0.0)
        }
        "Pad" => product(&padded(&inputs.shape(0)?, &numbers(1, "pads")?, inputs.numbers(3).as_deref())),
        "Resize" | "Upsample" => resized(node, inputs)?,
        "OneHot" => product(&inputs.shape(0)?) * inputs.numbers(1)?.first()?.max(0.0),
        "Gather" => {
            let shape = inputs.shape(0)?;
            let along = axis(number(node, "axis", 0.0), shape.len())?;
            product(&shape) / shape[along].max(1.0) * product(&inputs.shape(1)?)
        }
        "GatherElements" => product(&inputs.shape(1)?),
        "GatherND" => {
            let (data, indices) = (inputs.shape(0)?, inputs.shape(1)?);
            let (&depth, outer) = indices.split_last()?;
            let inner = (depth + number(node, "batch_dims", 0.0)).max(0.0) as usize;
            product(outer) * product(data.get(inner..)?)
        }
        "GridSample" => {
            let (image, grid) = (inputs.shape(0)?, inputs.shape(1)?);
            product(image.get(..2)?) * product(&grid[..grid.len().saturating_sub(1)])
        }
        "NonZero" => all * inputs.shape(0)?.len().max(1) as f64,
        // Each piece is a tensor of its own.
        "SplitToSequence" => all * 64.0,
        _ => return None,
    })
}

fn product(lengths: &[f64]) -> f64 {
    // An empty axis makes an empty tensor, however long the others are.
    if lengths.contains(&0.0) { 0.0 } else { lengths.iter().map(|length| length.abs()).product() }
}

/// The shape that shapes have in common, counted from the last axis.
fn broadcast(shapes: &[Vec<f64>]) -> Vec<f64> {
    let rank = shapes.iter().map(Vec::len).max().unwrap_or(0);
    let length = |back: usize| {
        let of_each = shapes.iter().filter_map(|shape| shape.len().checked_sub(back).map(|at| shape[at]));
        of_each.fold(1.0, |common, length| if length == 1.0 { common } else { length.max(common) })
    };
    (1..=rank).rev().map(length).collect()
}

fn padded(shape: &[f64], pads: &[f64], axes: Option<&[f64]>) -> Vec<f64> {
    let mut shape = shape.to_vec();
    let count = pads.len() / 2;
    for position in 0..count {
        let along = axes.and_then(|axes| axes.get(position)).copied().unwrap_or(position as f64);
        if let Some(along) = axis(along, shape.len()) {
            shape[along] = (shape[along] + pads[position] + pads[position + count]).max(0.0);
        }
    }
    shape
}

fn resized(node: &NodeProto, inputs: &dyn Inputs) -> Option<f64> {
    let shape = inputs.shape(0)?;
    let old = node.op_type() == "Upsample" || node.input.len() < 3;
    let scales = inputs.numbers(if old { 1 } else { 2 }).filter(|scales| !scales.is_empty());
    let scales = scales.or_else(|| list(node, "scales"));
    let sizes = inputs.numbers(3).filter(|sizes| !sizes.is_empty());
    let axes = list(node, "axes");
    let mut result = shape.clone();
    for (position, value) in sizes.as_ref().or(scales.as_ref())?.iter().enumerate() {
        let along = axes.as_ref().and_then(|axes| axes.get(position)).copied().unwrap_or(position as f64);
        let along = axis(along, shape.len())?;
        result[along] = if sizes.is_some() { *value } else { (shape[along] * value).ceil() };
    }
    Some(product(&result))
}

/// Length of an axis after a window has gone over it.
fn windows(node: &NodeProto, spatial: &[f64], kernel: &[f64]) -> Vec<f64> {
    let of = |name: &str, default: f64| list(node, name).unwrap_or_else(|| vec![default; 2 * spatial.len()]);
    let (strides, dilations, pads) = (of("strides", 1.0), of("dilations", 1.0), of("pads", 0.0));
    let same = text(node, "auto_pad").is_some_and(|pad| pad.starts_with(b"SAME"));
    let at = |list: &[f64], index: usize, default: f64| list.get(index).copied().unwrap_or(default);
    let length = |(axis, &length): (usize, &f64)| {
        let stride = at(&strides, axis, 1.0).max(1.0);
        if same {
            return (length / stride).ceil();
        }
        let window = at(&dilations, axis, 1.0) * (at(kernel, axis, 1.0) - 1.0) + 1.0;
        let padding = at(&pads, axis, 0.0) + at(&pads, axis + spatial.len(), 0.0);
        // One more where the last window may stick out.
        ((length + padding - window) / stride + 2.0).floor().max(0.0)
    };
    spatial.iter().enumerate().map(length).collect()
}

fn conv(node: &NodeProto, inputs: &dyn Inputs) -> Option<Bound> {
    let (image, weight) = (inputs.shape(0)?, inputs.shape(1)?);
    let kernel = weight.get(2..)?;
    let elements = image.first()? * weight.first()? * product(&windows(node, image.get(2..)?, kernel));
    Some(Bound::with(elements, elements * product(&weight[1..])))
}

fn conv_transpose(node: &NodeProto, inputs: &dyn Inputs) -> Option<Bound> {
    let (image, weight) = (inputs.shape(0)?, inputs.shape(1)?);
    let (spatial, kernel) = (image.get(2..)?, weight.get(2..)?);
    let of = |name: &str, default: f64| list(node, name).unwrap_or_else(|| vec![default; spatial.len()]);
    let (strides, dilations, more) = (of("strides", 1.0), of("dilations", 1.0), of("output_padding", 0.0));
    let length = |(axis, &length): (usize, &f64)| {
        let at = |list: &[f64], default: f64| list.get(axis).copied().unwrap_or(default);
        at(&strides, 1.0) * length + at(&more, 0.0) + at(&dilations, 1.0) * at(kernel, 1.0)
    };
    let result: Vec<f64> = spatial.iter().enumerate().map(length).collect();
    let channels = weight.get(1)? * number(node, "group", 1.0);
    let columns = channels * product(kernel) * product(spatial);
    let elements = image.first()?
        * channels
        * product(&result).max(list(node, "output_shape").map_or(0.0, |shape| product(&shape)));
    Some(Bound::with(elements + columns, columns * weight.first()?))
}

fn pool(node: &NodeProto, inputs: &dyn Inputs) -> Option<Bound> {
    let image = inputs.shape(0)?;
    let kernel = list(node, "kernel_shape")?;
    let elements = product(image.get(..2)?) * product(&windows(node, &image[2..], &kernel));
    Some(Bound::with(elements, elements * product(&kernel)))
}

fn mat_mul(inputs: &dyn Inputs) -> Option<Bound> {
    let (mut a, mut b) = (inputs.shape(0)?, inputs.shape(1)?);
    let inner = *a.last()?;
    let columns = if b.len() > 1 { *b.last()? } else { 1.0 };
    let rows = if a.len() > 1 { a[a.len() - 2] } else { 1.0 };
    a.truncate(a.len().saturating_sub(2));
    b.truncate(b.len().saturating_sub(2));
    let elements = product(&broadcast(&[a, b])) * rows * columns;
    Some(Bound::with(elements, elements * inner))
}

fn gemm(node: &NodeProto, inputs: &dyn Inputs) -> Option<Bound> {
    let (a, b) = (inputs.shape(0)?, inputs.shape(1)?);
    let swapped = |name: &str| number(node, name, 0.0) != 0.0;
    let (rows, inner) = if swapped("transA") { (a.get(1)?, a.first()?) } else { (a.first()?, a.get(1)?) };
    let columns = if swapped("transB") { b.first()? } else { b.get(1)? };
    Some(Bound::with(rows * columns, rows * columns * inner))
}

fn mat_mul_bits(node: &NodeProto, inputs: &dyn Inputs) -> Option<Bound> {
    let a = inputs.shape(0)?;
    let (columns, all) = (number(node, "N", 1.0).max(0.0), product(&a));
    Some(Bound::with(all / a.last()?.max(1.0) * columns, all * columns))
}

/// The work of a sum over all letters at once, which is also what may lie between more than two factors.
fn einsum(node: &NodeProto, inputs: &dyn Inputs) -> Option<Bound> {
    let equation = String::from_utf8_lossy(text(node, "equation")?).replace(' ', "");
    let shapes: Vec<Vec<f64>> =
        (0..node.input.len()).map(|input| inputs.shape(input)).collect::<Option<_>>()?;
    let worst: f64 = shapes.iter().map(|shape| product(shape)).product();
    let terms = equation.split("->").next()?.split(',');
    let mut lengths: Vec<(char, f64)> = Vec::new();
    for (term, shape) in terms.zip(&shapes) {
        // With an ellipsis, whatever it stands for.
        if term.chars().count() != shape.len() {
            return Some(Bound::of(worst));
        }
        for (letter, &length) in term.chars().zip(shape) {
            match lengths.iter_mut().find(|(known, _)| *known == letter) {
                Some((_, longest)) => *longest = longest.max(length),
                None => lengths.push((letter, length)),
            }
        }
    }
    let wanted = equation.split_once("->").map(|(_, result)| result);
    let of = |keep: &dyn Fn(char) -> bool| {
        product(&lengths.iter().filter(|(letter, _)| keep(*letter)).map(|(_, l)| *l).collect::<Vec<_>>())
    };
    let result = of(&|letter| wanted.is_none_or(|wanted| wanted.contains(letter)));
    let together = of(&|_| true);
    Some(Bound::with(if shapes.len() > 2 { together } else { result }, together))
}

fn recurrent(inputs: &dyn Inputs) -> Option<Bound> {
    let (sequence, weight, state) = (inputs.shape(0)?, inputs.shape(1)?, inputs.shape(2)?);
    let steps = product(sequence.get(..2)?);
    let gates = product(weight.get(..2)?);
    Some(Bound::with(2.0 * steps * gates, steps * gates * (sequence.get(2)? + state.last()?)))
}

/// Queries times keys for every head, and the values.
fn attention(node: &NodeProto, inputs: &dyn Inputs, all: f64) -> Option<Bound> {
    let (query, key) = (inputs.shape(0)?, inputs.shape(1).or_else(|| inputs.shape(0))?);
    let heads = ["num_heads", "q_num_heads"].iter().map(|name| number(node, name, 1.0)).fold(1.0, f64::max);
    let heads = if query.len() > 3 { query[1] } else { heads };
    let length = |shape: &[f64]| shape.len().checked_sub(2).map_or(1.0, |at| shape[at]);
    let past = [4, 5, 6].iter().filter_map(|&input| inputs.shape(input)).map(|shape| length(&shape));
    let keys = length(&key) + past.fold(0.0, f64::max);
    let pairs = query.first()? * heads * length(&query) * keys;
    Some(Bound::with(2.0 * pairs + 2.0 * all, 2.0 * pairs * query.last()?))
}

/// Frames of the signal, each as long as the window.
fn spectrum(node: &NodeProto, inputs: &dyn Inputs, all: f64) -> Option<Bound> {
    let first = |input: usize| inputs.numbers(input).and_then(|values| values.first().copied());
    if node.op_type() == "DFT" {
        return Some(Bound::of(2.0 * all * first(1).unwrap_or(1.0).max(1.0)));
    }
    let window = first(3).or_else(|| Some(product(&inputs.shape(2)?)))?.max(1.0);
    Some(Bound::of(2.0 * (all / first(1)?.max(1.0) + 1.0) * window))
}

fn axis(value: f64, rank: usize) -> Option<usize> {
    let value = if value < 0.0 { value + rank as f64 } else { value };
    (value >= 0.0 && value < rank as f64).then_some(value as usize)
}

fn find<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name() == name)
}

/// An attribute that is a list of numbers.
fn list(node: &NodeProto, name: &str) -> Option<Vec<f64>> {
    let attribute = find(node, name)?;
    let integers = attribute.ints.iter().map(|&value| value as f64);
    Some(integers.chain(attribute.floats.iter().map(|&value| value.into())).collect())
}

fn number(node: &NodeProto, name: &str, default: f64) -> f64 {
    find(node, name).and_then(|attribute| attribute.i).map_or(default, |value| value as f64)
}

fn text<'a>(node: &'a NodeProto, name: &str) -> Option<&'a [u8]> {
    find(node, name)?.s.as_deref()
}
