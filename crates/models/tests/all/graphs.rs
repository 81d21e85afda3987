//! Small graphs made in tests.

use std::path::Path;

use prost::Message;
use ventral_models::{Error, ModelCard};

#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(int64, tag = "1")]
    ir_version: i64,
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
    #[prost(message, repeated, tag = "8")]
    opset: Vec<Opset>,
}

#[derive(Clone, PartialEq, Message)]
struct Opset {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(int64, tag = "2")]
    version: i64,
}

/// A graph whose image is `x`.
#[derive(Clone, PartialEq, Message)]
pub struct Graph {
    #[prost(message, repeated, tag = "1")]
    nodes: Vec<Node>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(message, repeated, tag = "5")]
    weights: Vec<Tensor>,
    #[prost(message, repeated, tag = "11")]
    inputs: Vec<Port>,
    #[prost(message, repeated, tag = "12")]
    outputs: Vec<Port>,
}

#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(string, repeated, tag = "1")]
    inputs: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    outputs: Vec<String>,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, tag = "4")]
    operator: String,
    #[prost(message, repeated, tag = "5")]
    attributes: Vec<Attribute>,
}

/// An attribute of a node.
#[derive(Clone, PartialEq, Message)]
pub struct Attribute {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(float, optional, tag = "2")]
    f: Option<f32>,
    #[prost(int64, optional, tag = "3")]
    i: Option<i64>,
    #[prost(bytes = "vec", optional, tag = "4")]
    s: Option<Vec<u8>>,
    #[prost(int64, repeated, packed = "false", tag = "8")]
    ints: Vec<i64>,
    #[prost(int32, tag = "20")]
    kind: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Tensor {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(float, repeated, tag = "4")]
    floats: Vec<f32>,
    #[prost(int64, repeated, tag = "7")]
    integers: Vec<i64>,
    #[prost(string, tag = "8")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct Port {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, Message)]
struct Kind {
    #[prost(message, optional, tag = "1")]
    tensor: Option<TensorKind>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorKind {
    #[prost(int32, tag = "1")]
    element: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
}

#[derive(Clone, PartialEq, Message)]
struct Shape {
    #[prost(message, repeated, tag = "1")]
    dims: Vec<Dim>,
}

#[derive(Clone, PartialEq, Message)]
struct Dim {
    #[prost(int64, tag = "1")]
    value: i64,
}

pub fn integer(name: &str, value: i64) -> Attribute {
    Attribute { name: name.into(), i: Some(value), kind: 2, ..Attribute::default() }
}

pub fn float(name: &str, value: f32) -> Attribute {
    Attribute { name: name.into(), f: Some(value), kind: 1, ..Attribute::default() }
}

pub fn text(name: &str, value: &str) -> Attribute {
    Attribute { name: name.into(), s: Some(value.into()), kind: 3, ..Attribute::default() }
}

pub fn integers(name: &str, values: &[i64]) -> Attribute {
    Attribute { name: name.into(), ints: values.to_vec(), kind: 7, ..Attribute::default() }
}

/// Numbers between -1 and 1 that depend on the seed alone.
pub fn noise(count: usize, seed: u64) -> Vec<f32> {
    let number = |index: usize| {
        let mut h =
            (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed.wrapping_mul(0xd6e8_feb8_6659_fd93);
        h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((h ^ (h >> 31)) >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..count).map(number).collect()
}

impl Graph {
    pub fn new() -> Self {
        Self { name: "test".into(), ..Self::default() }
    }

    pub fn weight(&mut self, name: &str, dims: &[i64], floats: Vec<f32>) -> &mut Self {
        assert_eq!(dims.iter().product::<i64>(), floats.len() as i64);
        let tensor =
            Tensor { name: name.into(), dims: dims.to_vec(), data_type: 1, floats, integers: vec![] };
        self.weights.push(tensor);
        self
    }

    /// Weights from [`noise`], seeded by the name.
    pub fn random(&mut self, name: &str, dims: &[i64], scale: f32) -> &mut Self {
        let seed = name.bytes().fold(7u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        let count = dims.iter().product::<i64>() as usize;
        self.weight(name, dims, noise(count, seed).iter().map(|value| value * scale).collect())
    }

    pub fn list(&mut self, name: &str, values: &[i64]) -> &mut Self {
        let dims = vec![values.len() as i64];
        let integers = values.to_vec();
        self.weights.push(Tensor { name: name.into(), dims, data_type: 7, floats: vec![], integers });
        self
    }

    /// A node; inputs and outputs are separated by spaces, `-` leaves an input out.
    pub fn node(
        &mut self,
        operator: &str,
        inputs: &str,
        outputs: &str,
        attributes: &[Attribute],
    ) -> &mut Self {
        let names = |text: &str| -> Vec<String> {
            text.split(' ').map(|name| if name == "-" { String::new() } else { name.to_owned() }).collect()
        };
        self.nodes.push(Node {
            inputs: names(inputs),
            outputs: names(outputs),
            name: format!("{operator} of {outputs}"),
            operator: operator.into(),
            attributes: attributes.to_vec(),
        });
        self
    }

    fn encode(&self, version: i64, image: [usize; 3]) -> Vec<u8> {
        let port = |name: &str, dims: &[i64]| Port {
            name: name.into(),
            kind: Some(Kind {
                tensor: Some(TensorKind {
                    element: 1,
                    shape: Some(Shape { dims: dims.iter().map(|&value| Dim { value }).collect() }),
                }),
            }),
        };
        let mut graph = self.clone();
        graph.inputs = vec![port("x", &[1, image[0] as i64, image[1] as i64, image[2] as i64])];
        let last = self.nodes.last().unwrap().outputs[0].clone();
        graph.outputs = vec![Port { name: last, kind: None }];
        let opset = vec![Opset { domain: String::new(), version }];
        Model { ir_version: 8, graph: Some(graph), opset }.encode_to_vec()
    }

    /// Writes the model and a card that shows images of `size` as they are, 0 to 1.
    pub fn card(&self, directory: &Path, version: i64, size: [usize; 2]) -> Result<ModelCard, Error> {
        let input = "channels = \"rgb\"\nscale = \"1/255\"\nmean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]\n";
        self.card_with(directory, version, size, input)
    }

    /// Writes the model and a card with more lines for its `[input]`.
    pub fn card_with(
        &self,
        directory: &Path,
        version: i64,
        size: [usize; 2],
        input: &str,
    ) -> Result<ModelCard, Error> {
        let [height, width] = size;
        let image = if input.contains("nhwc") { [height, width, 3] } else { [3, height, width] };
        std::fs::write(directory.join("model.onnx"), self.encode(version, image)).unwrap();
        let path = directory.join("model.toml");
        let text = format!("identifier = \"test\"\nfile = \"model.onnx\"\n[input]\nsize = {size:?}\n{input}");
        std::fs::write(&path, text).unwrap();
        ModelCard::load(&path, None)
    }
}
