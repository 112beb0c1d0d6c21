// The examples to learn from, the first weights and the order of the batches, as Python wrote them (book/_ext/train_data.py).
(() => {
const lrcourse = (window.lrcourse ??= {});
// Where the network of the moons is drawn: the middles of small rectangles, row by row from below.
const grid = { columns: 66, rows: 44, x: [-1.75, 2.75], y: [-1.25, 1.72] };
const LETTER = "a".charCodeAt(0); // a letter is the gray of a pixel, from a = 0 to q = 16

const numbers = (x) => (typeof x === "string" ? Float64Array.from(x, (letter) => (letter.charCodeAt(0) - LETTER) / 16) : Float64Array.from(x));
const read = ({ x, y }) => ({ x: numbers(x), y: Uint8Array.from(y) });

function examples({ sizes, start, orders, train, test }) {
  const n = orders[0].length;
  return {
    sizes, start: Float64Array.from(start), train: read(train), test: read(test),
    // Which examples update t sees: pass after pass over all of them, each in the next of the given orders.
    batch: (t, size) => Array.from({ length: size }, (_, i) => {
      const at = t * size + i;
      return orders[Math.floor(at / n) % orders.length][at % n];
    }),
  };
}

Object.assign(lrcourse, { examples, grid });
})();
