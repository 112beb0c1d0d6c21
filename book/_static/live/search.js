// Where three kinds of search look for two settings, of which one matters more, and how good their best trial is.
(() => {
const { figure, format, contours, lines } = window.lrcourse;
const RUNS = [["A", "", "grid"], ["B", "2", "quasi-random"]];
const [LOW, HIGH] = [1e-4, 1]; // rates, on a logarithmic axis

// A hill that is drawn, not measured: 1 at the best settings; `matter`: how much the second counts beside the first.
const score = (s) => (x, y) => Math.exp(-24 * ((x - s.x) ** 2 + s.matter ** 2 * (y - s.y) ** 2));

function grid(n) {
  const side = Math.round(Math.sqrt(n));
  const ticks = Array.from({ length: side }, (_, i) => i / (side - 1));
  return ticks.flatMap((x) => ticks.map((y) => [x, y]));
}

function values(given, s) {
  const f = score(s);
  return RUNS.map(([, end]) => {
    const kind = s[`search${end}`];
    const points = kind === "grid" ? grid(s.trials) : given.draws[kind][s.draw - 1].slice(0, s.trials);
    const scores = points.map(([x, y]) => f(x, y));
    const best = scores.map((_, i) => Math.max(...scores.slice(0, i + 1)));
    return { points, scores, best, different: new Set(points.map(([x]) => x)).size };
  });
}

const rate = (x) => LOW * (HIGH / LOW) ** x;

figure("search", (given) => ({
  fields: [
    ...RUNS.map(([run, end, value]) => ({ name: `search${end}`, label: `${run}: search`, value, options: ["grid", "random", "quasi-random"] })),
    { name: "trials", label: "trials", value: 9, options: [4, 9, 16, 25] },
    { name: "matter", label: "decay matters", value: 0.2, min: 0, max: 1, step: 0.01 },
    { name: "draw", label: "draw", value: 1, min: 1, max: given.draws.random.length, step: 1 },
  ],
  state: { x: 0.75, y: 0.4 },
  values: (s) => values(given, s),
  plots: [{
    label: "The trials on a hill as level lines: A's round, B's crosses. Move the best settings, or use the arrow keys.",
    handle: "The best settings",
    moved: (x, y) => ({ x: Number((Math.log(x / LOW) / Math.log(HIGH / LOW)).toFixed(3)), y: Number(Math.min(Math.max(y, 0), 1).toFixed(3)) }),
    draw(p, runs, s, place) {
      const f = score(s);
      p.axes({ low: LOW / 1.6, high: HIGH * 1.6, log: true, label: "rate" }, { low: -0.06, high: 1.06, label: "weight decay, share" });
      p.add("path", { d: contours(p, (x, y) => 1.001 - f(Math.log(x / LOW) / Math.log(HIGH / LOW), y), 9, [40, 30]), class: "level" });
      runs.forEach(({ points }, i) => {
        for (const [x, y] of points) {
          if (i) p.text([rate(x), y], "×", { class: "cross", dy: 7, "text-anchor": "middle" });
          else p.dot([rate(x), y], "dot-0", 5);
        }
      });
      place(rate(s.x), s.y, `rate ${format(rate(s.x))}, decay ${format(s.y)}`);
    },
  }, lines({
    label: "The best score so far", x: "trial", y: "best score", of: ({ best }) => [NaN, ...best], axis: () => ({ low: 0, high: 1.05 }),
  })],
  tell: (runs, s) => runs.map(({ points, best, different }, i) => `${"AB"[i]}, ${s[`search${RUNS[i][1]}`]}: `
    + `${different} different rates in ${points.length} trials; the best scores ${format(best.at(-1))} of 1.`),
}));
})();
