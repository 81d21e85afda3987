"""Writes ONNX graphs whose tensors carry readable names."""

import numpy as np
import onnx
from onnx import TensorProto, checker, helper, numpy_helper, shape_inference

OPSET = 17
IR_VERSION = 8


class Graph:
    """A feed-forward graph from `image` (N, channels, size, size), float32; every node makes one tensor named by the caller."""

    def __init__(self, name, channels, size):
        self.name = name
        self.nodes = []
        self.weights = []
        self.input = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", channels, size, size])

    def constant(self, name, values):
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name

    def node(self, operator, inputs, output, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [output], name=f"{output}:{operator}", **attributes))
        return output

    def conv(self, source, output, weight, bias=None, stride=1, pad=None):
        """A convolution; `weight` is (out, in, k, k), padding keeps the size at stride 1 unless given."""
        pad = weight.shape[2] // 2 if pad is None else pad
        inputs = [source, self.constant(f"{output}.weight", weight)]
        if bias is not None:
            inputs.append(self.constant(f"{output}.bias", bias))
        return self.node("Conv", inputs, output, kernel_shape=list(weight.shape[2:]), strides=[stride] * 2, pads=[pad] * 4)

    def dense(self, source, output, weight, bias):
        """source (N, in) to (N, out); `weight` is (in, out)."""
        inputs = [source, self.constant(f"{output}.weight", weight), self.constant(f"{output}.bias", bias)]
        return self.node("Gemm", inputs, output)

    def save(self, path, output, shape):
        """Checks the graph, adds the inferred shapes and writes it."""
        result = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", *shape])
        graph = helper.make_graph(self.nodes, self.name, [self.input], [result], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="ventral-demo")
        model = shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
        checker.check_model(model, full_check=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, path)
