// Two batch sizes: how far the mean gradient of a batch scatters, and the mean loss of descents that see such gradients.
(() => {
const { figure, format, meanLosses, powers } = window.lrcourse;
const EXAMPLES = 2048;
const SIZES = Array.from({ length: 10 }, (_, i) => 2 ** i);
const density = (x, sd) => Math.exp(-0.5 * (x / sd) ** 2) / (sd * Math.sqrt(2 * Math.PI));

function values(s) {
  return [["batch", "rate"], ["batch2", "rate2"]].map(([batch, rate]) => {
    const size = s[batch];
    const sd = 1 / Math.sqrt(size);
    return { size, sd, losses: meanLosses(Array(Math.floor(EXAMPLES / size)).fill(s[rate]), sd) };
  });
}

figure("batch", () => ({
  fields: [
    { name: "batch", label: "A: batch", value: 1, options: SIZES },
    { name: "batch2", label: "B: batch", value: 16, options: SIZES },
    { name: "rate", label: "A: rate", value: 0.02, min: 0.001, max: 3, log: true },
    { name: "rate2", label: "B: rate", value: 0.02, min: 0.001, max: 3, log: true },
    { name: "count", label: "count", value: "examples", options: ["examples", "updates"] },
  ],
  values,
  plots: [{
    label: "How often the mean gradient of a batch lies how far from the true one",
    draw(p, runs) {
      const top = Math.max(...runs.map(({ sd }) => density(0, sd)));
      p.axes({ low: -3, high: 3, label: "error of the mean gradient" }, { low: 0, high: 1.08 * top, label: "density" });
      runs.forEach(({ sd }, i) => {
        const points = Array.from({ length: 241 }, (_, k) => k / 40 - 3).map((x) => [x, density(x, sd)]);
        p.area(points, `area area-${i}`);
        p.line(points, `line line-${i}`);
      });
    },
  }, {
    label: "Mean loss",
    draw(p, runs, s) {
      const each = runs.map(({ size }) => (s.count === "examples" ? size : 1));
      p.axes({ low: 0, high: Math.max(...runs.map(({ losses }, i) => (losses.length - 1) * each[i])), label: s.count },
        { ...powers(runs.flatMap((run) => run.losses), 1e-9, 1e4), label: "mean loss" });
      runs.forEach(({ losses }, i) => p.line(losses.map((loss, t) => [t * each[i], loss]), `line line-${i}`));
    },
  }],
  tell: (runs) => runs.map(({ sd, losses }, i) => `${"AB"[i]}: the noise is ${format(sd)} of one example’s; `
    + `${losses.length - 1} updates end at a mean loss of ${format(losses.at(-1))}.`),
}));
})();
