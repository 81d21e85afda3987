//! Operators that move elements, and sums over axes.

use ndarray::{ArrayD, IxDyn};

use super::attributes::{axis, integer, integers, size, text};
use super::{Compiler, Input, Reason};
use crate::gradient::ops::shape::{Concat, OUTSIDE, Reduce, Take};
use crate::gradient::real::Real;
use crate::onnx::NodeProto;

/// For each axis of the output, where along the same axis of the input each position comes from ([`OUTSIDE`]: nowhere).
type AxisMaps = Vec<Vec<u32>>;

impl<T: Real> Compiler<'_, T> {
    pub(super) fn movement(&mut self, node: &NodeProto) -> Result<(), Reason> {
        match node.op_type() {
            "Identity" | "Dropout" | "Cast" | "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => {
                self.alias(node)
            }
            "Transpose" => self.transpose(node),
            "Concat" => self.concat(node),
            "Slice" => self.slice(node),
            "Gather" => self.gather(node),
            "Split" => self.split(node),
            "Pad" => self.pad(node),
            "Expand" => self.expand(node),
            "DepthToSpace" => self.depth_to_space(node),
            "GlobalAveragePool" | "ReduceMean" | "ReduceSum" => self.reduce(node),
            _ => Err("its gradient is not available".into()),
        }
    }

    fn take(&mut self, node: &NodeProto, input: Input, maps: &AxisMaps, fill: T) -> Result<(), Reason> {
        let shape: Vec<usize> = maps.iter().map(Vec::len).collect();
        let op = Take::new(separable(&input.shape, maps)?, fill);
        let made = self.push(op, vec![input.source], shape);
        self.name(node, &made)
    }

    fn transpose(&mut self, node: &NodeProto) -> Result<(), Reason> {
        let input = self.image(node)?;
        let rank = input.shape.len();
        let order = integers(node, "perm").unwrap_or_else(|| (0..rank as i64).rev().collect());
        let order: Vec<usize> = order.iter().map(|&value| axis(value, rank)).collect::<Result<_, _>>()?;
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if sorted != (0..rank).collect::<Vec<_>>() {
            return Err(format!("perm {order:?} for a tensor with {rank} axes"));
        }
        let moved = positions(&input.shape)?.permuted_axes(IxDyn(&order));
        let op = Take::new(moved.iter().copied(), T::zero());
        let made = self.push(op, vec![input.source], moved.shape().to_vec());
        self.name(node, &made)
    }

    fn concat(&mut self, node: &NodeProto) -> Result<(), Reason> {
        let inputs: Vec<Input> =
            (0..node.input.len()).map(|index| self.needed(node, index)).collect::<Result<_, _>>()?;
        let (_, shape) = self.output(node, 0)?;
        let axis = axis(integer(node, "axis").ok_or("axis is missing")?, shape.len())?;
        let fits = |input: &Input| {
            input.shape.len() == shape.len()
                && (0..shape.len()).all(|other| other == axis || input.shape[other] == shape[other])
        };
        let total: usize = inputs.iter().map(|input| input.shape.get(axis).copied().unwrap_or(0)).sum();
        if !inputs.iter().all(fits) || total != shape[axis] {
            return Err(format!("its inputs do not make {shape:?}"));
        }
        let lengths = inputs.iter().map(|input| input.shape[axis..].iter().product()).collect();
        let made = self.push(Concat { lengths }, inputs.iter().map(|input| input.source).collect(), shape);
        self.name(node, &made)
    }

    /// A list that is an attribute in old operator sets and an input in new ones.
    fn list(&self, node: &NodeProto, name: &str, input: usize) -> Result<Option<Vec<i64>>, Reason> {
        Ok(integers(node, name).or(self.integer_input(node, input)?))
    }

    fn slice(&mut self, node: &NodeProto) -> Result<(), Reason> {
        let input = self.image(node)?;
        let starts = self.list(node, "starts", 1)?.ok_or("starts is missing")?;
        let ends = self.list(node, "ends", 2)?.ok_or("ends is missing")?;
        let axes = self.list(node, "axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
        let steps = self.integer_input(node, 4)?.unwrap_or_else(|| vec![1; starts.len()]);
        if [&ends, &axes, &steps].iter().any(|list| list.len() != starts.len()) {
            return Err("starts, ends, axes and steps differ in length".into());
        }
        let mut maps = whole(&input.shape);
        for (((&start, &end), &along), &step) in starts.iter().zip(&ends).zip(&axes).zip(&steps) {
            let along = axis(along, input.shape.len())?;
            maps[along] = cut(input.shape[along], start, end, step)?;
        }
        self.take(node, input, &maps, T::zero())
    }

    fn gather(&mut self, node: &NodeProto) -> Result<(), Reason> {
        let input = self.image(node)?;
        let axis = axis(integer(node, "axis").unwrap_or(0), input.shape.len())?;
        let indices = self.integer_input(node, 1)?.ok_or("the indices are missing")?;
        let length = input.shape[axis];
        let mut maps = whole(&input.shape);
        maps[axis] = indices
            .iter()
            .map(|&index| {
                let positive = if index < 0 { index + length as i64 } else { index };
                let found = u32::try_from(positive).ok().filter(|&found| (found as usize) < length);
                found.ok_or_else(|| format!("index {index} along an axis of {length}"))
            })
            .collect::<Result<_, _>>()?;
        self.take(node, input, &maps, T::zero())
    }

    fn split(&mut self, node: &NodeProto) -> Result<(), Reason> {
        let input = self.image(node)?;
        let axis = axis(integer(node, "axis").unwrap_or(0), input.shape.len())?;
        let mut first = 0;
        for index in 0..node.output.len() {
            let (name, shape) = self.output(node, index)?;
            let length = shape.get(axis).copied().unwrap_or(0);
            if first + length > input.shape[axis] {
                return Err("its outputs are longer than its input".into());
            }
            if self.readers.contains_key(name) || self.asked.contains(name) {
                let mut maps = whole(&input.shape);
                maps[axis] = (first as u32..(first + length) as u32).collect();
                let op = Take::new(separable(&input.shape, &maps)?, T::zero());
                let made = self.push(op, vec![input.source], shape);
                self.name_output(node, index, &made)?;
            }
            first += length;
        }
        Ok(())
    }

    fn pad(&mut self, node: &NodeProto) -> Result<(), Reason> {
        let input = self.image(node)?;
        let rank = input.shape.len();
        let pads = self.list(node, "pads", 1)?.ok_or("pads is missing")?;
        let axes = match self.integer_input(node, 3)? {
            Some(axes) => axes.iter().map(|&value| axis(value, rank)).collect::<Result<Vec<_>, _>>()?,
            None => (0..rank).collect(),
        };
        if pads.len() != 2 * axes.len() {
            return Err(format!("pads {pads:?} for {} axes", axes.len()));
        }
        let mode = text(node, "mode").unwrap_or("constant");
        let value = self.float_input(node, 2)?.and_then(|values| values.first().copied());
        let fill = value.unwrap_or_else(|| T::of(super::attributes::float(node, "value", 0.0)));
        let mut maps = whole(&input.shape);
        let (_, shape) = self.output(node, 0)?;
        for (position, &along) in axes.iter().enumerate() {
            let (before, after) = (pads[position], pads[position + axes.len()]);
            let length = input.shape[along] as i64;
            if shape.get(along).map(|&length| length as i64) != Some(before + length + after) {
                return Err(format!("pads {pads:?} do not make {shape:?}"));
            }
            let source = |index: i64| padded(index, length, mode);
            maps[along] = (-before..length + after).map(source).collect::<Result<_, _>>()?;
        }
        self.take(node, input, &maps, fill)
    }

    fn expand(&mut self, node: &NodeProto) -> Result<(), Reason> {
        let mut input = self.image(node)?;
        let (_, shape) = self.output(node, 0)?;
        while input.shape.len() < shape.len() {
            input.shape.insert(0, 1);
        }
        let map = |(&from, &to): (&usize, &usize)| match from {
            1 => Ok(vec![0; to]),
            _ if from == to => Ok((0..to as u32).collect()),
            _ => Err(format!("it expands {from} to {to}")),
        };
        let maps = input.shape.iter().zip(&shape).map(map).collect::<Result<AxisMaps, _>>()?;
        self.take(node, input, &maps, T::zero())
    }

    /// Channels become blocks of pixels.
    fn depth_to_space(&mut self, node: &NodeProto) -> Result<(), Reason> {
        let input = self.image(node)?;
        let block = integer(node, "blocksize").and_then(size);
        let block = block.filter(|&block| block > 0).ok_or("blocksize is not positive")?;
        let &[n, c, h, w] = input.shape.as_slice() else { return Err("its input is not an image".into()) };
        let (split, order): (Vec<usize>, [usize; 6]) = match text(node, "mode") {
            Some("CRD") => (vec![n, c / (block * block), block, block, h, w], [0, 1, 4, 2, 5, 3]),
            _ => (vec![n, block, block, c / (block * block), h, w], [0, 3, 4, 1, 5, 2]),
        };
        let positions = positions(&input.shape)?;
        let split = positions.into_shape_with_order(IxDyn(&split)).map_err(|error| error.to_string())?;
        let (_, shape) = self.output(node, 0)?;
        let moved = split.permuted_axes(IxDyn(&order));
        let made = self.push(Take::new(moved.iter().copied(), T::zero()), vec![input.source], shape);
        self.name(node, &made)
    }

    fn reduce(&mut self, node: &NodeProto) -> Result<(), Reason> {
        let input = self.image(node)?;
        let rank = input.shape.len();
        if rank == 0 {
            return self.alias(node);
        }
        let over = if node.op_type() == "GlobalAveragePool" {
            (2..rank).collect()
        } else {
            let axes = self.list(node, "axes", 1)?.unwrap_or_default();
            let axes = axes.iter().map(|&value| axis(value, rank)).collect::<Result<Vec<_>, _>>()?;
            match (axes.is_empty(), integer(node, "noop_with_empty_axes").unwrap_or(0)) {
                (true, 0) => (0..rank).collect(),
                (true, _) => return self.alias(node),
                _ => axes,
            }
        };
        let mut axes: Vec<(usize, usize)> = input.shape.iter().map(|&length| (length, 0)).collect();
        let mut step = 1;
        for axis in (0..rank).rev().filter(|axis| !over.contains(axis)) {
            axes[axis].1 = step;
            step *= input.shape[axis];
        }
        let count: usize =
            (0..rank).filter(|axis| over.contains(axis)).map(|axis| input.shape[axis]).product();
        let factor = if node.op_type() == "ReduceSum" { T::one() } else { T::of(1.0 / count as f64) };
        let made = self.push(Reduce { axes, factor }, vec![input.source], vec![step]);
        self.name(node, &made)
    }
}

