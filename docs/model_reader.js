// Reads a model file of skdistill and predicts with it, in a browser or under node:
//   const model = readModel(await (await fetch("model.safetensors")).arrayBuffer());
//   model.predictProba([5.1, 3.5, 1.4, 0.2]); // or an object, by the names of the features
const ARRAYS = { F32: Float32Array, F16: Int16Array, I8: Int8Array };
const NAMES = ["coef.", "intercept.", "scale.", "input_scale."];
// A float16 has the bits of a float32 that is 2 ** 112 times too small.
const half = (int) => 2 ** 112 * new Float32Array(Int32Array.of(int << 13 & 0x8fffe000).buffer)[0];
const layerOf = ([coef, intercept, scale, inputScale]) => (x) =>
  intercept.map((bias, j) => {
    const weight = (i) => coef[i * intercept.length + j] * (inputScale?.[i] ?? 1);
    return bias + x.reduce((sum, value, i) => sum + value * weight(i), 0) * (scale?.[j] ?? 1);
  });
function readModel(buffer, tableRow = null) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const parts = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const header = JSON.parse(parts.__metadata__.skdistill);
  if (header.format !== 1) throw new Error(`This reads format 1. Got ${header.format}.`);
  if (header.columns && !tableRow) throw new Error("This model takes tables: pass tableRow.");
  const numbersOf = ({ dtype, data_offsets: [start, end] }) => {
    const bytes = new Uint8Array(buffer, 8 + length + start, end - start).slice();
    return Array.from(new ARRAYS[dtype](bytes.buffer), dtype === "F16" ? half : Number);
  };
  const layers = [];
  for (let n = 0; `coef.${n}` in parts; n++)
    layers.push(layerOf(NAMES.map((name) => parts[name + n] && numbersOf(parts[name + n]))));
  const predictProba = (row) => {
    const values = Array.isArray(row) ? row : header.feature_names.map((name) => row[name]);
    if (values.length !== header.n_features)
      throw new Error(`The model takes ${header.n_features} features. Got ${values.length}.`);
    const numbers = header.columns ? tableRow(values, header) : values;
    if (!numbers.every(Number.isFinite)) throw new Error(`The model takes numbers. Got ${values}.`);
    const relu = (x) => x.map((value) => Math.max(value, 0));
    const logits = layers.reduce((x, layer, n) => layer(n ? relu(x) : x), numbers.map(Math.fround));
    const powers = logits.map((logit) => Math.exp(logit - Math.max(...logits)));
    return powers.map((power) => power / powers.reduce((a, b) => a + b));
  };
  const likeliest = (proba) => header.classes[proba.indexOf(Math.max(...proba))];
  return { header, predictProba, predict: (row) => likeliest(predictProba(row)) };
}
if (typeof module !== "undefined") module.exports = { readModel };
