/* Read plain two-dimensional FITS images, and where they lie on the sky, as radiosynth.read_cutouts does.
 *
 * A reader of our own, since of the libraries in npm one is no longer looked after (fitsjs), one has neither sources
 * nor tests (fits-reader-js), and the one that is looked after (jsfitsio) is licensed under the GPL.
 */
import card from "./card.json";

const BLOCK = 2880; // bytes; headers and data fill whole ones
const READ = {
  8: (view, at) => view.getUint8(at),
  16: (view, at) => view.getInt16(at),
  32: (view, at) => view.getInt32(at),
  64: (view, at) => Number(view.getBigInt64(at)),
  "-32": (view, at) => view.getFloat32(at),
  "-64": (view, at) => view.getFloat64(at),
};

/* What is wrong with a file; the message is for the visitor. */
export class FileError extends Error {}

export function need(met, fault) {
  if (!met) throw new FileError(fault);
}

/* Return the value that a card of a header gives to its keyword. */
function valueOf(text) {
  const quoted = text.match(/^\s*'((?:[^']|'')*)'/);
  if (quoted) return quoted[1].replaceAll("''", "'").trimEnd();
  const plain = text.split("/")[0].trim();
  if (plain === "T" || plain === "F") return plain === "T";
  return plain === "" ? undefined : Number(plain.replace(/[dD]/, "e"));
}

/* Return the header that begins at a byte, and where its data begin and end. */
function unit(bytes, begin) {
  const header = new Map();
  for (let at = begin; ; at += 80) {
    need(at + 80 <= bytes.length, card.says.damaged);
    const line = String.fromCharCode(...bytes.subarray(at, at + 80));
    const name = line.slice(0, 8).trim();
    if (name === "END") {
      const data = begin + Math.ceil((at + 80 - begin) / BLOCK) * BLOCK;
      const axes = Array.from({ length: header.get("NAXIS") ?? 0 }, (_, i) => header.get(`NAXIS${i + 1}`));
      const values = axes.length ? axes.reduce((product, n) => product * n, 1) : 0;
      const each = Math.abs(header.get("BITPIX")) / 8;
      const length = each * (header.get("GCOUNT") ?? 1) * ((header.get("PCOUNT") ?? 0) + values);
      need(Number.isFinite(length), card.says.damaged);
      return { header, axes, data, end: data + Math.ceil(length / BLOCK) * BLOCK };
    }
    if (line.slice(8, 10) === "= ") header.set(name, valueOf(line.slice(10)));
  }
}

/* Return all units of a file, each with header, axes and the place of its data. */
function units(bytes) {
  const found = [];
  const begins = (at, word) => String.fromCharCode(...bytes.subarray(at, at + 8)).trim() === word;
  for (let at = 0; at === 0 || begins(at, "XTENSION"); at = found.at(-1).end) found.push(unit(bytes, at));
  return found;
}

/* Return the first image of a FITS file: its size, a function that gives pixels, and its header. */
export function readFits(bytes, notes) {
  const found = units(bytes);
  const packed = found.some(({ header }) => header.get("ZIMAGE") === true);
  need(!packed, "is compressed by fpack, which this page does not read; unpack it with funpack");
  const images = found.filter(({ header, axes }, i) => (i === 0 || header.get("XTENSION") === "IMAGE") && axes.length);
  need(images.length, "is a FITS file without an image; give one with a two-dimensional image");
  const wide = images.filter(({ axes }) => axes.filter((n) => n > 1).length > 1);
  if (wide.length > 1) notes.push(`the file holds ${wide.length} images, the first is read`);
  const { header, axes, data } = wide[0] ?? images[0];
  const long = [...axes.keys()].filter((i) => axes[i] > 1);
  const shape = [...axes].reverse().join(", ");
  need(long.length === 2 && !axes.includes(0), `holds an image with axes (${shape}); cut out one plane`);
  const [width, height] = long.map((i) => axes[i]);
  const bits = header.get("BITPIX");
  need(READ[bits], card.says.damaged);
  const each = Math.abs(bits) / 8;
  need(data + each * width * height <= bytes.length, card.says.damaged);
  const view = new DataView(bytes.buffer, bytes.byteOffset + data, each * width * height);
  const [factor, summand, blank] = [header.get("BSCALE") ?? 1, header.get("BZERO") ?? 0, header.get("BLANK")];
  const pixel = (row, column) => {
    const stored = READ[bits](view, each * (row * width + column));
    return bits > 0 && stored === blank ? NaN : stored * factor + summand;
  };
  const unread = /^((PC|CD)(0|[12]_[3-9])|(CPDIS|CQDIS|D2IMDIS)[12])/;
  const others = [...header.keys()].filter((name) => {
    const elsewhere = (name.startsWith("CTYPE") && long[1] > 1) || (name === "INHERIT" && !header.has("CTYPE1"));
    return elsewhere || (unread.test(name) && !(Math.abs(header.get(name)) < 1e-6));
  });
  for (const name of others.filter((each) => header.get(each))) {
    need(false, `has coordinates that this page does not read (${name} is '${header.get(name)}'); classify it with Python`);
  }
  const sky = coordinates(header, width, height);
  const beam = typeof header.get("BMAJ") === "number" ? 3600 * header.get("BMAJ") : NaN;
  return { width, height, pixel, sky, beam };
}

