/* The geometric simulation in the page: the equations of methods/simulation, as radiosynth.render has them. */
"use strict";

window.radiosynthSimulator = (() => {
  const FRAME = 56; // edge of the report's frame, in its pixels
  const { sin, cos, exp, PI } = Math;

  /* Return the peaks and axes of both lobes. */
  function places(p, trajectory) {
    const half = (p.bending_angle / 2) * (PI / 180);
    const first = (p.position_angle + 90) * (PI / 180);
    const rays = [first, first + PI - 2 * half];
    let distance = p.lobe_distance;
    let turn = 0;
    if (trajectory === "parabola") {
      const sine = sin(half);
      const cosine = Math.max(cos(half), 1e-12);
      const straight = Math.abs(sine) < 1e-6;
      const rest = straight ? 0.5 : (cosine ** 2 * Math.asinh((2 * sine) / cosine)) / (4 * sine);
      distance /= Math.hypot(cosine, 2 * sine) / 2 + rest;
      turn = Math.atan2(2 * sine, cosine) - half;
    }
    return rays.map((ray, i) => ({
      x: p.core_x + distance * cos(ray),
      y: p.core_y + distance * sin(ray),
      axis: ray + (i === 0 ? turn : -turn),
      amplitude: i === 0 ? p.lobe_amplitude_1 : p.lobe_amplitude_2,
    }));
  }

  /* Return a source as a list of Gaussians, wide by `behind` and `ahead` along their axis. */
  function gaussians(p, trajectory) {
    if (p.fr_type === 0) {
      const [axis, long] = [(p.position_angle + 90) * (PI / 180), p.core_sigma];
      const across = long * p.axis_ratio;
      return [{ x: p.core_x, y: p.core_y, axis, across, behind: long, ahead: long, amplitude: p.core_amplitude }];
    }
    const round = (x, y, sigma, amplitude) =>
      ({ x, y, axis: 0, across: sigma, behind: sigma, ahead: sigma, amplitude });
    const [short, long] = [p.lobe_sigma_along * p.lobe_c1, p.lobe_sigma_along * p.lobe_c2];
    const [behind, ahead] = p.fr_type === 1 ? [short, long] : [long, short];
    const lobes = places(p, trajectory);
    return [
      round(p.core_x, p.core_y, p.core_sigma, p.core_amplitude),
      ...lobes.map(({ x, y }) => round(x, y, p.halo_sigma, p.halo_amplitude)),
      ...lobes.map((lobe) => ({ ...lobe, across: p.lobe_sigma_across, behind, ahead })),
    ];
  }

  /* Uniform random numbers from a seed (mulberry32), so that noise stands still while sliders move. */
  function uniform(seed) {
    let state = seed;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  function extremes(image) {
    let [low, high] = [Infinity, -Infinity];
    for (const value of image) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return [low, high];
  }

  /* Return the image, row 0 south, scaled to run from -1 to 1. */
  function render(p, size, { trajectory = "ray", noise = 0, seed = 1 } = {}) {
    const image = new Float64Array(size * size);
    for (const g of gaussians(p, trajectory)) {
      const [c, s] = [cos(g.axis), sin(g.axis)];
      for (let row = 0; row < size; row++) {
        const dy = ((row + 0.5) * FRAME) / size - g.y;
        for (let column = 0; column < size; column++) {
          const dx = ((column + 0.5) * FRAME) / size - g.x;
          const [w, v] = [dx * c + dy * s, dy * c - dx * s];
          const along = w < 0 ? g.behind : g.ahead;
          image[row * size + column] +=
            g.amplitude * exp(-(v * v) / (2 * g.across ** 2) - (w * w) / (2 * along ** 2));
        }
      }
    }
    let [low, high] = extremes(image);
    if (noise > 0) {
      const random = uniform(seed);
      for (let i = 0; i < image.length; i++) image[i] += high * noise * random();
      [low, high] = extremes(image);
    }
    return image.map((value) => (2 * (value - low)) / Math.max(high - low, 1e-30) - 1);
  }

  function page(place) {
    const { slider, choice, button, element } = window.sky;
    const KINDS = [["1", "FR I"], ["2", "FR II"], ["0", "compact"]];
    // Degrees and pixels of the report's frame; what is not here stays at the report's value.
    const SLIDERS = [
      { id: "bending_angle", label: "Bending angle", min: 0, max: 180, step: 1, value: 20, unit: "°" },
      { id: "position_angle", label: "Position angle", min: 0, max: 360, step: 1, value: 60, unit: "°" },
      { id: "lobe_distance", label: "Distance of the lobes", min: 0, max: 20, step: 0.1, value: 11, unit: " px", digits: 1 },
      { id: "difference", label: "Asymmetry: second lobe brighter by", min: -0.9, max: 0.9, step: 0.01, value: 0.15, digits: 2 },
      { id: "ratio", label: "Skew of the lobes: long over short side", min: 1, max: 2.2, step: 0.01, value: 1.6, digits: 2 },
      { id: "core_amplitude", label: "Brightness of the core", min: 0, max: 1.1, step: 0.01, value: 0.4, digits: 2 },
      { id: "halo_amplitude", label: "Brightness of the halos", min: 0, max: 1, step: 0.01, value: 0.4, digits: 2 },
      { id: "halo_sigma", label: "Width of the halos", min: 0.1, max: 5, step: 0.1, value: 3, unit: " px", digits: 1 },
      { id: "core_sigma", label: "Width of a compact source", min: 0.4, max: 3, step: 0.05, value: 1, unit: " px", digits: 2 },
      { id: "axis_ratio", label: "Axis ratio of a compact source", min: 0.8, max: 1, step: 0.01, value: 0.9, digits: 2 },
      { id: "noise", label: "Noise, fraction of the peak", min: 0, max: 0.3, step: 0.01, value: 0, digits: 2 },
    ];
    const [EXTENDED, COMPACT] = [SLIDERS.slice(0, 8).map(({ id }) => id), ["core_sigma", "axis_ratio"]];
    const BOTH = new Set(["position_angle", "core_amplitude"]);
    let [x, y, amplitude, side] = [28, 28, 1, 1]; // of the first lobe, which have no slider

    const values = Object.fromEntries(SLIDERS.map((one) => [one.id, slider(one, () => show())]));
    const kind = choice("fr_type", "Source", KINDS, "2", () => show());
    const path = choice("trajectory", "Jets", [["ray", "straight"], ["parabola", "curved"]], "ray", () => show());
    const size = choice("size", "Pixels", [["56", "56"], ["150", "150"], ["300", "300"]], "56", () => show());
    const code = element("pre", {});
    const copied = button("Copy", async () => {
      await navigator.clipboard.writeText(code.textContent);
      copied.textContent = "Copied";
      setTimeout(() => { copied.textContent = "Copy"; }, 1500);
    });
    copied.setAttribute("aria-label", "Copy these lines of Python");

    function parameters() {
      const get = (id) => values[id].get();
      const fr = Number(kind.get());
      return {
        fr_type: fr, core_x: x, core_y: y,
        core_sigma: fr ? 1.5 : get("core_sigma"),
        core_amplitude: fr ? get("core_amplitude") : Math.max(0.1, get("core_amplitude")),
        axis_ratio: get("axis_ratio"), position_angle: get("position_angle"), bending_angle: get("bending_angle"),
        lobe_distance: get("lobe_distance"), lobe_sigma_across: 1.5, lobe_sigma_along: 2.5,
        lobe_c1: side, lobe_c2: side * get("ratio"),
        lobe_amplitude_1: amplitude, lobe_amplitude_2: Math.max(0.01 * amplitude, amplitude + get("difference")),
        halo_sigma: get("halo_sigma"), halo_amplitude: get("halo_amplitude"),
      };
    }

    /* Draw a source from the distributions of the report. */
    function random() {
      const [u, normal] = [Math.random, window.sky.normal];
      const fr = Number(kind.get());
      const drawn = {
        position_angle: 360 * u(), core_amplitude: fr ? u() : 0.1 + u(),
        bending_angle: u() < 0.5 ? 10 * u() : 20 + 160 * u(),
        lobe_distance: fr === 1 ? 3 + 5.6 * u() : 4 + 14 * u(),
        difference: 0.1 * normal(), ratio: 1 + 1.2 * u(),
        halo_sigma: fr === 1 ? 2.5 * u() : 1 + 4 * u(), halo_amplitude: u(),
        core_sigma: 0.4 + 0.5 * Math.abs(normal()), axis_ratio: 0.8 + 0.2 * u(),
      };
      for (const [id, value] of Object.entries(drawn)) values[id].set(value);
      [x, y, amplitude, side] = [28 + 3 * normal(), 28 + 3 * normal(), 0.5 + u(), 0.8 + 0.5 * u()]
        .map((value) => Number(value.toFixed(2)));
      show();
    }

    function show() {
      const p = parameters();
      for (const id of EXTENDED) if (!BOTH.has(id)) values[id].enable(p.fr_type > 0);
      for (const id of COMPACT) values[id].enable(p.fr_type === 0);
      const options = { trajectory: path.get(), noise: values.noise.get() };
      const edge = Number(size.get());
      const image = render(p, edge, options);
      window.sky.draw(canvas, image.map((value) => (value + 1) / 2), edge);
      const name = KINDS.find(([key]) => Number(key) === p.fr_type)[1];
      canvas.setAttribute("aria-label",
        p.fr_type ? `Simulated ${name} source, bent by ${p.bending_angle} degrees` : "Simulated compact source");
      const table = Object.entries(p).map(([key, value]) => `    "${key}": [${Number(value.toFixed(3))}],\n`).join("");
      const more = (options.trajectory === "ray" ? "" : ", trajectory=\"parabola\"") +
        (options.noise ? `, noise=${options.noise}, rng=np.random.default_rng()` : "");
      const imports = options.noise ? "import numpy as np\nimport radiosynth" : "import radiosynth";
      code.textContent = `${imports}\n\nparameters = {\n${table}}\nimage = radiosynth.render(parameters, ${edge}${more})[0]`;
    }

    const actions = element("div", { class: "sky-actions" }, button("Draw one from the report's population", random));
    const controls = [kind.row, ...SLIDERS.map(({ id }) => values[id].row), path.row, size.row, actions];
    const canvas = window.sky.furnish(place, controls);
    const script = element("details", { class: "sky-code" }, element("summary", {}, "The same source in Python"), copied, code);
    place.append(script);
    show();
  }

  const place = document.getElementById("simulator");
  if (place) page(place);
  return { render };
})();
