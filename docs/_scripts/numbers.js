/* Numbers of a network that were stored in 16 bits where that loses nothing, and in 32 otherwise. */
function half(bits) {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits & 32768 ? -size : size;
}

const HALVES = Float32Array.from({ length: 65536 }, (_, bits) => half(bits));

/* Return what reads an array out of such bytes, by its place, shape and number of bits. */
export const reader = (blob) => ({ at, shape, bits }) => {
  const length = shape.reduce((product, edge) => product * edge, 1);
  const bytes = blob.buffer.slice(blob.byteOffset + at, blob.byteOffset + at + (length * bits) / 8);
  return bits === 16 ? Float32Array.from(new Uint16Array(bytes), (value) => HALVES[value]) : new Float32Array(bytes);
};
