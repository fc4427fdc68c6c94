/* From a cutout to what the network takes, step by step as in radiosynth.preprocessing. */
import card from "./card.json";
import { FileError, need } from "./fits.js";

/* Number the islands of a mask from 1, pixels touching by edges, or by corners too; return them and how many. */
function label(mask, size, corners = false) {
  const islands = new Int32Array(mask.length);
  let n = 0;
  for (let first = 0; first < mask.length; first++) {
    if (!mask[first] || islands[first]) continue;
    const open = [first];
    islands[first] = ++n;
    while (open.length) {
      for (const next of around(open.pop(), size, corners)) {
        if (mask[next] && !islands[next]) { islands[next] = n; open.push(next); }
      }
    }
  }
  return { islands, n };
}

/* Return the neighbours of a pixel that lie in the image. */
function around(i, size, corners) {
  const [row, column] = [Math.floor(i / size), i % size];
  const found = [];
  for (let r = Math.max(0, row - 1); r <= Math.min(size - 1, row + 1); r++) {
    for (let c = Math.max(0, column - 1); c <= Math.min(size - 1, column + 1); c++) {
      if ((r !== row || c !== column) && (corners || r === row || c === column)) found.push(r * size + c);
    }
  }
  return found;
}

/* A mask and the pixels that touch it. */
const grown = (mask, size) => mask.map((on, i) => on || around(i, size, true).some((next) => mask[next]));

