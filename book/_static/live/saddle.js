// Beside a saddle: the same descent without noise and with noise in its gradients.
(() => {
const { figure, format, surfaces, contours, numbered, powers, normals } = window.lrcourse;
const STEPS = 60;
const saddle = surfaces.of({ kind: "Saddle" });
const lowest = -0.25;
let levels;

// Each run: its path, its height above the minimum and the length of the slope there.
function values(s) {
  const blur = normals(s.draw, STEPS);
  return [0, s.noise].map((size) => {
    let step = 0;
    const noisy = { gradient: (x, y) => {
      const [dx, dy] = blur[step++];
      return saddle.gradient(x, y).map((g, i) => g + size * [dx, dy][i]);
    } };
    const path = surfaces.descend(noisy, { lr: s.rate, momentum: 0 }, [s.x, s.y], STEPS);
    return { path, heights: path.map(([x, y]) => saddle.f(x, y) - lowest), slopes: path.map(([x, y]) => Math.hypot(...saddle.gradient(x, y))) };
  });
}

function fate({ heights, slopes }) {
  const at = heights.findIndex((each) => each < 0.2); // the saddle lies 0.25 above
  const where = at < 0 ? `still on the saddle after ${STEPS} steps` : `off the saddle after ${at} steps`;
  return `${where}; at the end ${format(heights.at(-1))} above the minimum, the slope ${format(slopes.at(-1))}`;
}

figure("saddle", () => ({
  fields: [
    { name: "rate", label: "rate", value: 0.15, min: 0.01, max: 1, log: true },
    { name: "noise", label: "B: noise", value: 0.1, min: 0, max: 1, step: 0.01 },
    { name: "draw", label: "B: draw", value: 1, min: 1, max: 99, step: 1 },
  ],
  state: { x: 1.5, y: 0 },
  values,
  plots: [{
    label: "The saddle as level lines, with both paths. Move the start, or use the arrow keys.",
    handle: "Start",
    moved: (x, y) => ({ x: Number(x.toFixed(2)), y: Math.abs(y) < 0.04 ? 0 : Number(y.toFixed(2)) }),
    draw(p, runs, s, place) {
      p.axes({ low: -1.8, high: 1.8, label: "x" }, { low: -1.5, high: 1.5, label: "y" });
      if (levels?.width !== p.width) levels = { width: p.width, d: contours(p, saddle.f, 12, [60, 50]) };
      p.add("path", { d: levels.d, class: "level" });
      runs.forEach(({ path }, i) => {
        p.line(path, `line line-${i} thin`);
        for (const each of path.slice(1)) if (Math.hypot(...each) < 9) p.dot(each, `dot-${i}`, 2.6);
      });
      place(s.x, s.y, `start at x ${format(s.x)}, y ${format(s.y)}`);
    },
  }, {
    label: "Loss above the minimum after each step",
    draw(p, runs) {
      p.axes({ low: 0, high: STEPS, label: "step" }, { ...powers(runs.flatMap((run) => run.heights), 1e-4), label: "loss above minimum" });
      runs.forEach(({ heights }, i) => p.line(numbered(heights), `line line-${i}`));
    },
  }],
  tell: ([calm, noisy]) => [`A, without noise: ${fate(calm)}.`, `B, with noise: ${fate(noisy)}.`],
}));
})();
