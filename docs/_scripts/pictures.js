/* Read PNG and JPEG pictures as brightness, row 0 in the south and NaN where they are transparent. */
import card from "./card.json";
import { need } from "./fits.js";
import { percentile } from "./prepare.js";

export async function readPicture(bytes, notes) {
  const png = bytes[0] === 0x89;
  need(!png || bytes[24] < 16, "has 16 bits, of which browsers keep 8; give the FITS file, or classify it with Python");
  const frames = png && String.fromCharCode(...bytes.subarray(0, 512)).includes("acTL");
  need(!frames, "holds an animation; save one of its pictures");
  const plain = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  const picture = await createImageBitmap(new Blob([bytes]), plain).catch(() => need(false, card.says.damaged));
  const { width, height } = picture;
  need(Math.max(width, height) <= card.largest, `has (${width}, ${height}) pixels; cut out the source`);
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  let coloured = 0;
  const values = new Float64Array(width * height);
  for (let i = 0; i < values.length; i++) {
    const [red, green, blue, alpha] = data.subarray(4 * i, 4 * i + 4);
    coloured = Math.max(coloured, Math.max(red, green, blue) - Math.min(red, green, blue));
    // Luminance as in television; grey stays as it is.
    const grey = red === green && green === blue ? red : 0.2125 * red + 0.7154 * green + 0.0721 * blue;
    values[i] = alpha < 255 ? NaN : grey;
  }
  if (coloured > 20) notes.push(`a picture in colours; is it linear? ${card.says.linear}`);
  const sorted = values.filter(Number.isFinite).sort();
  const [faint, middle, upper, bright] = [0, 50, 75, 100].map((percent) => percentile(sorted, percent));
  const above = sorted.filter((value) => value > faint);
  const typical = above.length ? percentile(above, 50) : faint;
  if (Math.max(typical - faint, 5 * (upper - middle)) > 0.25 * (bright - faint)) {
    notes.push(`a picture whose sky is bright: inverted, or stretched? ${card.says.linear}`);
  } else if (sorted.filter((value) => value === bright).length > card.saturated) {
    notes.push(`a picture with many pixels of the largest value: saturated? ${card.says.linear}`);
  }
  const pixel = (row, column) => values[(height - 1 - row) * width + column];
  return { width, height, pixel, sky: null, beam: NaN };
}
