// Two lengths of warm-up: the rates, and how far Adam's first updates move a weight whose gradients are mostly noise.
(() => {
const { figure, format, schedules, normals, numbered } = window.lrcourse;
const [RUN, FIRST, WEIGHTS] = [300, 60, 50];
const AFTER = {
  "line to zero": (steps) => ({ kind: "Linear", start: 1, end: 0, steps }),
  cosine: (steps) => ({ kind: "Cosine", peak: 1, end: 0, steps }),
  constant: () => ({ kind: "Constant", lr: 1 }),
};
const noise = normals(1, (FIRST * WEIGHTS) / 2).flat();

// The root of the mean square, over all weights, of each update at a rate of 1: Adam with the usual averages.
function lengths(agreement) {
  const m = new Float64Array(WEIGHTS), v = new Float64Array(WEIGHTS);
  return Array.from({ length: FIRST }, (_, t) => {
    let sum = 0;
    for (let i = 0; i < WEIGHTS; i++) {
      const g = agreement + noise[t * WEIGHTS + i];
      m[i] = 0.9 * m[i] + (1 - 0.9) * g;
      v[i] = 0.999 * v[i] + (1 - 0.999) * g * g;
      sum += (m[i] / (1 - 0.9 ** (t + 1)) / (Math.sqrt(v[i] / (1 - 0.999 ** (t + 1))) + 1e-8)) ** 2;
    }
    return Math.sqrt(sum / WEIGHTS);
  });
}

function values(s) {
  const unit = lengths(s.agreement);
  return [s.steps, s.steps2].map((steps) => {
    const rates = [...schedules.table(schedules.warmup(AFTER[s.after](RUN - steps), steps, s.start), RUN)];
    return { rates, moves: unit.map((each, t) => each * rates[t]) };
  });
}

figure("warmup", () => ({
  fields: [
    { name: "steps", label: "A: warm-up", value: 30, min: 0, max: 150, step: 1 },
    { name: "steps2", label: "B: warm-up", value: 0, min: 0, max: 150, step: 1 },
    { name: "start", label: "first rate", value: 0, min: 0, max: 1, step: 0.01 },
    { name: "after", label: "afterwards", value: "line to zero", options: Object.keys(AFTER) },
    { name: "agreement", label: "agreement", value: 0, min: 0, max: 3, step: 0.1 },
  ],
  values,
  plots: [{
    label: "Rates as shares of the top. Move the end of A's warm-up, or use the arrow keys.",
    handle: "End of A's warm-up", upright: true,
    moved: (x) => ({ set: { steps: Math.min(Math.round(x), 150) } }),
    draw(p, runs, s, place) {
      p.axes({ low: 0, high: RUN, label: "update" }, { low: 0, high: 1.08, label: "rate / top" });
      runs.forEach(({ rates }, i) => p.line(numbered(rates), `line line-${i}`));
      place(s.steps, 1, `${s.steps} updates`);
    },
  }, {
    label: "How far each of the first updates moves a weight",
    draw(p, runs) {
      p.axes({ low: 0, high: FIRST, label: "update" }, { low: 0, high: 1.08, label: "length / top" });
      runs.forEach(({ moves }, i) => {
        p.line(numbered(moves), `line line-${i} thin`);
        moves.forEach((each, t) => p.dot([t, each], `dot-${i}`, 2.2));
      });
    },
  }],
  tell: (runs) => runs.map(({ rates, moves }, i) => `${"AB"[i]}: first rate ${format(rates[0])}, first update ${format(moves[0])} of the top; `
    + `longest of the first ${FIRST}: ${format(Math.max(...moves))}; mean rate ${format(rates.reduce((a, b) => a + b) / RUN)}.`),
}));
})();
