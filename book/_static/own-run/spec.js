// A schedule from a line of text, as lrcourse.parse_schedule reads it: names, numbers, lists and + - * / between them. What
// a schedule takes, and in which order, comes from the package's own classes (book/_ext/own_run.py).
(() => {
const { audit, schedules } = window.lrcourse;
const { Refused } = audit;
const TOKEN = /\s*(?:(\d+(?:_\d+)*\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|("[^"\\]*"|'[^'\\]*')|([A-Za-z_]\w*)|([-+*/.,=()[\]]))/y;
const WORDS = { None: null, True: true, False: false };
const isSchedule = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

// What is made of other schedules; those of one formula are in the explorers.
const both = (f) => ({ a, b }) => {
  const [x, y] = [a, b].map(schedules.of);
  return (t) => f(x(t), y(t));
};
Object.assign(schedules.kinds, {
  Sum: both((x, y) => x + y),
  Difference: both((x, y) => x - y),
  Product: both((x, y) => x * y),
  Minimum: both(Math.min),
  Maximum: both(Math.max),
  Clip: ({ schedule, lo, hi }, f = schedules.of(schedule)) => (t) => Math.min(Math.max(f(t), lo), hi),
  Shift: ({ schedule, by }, f = schedules.of(schedule)) => (t) => f(Math.max(t - by, 0)),
  Stretch: ({ schedule, factor }, f = schedules.of(schedule)) => (t) => f(t / factor),
});

function tokens(line) {
  const found = [];
  const end = line.trimEnd().length;
  for (TOKEN.lastIndex = 0; TOKEN.lastIndex < end;) {
    const from = TOKEN.lastIndex;
    const [, number, text, name, sign] = TOKEN.exec(line) ?? [];
    if (!(number ?? text ?? name ?? sign)) throw new Refused(`It cannot be read from character ${from + 1} on.`);
    if (number) found.push({ value: Number(number.replaceAll("_", "")) });
    else if (text) found.push({ value: text.slice(1, -1) });
    else found.push({ name, sign });
  }
  return found;
}

// The plain data of the schedule, as to_dict() writes it.
function parsed(line) {
  const all = tokens(line);
  let at = 0;
  const is = (sign) => all[at]?.sign === sign;
  const take = (sign) => is(sign) && Boolean(++at);
  function need(sign) {
    if (!take(sign)) throw new Refused(`A “${sign}” is missing${at < all.length ? ` before “${shown(all[at])}”` : " at the end"}.`);
  }

  function sum() {
    let value = product();
    while (is("+") || is("-")) value = operation(all[at++].sign, value, product());
    return value;
  }
  function product() {
    let value = signed();
    while (is("*") || is("/")) value = operation(all[at++].sign, value, signed());
    return value;
  }
  function signed() {
    const sign = (take("-") && -1) || (take("+") && 1);
    if (!sign) return called();
    const value = signed();
    if (typeof value !== "number") throw new Refused("Only a number can have a sign.");
    return sign * value;
  }
  function called() {
    let value = atom();
    while (take(".")) value = method(all[at++]?.name, value, args());
    return value;
  }
  function atom() {
    if (take("(")) return closed(sum(), ")");
    if (take("[")) return listed("]");
    const token = all[at++];
    if (!token) throw new Refused("The text ends too early.");
    if (!token.name && "value" in token) return token.value;
    if (Object.hasOwn(WORDS, token.name ?? "")) return WORDS[token.name];
    if (!token.name) throw new Refused(`“${shown(token)}” stands where a schedule or a number should.`);
    if (is(".")) throw new Refused(`“${token.name}.${all[at + 1]?.name ?? ""}” is not read here.`);
    return call(token.name, is("(") ? args() : undefined);
  }
  function closed(value, sign) {
    need(sign);
    return value;
  }
  function listed(end) {
    const values = [];
    while (!take(end)) {
      values.push(sum());
      if (!take(",") && !is(end)) need(end);
    }
    return values;
  }
  function args() {
    need("(");
    const given = { values: [], named: {} };
    while (!take(")")) {
      if (all[at]?.name && all[at + 1]?.sign === "=") {
        const { name } = all[at];
        at += 2;
        if (Object.hasOwn(given.named, name)) throw new Refused(`${name} is given twice.`);
        given.named[name] = sum();
      } else if (Object.keys(given.named).length) throw new Refused("An argument without a name comes after one that has a name.");
      else given.values.push(sum());
      if (!take(",") && !is(")")) need(")");
    }
    return given;
  }

  const found = sum();
  if (at < all.length) throw new Refused(`“${shown(all[at])}” is not expected there.`);
  if (!isSchedule(found)) throw new Refused("That is no schedule: write Constant(rate) for a fixed rate.");
  return found;
}

const shown = (token) => token.name ?? token.sign ?? token.value;

function operation(sign, a, b) {
  if (typeof a === "number" && typeof b === "number") {
    const value = { "+": a + b, "-": a - b, "*": a * b, "/": a / b }[sign];
    if (!Number.isFinite(value)) throw new Refused("A division by 0.");
    return value;
  }
  if (sign === "/" && !(isSchedule(a) && b > 0)) throw new Refused("A schedule is divided by a number above 0, and by nothing else.");
  const values = [a, sign === "/" ? 1 / b : b].map((each) => checked("The text", { name: "a part", is: "operand", must: "a schedule or a rate" }, each));
  return built({ "+": "Sum", "-": "Difference", "*": "Product", "/": "Product" }[sign], { values, named: {} });
}

const FUNCTIONS = {
  warmup({ schedule, steps, start }) {
    return steps ? built("Then", { values: [built("Linear", { values: [start, rate(schedule)(0), steps], named: {} }), schedule, steps], named: {} }) : schedule;
  },
  minimum: ({ a, b }) => built("Minimum", { values: [a, b], named: {} }),
  maximum: ({ a, b }) => built("Maximum", { values: [a, b], named: {} }),
  epochs: ({ n, steps_per_epoch }) => audit.round(n * steps_per_epoch),
  steps_per_epoch: ({ samples, batch_size }) => Math.ceil(samples / batch_size),
};
const METHODS = new Map([["then", "Then"], ["clip", "Clip"], ["shift", "Shift"], ["stretch", "Stretch"]]);

function call(name, given) {
  const { kinds, functions } = audit.signatures;
  const takes = kinds[name] ?? functions[name];
  if (!takes) throw new Refused(`“${name}” is not read here. There are ${[...Object.keys(kinds), ...Object.keys(functions)].toSorted().join(", ")}.`);
  if (!given) throw new Refused(`${name} has to be called: write ${name}(${takes.map((each) => each.name).join(", ")}).`);
  return kinds[name] ? built(name, given) : FUNCTIONS[name](bound(name, takes, given));
}

function method(name, schedule, { values, named }) {
  if (!isSchedule(schedule) || !METHODS.has(name)) throw new Refused(`“.${name}” is not read here. There are ${[...METHODS.keys()].join(", ")}.`);
  const { other, ...rest } = named;
  const own = name === "then" && other !== undefined ? { second: other, ...rest } : named;
  return built(METHODS.get(name), { values: [schedule, ...values], named: own });
}

function built(kind, given) {
  const plain = { kind, ...bound(kind, audit.signatures.kinds[kind], given) };
  const wrong = schedules.problem(plain) || (kind === "Clip" && plain.lo > plain.hi && "lo is above hi.");
  if (wrong) throw new Refused(`${kind}: ${wrong}`);
  return plain;
}

// The arguments by name, each as the package takes it.
function bound(name, takes, { values, named }) {
  const names = takes.map((each) => each.name);
  const unknown = Object.keys(named).find((each) => !names.includes(each) || names.indexOf(each) < values.length);
  if (unknown || values.length > names.length) throw new Refused(`${name} takes ${names.join(", ")}${unknown ? `: not ${unknown}, or not twice` : ""}.`);
  return Object.fromEntries(takes.map((each, i) => {
    const value = i < values.length ? values[i] : Object.hasOwn(named, each.name) ? named[each.name] : each.default;
    if (value === undefined) throw new Refused(`${name} needs ${each.name}: it takes ${names.join(", ")}.`);
    return [each.name, checked(name, each, value)];
  }));
}

function checked(owner, { name, is, takes, choices, must }, value) {
  const number = (each, fits) => typeof each === "number" && fits[sort(each)];
  if ((is === "child" || is === "operand") && isSchedule(value)) return value;
  if (is === "operand" && value >= 0 && typeof value === "number") return { kind: "Constant", lr: value };
  if (is === "choice" && choices.includes(value)) return value;
  if (is === "list" && Array.isArray(value) && value.every((each) => number(each, takes))) return value;
  if (is === "number" && (number(value, takes) || (value === null && takes.at(-1)))) return value;
  throw new Refused(`${owner}: ${name} must be ${must}.`);
}

// Which of the numbers that the package was asked about stands for this one: -1, 0, 1/2, 1, 3/2, 2.
function sort(value) {
  if (value < 0) return 0;
  if (value === 0) return 1;
  if (value < 1) return 2;
  return value === 1 ? 3 : Number.isInteger(value) ? 5 : 4;
}

// The rate as a function of the step; NaN where the schedule gives none.
function rate(plain) {
  const formula = schedules.of(plain);
  return (step) => {
    const value = formula(step);
    return value >= 0 && value < Infinity ? value : NaN;
  };
}

Object.assign(audit, { parsed, rateOf: rate });
})();
