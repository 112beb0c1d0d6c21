// Explorer 2: gradient descent with momentum on four surfaces, its loss, and the border of what is stable.
(() => {
const lrcourse = (window.lrcourse ??= {});
const { html, format, Plot, contours, slider, choice, spoken, explorers, surfaces } = lrcourse;

// `steepest`: the curvature 1/L is drawn for, and whether it is exact everywhere or holds at the minimum alone.
const SURFACES = {
  bowl: { plain: { kind: "Bowl", a: 1, b: 10 }, x: [-2.2, 2.2], y: [-1.4, 1.4], start: [-1.8, 1], lr: 0.05, most: 0.5, exact: true },
  ravine: { plain: { kind: "Ravine", steep: 20, gentle: 0.1 }, x: [-6, 2], y: [-1, 1], start: [-5, 0.6], lr: 0.08, most: 0.25, exact: true },
  saddle: { plain: { kind: "Saddle" }, x: [-1.8, 1.8], y: [-1.7, 1.7], start: [-1.5, 0.02], lr: 0.2, most: 2.5 },
  bumpy: { plain: { kind: "Bumpy", curvature: 0.4, height: 0.3 }, x: [-2.7, 2.7], y: [-2, 2], start: [2.2, 1.4], lr: 0.03, most: 0.4 },
};
// Within a pixel of an axis means on it: a start on the saddle's ridge is a case of its own.
const snapped = (value, scale) => (Math.abs(scale.to(value) - scale.to(0)) < 0.75 ? 0 : value);
const still = matchMedia("(prefers-reduced-motion: reduce)");

explorers("descent", (host) => {
  const where = choice({ name: "surface", label: "Surface", value: "ravine", options: Object.keys(SURFACES) }, reset);
  const lr = slider({ name: "lr", label: "learning rate η", value: 0.08, min: 0, max: 2.5, step: 0.001 }, update);
  const momentum = slider({ name: "momentum", label: "momentum μ", value: 0, min: 0, max: 0.99, step: 0.01 }, update);
  const steps = slider({ name: "steps", label: "steps", value: 60, min: 1, max: 300, step: 1 }, update);
  const play = html("button", { type: "button", class: "play", onclick: run }, "Play step by step");
  const [map, loss, plane] = [0, 1, 2].map(() => html("div"));
  const readout = html("p", { class: "readout" });
  host.append(
    html("div", { class: "fields" }, where.node, lr.node, momentum.node, steps.node),
    html("div", { class: "play-row" }, play), map, html("div", { class: "pair" }, loss, plane), readout);
  const say = spoken(host);

  const view = new Plot(map, { label: "The surface as level lines, with the path. Drag the start, or move it with the arrow keys.", ratio: 0.5, most: 420 });
  const curve = new Plot(loss, { label: "Loss after each step", ratio: 0.7 });
  const border = new Plot(plane, { label: "Stable and unstable pairs of rate and momentum. Drag the point, or move it with the arrow keys.", ratio: 0.7 });
  let start;
  const begin = view.handle("Start", (x, y) => { start = [snapped(x, view.x), snapped(y, view.y)]; update(); }, { anywhere: true });
  const point = border.handle("Rate and momentum", (x, y) => {
    lr.value = Number(x.toPrecision(3));
    momentum.value = Number(Math.min(Math.max(y, 0), 0.99).toFixed(2));
    update();
  }, { anywhere: true });
  let levels; // the level lines as a path, and what they were drawn for

  function reset() {
    const { lr: rate, start: from } = SURFACES[where.value];
    [start, lr.value, momentum.value] = [from, rate, 0];
    update();
  }

  function update() {
    if (![lr, momentum, steps].every((field) => field.valid)) return;
    stop();
    show(steps.value);
  }

  function show(n) {
    const at = SURFACES[where.value];
    const surface = surfaces.of(at.plain);
    const path = surfaces.descend(surface, { lr: lr.value, momentum: momentum.value }, start, n);
    const losses = path.map(([x, y]) => surface.f(x, y));
    view.draw((p) => drawMap(p, at, surface, path));
    curve.draw((p) => drawLoss(p, losses));
    border.draw((p) => drawBorder(p, at, surface));
    if (n === steps.value) describe(at, surface, path, losses);
  }

  function drawMap(p, at, surface, path) {
    const [[x0, x1], [y0, y1]] = [at.x, at.y];
    p.axes({ low: x0, high: x1, label: "x" }, { low: y0, high: y1, label: "y" });
    const key = `${where.value} ${p.width}`;
    if (levels?.key !== key) levels = { key, d: contours(p, surface.f) };
    p.add("path", { d: levels.d, class: "level" });
    p.line(path, "line line-1 thin");
    for (const each of path.slice(1)) if (each.every(Number.isFinite) && Math.hypot(...each) < 50) p.dot(each, "dot-1", 2.6);
    if (path.at(-1).every((v) => Math.abs(v) < 50)) p.dot(path.at(-1), "end", 5);
    begin(...start, `start at x ${format(start[0])}, y ${format(start[1])}`);
  }

  function drawLoss(p, losses) {
    const lowest = Math.min(...losses.filter(Number.isFinite));
    const shift = lowest < 0 ? 0.25 : 0; // the saddle's minima lie at −1/4
    const heights = losses.map((each) => each + shift).map((each) => (Number.isFinite(each) ? Math.max(each, 1e-8) : NaN));
    const seen = heights.filter((each) => Number.isFinite(each) && each < 1e6);
    const [low, high] = [Math.max(Math.min(...seen), 1e-8), Math.max(...seen)];
    p.axes({ low: 0, high: steps.value, label: "step" },
      { low: low / 2, high: Math.max(high * 2, low * 40), log: true, label: shift ? "loss + 1/4" : "loss" });
    p.line(heights.map((each, step) => [step, each]), "line line-0");
  }

  function drawBorder(p, at, surface) {
    const limit = (mu) => surfaces.threshold(surface.curvature, mu);
    p.axes({ low: 0, high: at.most, label: "learning rate" }, { low: 0, high: 1, label: "momentum" });
    p.add("path", { class: "stable", d: `M${p.at([0, 0])}L${p.at([limit(0), 0])}L${p.at([limit(1), 1])}L${p.at([0, 1])}Z` });
    p.line([[limit(0), 0], [limit(1), 1]], "line line-2");
    p.text([limit(0), 0], `2/L = ${format(limit(0))}`, { dx: 6, dy: -8, class: "tag" });
    p.text([limit(1), 1], "2(1 + μ)/L", { dx: -6, dy: 16, "text-anchor": "end", class: "tag" });
    p.text([0, 0.5], at.exact ? "stable" : "stable near a minimum", { dx: 10, class: "tag" });
    point(Math.min(lr.value, at.most), momentum.value, `rate ${format(lr.value)}, momentum ${format(momentum.value, 2)}`);
  }

  function describe(at, surface, path, losses) {
    const limit = surfaces.threshold(surface.curvature, momentum.value);
    const [x, y] = path.at(-1);
    const fate = Number.isFinite(losses.at(-1)) && Math.abs(losses.at(-1)) < 1e6
      ? `After ${steps.value} steps: x ${format(x)}, y ${format(y)}, loss ${format(losses.at(-1), 4)}.`
      : `It diverges: after ${losses.findIndex((each) => !(Math.abs(each) < 1e6))} steps the loss is above a million.`;
    const place = at.exact ? "" : " near a minimum";
    const side = lr.value < limit ? "below" : lr.value === limit ? "at" : "above";
    const text = `${fate} The rate ${format(lr.value)} is ${side} the border 2(1\u00a0+\u00a0μ)/L = ${format(limit)}${place}.`;
    readout.textContent = text;
    say(text);
  }

  let frame;
  function stop() {
    cancelAnimationFrame(frame);
    frame = undefined;
    play.textContent = "Play step by step";
  }

  function run() {
    if (frame) return update();
    if (still.matches) return update(); // the whole path at once
    play.textContent = "Show the whole path";
    const began = performance.now();
    const tick = (now) => {
      const n = Math.floor((now - began) / 90);
      if (n >= steps.value) return update();
      show(n);
      frame = requestAnimationFrame(tick);
    };
    frame = requestAnimationFrame(tick);
  }

  reset();
});
})();
