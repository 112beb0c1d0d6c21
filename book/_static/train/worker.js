// The training side of the page: it answers each message with what happened since. It runs in a worker or, where the
// browser allows none, in the page; either way it trains only when it is asked to, and no longer than it may.
(() => {
const lrcourse = (window.lrcourse ??= {});
const { examples, training, grid } = lrcourse;

function middles() {
  const between = ([low, high], i, n) => low + ((high - low) * (i + 0.5)) / n;
  const { columns, rows, x, y } = grid;
  return Float64Array.from({ length: 2 * columns * rows }, (_, i) => {
    const at = i >> 1;
    return i % 2 ? between(y, Math.floor(at / columns), rows) : between(x, at % columns, columns);
  });
}

function trainer(tasks) {
  const read = {};
  let plane, runs, data, t, steps;

  // What may be drawn of a network: for the moons the probability of the second one, all over the plane; for the digits
  // the weights of the first layer.
  function picture({ net, w }) {
    if (data.sizes[0] > 2) return Float32Array.from(w.subarray(0, net.layers[0].biases));
    plane ??= middles();
    return net.probabilities(w, plane, plane.length / 2, 1);
  }

  // Trains all runs side by side for at most `n` updates and `most` milliseconds.
  function advance(n, most) {
    const ends = Math.min(t + n, steps);
    const until = performance.now() + most;
    const done = runs.map(() => ({ losses: [], rates: [] }));
    while (t < ends && performance.now() < until) {
      runs.forEach((run, i) => {
        const [loss, lr] = run.update();
        done[i].losses.push(loss);
        done[i].rates.push(lr);
      });
      t += 1;
    }
    return done;
  }

  return ({ begin, plains, n = 0, most = 0, look = true }) => {
    if (begin) {
      data = read[begin.data] ??= examples(tasks[begin.data]);
      [t, steps] = [0, begin.steps];
      runs = begin.runs.map((run) => training(data, { ...begin, ...run }));
    }
    plains?.forEach((plain, i) => runs[i].follow(plain));
    const done = advance(n, most);
    return { t, runs: runs.map((run, i) => ({ ...done[i], ...(look && { judged: run.net.judge(run.w, data.test), picture: picture(run) }) })) };
  };
}

Object.assign(lrcourse, { trainer });
if (typeof document === "undefined") {
  let answer;
  onmessage = ({ data }) => {
    const reply = answer?.(data);
    answer ??= trainer(data); // the first message holds the examples
    postMessage(reply);
  };
}
})();
