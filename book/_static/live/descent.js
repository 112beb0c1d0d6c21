// Gradient descent on a bowl of curvature 1, two runs at once.
(() => {
const { figure, format, surfaces, powers, numbered } = window.lrcourse;
const STEPS = 30;
const RUNS = [["A", "", 0.6], ["B", "2", 1.8]];
const bowl = surfaces.of({ kind: "Bowl", a: 1, b: 1 });
const border = (momentum) => surfaces.threshold(1, momentum);

const rate = ([run, end, value]) => ({ name: `rate${end}`, label: `${run}: rate`, value, min: 0.01, max: 4, log: true });
const momentum = ([run, end]) => ({ name: `momentum${end}`, label: `${run}: momentum`, value: 0, options: [0, 0.5, 0.9, 0.99] });

// The path of each run, and the loss at each of its points.
function values(s) {
  return RUNS.map(([, end]) => {
    const path = surfaces.descend(bowl, { lr: s[`rate${end}`], momentum: s[`momentum${end}`] }, [s.start, 0], STEPS).map(([x]) => x);
    return { path, losses: path.map((x) => bowl.f(x, 0)) };
  });
}

function fate({ losses }, lr, mu) {
  const arrived = losses.findIndex((_, t) => losses.slice(t).every((each) => each <= losses[0] / 1000));
  const limit = border(mu);
  const word = lr > limit ? "above: it is lost" : lr === limit ? "met: it swings for ever"
    : arrived < 0 ? `after ${STEPS} steps it is still on its way` : `a thousandth of the first loss after ${arrived} steps`;
  return `${mu ? "" : `each step multiplies the distance by ${format(1 - lr)}; `}border ${format(limit)}, ${word}`;
}

figure("descent", () => ({
  fields: [...RUNS.map(rate), ...RUNS.map(momentum)],
  state: { start: -4 },
  values,
  plots: [{
    label: "The bowl with both paths. Move the start along it, or use the arrow keys.",
    handle: "Start", upright: true,
    moved: (x) => ({ start: Number(x.toPrecision(2)) || 0.1 }),
    draw(p, runs, s, place) {
      p.axes({ low: -8, high: 8, label: "θ" }, { low: -1, high: 32, label: "loss" });
      p.line(Array.from({ length: 81 }, (_, i) => i / 5 - 8).map((x) => [x, bowl.f(x, 0)]), "level");
      runs.forEach(({ path, losses }, i) => {
        const points = path.map((x, t) => [x, losses[t]]);
        p.line(points, `line line-${i} thin`);
        for (const each of points.slice(1)) if (Math.abs(each[0]) < 9) p.dot(each, `dot-${i}`, 3);
      });
      place(s.start, bowl.f(s.start, 0), `start at ${format(s.start)}`);
    },
  }, {
    label: "Loss after each step",
    draw(p, runs) {
      p.axes({ low: 0, high: STEPS, label: "step" }, { ...powers(runs.flatMap((run) => run.losses), 1e-9), label: "loss" });
      runs.forEach(({ losses }, i) => p.line(numbered(losses), `line line-${i}`));
    },
  }],
  tell: (runs, s) => RUNS.map(([run, end], i) => `${run}: ${fate(runs[i], s[`rate${end}`], s[`momentum${end}`])}.`),
}));
})();
