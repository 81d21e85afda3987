//! Sizes must not depend on the pixels: what one image has shown to fit then fits for all of them.

use std::collections::HashSet;

use crate::onnx::{GraphProto, NodeProto};

/// Operators whose result depends on the shape of what they read alone.
const OF_SHAPE: [&str; 2] = ["Shape", "Size"];

/// Inputs of an operator whose values say how much it makes.
fn sizing(operator: &str) -> &'static [usize] {
    match operator {
        "ConstantOfShape" | "NonZero" | "If" => &[0],
        "Loop" => &[0, 1],
        "Range" | "NonMaxSuppression" => &[0, 1, 2],
        "Expand" | "Tile" | "Reshape" | "OneHot" | "TopK" | "Split" | "Squeeze" | "Unsqueeze"
        | "Upsample" | "DFT" | "SplitToSequence" => &[1],
        "Pad" | "STFT" => &[1, 3],
        "Resize" => &[2, 3],
        "Slice" => &[1, 2, 3, 4],
        _ => &[],
    }
}

/// Names of tensors whose values depend on the pixels of the image.
#[derive(Clone)]
pub(super) struct Pixels<'a>(HashSet<&'a str>);

impl<'a> Pixels<'a> {
    pub fn of(image: &'a str) -> Self {
        Self(HashSet::from([image]))
    }

    /// Goes past a node; fails with the input that makes its size depend on the pixels.
    pub fn pass(&mut self, node: &'a NodeProto) -> Result<(), String> {
        for &input in sizing(node.op_type()) {
            if let Some(name) = node.input.get(input).filter(|name| self.0.contains(name.as_str())) {
                return Err(format!(
                    "how much it makes depends on the pixels (by its input {name:?}); a network that is scored does the same for every image"
                ));
            }
        }
        let mut depends = node.input.iter().any(|name| self.0.contains(name.as_str()));
        for inner in node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs)) {
            depends |= self.nested(node, inner, depends)?;
        }
        if depends && !OF_SHAPE.contains(&node.op_type()) {
            self.0.extend(node.output.iter().map(String::as_str).filter(|name| !name.is_empty()));
        }
        Ok(())
    }

    /// The same inside a branch or a loop; whether anything in it depends on the pixels.
    fn nested(&self, node: &NodeProto, inner: &'a GraphProto, depends: bool) -> Result<bool, String> {
        let mut inside = self.clone();
        // The number of the round and the condition of a loop do not, its other inputs may.
        let carried = inner.input.iter().skip(2).map(|input| input.name());
        if depends {
            inside.0.extend(carried.clone());
        }
        let before = inside.0.len();
        inner.node.iter().try_for_each(|node| inside.pass(node))?;
        let mut found = depends || inside.0.len() > before;
        if found && !depends {
            // From one round to the next, too.
            inside.0.extend(carried);
            inner.node.iter().try_for_each(|node| inside.pass(node))?;
            found = true;
        }
        let condition = inner.output.first().map_or("", |output| output.name());
        if node.op_type() == "Loop" && inside.0.contains(condition) {
            return Err("how often it goes round depends on the pixels; a network that is scored does the same for every image".into());
        }
        Ok(found)
    }
}
