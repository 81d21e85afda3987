//! Reading a node's attributes.

use crate::onnx::{AttributeProto, NodeProto};

fn find<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name() == name)
}

pub(super) fn integer(node: &NodeProto, name: &str) -> Option<i64> {
    find(node, name).and_then(|attribute| attribute.i)
}

pub(super) fn float(node: &NodeProto, name: &str, default: f32) -> f64 {
    f64::from(find(node, name).and_then(|attribute| attribute.f).unwrap_or(default))
}

pub(super) fn text<'a>(node: &'a NodeProto, name: &str) -> Option<&'a str> {
    find(node, name).and_then(|attribute| std::str::from_utf8(attribute.s.as_deref()?).ok())
}

pub(super) fn integers(node: &NodeProto, name: &str) -> Option<Vec<i64>> {
    find(node, name).map(|attribute| attribute.ints.clone())
}

/// Longest kernel, stride, dilation or padding along an axis; no image is larger.
const MAX_WINDOW: i64 = crate::MAX_INPUT_SIDE as i64;

/// A kernel, stride, dilation or padding within limits.
pub(super) fn size(value: i64) -> Option<usize> {
    usize::try_from(value).ok().filter(|_| value <= MAX_WINDOW)
}

/// An attribute with two sizes, or with one where there is only one spatial axis, as [rows, columns].
pub(super) fn sizes(
    node: &NodeProto,
    name: &str,
    default: usize,
    spatial: usize,
) -> Result<[usize; 2], String> {
    let Some(values) = integers(node, name).filter(|values| !values.is_empty()) else {
        return Ok(if spatial == 1 { [if name == "pads" { 0 } else { 1 }, default] } else { [default; 2] });
    };
    let invalid = || format!("attribute {name} is {values:?} for {spatial} spatial axes");
    let size = |value: &i64| size(*value).ok_or_else(invalid);
    match values.as_slice() {
        [columns] if spatial == 1 => Ok([1, size(columns)?]),
        [rows, columns] if spatial == 2 => Ok([size(rows)?, size(columns)?]),
        _ => Err(invalid()),
    }
}

/// `axis`, counted from the end when negative.
pub(super) fn axis(value: i64, rank: usize) -> Result<usize, String> {
    let positive = if value < 0 { value + rank as i64 } else { value };
    usize::try_from(positive)
        .ok()
        .filter(|&axis| axis < rank)
        .ok_or_else(|| format!("axis {value} of a tensor with {rank} axes"))
}
