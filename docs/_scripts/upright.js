/* Cut the middle out of an image, north up and east left where it has coordinates, as radiosynth.read_cutouts does. */
import card from "./card.json";
import { need } from "./fits.js";

const RAD = Math.PI / 180;

/* Return NaN in place of values that stand for missing data, such as -9999: they lie far from all others. */
function blanked(pixels) {
  let values = pixels.filter(Number.isFinite);
  for (const [extreme, far] of [[Math.max, 1000], [Math.min, 1]]) {
    const blank = values.reduce((a, b) => extreme(a, b), 0);
    const rest = values.filter((value) => value !== blank);
    const [low, high] = rest.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [Infinity, -Infinity]);
    const apart = Math.min(Math.abs(low - blank), Math.abs(high - blank));
    const range = far * (high - low);
    if (blank && 2 * rest.length > values.length && apart > range && range > 0) {
      pixels.forEach((value, i) => { if (value === blank) pixels[i] = NaN; });
      values = rest;
    }
  }
  return pixels;
}

/* Return the rotation that is nearest to a matrix, and the stretch that is left of the matrix. */
function polar([[a, b], [c, d]]) {
  const mirrored = a * d - b * c < 0 ? -1 : 1;
  const angle = Math.atan2(c - mirrored * b, a + mirrored * d);
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const rotation = [[cosine, -mirrored * sine], [sine, mirrored * cosine]];
  return { rotation, stretch: product([[a, b], [c, d]], transposed(rotation)) };
}

const transposed = ([[a, b], [c, d]]) => [[a, c], [b, d]];
const product = (left, right) => left.map((row) => [0, 1].map((j) => row[0] * right[0][j] + row[1] * right[1][j]));

/* Interpolate an image linearly at a place that may be less than a pixel outside. */
function between({ width, height, at }, x, y) {
  if (!(x > -1 && x < width && y > -1 && y < height)) return NaN;
  const [left, low] = [Math.floor(x), Math.floor(y)];
  const pick = (i, j) => at(Math.min(height - 1, Math.max(0, j)), Math.min(width - 1, Math.max(0, i)));
  let sum = 0;
  for (const [i, share] of [[left, left + 1 - x], [left + 1, x - left]]) {
    for (const [j, part] of [[low, low + 1 - y], [low + 1, y - low]]) sum += share * part * pick(i, j);
  }
  return sum;
}

/* Return the central square of an image, row 0 south, and the width of its pixels in arcsec. */
export function cutout(image, size, pixelScale, notes) {
  const { width, height, pixel, sky } = image;
  const fits = ([rows, columns]) => need(
    size <= Math.min(rows, columns), `has ${rows}×${columns} pixels, less than size=${size}; give a smaller size (Options, central pixels)`,
  );
  if (!sky) {
    fits([height, width]);
    need(!pixelScale, "has no celestial coordinates, and cannot be resampled");
    const [top, left] = [height, width].map((edge) => Math.floor((edge - size) / 2));
    const pixels = Float64Array.from({ length: size * size }, (_, i) => pixel(top + Math.floor(i / size), left + (i % size)));
    return { pixels: blanked(pixels), scale: NaN };
  }
  const determinant = sky[0][0] * sky[1][1] - sky[0][1] * sky[1][0];
  const usual = Math.sqrt(Math.abs(determinant));
  const half = Math.hypot(...sky.flat()) ** 2 / 2;
  const large = Math.sqrt(half + Math.sqrt(Math.max(0, half ** 2 - determinant ** 2)));
  const small = Math.abs(determinant) / large;
  const [least, most] = card.pixel_scales;
  const possible = least <= small && large <= Math.min(most, 2 * small);
  need(possible, `has pixels of ${short(large)} by ${short(small)} arcsec; correct CDELT, CD or PC in its header`);
  const scale = pixelScale || usual;

  // What one pixel of the upright image is in the file: a rotation, then a stretch along the file's axes.
  const inverse = [[sky[1][1], -sky[0][1]], [-sky[1][0], sky[0][0]]].map((row) => row.map((v) => (scale * v) / determinant));
  const { rotation, stretch } = polar(inverse);
  const along = Math.abs(rotation[0][0]) >= Math.abs(rotation[0][1]) ? 0 : 1;
  const straight = rotation.map((row, i) => row.map((v, j) => (j === (i ? 1 - along : along) ? Math.sign(v) : 0)));
  const tilt = Math.acos(Math.min(1, Math.abs(rotation[0][along]))) / RAD;
  const exact = Math.max(Math.abs(scale / large - 1), Math.abs(scale / small - 1)) * size < 0.5;
  const stretched = exact ? [[1, 0], [0, 1]] : stretch;
  const full = [height / stretched[1][1], width / stretched[0][0]].map((edge) => Math.floor(edge + 1e-6));
  fits(along === 0 ? full : full.reverse());

  // Rotated, or straight if that would lack corners.
  for (const rotated of tilt > card.tilt ? [true, false] : [false]) {
    const steps = product(stretched, rotated ? rotation : straight);
    const begin = [(width - 1) / 2, (height - 1) / 2].map((middle, i) => {
      const start = middle - ((steps[i][0] + steps[i][1]) * (size - 1)) / 2;
      return exact && !rotated ? Math.ceil(start - 0.5 - 1e-6) : start;
    });
    const place = (i) => begin.map((b, axis) => b + steps[axis][0] * (i % size) + steps[axis][1] * Math.floor(i / size));
    const corners = [0, size - 1, size * (size - 1), size * size - 1].map(place);
    const inside = corners.every(([x, y]) => x > -1 && x < width && y > -1 && y < height);
    if (!inside && rotated) continue;
    if (tilt > card.tilt && !rotated) {
      notes.push(`kept as it is, ${tilt.toFixed(1)} degrees from north; rotated, it would lack corners`);
    }
    const whole = exact && !rotated;
    const source = whole ? null : { width, height, at: grid(image) };
    const pixels = Float64Array.from({ length: size * size }, (_, i) => {
      const [x, y] = place(i);
      return whole ? pixel(Math.round(y), Math.round(x)) : between(source, x, y);
    });
    return { pixels: blanked(pixels), scale };
  }
  return null;
}

/* Return a function that gives the pixels of an image, without those that stand for missing data. */
function grid({ width, height, pixel }) {
  need(Math.max(width, height) <= card.largest, `has ${height}×${width} pixels to interpolate; cut out the source`);
  const known = blanked(Float64Array.from({ length: width * height }, (_, i) => pixel(Math.floor(i / width), i % width)));
  return (row, column) => known[row * width + column];
}

/* Three significant digits, as Python's .3g. */
export const short = (value) => String(Number(value.toPrecision(3)));
