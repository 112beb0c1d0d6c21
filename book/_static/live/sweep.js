// Two ways to train, each swept over all rates: where its best rate lies, and how much a wrong one costs.
(() => {
const { figure, format, lines, normals, powers, race } = window.lrcourse;
const [POINTS, EXAMPLES, BASE] = [31, 2048, 16];
const RUNS = [["A", "a"], ["B", "b"]];

// The last layer of a wide network, f(x) = v · U x, learns by plain descent from 0 while U stays; the two inputs vary by
// different amounts. With muP its rate falls with the width, from 16 on.
const INPUTS = [1, 0.03];
function wide(rate, { width, mup, steps }) {
  const layer = normals(1, width), v = Array(width).fill(0);
  const own = mup ? (rate * BASE) / width : rate;
  const losses = [];
  for (let t = 0; t <= steps; t++) {
    const misses = INPUTS.map((_, j) => layer.reduce((sum, u, i) => sum + u[j] * v[i], 0) - 1);
    losses.push(INPUTS.reduce((sum, c, j) => sum + (c * misses[j] ** 2) / 2, 0));
    const [a, b] = misses.map((each, j) => INPUTS[j] * each);
    layer.forEach(([p, q], i) => { v[i] -= own * (a * p + b * q); });
  }
  return losses;
}

// What is set for a run: its own fields and those of both.
const own = (s, run) => Object.fromEntries(Object.entries(s).filter(([name]) => !/^[ab]\./.test(name) || name[0] === run)
  .map(([name, value]) => [name.replace(/^[ab]\./, ""), value]));

const trained = {
  wide,
  methods: (rate, s) => race(s.method, Array(s.steps).fill(rate), s),
  // As many examples for every batch.
  momenta: (rate, s) => race("momentum", Array(EXAMPLES / s.batch).fill(rate), { ...s, noise: s.noise / Math.sqrt(s.batch) }),
};
const axes = {
  rate: () => 1,
  "rate / (1 − momentum)": ({ momentum }) => 1 / (1 - momentum),
  "that / batch": ({ momentum, batch }) => 1 / (1 - momentum) / batch,
};

function values(given, s) {
  return RUNS.map(([, run]) => {
    const mine = own(s, run);
    const rates = Array.from({ length: POINTS }, (_, i) => given.low * (given.high / given.low) ** (i / (POINTS - 1)));
    const curves = rates.map((rate) => trained[given.train](rate, mine));
    // The mean of the last tenth: a single loss has luck in it.
    const ends = curves.map((losses) => {
      const late = losses.slice(-Math.ceil(losses.length / 10));
      return late.reduce((x, y) => x + y) / late.length;
    });
    const best = ends.reduce((least, each, i) => (each < ends[least] ? i : least), 0);
    return { rates, ends, best, losses: curves[best], scale: axes[s.axis ?? "rate"](mine) };
  });
}

figure("sweep", (given) => ({
  fields: given.fields,
  values: (s) => values(given, s),
  plots: [{
    label: "Loss at the end of a run, for each rate",
    draw(p, runs, s) {
      const all = runs.flatMap(({ rates, scale }) => [rates[0] * scale, rates.at(-1) * scale]);
      const top = Math.max(...runs.map(({ losses }) => losses[0]));
      p.axes({ low: Math.min(...all), high: Math.max(...all), log: true, label: s.axis ?? "rate" },
        { ...powers(runs.flatMap(({ ends }) => ends), 1e-6, 3 * top), label: "loss at the end" });
      runs.forEach(({ rates, ends, best, scale }, i) => {
        p.line(rates.map((rate, k) => [rate * scale, ends[k]]), `line line-${i}`);
        p.dot([rates[best] * scale, Math.max(ends[best], p.y.low)], `dot-${i}`, 5);
      });
    },
  }, lines({ label: "Loss after each update, at the best rate of each", y: "loss", of: (run) => run.losses })],
  tell: (runs) => runs.map(({ rates, ends, best }, i) => {
    const near = rates.filter((_, k) => ends[k] <= 2 * ends[best]);
    return `${"AB"[i]}: best rate ${format(rates[best], 2)}, loss ${ends[best] < 1e-6 ? "below 1e−6" : format(ends[best])}; at most twice that from ${format(near[0], 2)} to ${format(near.at(-1), 2)}.`;
  }),
}));
})();
