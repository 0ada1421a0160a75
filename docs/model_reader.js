// Reads a model file of skdistill and predicts with it, in a browser or under node:
//   const model = readModel(await (await fetch("model.safetensors")).arrayBuffer());
//   model.predictProba([5.1, 3.5, 1.4, 0.2]); // or an object, by the names of the features
const ARRAYS = { F32: Float32Array, F16: Int16Array, I8: Int8Array };
const NAMES = ["coef.", "intercept.", "scale.", "input_scale."];
// A float16 has the bits of a float32 that is 2 ** 112 times too small.
const half = (int) => 2 ** 112 * new Float32Array(Int32Array.of(int << 13 & 0x8fffe000).buffer)[0];
const float = (value) => (/number|boolean/.test(typeof value) ? Math.fround(value) : NaN);
const layerOf = ([coef, intercept, scale, inputScale]) => (x) =>
  intercept.map((bias, j) => {
    const weight = (i) => coef[i * intercept.length + j] * (inputScale?.[i] ?? 1);
    return bias + x.reduce((sum, value, i) => sum + value * weight(i), 0) * (scale?.[j] ?? 1);
  });
function readModel(buffer, tableRow = null) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const parts = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const header = JSON.parse(parts.__metadata__.skdistill), names = header.feature_names ?? [];
  if (header.format !== 1) throw new Error(`This reads format 1. Got ${header.format}.`);
  if (header.columns && !tableRow) throw new Error("This model takes tables: pass tableRow.");
  const numbersOf = ({ dtype, data_offsets: [start, end] }) => {
    const bytes = new Uint8Array(buffer, 8 + length + start, end - start).slice();
    return Array.from(new ARRAYS[dtype](bytes.buffer), dtype === "F16" ? half : Number);
  };
  const layers = Object.keys(parts).filter((name) => name.startsWith("coef.")).map((_, n) =>
    layerOf(NAMES.map((name) => parts[name + n] && numbersOf(parts[name + n]))));
  const predictProba = (row) => {
    const values = Symbol.iterator in row ? [...row] : names.map((name) => row[name]);
    if (values.length !== header.n_features)
      throw new Error(`The model takes ${header.n_features} features. Got ${values.length}.`);
    const x = (header.columns ? tableRow(values, header) : values).map(float);
    if (!x.every(Number.isFinite)) throw new Error(`Not all finite: ${JSON.stringify(values)}.`);
    const logits = layers.reduce((x, layer, n) => layer(n ? x.map((v) => Math.max(v, 0)) : x), x);
    const top = Math.max(...logits), powers = logits.map((logit) => Math.exp(logit - top));
    const total = powers.reduce((a, b) => a + b);
    return powers.map((power) => power / total);
  };
  const likeliest = (proba) => header.classes[proba.indexOf(Math.max(...proba))];
  return { header, predictProba, predict: (row) => likeliest(predictProba(row)) };
}
if (typeof module !== "undefined") module.exports = { readModel };
