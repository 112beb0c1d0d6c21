// What live figures share. Each is a plain description: its fields, the values that follow from them, the plots that
// draw these, and a sentence for each run that says them.
(() => {
const lrcourse = window.lrcourse;
const { html, Plot, slider, choice, tick, spoken } = lrcourse;
const figures = (lrcourse.figures = {});

function field(spec, changed) {
  if (spec.options) return choice(spec, changed);
  return typeof spec.value === "boolean" ? tick(spec, changed) : slider(spec, changed);
}

// Two runs have two colors; their fields and sentences show which is whose.
const look = (text = "") => (/^[AB]\b/.test(text) ? `run-${text[0]}` : "both");

function begin(figure) {
  const given = JSON.parse(figure.dataset.given);
  const made = figures[figure.dataset.module](given);
  const place = figure.querySelector(".live-place");
  const state = { ...made.state, ...given.state };
  const fields = {};
  const rows = html("div", { class: "fields" });
  for (const spec of made.fields) {
    fields[spec.name] = field(spec, update);
    fields[spec.name].node.classList.add(look(spec.label));
    rows.append(fields[spec.name].node);
  }
  const pictures = html("div", { class: "pair" });
  const readout = html("p", { class: "readout" });
  const link = html("a", { class: "settings-link" }, "Open in Explore");
  const foot = html("p", { class: "live-foot" }, ...(made.explore ? [link] : []));
  place.append(rows, pictures, readout, foot);
  const say = spoken(place);
  const plots = made.plots.map((spec) => {
    const box = html("div");
    pictures.append(box);
    const plot = new Plot(box, { ratio: 0.66, least: 190, most: 224, ...spec });
    const moved = (x, y) => {
      const { set = {}, ...rest } = spec.moved(x, y, settings());
      for (const [name, to] of Object.entries(set)) fields[name].value = to;
      Object.assign(state, rest);
      update();
    };
    const handle = spec.handle && plot.handle(spec.handle, moved, { anywhere: true, upright: spec.upright });
    return (values, now) => plot.draw((p) => spec.draw(p, values, now, handle));
  });

  function settings() {
    return { ...state, ...Object.fromEntries(Object.entries(fields).map(([name, each]) => [name, each.value])) };
  }

  function update() {
    if (!Object.values(fields).every((each) => each.valid)) return;
    const now = settings();
    const values = made.values(now);
    for (const draw of plots) draw(values, now);
    const said = made.tell(values, now);
    readout.replaceChildren(...said.map((text) => html("span", { class: look(text) }, text)));
    say(said.join(" "));
    if (made.explore) link.href = `explore.html#${made.explore(values, now)}`;
  }

  // Sets fields, and what is dragged, from a query such as rate=0.1&momentum=0.9.
  figure.set = (query) => {
    for (const [name, text] of query) {
      const to = Number.isNaN(Number(text)) ? text : Number(text);
      const before = fields[name]?.value;
      if (fields[name]) fields[name].value = typeof before === "boolean" ? text === "true" : to;
      else if (name in state) state[name] = to;
      else throw new Error(`the figure has no ${name}`);
      if (fields[name] && fields[name].value === undefined) fields[name].value = before; // no such choice
    }
    update();
  };
  figure.settings = settings;
  figure.classList.add("live-on");
  update();
}

// The ends of a logarithmic axis around these values, of which none is shown that is below `floor`.
function powers(values, floor = 1e-6, ceiling = 1e6) {
  const seen = values.filter((each) => each > floor && each < ceiling);
  const [low, high] = seen.length ? [Math.min(...seen), Math.max(...seen)] : [floor, 1];
  return { low: low / 2, high: Math.max(high * 2, low * 40), log: true };
}

const numbered = (values) => Array.from(values, (value, step) => [step, value]);

// A plot with a line for each run over its steps: `of(run)`, on an axis by powers of ten unless `axis(all)` says another.
// `more`: its handle, if it has one, and what is drawn besides.
const lines = ({ label, x = "update", y, of, axis = (all) => powers(all, 1e-9, 1e4), also = () => {}, ...more }) => ({
  label, ...more,
  draw(p, values, s, place) {
    const each = (values.runs ?? values).map((run) => Array.from(of(run)));
    p.axes({ low: 0, high: Math.max(...each.map((line) => line.length - 1), 1), label: x }, { ...axis(each.flat()), label: y });
    each.forEach((line, i) => p.line(numbered(line), `line line-${i}`));
    also(p, values, s, place);
  },
});
const upTo = (all) => ({ low: 0, high: 1.08 * Math.max(...all, 1e-9) });

Object.assign(lrcourse, { begin, powers, numbered, lines, upTo, figure: (name, make) => { figures[name] = make; } });
})();
