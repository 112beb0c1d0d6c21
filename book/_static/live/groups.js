// Fine-tuning as two groups of weights in noisy bowls: a head that begins anew, and a backbone that begins at its old task.
(() => {
const { figure, format, lines, meanLosses, schedules } = window.lrcourse;
const [STEPS, HEAD, MANY] = [200, 3, 20];
const RUNS = [["A", "", 1], ["B", "2", 0.1]];

// The mean of (θ − to)² / 2 for a weight that starts at 0, and that of θ² / 2: how far it is from the new and from the old task.
function group(rates, to, noise) {
  const fresh = meanLosses(rates, noise, to);
  let left = 1;
  const means = [0, ...rates.map((rate) => to * (1 - (left *= 1 - rate)))];
  return { fresh, old: fresh.map((each, t) => each + to * means[t] - to ** 2 / 2) };
}

function values(s) {
  return RUNS.map(([, end]) => {
    const plan = { kind: "Linear", start: s[`rate${end}`], end: 0, steps: STEPS };
    const rates = [...schedules.table(plan, STEPS)];
    const [head, backbone] = [group(rates, HEAD, s.noise), group(rates.map((each) => each * s[`share${end}`]), s.apart, s.noise)];
    return { fresh: head.fresh.map((each, t) => each + MANY * backbone.fresh[t]), old: backbone.old.map((each) => MANY * each) };
  });
}

const fields = (make) => RUNS.map((each) => make(...each));
const axis = (all) => ({ low: 0, high: 1.08 * Math.min(Math.max(...all, 0.1), 50) });

figure("groups", () => ({
  fields: [
    ...fields((run, end) => ({ name: `rate${end}`, label: `${run}: head’s rate`, value: 0.1, min: 0.0001, max: 1.9, log: true })),
    ...fields((run, end, value) => ({ name: `share${end}`, label: `${run}: backbone`, value, min: 0, max: 1, log: true, least: 0.0001 })),
    { name: "noise", label: "noise", value: 0.5, min: 0, max: 3, step: 0.1 },
    { name: "apart", label: "tasks apart", value: 0.3, min: 0, max: 2, step: 0.01 },
  ],
  values,
  plots: [
    lines({ label: "Loss on the new task", y: "new task: mean loss", of: (run) => run.fresh, axis }),
    lines({ label: "Loss on the old task", y: "old task: mean loss", of: (run) => run.old, axis }),
  ],
  tell: (runs) => runs.map(({ fresh, old }, i) => `${"AB"[i]}: the new task ends at ${format(fresh.at(-1))}, the old one, which began at 0, at ${format(old.at(-1))}.`),
}));
})();
