// What live figures about noise share: the noise itself, what it leaves of a descent, and the rules that meet it.
(() => {
const lrcourse = window.lrcourse;

// Normal numbers, the same for the same seed: pairs by Box and Muller from the generator mulberry32.
function normals(seed, n) {
  let state = seed * 0x9e3779b9 | 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
  return Array.from({ length: n }, () => [Math.sqrt(-2 * Math.log(uniform())), 2 * Math.PI * uniform()])
    .map(([r, angle]) => [r * Math.cos(angle), r * Math.sin(angle)]);
}

// The mean loss of noisy descents down a bowl of curvature 1, before each update and after the last: the square of the
// distance shrinks by (1 − η)² and grows by the noise.
function meanLosses(table, noise, start = 10) {
  let square = start ** 2;
  const losses = [square / 2];
  for (const rate of table) {
    square = (1 - rate) ** 2 * square + rate ** 2 * noise ** 2;
    losses.push(square / 2);
  }
  return losses;
}

// For a gradient g and what a weight remembers in s, at update t from 1: the step at a rate of 1, as in lrcourse.optimizers.
const rules = {
  SGD: (s, g) => g,
  momentum: (s, g, t, momentum = 0.9) => (s.m = momentum * s.m + g),
  RMSprop(s, g) {
    s.v = 0.99 * s.v + (1 - 0.99) * g * g;
    return g / (Math.sqrt(s.v) + 1e-8);
  },
  Adam(s, g, t) {
    s.m = 0.9 * s.m + (1 - 0.9) * g;
    s.v = 0.999 * s.v + (1 - 0.999) * g * g;
    return s.m / (1 - 0.9 ** t) / (Math.sqrt(s.v / (1 - 0.999 ** t)) + 1e-8);
  },
  Lion(s, g) {
    const step = Math.sign(0.9 * s.m + (1 - 0.9) * g);
    s.m = 0.99 * s.m + (1 - 0.99) * g;
    return step;
  },
};
const memories = (n) => Array.from({ length: n }, () => ({ m: 0, v: 0 }));

// The mean of c θ² / 2 over weights that start at 1, with curvatures c from 1 / `steep` to 1 and noise in each gradient.
const WEIGHTS = 10;
let blur = [];
function race(rule, table, { noise, steep, momentum }) {
  const n = table.length * WEIGHTS;
  if (blur.length < n) blur = normals(1, n / 2).flat();
  const curves = Array.from({ length: WEIGHTS }, (_, i) => steep ** (-i / (WEIGHTS - 1)));
  const weights = Array(WEIGHTS).fill(1);
  const [step, remembered] = [rules[rule], memories(WEIGHTS)];
  const loss = () => curves.reduce((sum, c, i) => sum + (c * weights[i] ** 2) / 2, 0) / WEIGHTS;
  const losses = [loss()];
  for (let t = 0; t < table.length; t++) {
    for (let i = 0; i < WEIGHTS; i++) {
      weights[i] -= table[t] * step(remembered[i], curves[i] * weights[i] + noise * blur[t * WEIGHTS + i], t + 1, momentum);
    }
    losses.push(loss());
  }
  return losses;
}

Object.assign(lrcourse, { normals, meanLosses, rules, memories, race });
})();
