// A run: weights that learn batch by batch, by an optimizer, at the rates of a schedule.
(() => {
const lrcourse = (window.lrcourse ??= {});
const { network, rules, memories, schedules } = lrcourse;

// The shared update rules; AdamW is Adam's beside a shrinkage of all weights, with the package's default.
const METHODS = {
  ...Object.fromEntries(Object.keys(rules).map((rule) => [rule, { rule, decay: 0 }])),
  AdamW: { rule: "Adam", decay: 0.01 },
};

function training(examples, { method, plain, activation, batch }) {
  const { rule, decay } = METHODS[method];
  const step = rules[rule];
  const net = network(examples.sizes, activation);
  const w = Float64Array.from(examples.start);
  const g = new Float64Array(w.length);
  const remembered = memories(w.length);
  let t = 0;
  let rate = schedules.of(plain);
  return {
    net, w,
    follow(other) { rate = schedules.of(other); }, // from the next update on
    // One update: the loss before it, and the rate that it used.
    update() {
      const lr = rate(t);
      const loss = net.gradient(w, examples.train, examples.batch(t, batch), g);
      t += 1;
      for (let i = 0; i < w.length; i++) {
        w[i] -= lr * decay * w[i];
        w[i] -= lr * step(remembered[i], g[i], t);
      }
      return [loss, lr];
    },
  };
}

Object.assign(lrcourse, { training });
})();
