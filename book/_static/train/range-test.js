// What lrcourse.range_test reads off a loss at rising rates, restated: when to stop, and which rates it suggests.
(() => {
const lrcourse = (window.lrcourse ??= {});
const sum = (values) => values.reduce((a, b) => a + b, 0);

// The average that decides when to stop: how many losses count, and why no more ("diverged", "not finite" or undefined).
function climbed(losses, { smooth, stop }) {
  let [past, best] = [0, Infinity];
  for (let i = 0; i < losses.length; i++) {
    if (!Number.isFinite(losses[i])) return { count: i, stopped: "not finite" };
    past = smooth * past + (1 - smooth) * losses[i];
    const now = past / (1 - smooth ** (i + 1));
    if (now > best + (stop - 1) * Math.abs(best)) return { count: i + 1, stopped: "diverged" };
    best = Math.min(best, now);
  }
  return { count: losses.length };
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

const differences = (values) => values.slice(1).map((each, i) => each - values[i]);

// Height and slope of a line fitted to the points around each x, and the height's error for noise of 1.
function localLines(x, y, decades) {
  const width = Math.max(decades, 2 * median(differences(x)));
  return x.map((at) => {
    const near = x.map((each) => Math.exp(-(((at - each) / width) ** 2) / 2));
    const total = sum(near);
    const weights = near.map((each) => each / total);
    const center = sum(weights.map((each, i) => each * x[i]));
    const variance = sum(weights.map((each, i) => each * (x[i] - center) ** 2));
    const pull = weights.map((each, i) => (each * (x[i] - center)) / Math.max(variance, 2 ** -1022));
    const slope = sum(pull.map((each, i) => each * y[i]));
    return {
      x: at, slope, height: sum(weights.map((each, i) => each * y[i])) + slope * (at - center),
      error: Math.sqrt(sum(weights.map((each, i) => (each + pull[i] * (at - center)) ** 2))),
    };
  });
}

// The curve from its top down to its lowest point, or undefined where the fall may be noise.
function fall(x, losses, { fewest, edge, decades, noise_levels: levels }) {
  if (x.length < fewest) return undefined;
  const ceiling = Math.max(...losses.slice(0, Math.max(3, Math.floor(x.length / 10))));
  const margin = edge * (x.at(-1) - x[0]);
  const all = localLines(x, losses.map((each) => Math.min(each, ceiling)), decades);
  const inside = all.filter((each) => each.x > x[0] + margin && each.x < x.at(-1) - margin);
  const heights = inside.map((each) => each.height);
  const low = heights.indexOf(Math.min(...heights));
  const high = heights.indexOf(Math.max(...heights.slice(0, low + 1)));
  const down = inside.slice(high, low + 1);
  const wobble = 1.4826 * median(differences(differences(losses)).map(Math.abs)) / Math.sqrt(6);
  const noise = wobble * Math.hypot(inside[high].error, inside[low].error);
  return heights[high] - heights[low] <= levels * noise || Math.min(...down.map((each) => each.slope)) >= 0 ? undefined : down;
}

// Two thirds along the longest stretch that falls nearly as fast as the steepest place.
function valley(down, least) {
  const stretches = [];
  down.forEach(({ x, slope }, i) => {
    if (slope > least) return;
    if (i && down[i - 1].slope <= least) stretches.at(-1)[1] = x;
    else stretches.push([x, x]);
  });
  const lengths = stretches.map(([a, b]) => b - a);
  const [a, b] = stretches[lengths.indexOf(Math.max(...lengths))];
  return a + (2 / 3) * (b - a);
}

// The suggested rates, or undefined where the loss never clearly falls.
function suggested(rates, losses, limits) {
  const down = fall(rates.map(Math.log10), losses, limits);
  if (!down) return undefined;
  const slopes = down.map((each) => each.slope);
  const steepest = Math.min(...slopes);
  const at = { steepest: down[slopes.indexOf(steepest)].x, valley: valley(down, limits.steep * steepest), minimum: down.at(-1).x };
  return Object.fromEntries(Object.entries(at).map(([name, x]) => [name, 10 ** x]));
}

Object.assign(lrcourse, { climbed, suggested });
})();
