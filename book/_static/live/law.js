// The law of the chapter on language models, fitted there: what two schedules of one peak would reach.
(() => {
const { figure, format, numbered, lines, schedules, upTo } = window.lrcourse;
const [STEPS, WARM] = [200, 20];
const RUNS = [["A", "a", 160, "1-sqrt"], ["B", "b", 20, "linear"]];

// The rates of a run that decays from an update on: warm-up, then as high as the peak, then down to a share of it.
function plan(peak, s, run) {
  const from = Math.max(s[`${run}.from`], WARM);
  const rest = { kind: "WSD", peak, warmup: 0, stable: from - WARM, decay: STEPS - from, end: peak * s[`${run}.end`], shape: s[`${run}.shape`] };
  return [...schedules.table(schedules.warmup(rest, WARM, peak / WARM), STEPS)];
}

// The excess loss after each update: what the rate spent leaves, less what has settled since each of its falls.
function law({ a, alpha, b, c }, rates) {
  let spent = 0;
  const sums = rates.map((rate) => (spent += rate));
  return sums.map((sum, t) => {
    let settled = 0;
    for (let k = 1; k <= t; k++) {
      const since = c * (sum - sums[k] + rates[k]);
      settled += Math.max(0, rates[k - 1] - rates[k]) * (since / (1 + since));
    }
    return a * sum ** -alpha - b * settled;
  });
}

function values(given, s) {
  return RUNS.map(([, run]) => {
    const rates = plan(given.peak, s, run);
    return { rates, losses: law(given.law, rates) };
  });
}

const fields = (make) => RUNS.map((each) => make(...each));

figure("law", (given) => ({
  fields: [
    ...fields((run, name, value) => ({ name: `${name}.from`, label: `${run}: decay from`, value, min: 20, max: 190, step: 1 })),
    ...fields((run, name, _, value) => ({ name: `${name}.shape`, label: `${run}: decay is`, value, options: ["linear", "cosine", "1-sqrt"] })),
    ...fields((run, name) => ({ name: `${name}.end`, label: `${run}: down to`, value: 0, min: 0, max: 1, step: 0.01 })),
  ],
  values: (s) => values(given, s),
  plots: [lines({
    label: "Rates. Move the update from which A decays, or use the arrow keys.", y: "rate", of: (run) => run.rates, axis: upTo,
    handle: "Where A's decay begins", upright: true,
    moved: (x) => ({ set: { "a.from": Math.round(Math.min(Math.max(x, 20), 190)) } }),
    also: (p, runs, s, place) => place(s["a.from"], given.peak, `from update ${s["a.from"]}`),
  }), {
    label: "Excess loss that the law foretells",
    draw(p, runs) {
      const late = runs.flatMap(({ losses }) => losses.slice(WARM));
      p.axes({ low: 0, high: STEPS, label: "update" }, { low: Math.min(0.1, ...late), high: 0.35, label: "excess loss" });
      runs.forEach(({ losses }, i) => p.line(numbered(losses), `line line-${i}`));
    },
  }],
  tell: (runs) => runs.map(({ rates, losses }, i) => `${"AB"[i]}: the law foretells an excess of ${format(losses.at(-1))}; `
    + `rate spent ${format(rates.reduce((x, y) => x + y))}.`),
}));
})();
