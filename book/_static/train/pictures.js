// What a network has learned, as a picture: for two moons its answer all over the plane, for digits the weights of the
// first layer.
(() => {
const lrcourse = window.lrcourse;
const { html, grid } = lrcourse;
const [BLUE, ORANGE, MIDDLE] = [[0, 114, 178], [213, 94, 0], 250]; // light in both themes: both are to be seen on it
const TILES = { columns: 6, rows: 4, side: 8, gap: 1 };
const SHADES = 256;
const SAID = {
  moons: "The plane, colored by the probability of each class, and the points to learn from.",
  digits: "The 64 weights of each of the 24 units of the first layer, negative in blue, positive in orange.",
};

// From blue over white to orange.
const palette = Array.from({ length: SHADES }, (_, i) => {
  const share = (2 * i) / (SHADES - 1) - 1;
  return [...(share < 0 ? BLUE : ORANGE).map((channel) => MIDDLE + (channel - MIDDLE) * Math.abs(share)), 255];
});

// An image, a pixel for each value from 0 to 1.
function shaded(width, height, value) {
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    const share = value(i % width, Math.floor(i / width));
    image.data.set(palette[Math.round(share * (SHADES - 1))] ?? palette[0], 4 * i);
  }
  return image;
}

function enlarged(context, image, smooth) {
  const small = new OffscreenCanvas(image.width, image.height);
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = smooth;
  context.drawImage(small, 0, 0, context.canvas.width, context.canvas.height);
}

function moons(context, chances, { x, y }) {
  const { columns, rows } = grid;
  enlarged(context, shaded(columns, rows, (i, j) => 0.15 + 0.7 * chances[(rows - 1 - j) * columns + i]), true);
  const { width, height } = context.canvas;
  const share = (value, [low, high]) => (value - low) / (high - low);
  context.strokeStyle = "#fff";
  y.forEach((label, i) => {
    const [across, up] = [width * share(x[2 * i], grid.x), height * (1 - share(x[2 * i + 1], grid.y))];
    context.beginPath();
    if (label) context.arc(across, up, 5.5, 0, 2 * Math.PI);
    else context.rect(across - 4.5, up - 4.5, 9, 9);
    context.fillStyle = `rgb(${label ? ORANGE : BLUE})`;
    context.fill();
    context.stroke();
  });
}

// A tile for each unit, every weight a pixel, the largest of all in full color.
function digits(context, weights) {
  const { columns, rows, side, gap } = TILES;
  const most = weights.reduce((high, each) => Math.max(high, Math.abs(each)), 1e-9);
  const [width, height] = [columns, rows].map((n) => n * (side + gap) - gap);
  enlarged(context, shaded(width, height, (i, j) => {
    const [u, v] = [i, j].map((at) => at % (side + gap));
    if (u === side || v === side) return 0.5;
    const unit = Math.floor(j / (side + gap)) * columns + Math.floor(i / (side + gap));
    return 0.5 + weights[unit * side * side + v * side + u] / most / 2;
  }), false);
}

// A canvas under a title, and a function that draws on it what came from the trainer.
function learned() {
  const canvas = html("canvas", { role: "img", width: 636, height: 420 });
  const context = canvas.getContext("2d");
  const title = html("p", { class: "net-title" });
  return {
    node: html("div", { class: "net" }, title, canvas),
    draw(data, picture, train, text) {
      title.textContent = text;
      canvas.setAttribute("aria-label", `${text}: ${SAID[data]}`);
      ({ moons, digits })[data](context, picture, train);
    },
  };
}

Object.assign(lrcourse, { learned });
})();