/// Index of each element.
fn positions(shape: &[usize]) -> Result<ArrayD<u32>, Reason> {
    let total: usize = shape.iter().product();
    let total = u32::try_from(total).ok().filter(|&total| total < OUTSIDE);
    let total = total.ok_or_else(|| format!("a tensor of {shape:?} is too large"))?;
    ArrayD::from_shape_vec(IxDyn(shape), (0..total).collect()).map_err(|error| error.to_string())
}

fn whole(shape: &[usize]) -> AxisMaps {
    shape.iter().map(|&length| (0..length as u32).collect()).collect()
}

/// Index in the input of each element of the output.
fn separable(shape: &[usize], maps: &AxisMaps) -> Result<impl Iterator<Item = u32>, Reason> {
    positions(shape)?;
    let mut indices = vec![0u32];
    let mut step: u32 = shape.iter().product::<usize>() as u32;
    for (&length, map) in shape.iter().zip(maps) {
        step /= (length as u32).max(1);
        let along =
            |&start: &u32| {
                map.iter().map(move |&index| {
                    if start == OUTSIDE || index == OUTSIDE { OUTSIDE } else { start + index * step }
                })
            };
        indices = indices.iter().flat_map(along).collect();
    }
    Ok(indices.into_iter())
}

/// Positions from `start` to `end` along an axis, as ONNX counts them.
fn cut(length: usize, start: i64, end: i64, step: i64) -> Result<Vec<u32>, Reason> {
    let length = length as i64;
    let from_end = |value: i64| if value < 0 { value + length } else { value };
    let (start, end) = (from_end(start), from_end(end));
    match step {
        0 => Err("a step is 0".into()),
        1.. => {
            let (start, end) = (start.clamp(0, length), end.clamp(0, length));
            let step = usize::try_from(step).unwrap_or(usize::MAX);
            Ok((start..end).step_by(step).map(|index| index as u32).collect())
        }
        _ => {
            let (start, end) = (start.clamp(-1, length - 1), end.clamp(-1, length - 1));
            let step = usize::try_from(step.unsigned_abs()).unwrap_or(usize::MAX);
            Ok((end + 1..=start).rev().step_by(step).map(|index| index as u32).collect())
        }
    }
}

/// Where position `index` of a padded axis comes from.
fn padded(index: i64, length: i64, mode: &str) -> Result<u32, Reason> {
    if (0..length).contains(&index) {
        return Ok(index as u32);
    }
    let source = match mode {
        "constant" => return Ok(OUTSIDE),
        "edge" => index.clamp(0, length - 1),
        "reflect" if index < 0 => -index,
        "reflect" => 2 * (length - 1) - index,
        "wrap" => index.rem_euclid(length.max(1)),
        _ => return Err(format!("mode {mode:?}")),
    };
    if (0..length).contains(&source) {
        Ok(source as u32)
    } else {
        Err("it pads by more than the image".into())
    }
}
