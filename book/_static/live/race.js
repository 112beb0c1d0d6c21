// A descent over weights of different curvature with noisy gradients, by one of the shared rules.
(() => {
const { normals, rules, memories } = window.lrcourse;

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

Object.assign(window.lrcourse, { race });
})();
