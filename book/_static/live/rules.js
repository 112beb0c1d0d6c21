// The update rules that live figures share.
(() => {
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

Object.assign(window.lrcourse, { rules, memories });
})();
