/* The classifier in the page: the ONNX graph of graph.json with the numbers of graph.bin, and the examples. */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { reader } from "./numbers.js";
import graph from "./graph.json";
import blob from "./graph.bin";
import examples from "./examples.bin";

/* ONNX keeps channels before rows and columns, TensorFlow.js behind them. */
const behind = (x) => tf.transpose(x, [0, 2, 3, 1]);
const before = (x) => tf.transpose(x, [0, 3, 1, 2]);

/* What a window that slides over an image does at its edges. */
function sliding({ auto_pad: kind = "NOTSET", pads = [0, 0, 0, 0] }) {
  if (kind.startsWith("SAME")) return "same";
  return [[0, 0], [pads[0], pads[2]], [pads[1], pads[3]], [0, 0]];
}

const pooled = (pool) => (at, x) =>
  before(tf.pool(behind(x), at.kernel_shape, pool, sliding(at), [1, 1], at.strides));

function slice(at, x, starts, ends, axes = Object.keys(starts), steps = starts.map(() => 1)) {
  const [begin, end, stride] = [x.shape.map(() => 0), [...x.shape], x.shape.map(() => 1)];
  axes.forEach((axis, i) => { [begin[axis], end[axis], stride[axis]] = [starts[i], ends[i], steps[i]]; });
  return tf.stridedSlice(x, begin, end, stride);
}

const reduced = (reduce) => (at, x, axes = at.axes) => reduce(x, axes, at.keepdims !== 0);

/* Operators by their name in ONNX; each takes the attributes of its node and its inputs. */
const APPLY = {
  Add: (at, a, b) => tf.add(a, b),
  Sub: (at, a, b) => tf.sub(a, b),
  Mul: (at, a, b) => tf.mul(a, b),
  Div: (at, a, b) => tf.div(a, b),
  Pow: (at, a, b) => tf.pow(a, b),
  Max: (at, ...all) => all.reduce((a, b) => tf.maximum(a, b)),
  Min: (at, ...all) => all.reduce((a, b) => tf.minimum(a, b)),
  Abs: (at, x) => tf.abs(x),
  Neg: (at, x) => tf.neg(x),
  Exp: (at, x) => tf.exp(x),
  Log: (at, x) => tf.log(x),
  Sqrt: (at, x) => tf.sqrt(x),
  Relu: (at, x) => tf.relu(x),
  LeakyRelu: (at, x) => tf.leakyRelu(x, at.alpha ?? 0.01),
  Sigmoid: (at, x) => tf.sigmoid(x),
  Tanh: (at, x) => tf.tanh(x),
  Softmax: (at, x) => tf.softmax(x, at.axis ?? -1),
  MatMul: (at, a, b) => tf.matMul(a, b),
  Conv: (at, x, kernel, bias = 0) => {
    const made = tf.conv2d(behind(x), kernel, at.strides ?? 1, sliding(at), "NHWC", at.dilations ?? 1);
    return before(tf.add(made, bias));
  },
  AveragePool: pooled("avg"),
  MaxPool: pooled("max"),
  GlobalAveragePool: (at, x) => tf.mean(x, [2, 3], true),
  GlobalMaxPool: (at, x) => tf.max(x, [2, 3], true),
  ReduceMean: reduced(tf.mean),
  ReduceSum: reduced(tf.sum),
  ReduceMax: reduced(tf.max),
  ReduceMin: reduced(tf.min),
  Concat: (at, ...all) => tf.concat(all, at.axis),
  Reshape: (at, x, shape) => tf.reshape(x, shape.map((n, i) => n || x.shape[i])),
  Transpose: (at, x) => tf.transpose(x, at.perm),
  Squeeze: (at, x, axes = at.axes) => tf.squeeze(x, axes),
  Unsqueeze: (at, x, axes = at.axes) => axes.reduce((made, axis) => tf.expandDims(made, axis), x),
  Slice: slice,
  Identity: (at, x) => x,
};

const numbers = reader(blob);
let constants;

/* Return what the network gives for a prepared image: arrays by what they are. */
async function predict(image) {
  await tf.setBackend("cpu");
  constants ??= Object.entries(graph.constants).map(([name, value]) => [
    name, Array.isArray(value) ? value : tf.tensor(numbers(value), value.shape),
  ]);
  return tf.tidy(() => {
    const known = new Map(constants);
    known.set(graph.input, tf.tensor(image, [1, graph.size, graph.size, 1]));
    for (const { op, at, from, to } of graph.nodes) {
      known.set(to, APPLY[op](at, ...from.map((name) => (name ? known.get(name) : undefined))));
    }
    const given = ([role, name]) => [role, Array.from(known.get(name).dataSync())];
    return Object.fromEntries(Object.entries(graph.outputs).map(given));
  });
}

window.radiosynthNetwork = { predict, examples };
