// What three methods make of the gradient of one weight matrix, and where that leads.
(() => {
const { figure, format, rules, memories, schedules, lines } = window.lrcourse;
const STEPS = 100;
const RUNS = [["A", "", "Adam", 0.15], ["B", "2", "Muon", 0.15]];
const TARGET = [1.2, 0.5, -0.4, 0.9];
const times = ([a, b, c, d], [e, f, g, h]) => [a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h];
const turned = ([a, b, c, d]) => [a, c, b, d];

// The Newton-Schulz iteration of lrcourse.optimizers.orthogonalize.
function orthogonalize(matrix) {
  const length = Math.max(Math.hypot(...matrix), 1e-7);
  let x = matrix.map((each) => each / length);
  for (let i = 0; i < 5; i++) {
    const gram = times(x, turned(x));
    const square = times(gram, gram);
    const more = times(gram.map((each, k) => -4.775 * each + 2.0315 * square[k]), x);
    x = x.map((each, k) => 3.4445 * each + more[k]);
  }
  return x;
}

function singular([a, b, c, d]) {
  const [sum, half] = [a * a + b * b + c * c + d * d, Math.hypot(a * a + b * b - c * c - d * d, 2 * (a * c + b * d))];
  return [sum + half, Math.max(sum - half, 0)].map((each) => Math.sqrt(each / 2));
}

// Inputs that vary by 1 along one direction, by 1 / `spread` along the other: their second moments.
function moments(spread, degrees) {
  const [c, s] = [Math.cos, Math.sin].map((f) => f((degrees * Math.PI) / 180));
  const small = 1 / spread ** 2, mixed = c * s * (1 - small);
  return [c * c + small * s * s, mixed, mixed, s * s + small * c * c];
}

const methods = {
  SGD: (memory, g) => g,
  Adam: (memory, g, t) => g.map((each, i) => rules.Adam(memory[i], each, t)),
  Muon(memory, g) {
    return orthogonalize(g.map((each, i) => {
      memory[i].m = 0.95 * memory[i].m + (1 - 0.95) * each;
      return (1 - 0.95) * each + 0.95 * memory[i].m;
    }));
  },
};

function values(s) {
  const inputs = moments(s.spread, s.turn);
  return RUNS.map(([, end]) => {
    const memory = memories(4);
    let weights = [0, 0, 0, 0];
    const gradients = [], steps = [], losses = [];
    for (const rate of [...schedules.table({ kind: "Linear", start: s[`rate${end}`], end: 0, steps: STEPS }, STEPS), 0]) {
      const miss = weights.map((each, i) => each - TARGET[i]);
      const g = times(miss, inputs);
      losses.push(miss.reduce((sum, each, i) => sum + each * g[i], 0) / 2);
      const step = methods[s[`method${end}`]](memory, g, gradients.length + 1);
      gradients.push(g);
      steps.push(step);
      weights = weights.map((each, i) => each - rate * step[i]);
    }
    return { gradients, steps, losses };
  });
}

// Where a matrix takes the circle of unit length.
const circle = Array.from({ length: 73 }, (_, i) => [Math.cos((i * Math.PI) / 36), Math.sin((i * Math.PI) / 36)]);
const image = ([a, b, c, d]) => circle.map(([x, y]) => [a * x + b * y, c * x + d * y]);

figure("matrix", () => ({
  fields: [
    ...RUNS.map(([run, end, value]) => ({ name: `method${end}`, label: `${run}: method`, value, options: Object.keys(methods) })),
    ...RUNS.map(([run, end, , value]) => ({ name: `rate${end}`, label: `${run}: rate`, value, min: 0.001, max: 10, log: true })),
    { name: "spread", label: "input spread", value: 10, min: 1, max: 100, log: true },
    { name: "turn", label: "turned by, °", value: 30, min: 0, max: 90, step: 1 },
  ],
  state: { step: 5 },
  values,
  plots: [{
    label: "Where the gradient (thin) and the step take a circle: long in a direction that is learned fast.",
    draw(p, runs, s) {
      p.axes({ low: -2.4, high: 2.4, label: "output 1" }, { low: -1.6, high: 1.6, label: "output 2" });
      p.line(image(runs[0].gradients[s.step - 1]), "level");
      runs.forEach(({ steps }, i) => p.line(image(steps[s.step - 1]), `line line-${i}`));
    },
  }, lines({
    label: "Loss after each step. Move the mark, the step that is shown, or use the arrow keys.", y: "loss", of: (run) => run.losses,
    handle: "The step that is shown", upright: true,
    moved: (x) => ({ step: Math.min(Math.max(Math.round(x) + 1, 1), STEPS) }),
    also: (p, runs, s, place) => place(s.step - 1, Math.max(p.y.low, Math.min(p.y.high, runs[0].losses[s.step - 1])), `step ${s.step}`),
  })],
  tell: (runs, s) => runs.map(({ gradients, steps, losses }, i) => {
    const [long, short] = [gradients, steps].map((all) => singular(all[s.step - 1])).map(([most, least]) => `${format(most)} and ${format(Number(least.toFixed(4)))}`);
    return `${"AB"[i]}: step ${s.step} has the singular values ${short}, its gradient ${long}; loss in the end ${format(losses.at(-1))}.`;
  }),
}));
})();
