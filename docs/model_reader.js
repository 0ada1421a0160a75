// Reads a model file of skdistill and predicts with it, in a browser or under node:
//   const model = readModel(await (await fetch("model.safetensors")).arrayBuffer());
//   model.predictProba({ size: 3.5, colour: "red" }); // or an array of the values
// It takes files of format 1 that it can trust: it leaves the checksum alone.
const half = (bits) => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31, part = (bits & 1023) / 1024;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + part) : sign * 2 ** -14 * part;
};
const READ = {
  F32: (view, i) => view.getFloat32(4 * i, true),
  F16: (view, i) => half(view.getUint16(2 * i, true)),
  I8: (view, i) => view.getInt8(i),
};
const isMissing = (value) => value === null || value === undefined || Number.isNaN(value);
const numberOf = (value, kind) => {
  let number = value;
  // As in Python, a time without a zone is UTC, and a space as good as a T.
  if (kind === "date" && typeof value === "string") {
    const time = value.replace(/ (?=\d)/, "T");
    number = new Date(time + (/T\d(?!.*(Z|[+-]\d\d:?\d\d)$)/.test(time) ? "Z" : ""));
  }
  if (number instanceof Date) number /= 86400000;
  else if (kind === "date") number = NaN;
  else if (typeof number === "boolean") number = +number;
  if (!Number.isFinite(number)) throw new Error(`${value} is no ${kind}`);
  return number;
};
const textOf = (value, kind) => {
  if (isMissing(value)) return null;
  if (kind === "boolean") return { 0: "False", 1: "True" }[numberOf(value, kind)] ?? null;
  return typeof value === "boolean" ? (value ? "True" : "False") : String(value);
};
const networkRow = (values, columns, isScaling) => {
  if (columns === null) return values.map((value) => numberOf(value, "number"));
  const scaled = [], indicators = [], encoded = [];
  columns.forEach((c, j) => {
    if (c.kind === "category" || c.kind === "boolean") {
      const place = (c.categories ?? []).indexOf(textOf(values[j], c.kind));
      (c.categories ?? []).forEach((_, k) => encoded.push(+(k === place)));
      if (c.other) encoded.push(+(place < 0));
    } else if (c.kind !== "empty") {
      const number = isMissing(values[j]) ? c.fill : numberOf(values[j], c.kind);
      if (isScaling) scaled.push(number);
      else if ("mean" in c) scaled.push((number - c.mean) / c.scale);
      if (c.indicator) indicators.push(+isMissing(values[j]));
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
    const length = shape.reduce((a, b) => a * b);
    return Float32Array.from({ length }, (_, i) => READ[dtype](view, i));
  };
  const layers = [];
  for (let n = 0; `coef.${n}` in parts; n++)
    layers.push({
      coef: tensor(`coef.${n}`),
      intercept: tensor(`intercept.${n}`),
      scale: `scale.${n}` in parts ? tensor(`scale.${n}`) : null,
      inputScale: `input_scale.${n}` in parts ? tensor(`input_scale.${n}`) : null,
    });
  const predictProba = (row) => {
    const values = Array.isArray(row) ? row : header.feature_names.map((name) => row[name]);
    if (values.length !== header.n_features)
      throw new Error(`The model takes ${header.n_features} features. Got ${values.length}.`);
    let x = networkRow(values, header.columns, header.scaling_in_first_layer);
    layers.forEach(({ coef, intercept, scale, inputScale }, n) => {
      const width = intercept.length, sums = new Float64Array(width);
      x.forEach((value, i) => {
        const input = Math.fround(value) * (inputScale ? inputScale[i] : 1);
        for (let j = 0; j < width; j++) sums[j] += input * coef[i * width + j];
      });
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
