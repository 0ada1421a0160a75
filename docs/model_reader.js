// Reads a model file of skdistill and predicts with it, in a browser or under node:
//   const model = readModel(await (await fetch("model.safetensors")).arrayBuffer());
//   model.predictProba({ size: 3.5, colour: "red" }); // or an array of the values
// It takes files of format 1 that it can trust: it leaves the checksum alone.
const half = (bits) => {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, part = (bits & 1023) / 1024;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + part) : sign * 2 ** -14 * part;
};
const READ = { F32: (v, i) => v.getFloat32(4 * i, true), F16: (v, i) => half(v.getUint16(2 * i, true)), I8: (v, i) => v.getInt8(i) };
const isMissing = (value) => value === null || value === undefined || Number.isNaN(value);
const numberOf = (value, kind) => {
  let number = value;
  // As in Python, a time without a zone is UTC.
  if (kind === "date" && typeof value === "string")
    number = new Date(/T.*(Z|[+-]\d\d:?\d\d)$|^[^T]*$/.test(value) ? value : value + "Z");
  if (number instanceof Date) number /= 86400000;
  else if (kind === "date" || typeof number === "boolean") number = kind === "date" ? NaN : +number;
  if (!Number.isFinite(number)) throw new Error(`${value} is no ${kind}`);
  return number;
};
const numberOrMissing = (value, kind) => (isMissing(value) ? NaN : numberOf(value, kind));
const textOf = (value, kind) => {
  if (isMissing(value)) return null;
  if (kind === "boolean") value = { 0: false, 1: true }[numberOf(value, kind)] ?? null;
  return typeof value === "boolean" ? (value ? "True" : "False") : value === null ? null : String(value);
};
const networkRow = (values, { columns, scaling_in_first_layer: isScaling }) => {
  if (columns === null) return values.map((value) => numberOf(value, "number"));
  const scaled = [], indicators = [], encoded = [];
  columns.forEach((c, j) => {
    if (c.kind === "category" || c.kind === "boolean") {
      const place = c.categories ? c.categories.indexOf(textOf(values[j], c.kind)) : -1;
      (c.categories ?? []).forEach((_, k) => encoded.push(+(k === place)));
      if (c.other) encoded.push(+(place < 0));
    } else if (c.kind !== "empty") {
      const number = numberOrMissing(values[j], c.kind), filled = Number.isNaN(number) ? c.fill : number;
      if (isScaling) scaled.push(filled);
      else if ("mean" in c) scaled.push((filled - c.mean) / c.scale);
      if (c.indicator && !isScaling) indicators.push(+Number.isNaN(number));
    }
  });
  return [...scaled, ...indicators, ...encoded];
};
function readModel(buffer) {
  const size = Number(new DataView(buffer).getBigUint64(0, true));
  const parts = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, size)));
  const header = JSON.parse(parts.__metadata__.skdistill);
  if (header.format !== 1) throw new Error(`This reads format 1. Got ${header.format}.`);
  const tensor = (name) => {
    const { dtype, shape, data_offsets: [start, end] } = parts[name];
    const view = new DataView(buffer, 8 + size + start, end - start);
    return Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => READ[dtype](view, i));
  };
  const layers = [];
  for (let n = 0; `coef.${n}` in parts; n++)
    layers.push([tensor(`coef.${n}`), tensor(`intercept.${n}`), `scale.${n}` in parts ? tensor(`scale.${n}`) : null]);
  const predictProba = (row) => {
    const values = Array.isArray(row) ? row : header.feature_names.map((name) => row[name]);
    if (values.length !== header.n_features) throw new Error(`The model takes ${header.n_features} features. Got ${values.length}.`);
    let x = networkRow(values, header).map(Math.fround);
    layers.forEach(([coef, intercept, scale], n) => {
      const width = intercept.length, sums = new Float64Array(width);
      x.forEach((value, i) => sums.forEach((_, j) => { sums[j] += value * coef[i * width + j]; }));
      x = Array.from(sums, (sum, j) => (scale ? sum * scale[j] : sum) + intercept[j]);
      if (n < layers.length - 1) x = x.map((value) => Math.max(value, 0));
    });
    const largest = Math.max(...x), powers = x.map((logit) => Math.exp(logit - largest));
    const total = powers.reduce((a, b) => a + b);
    return powers.map((power) => power / total);
  };
  const predict = (row) => {
    const proba = predictProba(row);
    return header.classes[proba.indexOf(Math.max(...proba))];
  };
  return { classes: header.classes, header, predictProba, predict };
}
if (typeof module !== "undefined") module.exports = { readModel };
