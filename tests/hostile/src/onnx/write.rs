//! As much of the ONNX file format as hostile files need, written by hand: no library writes what is wrong.

/// A protobuf field that holds bytes.
pub fn field(number: u64, content: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

/// A protobuf field that holds an integer.
pub fn number(number: u64, value: i64) -> Vec<u8> {
    [varint(number << 3), varint(value as u64)].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A stored tensor of 64-bit integers.
pub fn integers(name: &str, values: &[i64]) -> Vec<u8> {
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    tensor(name, &[values.len() as i64], 7, &raw)
}

/// A stored number.
pub fn scalar(name: &str, value: i64) -> Vec<u8> {
    tensor(name, &[], 7, &value.to_le_bytes())
}

/// A stored tensor of ones.
pub fn ones(name: &str, dims: &[i64]) -> Vec<u8> {
    let count = dims.iter().product::<i64>() as usize;
    tensor(name, dims, 1, &1f32.to_le_bytes().repeat(count))
}

/// A stored tensor of any kind: [`field`] 5 of a graph.
pub fn tensor(name: &str, dims: &[i64], kind: i64, raw: &[u8]) -> Vec<u8> {
    let dims: Vec<u8> = dims.iter().flat_map(|&dim| number(1, dim)).collect();
    [dims, number(2, kind), field(8, name.as_bytes()), field(9, raw)].concat()
}

/// An operator; names of inputs and outputs are separated by spaces.
pub fn node(operator: &str, inputs: &str, outputs: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    let names = |number: u64, text: &str| -> Vec<u8> {
        text.split_whitespace().flat_map(|name| field(number, name.trim_matches('-').as_bytes())).collect()
    };
    let attributes: Vec<u8> = attributes.iter().flat_map(|attribute| field(5, attribute)).collect();
    [names(1, inputs), names(2, outputs), field(3, b"the node"), field(4, operator.as_bytes()), attributes]
        .concat()
}

/// An attribute that is a list of integers.
pub fn list(name: &str, values: &[i64]) -> Vec<u8> {
    let values: Vec<u8> = values.iter().flat_map(|&value| number(8, value)).collect();
    [field(1, name.as_bytes()), values, number(20, 7)].concat()
}

/// An attribute that is an integer.
pub fn one(name: &str, value: i64) -> Vec<u8> {
    [field(1, name.as_bytes()), number(3, value), number(20, 2)].concat()
}

/// An attribute that is text.
pub fn text(name: &str, value: &str) -> Vec<u8> {
    [field(1, name.as_bytes()), field(4, value.as_bytes()), number(20, 3)].concat()
}

/// An attribute that is a graph.
pub fn inner(name: &str, graph: &[u8]) -> Vec<u8> {
    [field(1, name.as_bytes()), field(6, graph), number(20, 5)].concat()
}

/// A graph of nodes and stored tensors, with the names of its inputs and outputs.
pub fn graph(nodes: &[Vec<u8>], weights: &[Vec<u8>], inputs: &str, outputs: &str) -> Vec<u8> {
    let ports = |number: u64, text: &str| -> Vec<u8> {
        text.split_whitespace().flat_map(|name| field(number, &field(1, name.as_bytes()))).collect()
    };
    let nodes: Vec<u8> = nodes.iter().flat_map(|node| field(1, node)).collect();
    let weights: Vec<u8> = weights.iter().flat_map(|weight| field(5, weight)).collect();
    [nodes, weights, field(2, b"hostile"), ports(11, inputs), ports(12, outputs)].concat()
}

/// A model file of one graph.
pub fn model(graph: &[u8]) -> Vec<u8> {
    [number(1, 8), field(7, graph), field(8, &number(2, 17))].concat()
}

/// A model file of some nodes from the image `x` to `y`.
pub fn small(nodes: &[Vec<u8>], weights: &[Vec<u8>]) -> Vec<u8> {
    model(&graph(nodes, weights, "x", "y"))
}
