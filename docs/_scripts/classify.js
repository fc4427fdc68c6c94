/* Classify an image in the page: read it, prepare it, and ask the network, which is loaded when it is needed. */
import card from "./card.json";
import { FileError, need, readFits } from "./fits.js";
import { readPicture } from "./pictures.js";
import { prepare } from "./prepare.js";
import { cutout, short } from "./upright.js";

const { sky } = window;
const { element } = sky;
const NETWORK = new URL("network.js", document.currentScript.src);
const LARGEST = 3e8; // bytes of a file
const percent = (value) => `${(100 * value).toFixed(1)} %`;

/* Tell the kind of a file from its first bytes, and read it. */
async function read(bytes, notes) {
  need(bytes.length, "the file is empty (0 bytes); fetch it again");
  const head = String.fromCharCode(...bytes.subarray(0, 512));
  const page = head.trimStart().startsWith("<") && head.toLowerCase().includes("html");
  need(!page, "holds a web page (HTML), perhaps a server's error; read it, then fetch the file again");
  if (head.startsWith("SIMPLE")) return readFits(bytes, notes);
  if (head.startsWith("\x89PNG") || head.startsWith("\xff\xd8\xff")) return readPicture(bytes, notes);
  need(head.startsWith("\x1f\x8b"), "is not a FITS, PNG or JPEG file; convert it to one of these");
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const inside = await new Response(unpacked).arrayBuffer().catch(() => need(false, card.says.damaged));
  return readFits(new Uint8Array(inside), notes);
}

/* Return what Python, too, says of images whose pixels or beam have another width than the network's. */
function doubts({ beam }, scale) {
  const said = [];
  const [least, usual, most] = card.beams;
  if (beam < least || beam > most) {
    const sharper = "sharper than FIRST's; cut it out by radiosynth.cutouts_from_mosaic (--mosaic)";
    said.push(`a beam of ${short(beam)} arcsec, ${beam < usual ? sharper : card.says.coarser}`);
  }
  if (Math.abs(scale / card.pixel_scale - 1) > card.scale_tolerance) {
    const asked = short(card.pixel_scale);
    const advice = `the network knows sizes in pixels of ${asked} arcsec: resample to pixel scale ${asked}`;
    said.push(`pixels of ${scale.toFixed(2)} arcsec; ${advice}`);
  }
  return said;
}

let loading;

/* Return the network; its script is fetched once, and again where that failed. */
function network() {
  loading ??= new Promise((done, fail) => {
    const script = element("script", { src: NETWORK.href });
    script.onload = () => done(window.radiosynthNetwork);
    script.onerror = () => {
      loading = undefined;
      fail(new FileError("the network could not be loaded; check the connection and try again"));
    };
    document.head.append(script);
  });
  return loading;
}

/* Return the prepared image, the probabilities, and what is doubtful. */
async function classify(bytes, { crop = card.crop, pixelScale } = {}) {
  const notes = [];
  const image = await read(bytes, notes);
  const { pixels, scale } = cutout(image, crop, pixelScale, notes);
  const ready = prepare(pixels, notes);
  const { probabilities, oddness = [0] } = await (await network()).predict(ready);
  const odd = oddness[0] > 1 ? [`an oddness of ${oddness[0].toFixed(1)}: ${card.says.odd}`] : [];
  notes.unshift(...doubts(image, scale), ...odd);
  return { image: ready, probabilities, notes };
}

