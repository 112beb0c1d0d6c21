// Where in its schedule each update was: lrcourse/audit/placement.py in JavaScript, explanation by explanation.
(() => {
const { audit } = window.lrcourse;
const { MOST, SAMPLE, LONGEST, AHEAD } = audit.limits;

// The numbers `used` by the updates `t`, and the formula they should come from, which holds before step `end`. `begin`: what
// the run calls its first update; a log may call it 1.
class Series {
  constructor(t, used, formula, end, tolerance, begin = 0) {
    Object.assign(this, { t, used, formula, end: end ?? Infinity, begin });
    this.rounding = tolerance * (used.reduce((most, each) => Math.max(most, Math.abs(each)), 0) || 1);
  }

  // Whether the update of a row used the number at its `place`; undefined beyond the end of the schedule.
  agrees(row, place, scale = 1) {
    const at = place(this.t[row]);
    return at >= 0 && at < this.end ? this.close(this.used[row], scale * this.formula(at)) : undefined;
  }

  close(a, b) {
    return Math.abs(a - b) <= this.rounding;
  }

  // The schedule as far as the run or, if that is later, its own end.
  get table() {
    const length = Math.min(Math.max(Number.isFinite(this.end) ? this.end : 0, this.t.at(-1) + 1), LONGEST);
    this.told ??= tabled(this.formula, length);
    return this.told;
  }

  // Whether an explanation holds for every update that it speaks of, and these say something.
  isExplained(place, scale = 1) {
    const count = this.t.length;
    for (const stride of [Math.max(1, Math.floor(count / SAMPLE)), 1]) {
      let spoken = 0;
      for (let row = 0; row < count; row += stride) {
        const agreed = this.agrees(row, place, scale);
        if (agreed === false) return false;
        if (agreed) spoken++;
      }
      if (spoken < Math.min(3, count)) return false;
    }
    let first;
    return this.used.some((used, row) => {
      if (!this.agrees(row, place, scale)) return false;
      first ??= used;
      return used !== first;
    });
  }
}

const tabled = (formula, length) => Float64Array.from({ length }, (_, i) => formula(i));
const shifted = (by) => (step) => Math.max(step + by, 0);
const times = (k, more = 0) => (step) => step * k + more;
const held = (k) => (step) => Math.floor(step / k);

// The plainest explanation of the rates that were used: its kind, its number, the first row that shows it. It takes its
// time, explanation by explanation.
function* placed(series) {
  const { t, used } = series;
  if (series.agrees(0, shifted(0)) === undefined && series.isExplained(shifted(-t[0]))) return { kind: "moved", number: -t[0], row: 0 }; // all of it lies beyond the end
  const row = firstWrong(series, 0, 0, t.length);
  if (row === t.length) return { kind: "as meant", row: 0 };
  if (t.length >= 3 && used.every((each) => series.close(each, used[0]))) return { kind: "never", row };
  for (const [kind, number, place] of whole(series)) {
    if (series.isExplained(place)) return { kind, number, row };
    yield;
  }
  const scale = scaleOf(series, row);
  if (scale !== undefined) return { kind: "scaled", number: scale, row };
  const [jumps, unexplained] = yield* jumpsOf(series, row);
  if (jumps.length && unexplained === undefined) return { kind: "jumps", number: jumps.at(-1)[1], row: jumps[0][0], jumps };
  const other = scaleOf(series, 0, -t[0]);
  if (other !== undefined) return { kind: "moved", number: -t[0], row, scale: other };
  yield;
  return paced(series, row) ?? { kind: "unknown", row };
}

// How much an explanation takes: a plain one nothing, each jump and another scale one, no explanation the most.
function oddness({ kind, jumps = [], scale = 1 }) {
  return kind === "unknown" ? Infinity : jumps.length + (scale === 1 ? 0 : 1);
}

// Explanations that hold for the whole run.
function* whole(series) {
  const first = series.t[0];
  yield ["ahead", 1, shifted(1)];
  yield ["ahead", -1, shifted(-1)];
  const lasted = stairs(series).filter((k) => series.isExplained(held(k)));
  const middle = lasted[Math.floor(lasted.length / 2)]; // a log of some updates leaves several
  if (middle) yield ["held", middle, held(middle)];
  for (let k = 2; k <= MOST; k++) {
    // as often per update, also once before the first one, or for all batches of an update before it
    for (const more of [0, 1, k - 1, k]) yield ["fast", k, times(k, more)];
    yield ["stretched", k, times(1 / k)];
  }
  if (first > 0) yield ["moved", -first, shifted(-first)];
  for (const d of moves(series, series.used[0], first)) yield ["moved", d, shifted(d)];
}

// How many updates one step of the schedule may have lasted: by the first changes, their gaps, and the last one.
function stairs(series) {
  const { t, used, table } = series;
  const changes = t.filter((_, i) => i > 0 && used[i] !== used[i - 1]);
  if (!changes.length) return [];
  const own = table.findIndex((each) => each !== table[0]);
  const gaps = changes.slice(1).map((each, i) => each - changes[i]).toSorted((a, b) => a - b);
  const found = new Set(own > 0 ? [Math.floor(changes[0] / own), Math.ceil(changes[0] / own)] : []);
  if (gaps.length) found.add(gaps[Math.floor(gaps.length / 2)]);
  const last = t.at(-1);
  for (const step of moves(series, used.at(-1), 0).slice(0, 9)) {
    const from = Math.floor(last / (step + 1)) + 1;
    if (step > 0) for (let k = from; k <= Math.floor(last / step) && k < from + 300; k++) found.add(k);
  }
  return [...found].filter((k) => k > 1).toSorted((a, b) => a - b);
}

// How far ahead the schedule has `value`, seen from step `at`; the nearest first.
function moves(series, value, at) {
  const { table } = series;
  const found = [];
  const first = Math.max(-at, at - table.length + 1, 0);
  for (let d = first; d <= Math.max(at, table.length - at) && found.length < 50; d++) {
    for (const i of d ? [at - d, at + d] : [at]) if (i >= 0 && i < table.length && series.close(value, table[i])) found.push(i - at);
  }
  return found.slice(0, 50);
}

// What the rates of the schedule, moved by some steps, are multiplied by.
function scaleOf(series, row, by = 0) {
  const scale = series.used[row] / series.formula(series.t[row] + by);
  return Number.isFinite(scale) && scale && series.isExplained(shifted(by), scale) ? scale : undefined;
}

// Whether the updates used ever later steps, though not at one pace: uneven epochs, or a shorter last update.
function paced(series, row) {
  const { t, used, rounding } = series;
  if (t[0] || t.at(-1) + 1 !== t.length) return undefined;
  const table = Number.isFinite(series.end) ? series.table : tabled(series.formula, 4 * t.length);
  const places = [0];
  let clear = 0;
  for (const value of used) {
    const far = (step) => Math.abs(table[step] - value);
    const stop = Math.min(places.at(-1) + MOST, table.length);
    let place = places.at(-1);
    for (let step = place + 1; step < stop; step++) if (far(step) < far(place)) place = step;
    if (far(place) > rounding) {
      if (stop < table.length) return undefined;
      break; // beyond the end nothing is known
    }
    if (place + 1 < table.length && Math.abs(table[place + 1] - table[place]) > 4 * rounding) clear++;
    places.push(place);
  }
  const ahead = places.slice(2).map((each, i) => each - places[i + 1]);
  if (ahead.length < 4 || places.at(-1) < 2 || clear < ahead.length / 2) return undefined; // neighbors that rounding cannot tell apart
  const pace = (places.at(-1) - places[1]) / ahead.length;
  if (ahead.every((each) => each <= 1) && ahead.includes(1) && pace <= 0.5) return { kind: "held", number: 1 / pace, row };
  return ahead.every((each) => each >= 1) && pace >= 1.5 ? { kind: "fast", number: pace, row } : undefined;
}

// Where the distance between schedule and update changes, as [row, distance]; the row nothing explains, if any.
function* jumpsOf(series, start) {
  const [jumps, count] = [[], series.t.length];
  let [distance, row] = [0, start];
  while (row < count) {
    const at = series.t[row];
    const options = new Set([distance + 1, distance - 1, distance + 2, -at, ...moves(series, series.used[row], at)]);
    options.delete(distance);
    let reach = -1;
    for (const d of options) {
      const to = firstWrong(series, d, row, Math.min(row + AHEAD, count));
      if (to > reach) [distance, reach] = [d, to];
    }
    if (reach < Math.min(row + 2, count) || jumps.length >= MOST || row === 0) return [jumps, row];
    jumps.push([row, distance]);
    yield;
    row = firstWrong(series, distance, row, count);
  }
  return [jumps, undefined];
}

// The first row that is not so far ahead in the schedule, or `stop`.
function firstWrong(series, distance, start, stop) {
  const place = shifted(distance);
  for (let row = start; row < stop; row++) if (series.agrees(row, place) === false) return row;
  return stop;
}

Object.assign(audit, { Series, placed, oddness, firstWrong });
})();
