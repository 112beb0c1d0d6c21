// The rules: lrcourse/audit/rules.py in JavaScript, in its order and in its words. A log knows of no scheduler, no skipped
// updates and no shares of groups: the rules about these are not here.
(() => {
const { audit } = window.lrcourse;
const { general, round, rounded, percent, Series, placed, oddness, firstWrong } = audit;
const { PLACES, ENDS, ENOUGH, HIGH } = audit.limits;

const most = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);
const least = (values) => values.reduce((a, b) => Math.min(a, b), Infinity);
const pairs = (values) => values.slice(1).map((each, i) => [values[i], each]);
const found = (name, kind, seen, step, rate) => ({ name, kind, seen, step, rate });

// What was found under a line about the run. `meant`: `rate`, a function of the step, and `steps`, if anybody said so.
function* report(rows, meant) {
  const all = new Map();
  if (meant.rate) yield* placeIn(rows, meant);
  for (const rule of RULES) {
    for (const each of rule(rows, meant)) {
      if (!all.has(each.name) || (all.get(each.name).kind === "note" && each.kind === "fault")) all.set(each.name, each);
    }
    yield;
  }
  let findings = [...all.values()];
  if (findings.some((each) => each.kind === "fault" && PLACES.includes(each.name))) {
    findings = findings.filter((each) => !ENDS.includes(each.name)); // what follows from it
  }
  findings = findings.toSorted((a, b) => Number(a.kind === "note") - Number(b.kind === "note"));
  const used = rows.rate.flat();
  let about = `${rows.step.length} ${rows.unit}s, ${rows.step[0]} to ${rows.step.at(-1)}, rates ${general(least(used), 4)} to ${general(most(used), 4)}`;
  if (rows.replaced) about += ` (the last of several at ${rows.replaced} steps, as in a log of several runs)`;
  return { about, findings };
}

// The rates of the group that has the largest.
function leading(rows) {
  rows.leading ??= (() => {
    const peaks = rows.rate[0].map((_, i) => most(rows.rate.map((rates) => rates[i])));
    const group = peaks.indexOf(most(peaks));
    return rows.rate.map((rates) => rates[group]);
  })();
  return rows.leading;
}

// Notes where in the schedule each update was, counted from 0 or, if that is plainer, from 1.
function* placeIn(rows, meant) {
  if (rows.unit === "epoch" && !rows.counted) throw new audit.Refused("The log counts epochs: choose the column that counts the steps of the schedule.");
  const series = seriesOf(rows, meant);
  Object.assign(meant, { series, place: yield* placed(series), follows: follows(series) });
  if (series.t[0] > 0 && oddness(meant.place)) {
    const fromOne = new Series(series.t.map((step) => step - 1), series.used, meant.rate, meant.steps, meant.tolerance, 1);
    const other = yield* placed(fromOne);
    if (oddness(other) < oddness(meant.place)) Object.assign(meant, { series: fromOne, place: other });
  }
}

const follows = (series) => firstWrong(series, 0, 0, series.t.length) === series.t.length;

// The rates of the leading group, or of another one if that follows the schedule.
function seriesOf(rows, meant) {
  const of = (used) => new Series(rows.step, used, meant.rate, meant.steps, meant.tolerance);
  const first = of(leading(rows));
  if (follows(first)) return first;
  return rows.rate[0].map((_, i) => of(rows.rate.map((rates) => rates[i]))).find(follows) ?? first;
}

// Whether each update used its own step of the schedule; if not, which one it used.
function scheduleFollowed(rows, meant) {
  return meant.rate ? toldOf(meant.place, meant.series) : [];
}

// A placement in words.
function toldOf(place, series) {
  const { kind, number, row, scale = 1 } = place;
  if (kind === "as meant") return [];
  const [step, used] = [series.t[row] + series.begin, series.used[row]];
  const instead = `update ${step} used rate ${general(used, 6)} where the schedule has ${general(series.formula(series.t[row]), 6)}`;
  const about = series.t.at(-1) - series.t[0] < series.t.length && Number.isInteger(number) ? "" : "about ";
  const finding = (name, seen, sort = "fault") => [found(name, sort, `${seen}; ${instead}`, step, used)];
  switch (kind) {
    case "never":
      return finding("schedule never applied", `all ${series.t.length} updates used ${general(used, 6)}`);
    case "ahead":
      return finding(number > 0 ? "scheduler before the optimizer" : "one update late",
        "every rate is shifted by one step, unless the log counts from 1", "note");
    case "held":
      return finding("stepped per epoch", `the schedule moved on once in ${about}${general(rounded(number, 1), 6)} updates`);
    case "fast":
      return finding("several steps per update",
        `the schedule moved on by ${about}${general(rounded(number, 2), 6)} steps with every update, or was built for a run that much shorter`);
    case "stretched":
      return finding("stretched", `the schedule took ${number} updates for each of its steps`);
    case "scaled":
      return finding("rate scaled", `every rate is ${general(number, 6)} times that of the schedule`);
    case "moved":
      return finding("resumed at the wrong step", `update t used step t ${number > 0 ? "+" : "-"} ${Math.abs(number)} of the schedule${scale === 1 ? "" : `, times ${general(scale, 6)}`}`);
    case "jumps":
      return jumped(place, series, finding);
    default: {
      if (standsStill(series, row)) return finding("schedule ended early", `the schedule rests from step ${step - 1} on, the rates do not`);
      const before = series.used.slice(0, row);
      if (row > 0 && most(before) - least(before) > 1e-3 * most(series.used)) {
        return finding("two schedulers", `the first ${row} updates followed the schedule, later ones do not`);
      }
      return finding("another schedule", "no shift, scale or speed of the schedule gives the rates that were used");
    }
  }
}

// Whether the schedule has come to its end right before this row.
function standsStill(series, row) {
  const told = series.t.slice(Math.max(row - 3, 0)).map(series.formula);
  return row >= 3 && told[0] !== told[2] && told.slice(2).every((each) => each === told[2]);
}

function jumped({ jumps, row }, series, finding) {
  const distances = [0, ...jumps.map(([, distance]) => distance)];
  if (pairs(distances).every(([a, b]) => b - a > 0 && b - a <= 2)) {
    return finding("skipped update", `${jumps.length} times the schedule moved on without an update`);
  }
  const at = series.t[row];
  const how = distances[1] === -at ? "back to its beginning" : `by ${distances[1]} steps`;
  return finding("resumed at the wrong step", `at update ${at + series.begin} the schedule jumped ${how}`);
}

// Whether the first updates of the run change nothing.
function firstAtZero(rows) {
  const zeros = rows.rate.findIndex((rates) => most(rates) > 0);
  if (zeros < 1 || rows.step[0] > 1) return [];
  const seen = zeros === 1 ? `update ${rows.step[0]} used the rate 0` : `the first ${zeros} updates used the rate 0`;
  return [found("first update at rate 0", "note", seen, rows.step[0], 0)];
}

// Whether the run ends where the schedule does.
function runAndScheduleEndTogether(rows, meant) {
  const [used, last] = [leading(rows), rows.step.at(-1)];
  const made = last + 1;
  if (meant.rate && !meant.follows) return [];
  if (meant.steps !== undefined && made > 1.05 * meant.steps && made - meant.steps > 2) {
    const rest = used.filter((_, i) => rows.step[i] >= meant.steps);
    const seen = `${made} updates were made, ${meant.steps} are scheduled; the rest used rates down to ${general(least(rest), 6)}`;
    return [found("schedule ended early", "fault", seen, meant.steps, used.at(-1))];
  }
  if (meant.steps !== undefined) return stoppedEarly(rows, meant, used, made);
  const zeros = used.length - 1 - used.findLastIndex((rate) => rate > 0);
  if (zeros >= Math.max(10, 0.05 * used.length) && zeros < used.length) {
    const seen = `the last ${zeros} updates used the rate 0`;
    return [found("schedule ended early", meant.rate ? "note" : "fault", seen, rows.step.at(-zeros), 0)];
  }
  const peak = most(used);
  const tail = used.slice(-Math.max(2, Math.floor(used.length / 10)));
  const falls = tail[0] > tail.at(-1) && pairs(used.slice(used.indexOf(peak))).every(([a, b]) => a >= b);
  if (!meant.rate && falls && used.length >= ENOUGH && used.at(-1) > HIGH * peak) {
    const seen = `the rate was still falling at the end, at ${percent(used.at(-1) / peak)} of its peak ${general(peak, 6)}`;
    return [found("ends high", "note", seen, last, used.at(-1))];
  }
  return [];
}

// Whether a run made fewer steps of its schedule than there are, and was at a high rate then.
function stoppedEarly(rows, meant, used, made) {
  const { steps } = meant;
  const [peak, end] = [most(used), meant.rate ? meant.rate(steps - 1) : NaN];
  const low = Number.isFinite(end) ? Math.max(2 * end, 0.05 * peak) : HIGH * peak;
  if (made > 0.95 * steps || used.at(-1) <= low) return [];
  const times = round(steps / made);
  // As many updates as a k-th of the batches make; where k is as large as their number, any run would.
  const whole = times >= 2 && times <= made && Math.abs(steps - times * made) < times;
  let seen = `${made} of ${steps} steps were made, and the last used ${general(used.at(-1), 6)}`;
  if (Number.isFinite(end)) seen += ` where the schedule ends at ${general(end, 6)}`;
  if (whole) seen += `; the schedule is ${times} times as long as the run`;
  return [found("ends high", whole ? "fault" : "note", seen, rows.step.at(-1), used.at(-1))];
}

// Without a schedule: whether a rate that falls or rises smoothly does so at every k-th update only.
function movesInStairs(rows, meant) {
  if (meant.rate) return [];
  const [{ step }, used] = [rows, leading(rows)];
  const changes = step.filter((_, i) => i > 0 && used[i] !== used[i - 1]);
  const gaps = pairs([step[0], ...changes]).map(([a, b]) => b - a);
  const spacing = step.length > 1 ? least(pairs(step).map(([a, b]) => b - a)) : 1;
  const factors = new Set(pairs([...new Set(used)]).filter(([a]) => a).map(([a, b]) => (b / a).toFixed(3)));
  const smooth = factors.size > 1; // not one factor, as for stairs
  if (changes.length < 4 || most(gaps) - least(gaps) > 1 || least(gaps) < Math.max(5, 3 * spacing) || !smooth) return [];
  const seen = `the rate changed ${changes.length} times, once in ${changes[0] - step[0]} updates, by a little each time`;
  return [found("stepped per epoch", "note", seen, changes[0], used[step.indexOf(changes[0])])];
}

// Whether parameter groups that were equal still are.
function groupsAsMeant(rows, meant) {
  const begin = Math.max(rows.rate.findIndex((rates) => most(rates) > 0), 0); // at the rate 0 all groups are equal
  for (let i = begin; i < rows.rate.length; i++) {
    const rates = rows.rate[i];
    const wrong = rates.findIndex((rate) => Math.abs(rate - rates[0]) > 1e-3 * most(rates));
    if (wrong < 0) continue;
    if (i === begin) return []; // each has its own rate from the first update on
    const seen = `update ${rows.step[i]} used ${general(rates[wrong], 6)} for group ${wrong} and ${general(rates[0], 6)} for group 0`;
    return [found("groups differ", meant.rate ? "fault" : "note", seen, rows.step[i], rates[wrong])];
  }
  return [];
}

// Whether the momentum stays as it was.
function momentumAsMeant(rows) {
  const there = rows.step.map((step, i) => [step, rows.momentum[i]]).filter(([, each]) => each !== undefined && !Number.isNaN(each));
  const used = there.map(([, each]) => each);
  if (!used.length || most(used) - least(used) <= 1e-6) return [];
  const seen = `the momentum went from ${general(used[0], 4)} between ${general(least(used), 4)} and ${general(most(used), 4)}`;
  const changed = used.findIndex((each) => each !== used[0]);
  return [found("momentum changed", "note", seen, there[changed][0], rows.rate[changed][0])];
}

// Whether the loss is no number any more, or ends far above where it began.
function lossDiverges(rows) {
  const used = leading(rows);
  const all = rows.loss.map((loss, i) => [i, loss]).filter(([, loss]) => loss !== undefined);
  const holes = holesIn(all.map(([, loss]) => loss));
  if (all.length && !Number.isFinite(all.at(-1)[1]) && Math.max(...holes.slice(0, -1), 0) < holes.at(-1)) {
    // No weight recovers from it: where a finite loss comes after, the update was skipped, or nothing was logged.
    const [i, loss] = all.at(-holes.at(-1));
    const seen = `the loss of update ${rows.step[i]} is ${general(loss, 4)}, at the rate ${general(used[i], 6)}`;
    return [found("loss diverges", "fault", seen, rows.step[i], used[i])];
  }
  const there = all.filter(([, loss]) => Number.isFinite(loss));
  if (there.length < ENOUGH) return [];
  const losses = there.map(([, loss]) => loss);
  const { last, noise } = ends(losses);
  const first = losses.slice(0, 3).toSorted((a, b) => a - b)[1]; // before the rate can have done harm: it may take two updates
  if (last <= first + Math.max(0.5 * Math.abs(first), 4 * noise)) return [];
  const [high] = there.find(([, loss]) => loss > (first + last) / 2) ?? there.at(-1);
  const kind = last > first + 2 * Math.abs(first) ? "fault" : "note"; // that of a generator may rise a little
  return [found("loss diverges", kind, `the loss went from ${general(first, 4)} up to ${general(last, 4)}`, rows.step[high], used[high])];
}

// How many losses in a row are no numbers, each time that it happens.
function holesIn(losses) {
  const holes = [];
  losses.forEach((loss, i) => {
    if (Number.isFinite(loss)) return;
    if (i > 0 && !Number.isFinite(losses[i - 1])) holes[holes.length - 1]++;
    else holes.push(1);
  });
  return holes;
}

// Whether the loss is at the end what it was at the beginning.
function lossStandsStill(rows) {
  const losses = rows.loss.filter(Number.isFinite);
  if (losses.length < 2 * ENOUGH) return [];
  const { first, last } = ends(losses);
  if (!(Math.abs(first) > 1e-6) || Math.abs(last - first) > 0.02 * Math.abs(first)) return [];
  const seen = `the loss went from ${general(first, 4)} to ${general(last, 4)} in ${losses.length} updates, at rates up to ${general(most(leading(rows)), 4)}`;
  return [found("rate too low", "note", seen)];
}

// The mean loss of the first and of the last tenth, at least five, and the size of the noise in such a mean.
function ends(losses) {
  const n = Math.max(5, Math.floor(losses.length / 10));
  const mean = (values) => values.reduce((a, b) => a + b, 0) / n;
  const moves = pairs(losses).map(([a, b]) => Math.abs(b - a)).toSorted((a, b) => a - b);
  return { first: mean(losses.slice(0, n)), last: mean(losses.slice(-n)), noise: moves[Math.floor(moves.length / 2)] / Math.sqrt(n) };
}

const RULES = [
  scheduleFollowed, firstAtZero, runAndScheduleEndTogether, movesInStairs, groupsAsMeant, momentumAsMeant, lossDiverges, lossStandsStill,
];

Object.assign(audit, { report, leading });
})();
