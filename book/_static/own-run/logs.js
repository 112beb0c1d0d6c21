// A log file as rows, as lrcourse/audit/logs.py reads it: CSV, JSON lines, the state of a Trainer, TensorBoard's exports.
(() => {
const { audit } = window.lrcourse;
const AT_ONCE = 2000; // rows that are read before the page may do something else
const HELD_OUT = new RegExp(audit.columns.held_out); // a loss of other data than the updates'
// oxlint-disable-next-line no-control-regex -- Python ends lines at separators of files and groups as well
const LINE = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/g;

// What cannot be read, in a sentence for the reader; `names`: the columns that there are to choose from.
class Refused extends Error {
  constructor(message, names) {
    super(message);
    this.names = names;
  }
}

// The rows of the files of one run, each {name, text}; `given`: the names of columns that are not the usual ones.
function* read(files, given = {}) {
  const records = [];
  for (const { name, text } of files) yield* recordsOf(records, text.replace(/^\uFEFF/, ""), name);
  const names = yield* namesOf(records);
  try {
    const columns = {};
    const trained = names.filter((name) => !HELD_OUT.test(name.toLowerCase()));
    columns.step = column(given.step, names, audit.columns.step);
    columns.loss = column(given.loss, given.loss ? names : trained, audit.columns.loss);
    columns.momentum = column(given.momentum, names, audit.columns.momentum) ?? names.find((name) => name.toLowerCase().endsWith("-momentum"));
    const groups = rateColumns(given.rate, names);
    if (!groups.length) throw new Refused(`No column is known to hold rates. The columns are ${listed(names)}: choose one of them.`);
    const rows = yield* rowsOf(yield* joined(records, columns.step), groups, columns);
    const replaced = yield* replacedIn(records, columns.step, groups);
    const counter = columns.step ?? column(undefined, names, audit.columns.epoch);
    const unit = counter && audit.columns.epoch.includes(plain(counter)) ? "epoch" : "update";
    return { ...rows, names, replaced, unit, counted: Boolean(given.step) };
  } catch (error) {
    throw error instanceof Refused ? new Refused(error.message, names) : error;
  }
}

const listed = (names) => names.map((name) => `“${name}”`).join(", ");

// How far a rate of a log may lie from the true one, as a share of the highest: by the digits it has.
const precision = ({ digits }) => (digits > 1 ? Math.max(1e-6, 10 ** (1 - digits)) : 1e-6);

const digitsOf = (rate) => String(rate).replace(/e.*/, "").replace(".", "").replace(/^0+|0+$/g, "").length;

function* recordsOf(records, text, name) {
  const before = records.length;
  const json = /^[{[]/.test(text.trimStart());
  const found = json ? jsonOf(text, name) : csvOf(linesOf(text));
  for (const record of found) {
    if (record === null || typeof record !== "object" || Array.isArray(record)) throw new Refused(`${name} is no log: a row is no object.`);
    records.push(exported(record, name));
    if (records.length % AT_ONCE === 0) yield;
  }
  if (records.length === before) throw new Refused(`${name} has no row. A log has a line of names, then a line for each update.`);
}

// The lines of a text, one after the other, as splitlines() has them.
function* linesOf(text) {
  let from = 0;
  for (const end of text.matchAll(LINE)) {
    yield text.slice(from, end.index);
    from = end.index + end[0].length;
  }
  if (from < text.length) yield text.slice(from);
}

// Rows by the names in the first line; its fields are split by what it has most of.
function* csvOf(lines) {
  const all = lines[Symbol.iterator]();
  const { value: first = "" } = all.next();
  const counts = [",", ";", "\t"].map((sign) => [first.split(sign).length, sign]);
  const [, sign] = counts.reduce((a, b) => (b[0] > a[0] ? b : a));
  let names;
  for (const cells of cellsOf(first, all, sign)) {
    if (!names) names = cells.map((name) => name.trim());
    else if (cells.length) yield Object.fromEntries(names.map((name, k) => [name, cells[k]]));
  }
}

function* cellsOf(first, others, sign) {
  let [cells, open, next] = [[], undefined, { value: first }];
  for (; !next.done; next = others.next()) {
    const line = next.value;
    if (open === undefined && !line.includes('"')) cells = line === "" ? [] : line.split(sign);
    else open = split(line, sign, cells, open);
    if (open !== undefined) continue; // a quoted cell goes on in the next line
    yield cells;
    cells = [];
  }
  if (open !== undefined) yield [...cells, open];
}

// Adds the cells of a line that holds quotes; returns what an open quote holds at its end, if one is open.
function split(line, sign, cells, open) {
  let [cell, quoted, fresh] = [open ?? "", open !== undefined, open === undefined];
  for (let i = 0; i < line.length; i++) {
    const c = line[i];
    if (quoted && c === '"' && line[i + 1] === '"') cell += line[++i];
    else if (quoted && c === '"') quoted = false;
    else if (!quoted && c === '"' && fresh) quoted = true;
    else if (!quoted && c === sign) {
      cells.push(cell);
      [cell, fresh] = ["", true];
      continue;
    } else cell += c;
    fresh = false;
  }
  if (quoted) return cell;
  cells.push(cell);
  return undefined;
}

function jsonOf(text, name) {
  let whole;
  try {
    if (isLines(text)) return objectsOf(linesOf(text), name);
    whole = parsed(text);
  } catch {
    return objectsOf(linesOf(text), name);
  }
  const inner = whole !== null && !Array.isArray(whole) && Object.hasOwn(whole, "log_history") ? whole.log_history : whole;
  return Array.isArray(inner) ? inner : [inner];
}

// Whether the first line is a whole of its own, and more comes after it: then the text is not one object.
function isLines(text) {
  const end = text.trimStart().search(/[\n\r]/);
  if (end < 0 || !text.trimStart().slice(end).trim()) return false;
  try {
    parsed(text.trimStart().slice(0, end));
    return true;
  } catch {
    return false;
  }
}

function* objectsOf(lines, name) {
  for (const line of lines) {
    if (!line.trim()) continue;
    try {
      yield parsed(line);
    } catch {
      throw new Refused(`${name} is neither CSV with a line of names nor JSON.`);
    }
  }
}

// Python writes NaN and Infinity, which are no JSON.
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return JSON.parse(text.replace(/"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g, (part) => (part[0] === '"' ? part : `"${part}"`)));
  }
}

// A row of TensorBoard's export, its value under what the name of the file says.
function exported(record, file) {
  if (!("Wall time" in record && "Value" in record && "Step" in record) || Object.keys(record).filter(Boolean).length !== 3) return record;
  const stem = file.toLowerCase().replace(/(?!^)\.[^.]*$/, "");
  const kind = stem.includes("loss") ? "loss" : stem.includes("momentum") ? "momentum" : "lr";
  return { step: record.Step, [kind]: record.Value };
}

function* namesOf(records) {
  const names = new Set();
  for (const [i, record] of records.entries()) {
    for (const name in record) names.add(name);
    if (i % AT_ONCE === 0) yield;
  }
  return [...names].filter(Boolean);
}

// A name without the parts before it, such as train/, or the run's name in an export of Weights & Biases.
const plain = (name) => name.toLowerCase().split(/\/| - /).at(-1).trim();

function column(given, names, usual) {
  if (given) {
    if (!names.includes(given)) throw new Refused(`The log has no column “${given}”. Its columns are ${listed(names)}.`);
    return given;
  }
  for (const wanted of usual) {
    const found = names.find((name) => name.toLowerCase() === wanted || plain(name) === wanted);
    if (found !== undefined) return found;
  }
  return undefined;
}

function rateColumns(given, names) {
  const several = names.map((name) => [name, name.toLowerCase()])
    .filter(([, low]) => /^(lr|learning_rate)[-_/ ]/.test(low) && !/momentum|weight_decay/.test(low)).map(([name]) => name);
  if (!given && several.length > 1) return several;
  const single = column(given, names, audit.columns.rate);
  const alike = names.filter((name) => single && plain(name) === plain(single));
  if (!given && alike.length > 1 && !audit.columns.rate.includes(single.toLowerCase())) {
    throw new Refused(`Several columns hold rates, as those of several runs: ${listed(alike)}. Choose one of them.`);
  }
  return single || several.length ? [single ?? several[0]] : [];
}

// The rows by step; a step that comes again, as that of the losses does, adds to the first.
function* joined(records, step) {
  if (step === undefined) return [...records.entries()];
  const found = new Map();
  for (const [i, record] of records.entries()) {
    if (i % AT_ONCE === 0) yield;
    const at = number(step, record[step]);
    if (at === undefined) continue;
    if (!Number.isInteger(at)) throw new Refused(`A step is ${record[step]}, no whole number. Which column counts the updates?`);
    if (!found.has(at)) found.set(at, {});
    const row = found.get(at);
    for (const name in record) if (!isEmpty(record[name])) row[name] = record[name];
  }
  return [...found].toSorted(([a], [b]) => a - b);
}

// At how many steps another rate came before the one that counts, as in a file with several runs.
function* replacedIn(records, step, groups) {
  const found = new Map();
  let count = 0;
  for (const [i, record] of (step === undefined ? [] : records).entries()) {
    if (i % AT_ONCE === 0) yield;
    if (groups.some((name) => isEmpty(record[name]))) continue;
    const rates = JSON.stringify(groups.map((name) => record[name]));
    const before = found.get(record[step]);
    if (before === undefined) found.set(record[step], { rates, counted: false });
    else if (before.rates !== rates && !before.counted) {
      before.counted = true;
      count++;
    }
  }
  return count;
}

function* rowsOf(records, groups, columns) {
  const rows = { step: [], rate: [], momentum: [], loss: [], digits: 1 };
  for (const [i, [at, record]] of records.entries()) {
    if (i % AT_ONCE === 0) yield;
    const rates = groups.map((name) => number(name, record[name]));
    if (rates.includes(undefined)) continue;
    const wrong = rates.find((rate) => !(rate >= 0 && rate < Infinity));
    if (wrong !== undefined) throw new Refused(`At step ${at} the rate is ${wrong}. A rate is zero or more: which column holds the rates?`);
    rows.step.push(at);
    rows.rate.push(rates);
    rows.digits = Math.max(rows.digits, ...rates.map(digitsOf));
    rows.momentum.push(columns.momentum && number(columns.momentum, record[columns.momentum]));
    rows.loss.push(columns.loss && number(columns.loss, record[columns.loss]));
  }
  if (!rows.step.length) throw new Refused(`There is no number in ${listed(groups)}. Which column holds the rates?`);
  return rows;
}

const isEmpty = (value) => value === undefined || value === null || value === "";

function number(name, value) {
  if (isEmpty(value)) return undefined;
  const found = { number: Number, boolean: Number, string: audit.float }[typeof value]?.(value);
  if (found === undefined) throw new Refused(`In the column “${name}” stands “${value}”, which is no number. Choose another column, or mend the file.`);
  return found;
}

Object.assign(audit, { read, precision, Refused });
})();
