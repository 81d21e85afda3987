//! Convolutions, pools and what else knows about channels and planes.

use super::attributes::{float, integer, size, sizes, text};
use super::{Compiler, Input, Reason};
use crate::gradient::ops::conv::Conv;
use crate::gradient::ops::norm::{Affine, LayerNorm, Lrn};
use crate::gradient::ops::pool::{AveragePool, MaxPool};
use crate::gradient::ops::window::Window;
use crate::gradient::real::Real;
use crate::onnx::NodeProto;

/// Rows and columns of images x channels x spatial axes.
fn plane(shape: &[usize]) -> Result<[usize; 2], Reason> {
    match shape {
        [_, _, columns] => Ok([1, *columns]),
        [_, _, rows, columns] => Ok([*rows, *columns]),
        _ => Err(format!("it works on {shape:?}; one or two spatial axes are supported")),
    }
}

/// The window of a node, and the padding after the last row and column.
fn window(
    node: &NodeProto,
    input: &[usize],
    output: &[usize],
    kernel: [usize; 2],
) -> Result<(Window, [usize; 2]), Reason> {
    let spatial = input.len().saturating_sub(2);
    let (input, output) = (plane(input)?, plane(output)?);
    let strides = sizes(node, "strides", 1, spatial)?;
    let dilations = sizes(node, "dilations", 1, spatial)?;
    if kernel.contains(&0) || strides.contains(&0) || dilations.contains(&0) || output.contains(&0) {
        return Err("kernel, strides and dilations must be at least 1".into());
    }
    let reach = |axis: usize| (kernel[axis] - 1) * dilations[axis] + 1;
    let automatic = text(node, "auto_pad").unwrap_or("NOTSET");
    let mut pads = [[0, 0], [0, 0]];
    for (axis, pads) in pads.iter_mut().enumerate() {
        let total = (((output[axis] - 1) * strides[axis]) + reach(axis)).saturating_sub(input[axis]);
        *pads = match automatic {
            "NOTSET" => explicit_pads(node, axis, spatial)?,
            "VALID" => [0, 0],
            "SAME_UPPER" => [total / 2, total - total / 2],
            other => return Err(format!("auto_pad is {other:?}")),
        };
    }
    let window = Window { input, kernel, strides, dilations, pads: [pads[0][0], pads[1][0]], output };
    Ok((window, [pads[0][1], pads[1][1]]))
}

/// Padding before and after along an axis of [rows, columns].
fn explicit_pads(node: &NodeProto, axis: usize, spatial: usize) -> Result<[usize; 2], Reason> {
    let values = super::attributes::integers(node, "pads").unwrap_or_default();
    let position = (axis + spatial).checked_sub(2);
    let (Some(position), false) = (position, values.is_empty()) else { return Ok([0, 0]) };
    let value = |index: usize| values.get(index).and_then(|&value| size(value));
    match (value(position), value(position + spatial)) {
        (Some(before), Some(after)) if values.len() == 2 * spatial => Ok([before, after]),
        _ => Err(format!("attribute pads is {values:?}")),
    }
}

