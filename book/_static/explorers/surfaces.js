// The surfaces of lrcourse.surfaces and the path of gradient descent with momentum over them, equal to 1e-9.
(() => {
const lrcourse = (window.lrcourse ??= {});
const TURN = 2 * Math.PI;

// `curvature`: the largest at the minimum, which decides what rate is stable there.
const kinds = {
  Bowl: ({ a, b }) => ({
    f: (x, y) => (a * x * x + b * y * y) / 2,
    gradient: (x, y) => [a * x, b * y],
    curvature: Math.max(a, b),
  }),
  Ravine: ({ steep, gentle }) => ({
    f: (x, y) => (steep / 2) * y * y + gentle * (Math.sqrt(1 + x * x) - 1),
    gradient: (x, y) => [(gentle * x) / Math.sqrt(1 + x * x), steep * y],
    curvature: Math.max(steep, gentle),
  }),
  Saddle: () => ({
    f: (x, y) => (x * x - y * y) / 2 + y ** 4 / 4,
    gradient: (x, y) => [x, y ** 3 - y],
    curvature: 2,
  }),
  Bumpy: ({ curvature: c, height: h }) => ({
    f: (x, y) => (c / 2) * (x * x + y * y) + h * (2 - Math.cos(TURN * x) - Math.cos(TURN * y)),
    gradient: (x, y) => [x, y].map((z) => c * z + h * TURN * Math.sin(TURN * z)),
    curvature: c + h * TURN * TURN,
  }),
};

const of = (plain) => kinds[plain.kind](plain);

// The points that SGD visits, the start included. PyTorch's convention; at a constant rate all conventions agree.
function descend(surface, { lr, momentum }, start, steps) {
  const path = [start];
  let [vx, vy] = [0, 0];
  for (let step = 0; step < steps; step++) {
    const [x, y] = path[step];
    const [gx, gy] = surface.gradient(x, y);
    [vx, vy] = [momentum * vx + gx, momentum * vy + gy];
    path.push([x - lr * vx, y - lr * vy]);
  }
  return path;
}

// The rate from which on a quadratic with that curvature diverges.
const threshold = (curvature, momentum = 0) => (2 * (1 + momentum)) / curvature;

lrcourse.surfaces = { of, descend, threshold };
})();
