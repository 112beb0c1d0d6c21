// A network of fully connected layers, its loss and its gradient, written out. All parameters lie in one array: for each
// layer its weights, a row for each unit, then its biases.
(() => {
const lrcourse = (window.lrcourse ??= {});

// `slope`: the derivative, from the value.
const ACTIVATIONS = {
  tanh: { of: Math.tanh, slope: (a) => 1 - a * a },
  ReLU: { of: (z) => Math.max(z, 0), slope: (a) => (a > 0 ? 1 : 0) },
};

function placed(sizes) {
  let end = 0;
  return sizes.slice(1).map((units, i) => {
    const layer = { inputs: sizes[i], units, weights: end, biases: end + sizes[i] * units };
    end = layer.biases + units;
    return layer;
  });
}

function network(sizes, activation) {
  const { of, slope } = ACTIVATIONS[activation];
  const layers = placed(sizes);
  const last = layers.length - 1;
  const values = sizes.map((n) => new Float64Array(n)); // what each layer gives for the example at hand
  const errors = sizes.map((n) => new Float64Array(n)); // the derivative of its loss by what each layer sums up

  // The logits of example `at`.
  function forward(w, x, at) {
    values[0].set(x.subarray(at * sizes[0], (at + 1) * sizes[0]));
    for (let l = 0; l <= last; l++) {
      const { inputs, units, weights, biases } = layers[l];
      const [from, to] = [values[l], values[l + 1]];
      for (let u = 0; u < units; u++) {
        let z = w[biases + u];
        const row = weights + u * inputs;
        for (let i = 0; i < inputs; i++) z += w[row + i] * from[i];
        to[u] = l < last ? of(z) : z;
      }
    }
    return values[last + 1];
  }

  // Makes probabilities of logits, in place; the cross-entropy of the right class.
  function softmax(logits, label) {
    const most = Math.max(...logits); // else exp overflows
    let sum = 0;
    for (const z of logits) sum += Math.exp(z - most);
    const loss = Math.log(sum) - (logits[label] - most);
    for (let c = 0; c < logits.length; c++) logits[c] = Math.exp(logits[c] - most) / sum;
    return loss;
  }

  function backward(w, g, share) {
    for (let l = last; l >= 0; l--) {
      const { inputs, units, weights, biases } = layers[l];
      const [from, below] = [values[l], errors[l].fill(0)];
      for (let u = 0; u < units; u++) {
        const error = errors[l + 1][u];
        const row = weights + u * inputs;
        g[biases + u] += error * share;
        for (let i = 0; i < inputs; i++) {
          g[row + i] += error * from[i] * share;
          below[i] += error * w[row + i];
        }
      }
      if (l > 0) for (let i = 0; i < inputs; i++) below[i] *= slope(from[i]); // the examples themselves have none
    }
  }

  return {
    layers,
    // The mean cross-entropy of some examples, with its gradient in `g`.
    gradient(w, { x, y }, batch, g) {
      let loss = 0;
      g.fill(0);
      for (const at of batch) {
        const output = forward(w, x, at);
        loss += softmax(output, y[at]);
        errors[last + 1].set(output);
        errors[last + 1][y[at]] -= 1;
        backward(w, g, 1 / batch.length);
      }
      return loss / batch.length;
    },
    // The probability of one class for each of `n` examples.
    probabilities(w, x, n, label) {
      return Float32Array.from({ length: n }, (_, at) => {
        const output = forward(w, x, at);
        softmax(output, label);
        return output[label];
      });
    },
    // Mean loss and share of right answers.
    judge(w, { x, y }) {
      let [loss, right] = [0, 0];
      for (let at = 0; at < y.length; at++) {
        const output = forward(w, x, at);
        right += output.indexOf(Math.max(...output)) === y[at];
        loss += softmax(output, y[at]);
      }
      return { loss: loss / y.length, accuracy: right / y.length };
    },
  };
}

Object.assign(lrcourse, { network });
})();
