/* The trained generator in the page: the network of model.json with the weights of model.bin. */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { reader } from "./numbers.js";
import topology from "./model.json";
import blob from "./model.bin";

const { sky } = window;
const RANGE = 3; // standard deviations that a slider spans to either side
const SECONDS = 2; // from one galaxy to the next

const numbers = reader(blob);
const ofClass = (values, label) => tf.slice(values, [label, 0], [1, -1]);
const APPLY = {
  dense: (x, { kernel }) => tf.matMul(x, kernel),
  affine: (x, { scale, offset }, label) => tf.add(tf.mul(x, ofClass(scale, label)), ofClass(offset, label)),
  leaky: (x, { slope }) => tf.leakyRelu(x, slope),
  reshape: (x, { shape }) => tf.reshape(x, [1, ...shape]),
  deconvolution: (x, { kernel, stride }) => {
    const [, height, width] = x.shape;
    const shape = [1, height * stride, width * stride, kernel.shape[2]];
    return tf.conv2dTranspose(x, kernel, shape, stride, "same");
  },
  tanh: (x) => tf.tanh(x),
  unstretch: (x) => tf.sub(tf.mul(2, tf.square(tf.div(tf.add(x, 1), 2))), 1),
};

const steps = topology.steps.map((step) => {
  const ready = { ...step };
  for (const name of ["kernel", "scale", "offset"]) {
    if (step[name]) ready[name] = tf.tensor(numbers(step[name]), step[name].shape);
  }
  return ready;
});

/* Return the image of a noise vector and a class, row 0 south, from -1 to 1. */
function generate(noise, label) {
  return tf.tidy(() => {
    let x = tf.tensor(noise, [1, topology.latent]);
    for (const step of steps) x = APPLY[step.op](x, step, label);
    return x.dataSync();
  });
}

const flat = numbers(topology.directions);
const directions = topology.shares.map((_, i) => flat.subarray(i * topology.latent, (i + 1) * topology.latent));
const along = (noise, direction) => direction.reduce((sum, value, i) => sum + value * noise[i], 0);
const draw = () => Float32Array.from({ length: topology.latent }, () => sky.normal());

/* Go from one noise vector to another at a constant angle, on which noise keeps its length. */
function between(from, to, part) {
  const length = (vector) => Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  const cosine = along(from, to) / (length(from) * length(to));
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  const [a, b] = [Math.sin((1 - part) * angle), Math.sin(part * angle)].map((s) => s / Math.sin(angle));
  return from.map((value, i) => a * value + b * to[i]);
}

function page(place) {
  let noise = draw();
  let label = 1;
  let walking = 0;

  const kinds = topology.classes.map((kind, code) => [String(code), kind.label]);
  const kind = sky.choice("class", "Class", kinds, String(label), (value) => { label = Number(value); show(); });
  const sliders = directions.map((direction, i) => sky.slider({
    id: `direction-${i + 1}`,
    label: `Direction ${i + 1} (${Math.round(100 * topology.shares[i])} % of the change)`,
    min: -RANGE, max: RANGE, step: 0.05, value: 0, digits: 2,
  }, (value) => {
    stop();
    const change = value - along(noise, direction);
    noise = noise.map((old, k) => old + change * direction[k]);
    show(false);
  }));
  const walk = sky.button("Walk from galaxy to galaxy", () => (walking ? stop() : start()));
  walk.setAttribute("aria-pressed", "false");
  const actions = sky.element("div", { class: "sky-actions" },
    sky.button("Draw another", () => { stop(); noise = draw(); show(); }), walk);
  const canvas = sky.furnish(place, [kind.row, ...sliders.map(({ row }) => row), actions]);

  function show(move = true) {
    const image = generate(noise, label);
    sky.draw(canvas, image.map((value) => (value + 1) / 2), topology.size, 0.5);
    canvas.setAttribute("aria-label", `Generated image of the class ${topology.classes[label].label}`);
    if (move) sliders.forEach((slider, i) => slider.set(along(noise, directions[i])));
  }

  function stop() {
    cancelAnimationFrame(walking);
    walking = 0;
    walk.setAttribute("aria-pressed", "false");
    walk.textContent = "Walk from galaxy to galaxy";
  }

  function start() {
    let [from, to, begun] = [noise, draw(), performance.now()];
    const step = (now) => {
      const part = (now - begun) / (1000 * SECONDS);
      if (part >= 1) [from, to, begun] = [to, draw(), now];
      noise = part >= 1 ? from : between(from, to, Math.max(0, part));
      show();
      walking = requestAnimationFrame(step);
    };
    walking = requestAnimationFrame(step);
    walk.setAttribute("aria-pressed", "true");
    walk.textContent = "Stop";
  }

  show();
}

begin();

async function begin() {
  await tf.setBackend("cpu");
  const place = document.getElementById("generator");
  if (place) page(place);
  window.radiosynthGenerator = { generate, run: topology.run };
}