impl<T: Real> Compiler<'_, T> {
    pub(super) fn convolution(&mut self, node: &NodeProto) -> Result<(), Reason> {
        let input = self.image(node)?;
        let name = node.input.get(1).ok_or("its weights are missing")?;
        let (weight_shape, weight) = self.floats(name)?;
        let bias = self.float_input(node, 2)?;
        let (_, shape) = self.output(node, 0)?;
        let groups = integer(node, "group").unwrap_or(1);
        let groups =
            usize::try_from(groups).ok().filter(|&groups| groups > 0).ok_or("group is not positive")?;
        let kernel = plane(&weight_shape)?;
        let (window, _) = window(node, &input.shape, &shape, kernel)?;
        let (channels_in, channels_out) = (input.shape[1], shape[1]);
        let agrees = weight_shape.len() == input.shape.len()
            && shape.len() == input.shape.len()
            && weight_shape[0] == channels_out
            && channels_out.is_multiple_of(groups)
            && weight_shape[1] * groups == channels_in
            && bias.as_ref().is_none_or(|bias| bias.len() == channels_out)
            && !weight.is_empty();
        if !agrees {
            return Err(format!("weights {weight_shape:?} with {groups} groups for input {:?}", input.shape));
        }
        let conv = Conv::new(groups, [weight_shape[1], channels_out / groups], window, weight, bias);
        let made = self.push(conv, vec![input.source], shape);
        self.name(node, &made)
    }

    pub(super) fn max_pool(&mut self, node: &NodeProto) -> Result<(), Reason> {
        let input = self.image(node)?;
        let (_, shape) = self.output(node, 0)?;
        let window = self.pool_window(node, &input, &shape, "GlobalMaxPool")?.0;
        let made = self.push(MaxPool::new(window), vec![input.source], shape);
        self.name(node, &made)
    }

    pub(super) fn average_pool(&mut self, node: &NodeProto) -> Result<(), Reason> {
        let input = self.image(node)?;
        let (_, shape) = self.output(node, 0)?;
        let (window, after) = self.pool_window(node, &input, &shape, "")?;
        let with_padding = integer(node, "count_include_pad") == Some(1);
        let shown = window.clone();
        let counted = move |axis: usize, output: usize| {
            let (first, end) = if with_padding {
                (0, shown.input[axis] + shown.pads[axis] + after[axis])
            } else {
                (shown.pads[axis], shown.input[axis] + shown.pads[axis])
            };
            let place = |tap: usize| output * shown.strides[axis] + tap;
            (0..shown.kernel[axis]).filter(|&tap| (first..end).contains(&place(tap))).count()
        };
        let made = self.push(AveragePool::new(window, counted), vec![input.source], shape);
        self.name(node, &made)
    }

    /// Not dilated: the scorer's engine takes no dilated pool.
    fn pool_window(
        &self,
        node: &NodeProto,
        input: &Input,
        output: &[usize],
        global: &str,
    ) -> Result<(Window, [usize; 2]), Reason> {
        let whole = plane(&input.shape)?;
        if input.shape.len() != output.len() || input.shape[..2] != output[..2] {
            return Err(format!("it turns {:?} into {output:?}", input.shape));
        }
        if node.op_type() == global {
            return window(node, &input.shape, output, whole);
        }
        if super::attributes::integers(node, "kernel_shape").is_none_or(|kernel| kernel.is_empty()) {
            return Err("kernel_shape is missing".into());
        }
        let kernel = sizes(node, "kernel_shape", 1, input.shape.len().saturating_sub(2))?;
        window(node, &input.shape, output, kernel)
    }

    pub(super) fn batch_normalization(&mut self, node: &NodeProto) -> Result<(), Reason> {
        let input = self.image(node)?;
        let parameter = |index: usize| -> Result<Vec<T>, Reason> {
            self.float_input(node, index)?.ok_or_else(|| format!("input {index} is missing"))
        };
        let (gamma, beta, mean, variance) = (parameter(1)?, parameter(2)?, parameter(3)?, parameter(4)?);
        let channels = input.shape.get(1).copied().unwrap_or(1);
        if [&gamma, &beta, &mean, &variance].iter().any(|values| values.len() != channels) || channels == 0 {
            return Err(format!("its parameters do not have one number for each of {channels} channels"));
        }
        let epsilon = float(node, "epsilon", 1e-5);
        let scale: Vec<T> = gamma
            .iter()
            .zip(&variance)
            .map(|(gamma, variance)| T::of(gamma.wide() / (variance.wide() + epsilon).sqrt()))
            .collect();
        let shift = beta.iter().zip(&mean).zip(&scale).map(|((&beta, &mean), &scale)| beta - mean * scale);
        self.affine(node, input, scale.clone(), shift.collect())
    }

    /// Into the convolution before it where possible, else as a step.
    fn affine(&mut self, node: &NodeProto, input: Input, scale: Vec<T>, shift: Vec<T>) -> Result<(), Reason> {
        if let Some(step) = self.fusable(node)
            && self.program.steps[step].op.fuse_affine(&scale, &shift)
        {
            return self.passed_on(node, &input, step);
        }
        let plane = input.shape.iter().skip(2).product();
        let made = self.push(Affine { scale, shift, plane }, vec![input.source], input.shape.clone());
        self.name(node, &made)
    }

    /// The output is the input's value, into whose step the node was fused.
    fn passed_on(&mut self, node: &NodeProto, input: &Input, step: usize) -> Result<(), Reason> {
        self.name(node, input)?;
        if let Some(name) = node.output.first() {
            self.makers.insert(name.clone(), step);
        }
        Ok(())
    }

    pub(super) fn relu(&mut self, node: &NodeProto) -> Result<(), Reason> {
        let input = self.image(node)?;
        if let Some(step) = self.fusable(node)
            && self.program.steps[step].op.fuse_relu()
        {
            return self.passed_on(node, &input, step);
        }
        let op = crate::gradient::ops::unary::Unary(crate::gradient::ops::unary::Function::Relu);
        let made = self.push(op, vec![input.source], input.shape);
        self.name(node, &made)
    }

    pub(super) fn local_response(&mut self, node: &NodeProto) -> Result<(), Reason> {
        let input = self.image(node)?;
        let size = integer(node, "size").and_then(|size| usize::try_from(size).ok());
        let size = size.filter(|&size| size > 0).ok_or("size is not positive")?;
        let channels = input.shape.get(1).copied().filter(|&channels| channels > 0);
        let channels = channels.ok_or("its input has no channels")?;
        let lrn = Lrn {
            channels,
            plane: input.shape[2..].iter().product(),
            size,
            alpha: T::of(float(node, "alpha", 1e-4)),
            beta: T::of(float(node, "beta", 0.75)),
            bias: T::of(float(node, "bias", 1.0)),
        };
        let made = self.push(lrn, vec![input.source], input.shape);
        self.name(node, &made)
    }

    /// Normalisation of each channel, then scale and shift per channel.
    pub(super) fn instance_normalization(&mut self, node: &NodeProto) -> Result<(), Reason> {
        let input = self.image(node)?;
        let [_, channels, ..] = input.shape[..] else { return Err("its input has no channels".into()) };
        let (scale, shift) = (self.float_input(node, 1)?, self.float_input(node, 2)?);
        let (Some(scale), Some(shift)) = (scale, shift) else {
            return Err("scale or bias is missing".into());
        };
        if scale.len() != channels || shift.len() != channels {
            return Err("scale and bias must have one number per channel".into());
        }
        let plane = input.shape[2..].iter().product();
        let norm = LayerNorm { length: plane, epsilon: T::of(float(node, "epsilon", 1e-5)) };
        let made = self.push(norm, vec![input.source], input.shape.clone());
        let made = self.push(Affine { scale, shift, plane }, vec![made.source], input.shape);
        self.name(node, &made)
    }
}
