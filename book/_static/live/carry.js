// A rate carried to another size by the exponents of lrcourse.carrying, and AdamW's weight decay carried along.
(() => {
const { figure, format, powers } = window.lrcourse;
const RUNS = [["A", "", "batch, SGD"], ["B", "2", "batch, Adam"]];
const DECAY = 0.1;
const FACTORS = Array.from({ length: 65 }, (_, i) => 2 ** ((i - 32) / 8));
const clamp = (factor) => Math.min(Math.max(factor, 1 / 16), 16);

// The rate with its interval where a size grows by that factor. A batch counts by the formula with the noise scale.
function carried({ mean, low, high }, s, factor, what) {
  const noise = what.startsWith("batch") && s.noise ? s.noise / s.batch : Infinity;
  const times = Math.log(Number.isFinite(noise) ? (1 + noise) / (1 + noise / factor) : factor);
  const ends = [low, mean, high].map((each) => s.rate * Math.exp(each * times));
  return [Math.min(...ends), ends[1], Math.max(...ends)];
}

// AdamW keeps η λ T: a longer run has more updates, one with larger batches fewer.
function decay(rate, s, factor, what) {
  const updates = what.startsWith("length") ? factor : what.startsWith("batch") ? 1 / factor : 1;
  return (DECAY * s.rate) / (rate * updates);
}

function values(given, s) {
  return RUNS.map(([, end]) => {
    const what = s[`size${end}`];
    const at = (factor) => {
      const rates = carried(given[what], s, factor, what);
      return { factor, rates, decay: what.endsWith("SGD") ? NaN : decay(rates[1], s, factor, what) };
    };
    return { what, all: FACTORS.map(at), here: at(s.factor), measured: given[what].largest };
  });
}

const x = { low: FACTORS[0], high: FACTORS.at(-1), log: true, label: "new size / old size" };

figure("carry", (given) => ({
  fields: [
    ...RUNS.map(([run, end, value]) => ({ name: `size${end}`, label: `${run} changes`, value, options: Object.keys(given) })),
    { name: "rate", label: "old rate", value: 0.01, min: 0.00001, max: 1, log: true },
    { name: "noise", label: "noise scale", value: 0, min: 0, max: 10000, log: true, least: 1 },
    { name: "batch", label: "old batch", value: 32, min: 1, max: 4096, log: true },
  ],
  state: { factor: 4 },
  values: (s) => values(given, s),
  plots: [{
    label: "The rate at another size, with its interval. Move the new size, or use the arrow keys.",
    handle: "New size as a multiple of the old", upright: true,
    moved: (to) => ({ factor: Number(clamp(to).toPrecision(2)) }),
    draw(p, runs, s, place) {
      p.axes(x, { ...powers(runs.flatMap(({ all }) => all.flatMap(({ rates }) => rates)), 1e-9), label: "rate" });
      runs.forEach(({ all }, i) => {
        const [low, mean, high] = [0, 1, 2].map((end) => all.map(({ factor, rates }) => [factor, rates[end]]));
        p.line([...low, ...high.toReversed()], `area area-${i}`);
        p.line(mean, `line line-${i}`);
      });
      place(s.factor, runs[0].here.rates[1], `${format(s.factor)} times the size`);
    },
  }, {
    label: "AdamW's weight decay that goes with the rate",
    draw(p, runs, s) {
      const seen = runs.flatMap(({ all }) => all.map((each) => each.decay)).filter(Number.isFinite);
      p.axes(x, { ...powers(seen.length ? seen : [DECAY], 1e-9), label: "weight decay" });
      runs.forEach(({ all }, i) => p.line(all.map((each) => [each.factor, each.decay]), `line line-${i}`));
      p.upright(s.factor, "stem");
    },
  }],
  tell: (runs, s) => runs.map(({ what, here, measured }, i) => {
    const [low, mean, high] = here.rates.map((each) => format(each));
    const far = Math.max(s.factor, 1 / s.factor) > measured * (1 + 1e-9) ? `; measured only up to ${format(measured)} times` : "";
    const along = Number.isFinite(here.decay) ? `; decay ${DECAY} becomes ${format(here.decay)}` : "";
    return `${"AB"[i]}, ${what}: rate ${mean} (${low} to ${high})${along}${far}.`;
  }),
}));
})();
