// A staircase that was planned, and a rule that cuts the rate when the measured loss stops falling.
(() => {
const { figure, format, lines, meanLosses, normals, powers } = window.lrcourse;
const [EPOCHS, UPDATES] = [40, 5];

// lrcourse.schedules.Plateau, for which every fall of the loss counts.
function plateau({ factor, patience }) {
  let [best, waited] = [Infinity, 0];
  return (rate, metric) => {
    if (metric < best) [best, waited] = [metric, 0];
    else waited += 1;
    if (waited < patience) return rate;
    waited = 0;
    return rate * factor;
  };
}

const staircase = ({ every, factor }) => {
  let epoch = 0;
  return (rate) => (++epoch % every ? rate : rate * factor);
};

// What `fit` would log: in each epoch some updates down the bowl, then the loss as validation shows it.
function run(next, s) {
  const blur = normals(s.draw, EPOCHS / 2).flat();
  let [rate, loss] = [s.rate, 50];
  const rates = [], losses = [], seen = [];
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    rates.push(rate);
    loss = meanLosses(Array(UPDATES).fill(rate), 1, Math.sqrt(2 * loss)).at(-1);
    losses.push(loss);
    seen.push(loss * Math.exp(s.noise * blur[epoch]));
    rate = next(rate, seen.at(-1));
  }
  return { rates, losses, seen, cuts: rates.filter((each, t) => t && each < rates[t - 1]).length };
}

figure("plateau", () => ({
  fields: [
    { name: "every", label: "A: cut every", value: 10, min: 1, max: 40, step: 1 },
    { name: "patience", label: "B: patience", value: 3, min: 1, max: 20, step: 1 },
    { name: "factor", label: "factor", value: 0.3, min: 0.05, max: 0.95, step: 0.01 },
    { name: "noise", label: "validation noise", value: 0.2, min: 0, max: 1, step: 0.01 },
    { name: "draw", label: "draw", value: 1, min: 1, max: 99, step: 1 },
    { name: "rate", label: "first rate", value: 0.3, min: 0.001, max: 1.9, log: true },
  ],
  values: (s) => [staircase, plateau].map((make) => run(make(s), s)),
  plots: [
    lines({
      label: "The rate in each epoch. Move A's first cut, or use the arrow keys.", x: "epoch", y: "rate", of: (each) => each.rates,
      axis: () => ({ low: 0.0005, high: 3, log: true }),
      handle: "A's first cut", upright: true,
      moved: (x) => ({ set: { every: Math.max(1, Math.round(x)) } }),
      also: (p, runs, s, place) => place(Math.min(s.every, EPOCHS - 1), s.rate * s.factor, `after ${s.every} epochs`),
    }),
    lines({
      label: "Validation loss as it is measured, thin, and without its noise", x: "epoch", y: "loss", of: (each) => each.losses, axis: (all) => powers(all),
      also: (p, runs) => runs.forEach(({ seen }, i) => p.line(seen.map((each, t) => [t, each]), `line line-${i} thin faint`)),
    }),
  ],
  tell: (runs) => runs.map(({ cuts, losses }, i) => `${["A, planned", "B, by the loss"][i]}: ${cuts} cut${cuts === 1 ? "" : "s"}; mean loss after ${EPOCHS} epochs ${format(losses.at(-1))}.`),
}));
})();
