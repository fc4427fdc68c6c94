const $ = id => document.getElementById(id);
const page = JSON.parse($("content").textContent), sources = page.sources, N = sources.length, size = page.size;
const packed = $("pixels").textContent.split("\n");
const make = (tag, props = {}, ...inside) => { const e = Object.assign(document.createElement(tag), props); e.append(...inside); return e; };
const className = i => i < 0 ? "no class" : page.classes[i].label;
const store = {
  read(key) { try { return JSON.parse(localStorage.getItem(key)); } catch { return null; } },
  write(key, value) { try { localStorage.setItem(key, JSON.stringify(value)); return true; } catch { return false; } },
};
function switchTheme() {
  const root = document.documentElement, {theme} = root.dataset;
  root.dataset.theme = theme === "dark" || !theme && matchMedia("(prefers-color-scheme: dark)").matches ? "light" : "dark";
  store.write("radiosynth-review:theme", root.dataset.theme);
}
document.documentElement.dataset.theme = store.read("radiosynth-review:theme") ?? "";

// Images: packed in 8 bits, unpacked when first needed, stretched by a table of 256 colours.
const unpacked = new Map();
function pixels(i) {
  if (!unpacked.has(i)) unpacked.set(i, (async () => {
    const bytes = Uint8Array.from(atob(packed[i]), c => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const codes = new Uint8Array(await new Response(stream).arrayBuffer());
    const peak = codes.reduce((a, b) => Math.max(a, b), page.zero + 1), q = size >> 2;
    let inner = 0;  // the peak of the middle half, so that a brighter neighbour does not hide the source
    for (let y = q; y < size - q; y++) for (let x = q; x < size - q; x++) inner = Math.max(inner, codes[y * size + x]);
    const least = codes.reduce((a, b) => b && b < a ? b : a, page.zero);
    return {codes, peak: flux(peak), inner: flux(flux(inner) > 5 ? inner : peak), low: Math.max(flux(least), -3)};
  })());
  return unpacked.get(i);
}
const maps = {
  fire: ["000004", "210c4a", "57106e", "8a226a", "bc3754", "e35933", "f98e09", "f9cb35", "fcffa4"],
  paper: ["ffffff", "000000"],
};
let map = "fire";
function colour(t) {
  const stops = maps[map], x = Math.min(Math.max(t, 0), 1) * (stops.length - 1), k = Math.min(Math.floor(x), stops.length - 2);
  const part = c => { const at = n => parseInt(stops[n].slice(2 * c, 2 * c + 2), 16); return Math.round(at(k) + (x - k) * (at(k + 1) - at(k))); };
  return (255 << 24 | part(2) << 16 | part(1) << 8 | part(0)) >>> 0;
}
const flux = code => page.bend * Math.sinh((code - page.zero) / page.steps);  // in units of the noise
const STRETCH = {
  linear: (x, peak) => x / peak,
  log: (x, peak, low) => (Math.asinh(x / 2) - Math.asinh(low / 2)) / (Math.asinh(peak / 2) - Math.asinh(low / 2)),
};
async function draw(canvas, i, stretch) {
  const wanted = canvas.wanted = `${i} ${stretch} ${map}`;
  if (canvas.drawn === wanted) return;
  const {codes, peak, inner, low} = await pixels(i);
  if (canvas.wanted !== wanted) return;
  const table = Uint32Array.from({length: 256}, (_, code) => code ? colour(STRETCH[stretch](flux(code), stretch === "linear" ? inner : peak, low)) : 0xff7a6a5a);
  const image = new ImageData(size, size), out = new Uint32Array(image.data.buffer);
  for (let y = 0; y < size; y++)  // row 0 is the south
    for (let x = 0, from = (size - 1 - y) * size, to = y * size; x < size; x++) out[to + x] = table[codes[from + x]];
  canvas.width = canvas.height = size;
  canvas.getContext("2d").putImageData(image, 0, 0);
  canvas.drawn = wanted;
}

function overlay() {  // bar of one arcminute, or less on a small image; north and east
  const minute = 60 / page.scale, seconds = minute < .7 * size ? 60 : 10, length = seconds / page.scale, em = size / 150;
  for (const [k, svg] of [...$("pictures").querySelectorAll("svg")].entries()) {
    svg.setAttribute("viewBox", `0 0 ${size} ${size}`); svg.style.fontSize = `${7 * em}px`;
    const y = size - 6 * em, x = 6 * em, n = size - 8 * em;
    const bar = `<path d="M${x} ${y}h${length}v${1.2 * em}h${-length}z"/><text x="${x + length / 2}" y="${y - 2.5 * em}" text-anchor="middle">${seconds === 60 ? "1′" : "10″"}</text>`;
    const compass = `<path d="M${n} ${y}v${-14 * em}h${.9 * em}v${14 * em}z M${n} ${y}h${-14 * em}v${-.9 * em}h${14 * em}z"/><text x="${n + .5 * em}" y="${y - 16 * em}" text-anchor="middle">N</text><text x="${n - 18 * em}" y="${y + 2 * em}" text-anchor="middle">E</text>`;
    svg.innerHTML = bar + (k ? "" : compass);
  }
}
