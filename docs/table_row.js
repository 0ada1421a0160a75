// What a model file says of the columns of a table, for `readModel` of model_reader.js:
//   const model = readModel(buffer, tableRow);
//   model.predictProba({ size: 3.5, colour: "red" }); // or an array of the values
const isMissing = (value) => value === null || Number.isNaN(value);
const ISO = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:\d\d)?)?$/;
const numberOf = (value, kind) => {
  let number = value;
  // As in Python, a time without a zone is UTC, and a space is as good as a T.
  if (kind === "date" && typeof value === "string") {
    const [, day, time = "00:00", zone = "Z"] = value.match(ISO) ?? [];
    number = new Date(`${day}T${time}${zone}`);
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
function tableRow(values, { columns, feature_names: names, scaling_in_first_layer: isScaling }) {
  const scaled = [], indicators = [], encoded = [];
  columns.forEach((c, j) => {
    if (values[j] === undefined) throw new Error(`The row lacks ${names?.[j] ?? j}.`);
    if (c.kind === "category" || c.kind === "boolean") {
      const place = (c.categories ?? []).indexOf(textOf(values[j], c.kind));
      (c.categories ?? []).forEach((_, k) => encoded.push(+(k === place)));
      if (c.other) encoded.push(+(place < 0));
    } else if (c.kind !== "empty") {
      let number = isMissing(values[j]) ? c.fill : numberOf(values[j], c.kind);
      if ("low" in c) number = Math.min(Math.max(number, c.low), c.high);
      if (isScaling) scaled.push(number);
      else if ("mean" in c) scaled.push((number - c.mean) / c.scale);
      if (c.indicator) indicators.push(+isMissing(values[j]));
    }
  });
  return [...scaled, ...indicators, ...encoded];
}
if (typeof module !== "undefined") module.exports = { tableRow };