function page(place) {
  let chosen; // the file that is shown: its name and bytes
  const canvas = element("canvas", { role: "img", "aria-label": "No image yet" });
  const told = element("div", { role: "status", "aria-live": "polite" });
  const file = element("input", { type: "file", id: "classify-file", accept: ".fits,.fit,.fts,.gz,.png,.jpg,.jpeg" });
  const crop = element("input", { type: "number", id: "classify-crop", min: 16, max: card.size, value: card.crop });
  const resample = element("input", { type: "checkbox", id: "classify-resample" });
  const examples = element("fieldset", { class: "classify-examples" }, element("legend", {}, "Or a simulated example"));
  card.examples.forEach((name, i) => {
    const button = sky.button(name, () => example(i));
    button.prepend(element("img", { src: new URL(`example${i}.png`, NETWORK), alt: "", width: 64, height: 64 }));
    examples.append(button);
  });
  const labelled = (input, text) => element("label", { for: input.id }, text);
  const drop = element("div", { class: "classify-drop" },
    labelled(file, "Your image: a FITS, PNG or JPEG file"), file, element("p", {}, "You can also drop it here."));
  const options = element("details", {}, element("summary", {}, "Options"),
    element("p", {}, labelled(crop, "Central pixels to use "), crop),
    element("p", {}, resample, labelled(resample, ` Resample a FITS file to pixels of ${card.pixel_scale}″`)));
  const size = element("p", { class: "classify-small" },
    `The image stays on your computer. The first one loads the network, ${card.megabytes} MB: ${card.name}.`);
  const result = element("div", { class: "classify-result" }, canvas, told);
  place.replaceChildren(element("div", {}, drop, examples, options, size), result);
  place.classList.add("ready");
  blank();
  say("No image yet: choose a file or an example.");

  function blank() {
    sky.draw(canvas, new Float32Array(card.size ** 2), card.size, 1, card.size * card.pixel_scale);
    canvas.setAttribute("aria-label", "No image yet");
  }

  function say(text, kind = "") {
    told.replaceChildren(element("p", { class: kind }, text));
  }

  async function show(name, bytes) {
    const job = { name, bytes };
    chosen = job;
    say(loading ? "Computing …" : `Loading the network (${card.megabytes} MB) …`);
    window.radiosynthClassify.last = undefined;
    let found;
    try {
      const edge = Number(crop.value);
      const usual = Number.isInteger(edge) && edge >= Number(crop.min) && edge <= Number(crop.max);
      need(usual, `central pixels: give a whole number from ${crop.min} to ${crop.max}`);
      found = await classify(await bytes(), { crop: edge, pixelScale: resample.checked ? card.pixel_scale : undefined });
    } catch (error) {
      const known = error instanceof FileError;
      if (!known) console.error(error);
      found = { error: known ? error.message : `the page failed (${error.message}); classify it with Python` };
    }
    if (chosen !== job) return;
    window.radiosynthClassify.last = { name, ...found };
    if (found.error) {
      blank();
      say(`${name}: ${found.error}`, "classify-error");
    } else tell(name, found);
    result.scrollIntoView({ block: "nearest" });
  }

  function tell(name, { image, probabilities, notes }) {
    sky.draw(canvas, image.map((value) => (value + 1) / 2), card.size, 0.5, card.size * card.pixel_scale);
    canvas.setAttribute("aria-label", `Prepared image of ${name}: ${card.size} pixels, background around it`);
    const best = probabilities.indexOf(Math.max(...probabilities));
    const bars = element("ul", { class: "classify-bars" }, ...card.classes.map(({ label }, i) => {
      const bar = element("div", { class: "classify-bar", "aria-hidden": "true" });
      bar.style.width = percent(probabilities[i]).replace(" ", "");
      return element("li", {}, element("span", {}, label), element("span", {}, percent(probabilities[i])), bar);
    }));
    const list = element("ul", { class: "classify-notes" }, ...notes.map((note) => element("li", {}, note)));
    const heading = element("p", { class: "classify-class" },
      element("strong", {}, card.classes[best].label), `, ${percent(probabilities[best])}: ${name}`);
    told.replaceChildren(heading, bars, ...(list.children.length ? [element("p", {}, "Notes:"), list] : []));
  }

  function take(given) {
    if (!given) return;
    show(given.name, async () => {
      need(given.size <= LARGEST, "has more than 300 MB; cut out the source and its surroundings");
      const read = await given.arrayBuffer().catch(() => need(false, "is a folder, or cannot be read; give a file"));
      return new Uint8Array(read);
    });
  }

  function example(i) {
    show(card.examples[i], async () => {
      const { examples: all } = await network();
      const each = all.length / card.examples.length;
      return all.slice(i * each, (i + 1) * each);
    });
  }

  file.addEventListener("change", () => { take(file.files[0]); file.value = ""; });
  for (const option of [crop, resample]) {
    option.addEventListener("change", () => { if (chosen) show(chosen.name, chosen.bytes); });
  }
  place.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  place.addEventListener("dragleave", () => drop.classList.remove("over"));
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take(event.dataTransfer.files[0]);
  });
}

window.radiosynthClassify = { card, classify };
const place = document.getElementById("classify");
if (place) page(place);
