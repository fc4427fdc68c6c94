/* What the interactive pages share: images of the sky on a canvas, sliders, choices and buttons. */
"use strict";

window.sky = (() => {
  const FIELD = 270; // arcseconds that an image usually spans
  const colours = Uint8Array.from(window.skyColours.match(/../g), (pair) => parseInt(pair, 16));

  /* Draw values from 0 to 1, row 0 in the south, with a bar of one arcminute. */
  function draw(canvas, values, size, power = 1, field = FIELD) {
    const pixels = new ImageData(size, size);
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < size; column++) {
        const value = Math.min(1, Math.max(0, values[row * size + column])) ** power;
        const colour = 3 * Math.round(255 * value);
        const place = 4 * ((size - 1 - row) * size + column);
        pixels.data.set(colours.subarray(colour, colour + 3), place);
        pixels.data[place + 3] = 255;
      }
    }
    const image = document.createElement("canvas");
    image.width = image.height = size;
    image.getContext("2d").putImageData(pixels, 0, 0);
    const edge = size * Math.ceil(560 / size);
    canvas.width = canvas.height = edge;
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(image, 0, 0, edge, edge);
    const [left, bottom, length] = [0.05 * edge, 0.95 * edge, (60 / field) * edge];
    context.fillStyle = "white";
    context.fillRect(left, bottom, length, 0.008 * edge);
    context.font = `${Math.round(0.045 * edge)}px sans-serif`;
    context.textAlign = "center";
    context.fillText("1′", left + length / 2, bottom - 0.015 * edge);
  }

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  /* Make a slider with its name and value; `change` is called with the number while it moves. */
  function slider({ id, label, min, max, step, value, unit = "", digits = 0 }, change) {
    const input = element("input", { type: "range", id, min, max, step });
    const output = element("output", { for: id });
    const set = (number) => {
      input.value = number;
      output.textContent = `${Number(input.value).toFixed(digits).replace("-", "−")}${unit}`;
      input.setAttribute("aria-valuetext", output.textContent);
    };
    input.addEventListener("input", () => {
      set(input.value);
      change(Number(input.value));
    });
    set(value);
    const row = element("div", { class: "sky-row" }, element("label", { for: id }, label), output, input);
    return { row, set, get: () => Number(input.value), enable: (on) => { input.disabled = !on; row.classList.toggle("off", !on); } };
  }

  /* Make a choice of one of several options, given as [value, label]. */
  function choice(name, legend, options, value, change) {
    const group = element("fieldset", { class: "sky-choice" }, element("legend", {}, legend));
    const inputs = options.map(([key, label]) => {
      const input = element("input", { type: "radio", name, value: key, id: `${name}-${key}` });
      input.checked = key === value;
      input.addEventListener("change", () => change(key));
      group.append(element("span", {}, input, element("label", { for: input.id }, label)));
      return input;
    });
    const set = (key) => inputs.forEach((input) => { input.checked = input.value === key; });
    return { row: group, set, get: () => inputs.find((input) => input.checked).value };
  }

  function button(label, press) {
    const made = element("button", { type: "button", class: "sky-button" }, label);
    made.addEventListener("click", press);
    return made;
  }

  /* Replace the picture that stands in a page by a canvas and controls; return the canvas. */
  function furnish(place, controls, below = []) {
    const canvas = element("canvas", { role: "img", width: 560, height: 560 });
    const panel = element("div", { class: "sky-controls" }, ...controls);
    place.replaceChildren(element("div", { class: "sky-image" }, canvas, ...below), panel);
    place.classList.add("ready");
    return canvas;
  }

  /* Normal random numbers (Box and Muller 1958) from uniform ones. */
  function normal(uniform = Math.random) {
    return Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  }

  return { draw, element, slider, choice, button, furnish, normal };
})();
