// What live figures about noise share: the noise itself, and what it leaves of a descent.
(() => {

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

Object.assign(window.lrcourse, { normals, meanLosses });
})();
