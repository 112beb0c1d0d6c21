// The smallest network that has an edge of stability: two weights, whose product is to be 1, under two rates.
(() => {
const { figure, format, schedules, normals, lines, powers } = window.lrcourse;
const [STEPS, NOISE, LOST] = [150, 0.02, 1e6];
const targets = normals(1, STEPS / 2).flat().map((each) => 1 + NOISE * each);
const RUNS = [["A", ""], ["B", "2"]];

// The largest eigenvalue of the Hessian of (uv − 1)² / 2.
function sharpness(u, v) {
  return (u * u + v * v + Math.hypot(u * u - v * v, 2 * (2 * u * v - 1))) / 2;
}

// A little noise in the target: without any, a point that is too sharp would hold.
function descent(table, start) {
  let [u, v] = [start, 0];
  const path = [[u, v]];
  for (const [t, rate] of table.entries()) {
    const miss = u * v - targets[t];
    [u, v] = [u - rate * (miss * v), v - rate * (miss * u)];
    path.push([u, v]);
  }
  return path;
}

function values(s) {
  return RUNS.map(([, end]) => {
    const top = { kind: "Constant", lr: s[`rate${end}`] };
    const warm = s[`warm${end}`];
    const rates = [...schedules.table(warm ? schedules.warmup(top, warm) : top, STEPS)];
    const path = descent(rates, s.start);
    return { rates, path, sharpness: path.map((point) => sharpness(...point)), losses: path.map(([u, v]) => (u * v - 1) ** 2 / 2) };
  });
}

function fate({ rates, sharpness: sharp, losses }) {
  if (!(losses.at(-1) < LOST)) return "it is lost";
  const jump = Math.max(...losses) > 1.01 * losses[0] ? `the loss jumps to ${format(Math.max(...losses))}; ` : "";
  return `${jump}sharpness ${format(sharp[0])}, in the end ${format(sharp.at(-1))}, where the rate allows ${format(2 / rates.at(-1))}; loss ${format(losses.at(-1))}`;
}

figure("edge", () => ({
  fields: [
    { name: "rate", label: "A: rate", value: 0.4, min: 0.01, max: 2, log: true },
    { name: "rate2", label: "B: rate", value: 0.4, min: 0.01, max: 2, log: true },
    { name: "warm", label: "A: warm-up", value: 0, min: 0, max: 120, step: 1 },
    { name: "warm2", label: "B: warm-up", value: 100, min: 0, max: 120, step: 1 },
    { name: "start", label: "first weight", value: 2.5, min: 1, max: 3.5, step: 0.05 },
  ],
  values,
  plots: [
    lines({
      label: "Sharpness after each update, and, broken, the 2 / rate that is allowed. Move the end of B's warm-up, or use the arrow keys.",
      y: "sharpness", of: (run) => run.sharpness, axis: () => ({ low: 0, high: 16 }),
      handle: "End of B's warm-up", upright: true,
      moved: (x) => ({ set: { warm2: Math.round(Math.min(Math.max(x, 0), 120)) } }),
      also(p, runs, s, place) {
        runs.forEach(({ rates }, i) => p.line(rates.map((rate, t) => [t, 2 / rate]), `line line-${i} limit`));
        place(s.warm2, Math.min(2 / s.rate2, 16), `${s.warm2} updates`);
      },
    }),
    lines({ label: "Loss after each update", y: "loss", of: (run) => run.losses, axis: (all) => ({ ...powers(all, 1e-5, 1e4), low: 1e-5 }) }),
  ],
  tell: (runs) => RUNS.map(([run], i) => `${run}: ${fate(runs[i])}.`),
}));
})();
