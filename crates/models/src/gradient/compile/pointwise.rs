//! Functions of one or two numbers.

use super::attributes::{float, text};
use super::{Compiler, Reason};
use crate::gradient::ops::binary::{Pair, simpler};
use crate::gradient::ops::unary::{Function, Unary};
use crate::gradient::program::Source;
use crate::gradient::real::Real;
use crate::onnx::NodeProto;

impl<T: Real> Compiler<'_, T> {
    /// False if the node is no function of one or two numbers.
    pub(super) fn pointwise(&mut self, node: &NodeProto) -> Result<bool, Reason> {
        if let Some(function) = self.function(node)? {
            let input = self.image(node)?;
            let made = self.push(Unary(function), vec![input.source], input.shape);
            self.name(node, &made)?;
            return Ok(true);
        }
        let pair = match node.op_type() {
            "Add" | "Sum" => Pair::Add,
            "Sub" => Pair::Sub,
            "Mul" => Pair::Mul,
            "Div" => Pair::Div,
            "Pow" => Pair::Pow,
            "PRelu" => Pair::PRelu,
            "Max" => Pair::Max,
            "Min" => Pair::Min,
            _ => return Ok(false),
        };
        self.pairs(node, pair)?;
        Ok(true)
    }

    /// From left to right where there are more than two inputs.
    fn pairs(&mut self, node: &NodeProto, pair: Pair) -> Result<(), Reason> {
        let (_, shape) = self.output(node, 0)?;
        let mut made = self.needed(node, 0)?;
        if node.input.len() == 1 {
            return self.alias(node);
        }
        for index in 1..node.input.len() {
            let next = self.needed(node, index)?;
            let fixed = match next.source {
                Source::Constant(constant) => simpler(pair, &self.program.constants[constant]),
                Source::Value(_) => None,
            };
            made = match fixed {
                Some(function) => self.push(Unary(function), vec![made.source], made.shape),
                None => {
                    let joint = broadcast(&made.shape, &next.shape)
                        .ok_or_else(|| format!("{:?} and {:?} do not go together", made.shape, next.shape))?;
                    self.pair(pair, made, next, joint)?
                }
            };
        }
        if made.shape != shape {
            return Err(format!("its result is {:?}, but the scorer's engine makes {shape:?}", made.shape));
        }
        self.name(node, &made)
    }

    fn function(&self, node: &NodeProto) -> Result<Option<Function<T>>, Reason> {
        let number = |name: &str, default: f32| T::of(float(node, name, default));
        Ok(Some(match node.op_type() {
            "LeakyRelu" => Function::LeakyRelu(number("alpha", 0.01)),
            "Clip" => self.clip(node)?,
            "Sigmoid" => Function::Sigmoid,
            "Tanh" => Function::Tanh,
            "Elu" => Function::Elu(number("alpha", 1.0)),
            "Selu" => Function::Selu(number("alpha", 1.673_263_2), number("gamma", 1.050_701)),
            "HardSigmoid" => Function::HardSigmoid(number("alpha", 0.2), number("beta", 0.5)),
            "HardSwish" => Function::HardSwish,
            "Swish" => Function::Swish(number("alpha", 1.0)),
            "Softplus" => Function::Softplus,
            "Mish" => Function::Mish,
            "Erf" => Function::Erf,
            "Gelu" if text(node, "approximate") == Some("tanh") => Function::GeluTanh,
            "Gelu" => Function::Gelu,
            "Exp" => Function::Exp,
            "Log" => Function::Log,
            "Sqrt" => Function::Sqrt,
            "Reciprocal" => Function::Reciprocal,
            "Abs" => Function::Abs,
            "Neg" => Function::Neg,
            _ => return Ok(None),
        }))
    }

    /// The bounds are attributes before operator set 11, inputs since.
    fn clip(&self, node: &NodeProto) -> Result<Function<T>, Reason> {
        let bound = |index: usize, name: &str, default: f32| -> Result<T, Reason> {
            let given = self.float_input(node, index)?.and_then(|values| values.first().copied());
            Ok(given.unwrap_or_else(|| T::of(float(node, name, default))))
        };
        Ok(Function::Clip(bound(1, "min", f32::MIN)?, bound(2, "max", f32::MAX)?))
    }
}

fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let at = |shape: &[usize], axis: usize| {
        (axis + shape.len()).checked_sub(rank).map_or(1, |position| shape[position])
    };
    (0..rank)
        .map(|axis| match (at(a, axis), at(b, axis)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}
