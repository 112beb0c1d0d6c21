// Explorer 4: the recorded map of what trains, to pan and to zoom. The finest tile that covers a place is drawn there.
(() => {
const lrcourse = (window.lrcourse ??= {});
const { html, format, gestures, Plot, spoken, explorers } = lrcourse;
const DIVERGED = 40000; // see lrcourse/course/experiments/trainability.py
// cividis, in eight steps
const COLORS = ["#00224e", "#1a386f", "#434e6c", "#62656f", "#7f7c75", "#9f9571", "#c2b060", "#fee838"].map((hex) =>
  [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));

async function decoded({ name, results: tile }) {
  const packed = Uint8Array.from(atob(tile.codes), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const codes = new Uint16Array(await new Response(stream).arrayBuffer());
  const [x0, x1] = [Math.log10(tile["lr from"]), Math.log10(tile["lr to"])];
  const [y0, y1] = [tile["momentum from"], tile["momentum to"]];
  return { name, codes, n: tile.pixels, x0, x1, y0, y1, first: tile["first loss"], picture: painted(codes, tile) };
}

const fate = (code, first) => {
  if (code >= DIVERGED) return { step: code - DIVERGED };
  const loss = 10 ** (code / 1000 - 12);
  return { loss, trained: loss < first };
};

function painted(codes, { pixels: n, "first loss": first }) {
  const canvas = Object.assign(document.createElement("canvas"), { width: n, height: n });
  const context = canvas.getContext("2d");
  const image = context.createImageData(n, n);
  codes.forEach((code, i) => {
    const { loss, trained } = fate(code, first);
    const at = 4 * ((n - 1 - Math.floor(i / n)) * n + (i % n));
    if (trained) image.data.set([...color((Math.log10(loss / first) + 2.5) / 2.5), 255], at);
  });
  context.putImageData(image, 0, 0);
  return canvas;
}

function color(share) {
  const at = Math.min(Math.max(share, 0), 1) * (COLORS.length - 1);
  const i = Math.min(Math.floor(at), COLORS.length - 2);
  return COLORS[i].map((a, k) => a + (COLORS[i + 1][k] - a) * (at - i));
}

explorers("trainability", async (host) => {
  const tiles = await Promise.all(lrcourse.records.trainability.runs.map(decoded));
  const [whole] = tiles;
  let view = { ...whole };
  let mark = [(whole.x0 + whole.x1) / 2, 0.4];
  const button = (sign, label, act) => html("button", { type: "button", "aria-label": label, onclick: act }, sign);
  const pan = (dx, dy) => () => moved(view.x0 + dx * width(), view.y0 + dy * height(), width(), height());
  const width = () => view.x1 - view.x0;
  const height = () => view.y1 - view.y0;
  const canvas = html("canvas", { class: "map-pixels", "aria-hidden": "true" });
  const picture = html("div", { class: "map" }, canvas);
  const readout = html("p", { class: "readout" });
  host.append(
    html("div", { class: "play-row" },
      button("+", "+ zoom in", () => zoom(0.5, mark)), button("−", "− zoom out", () => zoom(2, mark)),
      button("←", "← pan left", pan(-0.25, 0)), button("→", "→ pan right", pan(0.25, 0)),
      button("↓", "↓ pan down", pan(0, -0.25)), button("↑", "↑ pan up", pan(0, 0.25)),
      ...tiles.map((tile) => html("button", { type: "button", onclick: () => show(tile) }, tile.name))),
    picture,
    html("p", { class: "legend" },
      html("span", {}, html("i", { class: "bar" }), "loss at the end: 1/300 of the first … as high as the first"),
      html("span", {}, html("i", { class: "hatched" }), "does not train")),
    readout);
  const say = spoken(host);
  const plot = new Plot(picture, {
    label: "Map of rates and momenta. Arrow keys move the mark, plus and minus zoom at it.", ratio: 0.72, least: 260, most: 520 });
  const place = plot.handle("Rate and momentum", (x, y) => { mark = [Math.log10(x), y]; update(); }, {});

  function show(tile) {
    view = { x0: tile.x0, x1: tile.x1, y0: tile.y0, y1: tile.y1 };
    mark = [(view.x0 + view.x1) / 2, (view.y0 + view.y1) / 2];
    update();
  }

  // A view of that size, kept within the record; the mark stays where it is, or comes along.
  function moved(x0, y0, w, h) {
    [w, h] = [Math.min(w, whole.x1 - whole.x0), Math.min(h, whole.y1 - whole.y0)];
    x0 = Math.min(Math.max(x0, whole.x0), whole.x1 - w);
    y0 = Math.min(Math.max(y0, whole.y0), whole.y1 - h);
    view = { x0, y0, x1: x0 + w, y1: y0 + h };
    mark = [Math.min(Math.max(mark[0], x0), view.x1), Math.min(Math.max(mark[1], y0), view.y1)];
    update();
  }

  function zoom(by, [x, y]) {
    if (by < 1 && width() < 0.001) return;
    moved(x - (x - view.x0) * by, y - (y - view.y0) * by, width() * by, height() * by);
  }

  function update() {
    plot.draw((p) => {
      p.axes({ low: 10 ** view.x0, high: 10 ** view.x1, log: true, label: "learning rate" },
        { low: view.y0, high: view.y1, label: "momentum" });
      paint(p);
      for (const tile of tiles.slice(1)) frame(p, tile);
      place(10 ** mark[0], mark[1], text());
    });
    readout.textContent = text();
    say(text());
  }

  function paint({ box: { left, right, top, bottom } }) {
    const ratio = devicePixelRatio || 1;
    const [w, h] = [right - left, bottom - top];
    Object.assign(canvas.style, { left: `${left}px`, top: `${top}px`, width: `${w}px`, height: `${h}px` });
    Object.assign(canvas, { width: w * ratio, height: h * ratio });
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    for (const { x0, x1, y0, y1, picture: image } of tiles) {
      const x = ((x0 - view.x0) / width()) * canvas.width;
      const y = ((view.y1 - y1) / height()) * canvas.height;
      const size = [((x1 - x0) / width()) * canvas.width, ((y1 - y0) / height()) * canvas.height];
      context.clearRect(x, y, ...size);
      context.drawImage(image, x, y, ...size);
    }
  }

  function frame(p, tile) {
    const [x, y] = [p.x.to(10 ** tile.x0), p.y.to(tile.y1)];
    p.add("rect", { x, y, width: p.x.to(10 ** tile.x1) - x, height: p.y.to(tile.y0) - y, class: "frame" });
  }

  function text() {
    const [x, y] = mark;
    const tile = tiles.findLast((each) => x >= each.x0 && x <= each.x1 && y >= each.y0 && y <= each.y1);
    const cell = (v, low, high) => Math.round(((v - low) / (high - low)) * (tile.n - 1));
    const [i, j] = [cell(x, tile.x0, tile.x1), cell(y, tile.y0, tile.y1)];
    const at = (k, low, high) => low + ((high - low) * k) / (tile.n - 1);
    const { loss, trained, step } = fate(tile.codes[j * tile.n + i], tile.first);
    const ending = step !== undefined ? `diverged at step ${step}`
      : `${trained ? "trained" : "did not train"}: loss at the end ${format(loss)}, at first ${format(tile.first)}`;
    return `Rate ${format(10 ** at(i, tile.x0, tile.x1), 5)}, momentum ${format(at(j, tile.y0, tile.y1), 4)}: ${ending}. (Recorded: ${tile.name}.)`;
  }

  steer();
  update();

  // Drag to pan, wheel or two fingers to zoom, a click or a tap to read; keys + and − zoom as well.
  function steer() {
    const data = (event) => {
      const box = plot.root.getBoundingClientRect();
      return [Math.log10(plot.x.back(event.clientX - box.left)), plot.y.back(event.clientY - box.top)];
    };
    let held;
    plot.root.classList.add("grip");
    gestures(plot.root, {
      begin(event) { held = data(event); },
      drag(event) {
        const [x, y] = data(event);
        moved(view.x0 + held[0] - x, view.y0 + held[1] - y, width(), height());
      },
      tap(event) {
        mark = data(event);
        moved(view.x0, view.y0, width(), height());
      },
    });
    const fingers = new Map();
    const spread = () => {
      const [a, b] = [...fingers.values()];
      return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
    };
    plot.root.addEventListener("pointerdown", (event) => fingers.set(event.pointerId, event));
    plot.root.addEventListener("pointermove", (event) => {
      if (!fingers.has(event.pointerId)) return;
      const before = fingers.size === 2 && spread();
      fingers.set(event.pointerId, event);
      if (before) zoom(before / spread(), data(event));
    });
    plot.root.addEventListener("lostpointercapture", (event) => fingers.delete(event.pointerId));
    plot.root.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && document.activeElement?.closest("figure") !== plot.root.closest("figure")) return;
      event.preventDefault();
      zoom(event.deltaY < 0 ? 0.8 : 1.25, data(event));
    }, { passive: false });
    plot.root.addEventListener("keydown", ({ key }) => {
      if (key === "+" || key === "=") zoom(0.5, mark);
      if (key === "-") zoom(2, mark);
    });
  }
});
})();