const RAD = Math.PI / 180;

/* Return how far west and north, in arcsec, a step along each axis leads in the middle of an image; null without sky. */
function coordinates(header, width, height) {
  const text = (name) => String(header.get(name) ?? "").trim().toUpperCase();
  const check = (fine, name, wanted) => {
    const given = header.has(name) ? `'${header.get(name)}'`.replace(/^'([\d.eE+-]+)'$/, "$1") : "missing";
    need(fine, `the FITS keyword ${name} is ${given}; ${wanted}: correct the header`);
  };
  const kinds = ["CTYPE1", "CTYPE2"].map(text);
  if (!kinds.some((kind) => /^(RA|DEC|.?LON|.?LAT|..LN|..LT)(?![A-Z])/.test(kind))) {
    check(kinds.some((kind) => kind) || !(header.get("CRVAL1") && header.get("CRVAL2")), "CTYPE1", "CRVAL needs it");
    return null;
  }
  const epoch = header.has("EQUINOX") ? "EQUINOX" : "EPOCH";
  for (const [name, fine] of [
    ["CTYPE1", /^RA---(SIN|TAN)$/.test(kinds[0])],
    ["CTYPE2", kinds[1] === kinds[0].replace("RA---", "DEC--")],
    ["RADESYS", ["", "ICRS", "FK5"].includes(text("RADESYS"))],
    [epoch, !header.has(epoch) || Number(text(epoch).replace(/^[JB]/, "")) === 2000],
    ["LONPOLE", !header.has("LONPOLE") || header.get("LONPOLE") === 180],
    ["PV2_1", !header.get("PV2_1")],
    ["PV2_2", !header.get("PV2_2")],
  ]) {
    const said = `has coordinates that this page does not read (${name} is '${text(name)}')`;
    need(fine, `${said}: they have to be RA and DEC of J2000, as SIN or TAN; classify it with Python`);
  }
  const number = (name, usual) => {
    const value = header.has(name) ? header.get(name) : usual;
    check(Number.isFinite(value), name, value === undefined ? "coordinates need it" : "a finite number is needed");
    return value;
  };
  for (const i of [1, 2]) check(/^(DEG(REES?)?|)$/.test(text(`CUNIT${i}`)), `CUNIT${i}`, "degrees are needed");
  const places = [..."12"];
  const has = (kind) => places.some((i) => places.some((j) => header.has(`${kind}${i}_${j}`)));
  check(!(has("CD") && has("PC")), "PC1_1", "there is a CD matrix, too");
  check(!(has("PC") && number("CROTA2", 0)), "CROTA2", "there is a PC matrix, too");
  check([0, number("CROTA2", 0)].includes(number("CROTA1", 0)), "CROTA1", "it has to be that of CROTA2");
  const turn = number("CROTA2", 0) * RAD;
  const scales = places.map((i) => (has("CD") ? 1 : number(`CDELT${i}`, 1)));
  const turned = [[Math.cos(turn), (-Math.sin(turn) * scales[1]) / scales[0]], [(Math.sin(turn) * scales[0]) / scales[1], Math.cos(turn)]];
  const matrix = places.map((i, m) => places.map((j, n) => {
    if (has("CD")) return number(`CD${i}_${j}`, 0);
    return scales[m] * (has("PC") ? number(`PC${i}_${j}`, i === j ? 1 : 0) : turned[m][n]);
  }));
  const reference = places.map((i) => number(`CRPIX${i}`));
  const [, declination] = places.map((i) => number(`CRVAL${i}`) * RAD);

  /* Unit vector of a pixel: to the meridian of the reference point, to the east, and to the pole. */
  function vector(x, y) {
    const offset = [x + 1 - reference[0], y + 1 - reference[1]];
    const [east, north] = matrix.map((row) => (row[0] * offset[0] + row[1] * offset[1]) * RAD);
    const square = east ** 2 + north ** 2;
    const ahead = kinds[0].endsWith("SIN") ? Math.sqrt(1 - square) : 1;
    const length = Math.hypot(east, north, ahead);
    const [sine, cosine] = [Math.sin(declination), Math.cos(declination)];
    return [ahead * cosine - north * sine, east, ahead * sine + north * cosine].map((part) => part / length);
  }

  const [x, y] = [(width - 1) / 2, (height - 1) / 2];
  const [a, b, c] = vector(x, y);
  need(Number.isFinite(a), "CRVAL and CRPIX in its header put its middle off the sky; correct them or leave it out");
  const level = Math.hypot(a, b);
  const directions = [[b / level, -a / level, 0], [(-c * a) / level, (-c * b) / level, level]]; // west and north
  const steps = [[vector(x + 1, y), vector(x - 1, y)], [vector(x, y + 1), vector(x, y - 1)]];
  return directions.map((direction) => steps.map(([after, earlier]) => (
    direction.reduce((sum, part, i) => sum + part * (after[i] - earlier[i]), 0) / 2 / RAD) * 3600));
}
