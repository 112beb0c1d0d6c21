// Noisy descents down a bowl of curvature 1 and the moving averages of their weights: one of each, and the mean loss.
(() => {
const { figure, format, schedules, normals, numbered, lines } = window.lrcourse;
const [STEPS, START] = [400, 10];
const CURVES = { constant: (lr) => ({ kind: "Constant", lr }), "line to zero": (lr) => ({ kind: "Linear", start: lr, end: 0, steps: STEPS }) };
const RUNS = [["A", "", "constant"], ["B", "2", "line to zero"]];

// By how much the n-th weight counts in an average of that length, corrected for its start.
const newest = (length, n) => (length === 1 ? 1 : (1 / length) / (1 - (1 - 1 / length) ** n));

function one(rates, length, noise) {
  let [weight, average] = [START, 0];
  return rates.map((rate, t) => {
    weight -= rate * (weight + noise[t]);
    average += newest(length, t + 1) * (weight - average);
    return [weight, average];
  });
}

// The means of weight², weight × average and average² follow from one another.
function means(rates, length) {
  let [ww, wa, aa] = [START ** 2, 0, 0];
  return rates.map((rate, t) => {
    const share = newest(length, t + 1);
    const crossed = (1 - rate) * wa;
    ww = (1 - rate) ** 2 * ww + rate ** 2;
    aa = (1 - share) ** 2 * aa + 2 * share * (1 - share) * crossed + share ** 2 * ww;
    wa = (1 - share) * crossed + share * ww;
    return [ww / 2, aa / 2];
  });
}

function values(s) {
  const noise = normals(s.draw, STEPS / 2).flat();
  return RUNS.map(([, end]) => {
    const rates = [...schedules.table(CURVES[s[`curve${end}`]](s[`rate${end}`]), STEPS)];
    const length = s[`length${end}`];
    return { path: one(rates, length, noise), losses: means(rates, length) };
  });
}

const fields = ([run, end, curve]) => [
  { name: `curve${end}`, label: `${run}: rate is`, value: curve, options: Object.keys(CURVES) },
  { name: `rate${end}`, label: `${run}: first rate`, value: 0.2, min: 0.001, max: 1.9, log: true },
  { name: `length${end}`, label: `${run}: average of`, value: end ? 1 : 40, min: 1, max: 4000, log: true },
];
const [a, b] = RUNS.map(fields);
const stopped = (s) => Math.min(Math.max(Math.round(s.stop), 1), STEPS);

figure("average", () => ({
  fields: [...a.flatMap((each, i) => [each, b[i]]), { name: "draw", label: "draw", value: 1, min: 1, max: 99, step: 1 }],
  state: { stop: STEPS },
  values,
  plots: [{
    label: "One descent of each run, thin, and its average. Move the mark, where the run is stopped, or use the arrow keys.",
    handle: "Where the run is stopped", upright: true,
    moved: (x) => ({ stop: Math.max(1, Math.round(x)) }),
    draw(p, runs, s, place) {
      p.axes({ low: 0, high: STEPS, label: "update" }, { low: -2, high: 2, label: "weight" });
      [0, 1].forEach((kind) => runs.forEach(({ path }, i) => {
        p.line(numbered(path.map((each) => each[kind])), `line line-${i}${kind ? "" : " thin faint"}`);
      }));
      place(stopped(s), Math.max(-2, Math.min(2, runs[0].path[stopped(s) - 1][1])), `after update ${stopped(s)}`);
    },
  }, lines({
    label: "Mean loss of the average after each update", y: "mean loss", of: ({ losses }) => losses.map((each) => each[1]),
    also: (p, runs, s) => p.upright(stopped(s), "stem"),
  })],
  tell: (runs, s) => runs.map(({ losses }, i) => {
    const [last, average] = losses[stopped(s) - 1];
    const alone = s[RUNS[i][1] ? "length2" : "length"] === 1;
    return `${"AB"[i]}: mean loss after ${stopped(s)} updates ${format(last)}${alone ? "" : `, of the average ${format(average)}`}.`;
  }),
}));
})();
