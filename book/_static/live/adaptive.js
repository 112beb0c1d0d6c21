// Gradient descent and Adam on one bowl, however steep and however turned.
(() => {
const { figure, format, surfaces, contours, powers, numbered, rules, memories } = window.lrcourse;
const [STEPS, NEAR] = [100, 0.1];

// A bowl whose curvatures are 1 and `steep`, turned about the origin.
function turned(steep, degrees) {
  const bowl = surfaces.of({ kind: "Bowl", a: 1, b: steep });
  const [c, s] = [Math.cos, Math.sin].map((f) => f((degrees * Math.PI) / 180));
  const into = (x, y) => [c * x + s * y, c * y - s * x];
  const back = (u, v) => [c * u - s * v, s * u + c * v];
  return { into, back, f: (x, y) => bowl.f(...into(x, y)), gradient: (x, y) => back(...bowl.gradient(...into(x, y))) };
}

function adam(surface, rate, start) {
  const [path, memory] = [[start], memories(2)];
  for (let t = 1; t <= STEPS; t++) {
    const g = surface.gradient(...path.at(-1));
    path.push(path.at(-1).map((x, i) => x - rate * rules.Adam(memory[i], g[i], t)));
  }
  return path;
}

function values(s) {
  const surface = turned(s.steep, s.turn);
  const start = surface.back(s.x, s.y);
  const paths = [surfaces.descend(surface, { lr: s.rate, momentum: 0 }, start, STEPS), adam(surface, s.rate2, start)];
  return paths.map((path) => ({ path, losses: path.map(([x, y]) => surface.f(x, y)) }));
}

function fate({ path }) {
  const far = path.map((point) => Math.hypot(...point));
  const near = far.findIndex((each) => each < NEAR);
  return near < 0 ? `after ${STEPS} steps still ${format(far.at(-1))} away` : `within ${NEAR} of the minimum after ${near} steps`;
}

figure("adaptive", () => ({
  fields: [
    { name: "rate", label: "A: SGD rate", value: 0.038, min: 0.001, max: 2, log: true },
    { name: "rate2", label: "B: Adam rate", value: 0.1, min: 0.001, max: 2, log: true },
    { name: "steep", label: "steepness", value: 50, min: 1, max: 100, log: true },
    { name: "turn", label: "turned by, °", value: 0, min: 0, max: 90, step: 1 },
  ],
  state: { x: -3, y: 0.8 },
  values,
  plots: [{
    label: "The bowl as level lines, with both paths. Move the start, or use the arrow keys.",
    handle: "Start",
    moved(x, y, s) {
      const [u, v] = turned(s.steep, s.turn).into(x, y);
      return { x: u, y: v };
    },
    draw(p, runs, s, place) {
      const { f } = turned(s.steep, s.turn);
      p.axes({ low: -3.6, high: 3.6, label: "θ₁" }, { low: -2.4, high: 2.4, label: "θ₂" });
      p.add("path", { d: contours(p, f, 10, [50, 36]), class: "level" });
      runs.forEach(({ path }, i) => {
        p.line(path, `line line-${i} thin`);
        for (const each of path.slice(1)) if (Math.hypot(...each) < 9) p.dot(each, `dot-${i}`, 2.4);
      });
      const [x, y] = runs[0].path[0];
      place(x, y, `start at ${format(x)}, ${format(y)}`);
    },
  }, {
    label: "Loss after each step",
    draw(p, runs) {
      p.axes({ low: 0, high: STEPS, label: "step" }, { ...powers(runs.flatMap((run) => run.losses), 1e-5), label: "loss" });
      runs.forEach(({ losses }, i) => p.line(numbered(losses), `line line-${i}`));
    },
  }],
  tell: ([sgd, other], s) => [`A, SGD: ${fate(sgd)}; its border ${format(surfaces.threshold(s.steep))}.`, `B, Adam: ${fate(other)}.`],
}));
})();
