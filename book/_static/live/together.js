// Two methods with a schedule each, on twenty weights of many curvatures with noise in their gradients.
(() => {
const { figure, format, lines, schedules, race, rules, upTo } = window.lrcourse;
const STEPS = 300;
const RUNS = [["A", "a", "Adam", "constant"], ["B", "b", "Adam", "cosine"]];
const CURVES = {
  constant: (lr) => ({ kind: "Constant", lr }),
  cosine: (lr) => ({ kind: "Cosine", peak: lr, end: 0, steps: STEPS }),
  "line to zero": (lr) => ({ kind: "Linear", start: lr, end: 0, steps: STEPS }),
};

function values(s) {
  return RUNS.map(([, run]) => {
    const rates = [...schedules.table(CURVES[s[`${run}.curve`]](s[`${run}.rate`]), STEPS)];
    return { rates, losses: race(s[`${run}.method`], rates, s) };
  });
}

const fields = (make) => RUNS.map((each) => make(...each));
const mean = (all) => all.reduce((x, y) => x + y) / all.length;

figure("together", () => ({
  fields: [
    ...fields((run, name, value) => ({ name: `${name}.method`, label: `${run}: method`, value, options: Object.keys(rules) })),
    ...fields((run, name, _, value) => ({ name: `${name}.curve`, label: `${run}: schedule`, value, options: Object.keys(CURVES) })),
    ...fields((run, name) => ({ name: `${name}.rate`, label: `${run}: first rate`, value: 0.1, min: 0.0001, max: 2, log: true })),
    { name: "noise", label: "noise", value: 0.3, min: 0, max: 1, step: 0.01 },
    { name: "steep", label: "steepness", value: 30, min: 1, max: 100, log: true },
  ],
  values,
  plots: [
    lines({ label: "The rate of each update", y: "rate", of: (run) => run.rates, axis: upTo }),
    lines({ label: "Loss after each update", y: "loss", of: (run) => run.losses }),
  ],
  tell: (runs) => runs.map(({ losses }, i) => `${"AB"[i]}: lowest loss ${format(Math.min(...losses))}; mean loss of the last ten updates ${format(mean(losses.slice(-10)))}.`),
}));
})();
