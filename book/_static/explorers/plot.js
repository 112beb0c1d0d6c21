// Small plots in SVG, drawn anew at each change: axes with ticks, lines, areas, and handles to drag or move by keys.
(() => {
const lrcourse = (window.lrcourse ??= {});
const MARGIN = { left: 62, right: 18, top: 12, bottom: 42 };

function make(namespace) {
  return (name, attributes = {}, ...children) => {
    const node = document.createElementNS(namespace, name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else if (value !== undefined) node.setAttribute(key, value);
    }
    node.append(...children);
    return node;
  };
}
const html = make("http://www.w3.org/1999/xhtml");
const svg = make("http://www.w3.org/2000/svg");

// A number in at most `digits` digits, as one would write it.
function format(value, digits = 3) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "not a number" : value > 0 ? "∞" : "−∞";
  const rounded = Number(value.toPrecision(digits));
  const text = rounded !== 0 && (Math.abs(rounded) < 1e-4 || Math.abs(rounded) >= 1e6)
    ? rounded.toExponential().replace("e+", "e") : String(rounded);
  return text.replace("-", "−");
}

// A map between data and pixels. `log`: by powers of ten.
function scale({ low, high, log = false }, from, to) {
  const f = log ? Math.log10 : (v) => v;
  const back = log ? (v) => 10 ** v : (v) => v;
  const [a, b] = [f(low), f(high)];
  return {
    low, high, log,
    to: (v) => from + ((f(v) - a) / (b - a)) * (to - from),
    back: (p) => back(a + ((p - from) / (to - from)) * (b - a)),
  };
}

function ticks({ low, high, log }, most) {
  if (!log || high / low < 20) {
    const rough = (high - low) / most;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((k) => k * power).find((each) => each >= rough);
    const first = Math.ceil(low / step - 1e-9);
    return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
  }
  const [a, b] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const every = Math.max(1, Math.ceil((b - a + 1) / most));
  return Array.from({ length: Math.floor((b - a) / every) + 1 }, (_, i) => Number(`1e${a + i * every}`));
}

// Tells a tap from a drag, and both from a finger that scrolls the page: a press alone does nothing. A finger that sets
// out upwards or downwards is the page's, as the style sheet says (`touch-action: pan-y`); one that sets out sideways drags.
const STRAY = 8; // pixels that a tap may stray
// `free`: a finger drags whichever way it sets out, where the style sheet leaves it all of them.
function gestures(node, { draggable = () => true, free = false, begin, drag, tap }) {
  let press, dragging;
  node.addEventListener("pointerdown", (event) => {
    press = press || event.button !== 0 ? undefined : event; // a second finger ends what the first began
    dragging = false;
    node.setPointerCapture(event.pointerId);
    event.stopPropagation(); // a handle lies on a picture that may be gripped as well
  });
  node.addEventListener("pointermove", (event) => {
    if (event.pointerId !== press?.pointerId) return;
    const [dx, dy] = [event.clientX - press.clientX, event.clientY - press.clientY].map(Math.abs);
    if (!dragging && Math.max(dx, dy) > STRAY) {
      dragging = draggable(press) && (free || event.pointerType === "mouse" || dx > dy);
      if (dragging) begin(press);
      else press = undefined;
    }
    if (dragging) drag(event);
  });
  node.addEventListener("pointerup", (event) => event.pointerId === press?.pointerId && !dragging && tap(event));
  node.addEventListener("lostpointercapture", () => { press = undefined; });
}

class Plot {
  // `host`: the element to draw into. `ratio`: height per width, between the heights `least` and `most`.
  constructor(host, { label, ratio = 0.5, least = 220, most = 380 }) {
    Object.assign(this, { ratio, least, most });
    this.layer = svg("g", { "aria-hidden": "true" });
    this.handles = svg("g");
    this.root = svg("svg", { class: "plot", role: "group", "aria-label": label }, this.layer, this.handles);
    this.clip = `clip-${(Plot.count = (Plot.count ?? 0) + 1)}`;
    host.append(this.root);
    new ResizeObserver(() => this.root.clientWidth !== this.width && this.redraw()).observe(this.root);
  }

  draw(picture) {
    this.picture = picture;
    this.redraw();
  }

  redraw() {
    this.width = this.root.clientWidth;
    if (!this.picture || !this.width) return;
    this.height = Math.min(Math.max(this.width * this.ratio, this.least), this.most);
    this.root.setAttribute("height", this.height);
    this.layer.replaceChildren();
    this.picture(this);
  }

  add(name, attributes, ...children) {
    const node = svg(name, attributes, ...children);
    (this.inside ?? this.layer).append(node);
    return node;
  }

  axes(x, y) {
    const box = [MARGIN.left, this.width - MARGIN.right, MARGIN.top, this.height - MARGIN.bottom];
    const [left, right, top, bottom] = box;
    this.inside = undefined;
    this.x = scale(x, left, right);
    this.y = scale(y, bottom, top);
    this.box = { left, right, top, bottom };
    for (const value of ticks(x, (right - left) / 75)) {
      const at = this.x.to(value);
      this.add("line", { x1: at, x2: at, y1: top, y2: bottom, class: "grid" });
      this.add("text", { x: at, y: bottom + 18, "text-anchor": "middle" }, format(value, 6));
    }
    for (const value of ticks(y, (bottom - top) / 45)) {
      const at = this.y.to(value);
      this.add("line", { x1: left, x2: right, y1: at, y2: at, class: "grid" });
      this.add("text", { x: left - 7, y: at + 4, "text-anchor": "end" }, format(value, 6));
    }
    this.add("text", { x: (left + right) / 2, y: this.height - 6, "text-anchor": "middle", class: "label" }, x.label);
    this.add("text", { transform: `translate(14 ${(top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle", class: "label" }, y.label);
    this.add("path", { d: `M${left} ${top}V${bottom}H${right}`, class: "axis" });
    const cut = svg("clipPath", { id: this.clip }, svg("rect", { x: left, y: top, width: right - left, height: bottom - top }));
    this.inside = svg("g", { "clip-path": `url(#${this.clip})` });
    this.layer.append(cut, this.inside);
  }

  // Pixels of a point of the data, kept near the picture: a path that diverges leaves any screen.
  at([x, y]) {
    const near = (p) => Math.min(Math.max(p, -9999), 9999).toFixed(1);
    return `${near(this.x.to(x))} ${near(this.y.to(y))}`;
  }

  line(points, look) {
    let pen = "M";
    let d = "";
    for (const point of points) {
      const seen = point.every(Number.isFinite) && (!this.y.log || point[1] > 0);
      d += seen ? pen + this.at(point) : "";
      pen = seen ? "L" : "M";
    }
    return this.add("path", { d, class: look });
  }

  area(points, look) {
    const base = this.box.bottom;
    const [first, last] = [points[0], points.at(-1)].map(([x]) => this.x.to(x));
    const tops = points.map(([x, y]) => (this.y.log && !(y > 0) ? `${this.x.to(x)} ${base}` : this.at([x, y])));
    this.add("path", { d: `M${first} ${base}L${tops.join("L")}L${last} ${base}Z`, class: look });
  }

  dot([x, y], look, radius = 4) {
    this.add("circle", { cx: this.x.to(x), cy: this.y.to(y), r: radius, class: look });
  }

  upright(x, look) {
    const at = this.x.to(x);
    this.add("line", { x1: at, x2: at, y1: this.box.top, y2: this.box.bottom, class: look });
  }

  text([x, y], text, attributes = {}) {
    this.add("text", { x: this.x.to(x), y: this.y.to(y), ...attributes }, text);
  }

  // A point to drag, or to move with the arrow keys (Shift: by less). `place(x, y)` is told where to, in data.
  // `anywhere`: a click on the picture places it as well. `upright`: it moves along x alone. `free`: a finger that lies on
  // it never scrolls the page.
  handle(label, place, { anywhere = false, upright = false, free = false } = {}) {
    const knob = svg("g", { class: free ? "handle free" : "handle", tabindex: 0, role: "slider", "aria-label": label, "aria-valuenow": 0 },
      svg("line", { class: "stem" }), svg("circle", { r: 16, class: "target" }), svg("circle", { r: 7, class: "knob" }));
    this.handles.append(knob);
    const move = (px, py) => {
      const { left, right, top, bottom } = this.box;
      place(this.x.back(Math.min(Math.max(px, left), right)), this.y.back(Math.min(Math.max(py, top), bottom)));
    };
    const drag = (event) => {
      const box = this.root.getBoundingClientRect();
      move(event.clientX - box.left, event.clientY - box.top);
    };
    const begin = () => knob.focus({ preventScroll: true });
    const tap = (event) => { begin(); drag(event); };
    gestures(knob, { free, begin, drag, tap });
    if (anywhere) {
      this.root.classList.add(upright ? "grip-along" : "grip");
      gestures(this.root, { draggable: (event) => event.pointerType === "mouse", begin, drag, tap }); // a finger drags the handle alone
    }
    knob.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 1 : 8;
      const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
      if (!by) return;
      event.preventDefault();
      move(knob.px + by[0], knob.py + by[1]);
    });
    // Shows the handle at a point of the data; `text` is what a screen reader says of it.
    return (x, y, text) => {
      [knob.px, knob.py] = [this.x.to(x), this.y.to(y)];
      knob.setAttribute("transform", `translate(${knob.px} ${knob.py})`);
      if (upright) {
        knob.firstChild.setAttribute("y1", this.box.top - knob.py);
        knob.firstChild.setAttribute("y2", this.box.bottom - knob.py);
      }
      knob.setAttribute("aria-valuenow", Number(x.toPrecision(6)));
      knob.setAttribute("aria-valuemin", this.x.low);
      knob.setAttribute("aria-valuemax", this.x.high);
      knob.setAttribute("aria-valuetext", text);
    };
  }
}

// Level lines of f over a plot's rectangle, evenly spaced in the logarithm of the height: one path by marching squares.
function contours(plot, f, levels = 14, [nx, ny] = [90, 70]) {
  const { x, y } = plot;
  const [xs, ys] = [[x, nx], [y, ny]].map(([s, n]) => Array.from({ length: n + 1 }, (_, i) => s.low + ((s.high - s.low) * i) / n));
  const z = ys.map((v) => xs.map((u) => f(u, v)));
  const flat = z.flat();
  const [low, high] = [Math.min(...flat), Math.max(...flat)];
  let d = "";
  for (let k = 0; k < levels; k++) {
    const level = low + (high - low) * 10 ** (-3 + (3 * k) / (levels - 1));
    for (let j = 0; j < ny; j++) {
      for (let i = 0; i < nx; i++) {
        const corners = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]];
        const cuts = [];
        for (let e = 0; e < 4; e++) {
          const [[ia, ja], [ib, jb]] = [corners[e], corners[(e + 1) % 4]];
          const [za, zb] = [z[ja][ia], z[jb][ib]];
          if (za < level === zb < level) continue;
          const share = (level - za) / (zb - za);
          cuts.push(plot.at([xs[ia] + share * (xs[ib] - xs[ia]), ys[ja] + share * (ys[jb] - ys[ja])]));
        }
        for (let e = 0; e + 1 < cuts.length; e += 2) d += `M${cuts[e]}L${cuts[e + 1]}`;
      }
    }
  }
  return d;
}

Object.assign(lrcourse, { html, svg, format, gestures, Plot, contours });
})();