/* Sorted numbers: the first place whose value is not below, or above, another. */
function search(values, limit, after = false) {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < limit || (after && values[middle] === limit)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/* Return median and deviation of sorted numbers, those beyond three deviations left out until none is. */
function clipped(values) {
  const middle = values[values.length >> 1];
  const centred = Float64Array.from(values, (value) => value - middle);
  let [low, high, before] = [0, centred.length, ""];
  let [median, deviation] = [0, 0];
  while (before !== `${low} ${high}`) {
    before = `${low} ${high}`;
    const n = high - low;
    median = (centred[low + ((n - 1) >> 1)] + centred[low + (n >> 1)]) / 2;
    let [sum, squares] = [0, 0];
    for (let i = low; i < high; i++) { sum += centred[i]; squares += centred[i] ** 2; }
    deviation = Math.sqrt(Math.max(squares / n - (sum / n) ** 2, 0));
    low = Math.max(low, search(centred, median - 3 * deviation));
    high = Math.min(high, search(centred, median + 3 * deviation, true));
  }
  return [middle + median, deviation];
}

/* Return which pixels hold no data: NaN, and blocks of zeros, or of another value, in an image that has noise. */
function missingPixels(image, size) {
  const missing = Uint8Array.from(image, (value) => !Number.isFinite(value));
  for (const value of filling(image, size)) {
    const filled = Uint8Array.from(image, (each) => each === value);
    const n = filled.reduce((sum, on) => sum + on, 0);
    const few = n > 0 && 2 * n < image.length;
    if (!n || (value && !(few && solid(filled, size)))) continue;
    const others = image.filter((each, i) => !missing[i] && each !== value).sort();
    const below = others.length > 0 && others[0] < value;
    let noisy = below && !value;
    if (few && others.length && !noisy) {
      const [level, noise] = clipped(others);
      const within = below && level - value > -3 * noise && value < others.at(-1);
      const steps = others.filter((each, i) => i && each !== others[i - 1]).length;
      noisy = noise > 0 && (level - value > 5 * noise || within) && (!value || steps > card.grey_levels);
    }
    if (!noisy) continue;
    // Blocks of at least 3×3 such pixels, with those that are connected to them.
    const blocks = grown(filled.map((on, i) => {
      const near = around(i, size, true);
      return on && near.length === 8 && near.every((next) => filled[next]);
    }), size);
    const { islands } = label(filled, size);
    const found = new Set(islands.filter((island, i) => island && blocks[i]));
    islands.forEach((island, i) => { if (found.has(island)) missing[i] = 1; });
  }
  return missing;
}

/* Return the values that may stand for missing data: zero, and the one that most blocks are filled with. */
function filling(image, size) {
  const numbers = new Map();
  for (let row = 0; row + 4 < size; row += 4) {
    for (let column = 0; column + 4 < size; column += 4) {
      const i = row * size + column;
      const value = image[i];
      const alike = [4, 4 * size, 4 * size + 4].every((step) => image[i + step] === value);
      if (alike) numbers.set(value, (numbers.get(value) ?? 0) + 1);
    }
  }
  // Of values that are equally frequent the lowest.
  const most = [...numbers].sort(([a, n], [b, m]) => m - n || a - b)[0];
  // An image that was enlarged is all blocks, of many values.
  const all = [...numbers.values()].reduce((sum, n) => sum + n, 0);
  return [...new Set([0, most && 2 * most[1] > all ? most[0] : 0])].sort((a, b) => a - b);
}

/* Return whether a mask has a block of 8×8 pixels. */
function solid(mask, size) {
  const edge = new Uint16Array(mask.length); // of the largest square that ends at a pixel
  return mask.some((on, i) => {
    const free = i >= size && i % size ? Math.min(edge[i - 1], edge[i - size], edge[i - size - 1]) : 0;
    edge[i] = on ? free + 1 : 0;
    return edge[i] >= 8;
  });
}

/* Return level and noise of the sky, and the peak. */
function skyAndPeak(image, missing, size) {
  const pixels = image.filter((_, i) => !missing[i]).sort();
  let [level, noise] = clipped(pixels);
  const lowest = search(pixels, pixels[0], true) / image.length;
  if (lowest > 0.05 && lowest < 0.84) {
    // A sky of noise falls to pieces where it is cut; one that was thresholded is whole.
    const above = Uint8Array.from(image, (value, i) => value > pixels[0] && !missing[i]);
    const pieces = label(above, size).n + label(above.map((on) => !on), size).n;
    if (pieces > Math.max(20, image.length / 1000)) {
      level = percentile(pixels, 50);
      noise = percentile(pixels, 84.13) - level;
    }
  }
  return { level, noise, peak: pixels.at(-1) };
}

/* Return a percentile of sorted numbers. */
export function percentile(sorted, percent) {
  const place = (percent / 100) * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(sorted.length - 1, below + 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

/* Whether missing pixels touch a source or are too many. */
function spoilt(image, missing, size, limit, noise) {
  const gone = missing.reduce((sum, on) => sum + on, 0);
  if (!gone) return false;
  const height = Float64Array.from(image, (value) => value - limit);
  const highest = height.reduce((most, value) => Math.max(most, value), -Infinity);
  const { islands, n } = label(Uint8Array.from(height, (value) => value > 0), size, true);
  const peaks = new Float64Array(n + 1);
  islands.forEach((island, i) => { if (island) peaks[island] = Math.max(peaks[island], height[i]); });
  const least = Math.max(2 * noise, 0.1 * highest);
  const touched = grown(missing, size);
  const source = (island, i) => island && touched[i] && peaks[island] >= least;
  return gone / image.length > card.missing_limit || islands.some(source);
}

/* Return pixels in single precision, or say why they are of no use. */
function usable(given) {
  const finite = given.filter(Number.isFinite);
  need(finite.length, `all pixels are NaN, infinite or transparent: outside of the survey, or a failed cutout; leave it out`);
  const size = finite.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const power = size === 0 || (size > 1e-15 && size < 1e15) ? 0 : Math.floor(Math.log10(size));
  const pixels = given.map((value) => (Number.isFinite(value) ? value * 10 ** -power : NaN));
  const [low, high] = pixels.reduce(
    ([a, b], value) => (Number.isNaN(value) ? [a, b] : [Math.min(a, value), Math.max(b, value)]), [Infinity, -Infinity],
  );
  need(low < high, `all pixels have the value ${Number(low.toPrecision(6))}: there is no source in it; leave it out`);
  const told = `pixels from ${Number(low.toPrecision(9))} to ${Number(high.toPrecision(9))} lose their detail in the 32-bit numbers used here`;
  need(high - low >= Math.max(Math.abs(low), Math.abs(high)) * 1e-5, `${told}: store them less a constant`);
  return Float32Array.from(pixels);
}

/* Return the prepared image of a square of pixels, from -1 to 1; doubts are added to the notes. */
export function prepare(given, notes) {
  const image = usable(given);
  const size = Math.sqrt(image.length);
  const missing = missingPixels(image, size);
  need(missing.includes(0), card.says.spoilt);
  const { level, noise, peak } = skyAndPeak(image, missing, size);
  let limit = level + card.n_sigma * noise;
  if (noise > 0) limit += Math.max(peak - limit, 0) / card.grey_levels;
  const least = Math.fround(limit);
  const clean = image.map((value, i) => (missing[i] || !(value >= least) ? least : value));
  const [faintest, brightest] = clean.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  if (spoilt(clean, missing, size, least, noise)) throw new FileError(card.says.spoilt);
  need(faintest < brightest, card.says.constant);
  if (noise > 0 && brightest - least < (5 - card.n_sigma) * noise) notes.push("no source 5 sigma above the noise");
  const scaled = clean.map((value) => value - faintest).map((value) => value / Math.fround(brightest - faintest));
  return framed(scaled.map((value) => value * 2).map((value) => value - 1), size);
}

/* Put as much background around an image as makes it as wide as the network takes. */
function framed(image, size) {
  const made = new Float32Array(card.size ** 2).fill(-1);
  const before = Math.floor((card.size - size) / 2);
  for (let row = 0; row < size; row++) {
    made.set(image.subarray(row * size, (row + 1) * size), (row + before) * card.size + before);
  }
  return made;
}
