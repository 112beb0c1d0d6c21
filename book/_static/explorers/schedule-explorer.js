// Explorer 1: any schedule, its parameters, its curve and its code.
(() => {
const lrcourse = (window.lrcourse ??= {});
const { html, format, Plot, slider, choice, tick, spoken, explorers } = lrcourse;
const MOST = 5000;

const rate = (name, value, zero = true) => ({ name, value, min: zero ? 0 : 1e-6, max: 10, log: true });
const steps = (name, value, min = 1) => ({ name, value, min, max: MOST, step: 1 });
const factor = (name, value, max = 1, min = 0.01) => ({ name, value, min, max, step: 0.01 });
const list = (name, value) => ({ name, value, list: true });
const pick = (name, ...options) => ({ name, value: options[0], options });

const PARAMETERS = {
  Constant: [rate("lr", 0.1)],
  Step: [rate("lr", 0.1), steps("every", 300), factor("gamma", 0.3)],
  MultiStep: [rate("lr", 0.1), list("milestones", [500, 800]), factor("gamma", 0.1)],
  Exponential: [rate("lr", 0.1), factor("gamma", 0.5), steps("every", 200), { name: "staircase", value: false }],
  Linear: [rate("start", 0.1), rate("end", 0), steps("steps", 1000)],
  Polynomial: [rate("start", 0.1), rate("end", 0), steps("steps", 1000), factor("power", 2, 6, 0.1)],
  Cosine: [rate("peak", 0.1), rate("end", 0), steps("steps", 1000)],
  Geometric: [rate("start", 0.1, false), rate("end", 0.001, false), steps("steps", 1000)],
  REX: [rate("peak", 0.1), rate("end", 0), steps("steps", 1000), factor("bend", 0.5, 0.99, 0)],
  InverseTime: [rate("peak", 0.1), steps("timescale", 100), factor("power", 1, 2, 0.1)],
  InverseSqrt: [rate("peak", 0.1), steps("timescale", 100)],
  Cyclic: [rate("base_lr", 0.01), rate("max_lr", 0.1), steps("step_size_up", 125), steps("step_size_down", 125),
    pick("mode", "triangular", "triangular2", "exp_range"), { ...factor("gamma", 0.998, 1, 0.98), step: 0.0005 }],
  SGDR: [rate("peak", 0.1), rate("end", 0), steps("first", 140), { ...factor("t_mult", 2, 4, 1), step: 0.1 }, factor("peak_mult", 1)],
  OneCycle: [rate("max_lr", 0.1), steps("steps", 1000, 4), { ...factor("pct_start", 0.3, 0.99), step: 0.01 },
    rate("initial_lr", 0.004), rate("final_lr", 0), pick("phases", 2, 3), pick("anneal", "cos", "linear")],
  WSD: [rate("peak", 0.1), steps("warmup", 100, 0), steps("stable", 700, 0), steps("decay", 200), rate("end", 0),
    pick("shape", "linear", "cosine", "1-sqrt", "exp"), rate("start", 0)],
  Piecewise: [list("boundaries", [400, 800]), list("values", [0.1, 0.03, 0.01])],
};

// A list of numbers, as text.
function listed({ name, value }, changed) {
  const input = html("input", { type: "text", id: `list-${name}`, inputmode: "decimal", value: value.join(", ") });
  const parsed = () => input.value.split(/[\s,;]+/).filter(Boolean).map(Number);
  input.addEventListener("input", () => {
    input.setAttribute("aria-invalid", !field.valid);
    changed(field);
  });
  const field = {
    name, node: html("div", { class: "field field-text" }, html("label", { for: input.id }, name), input),
    get value() { return parsed(); },
    set value(to) { input.value = to.join(", "); },
    get valid() {
      return parsed().every((each) => Number.isFinite(each) && each >= 0 && (name === "values" || Number.isInteger(each)));
    },
  };
  return field;
}

function control(spec, changed) {
  if (spec.list) return listed(spec, changed);
  if (spec.options) return choice(spec, changed);
  return typeof spec.value === "boolean" ? tick(spec, changed) : slider(spec, changed);
}

explorers("schedule", (host, figure) => {
  const kind = choice({ name: "schedule", label: "Schedule", value: "Cosine", options: Object.keys(PARAMETERS) }, () => { rebuild(); settled(); });
  const run = slider({ name: "run", label: "updates in the run", value: 1000, min: 2, max: MOST, step: 1 }, update);
  const warm = tick({ name: "warmup_in_front", label: "warm-up in front" }, () => { shown(); update(); });
  const warmSteps = slider({ name: "warmup_steps", label: "its steps", value: 100, min: 1, max: MOST, step: 1 }, update);
  const warmStart = slider({ ...rate("warmup_start", 0), label: "its first rate" }, update);
  const cycled = tick({ name: "cycle_momentum", label: "cycle the momentum too" }, () => { shown(); update(); });
  const base = slider({ ...factor("base", 0.85, 0.99, 0), label: "momentum at the top" }, update);
  const max = slider({ ...factor("max", 0.95, 0.99, 0), label: "momentum at the ends" }, update);
  const axis = choice({ name: "axis", label: "rate axis", value: "linear", options: ["linear", "logarithmic"] }, update);
  const common = [run, warm, warmSteps, warmStart, cycled, base, max, axis];
  let panel, note, cursor, chosen = "lrcourse", codes = {}, fields = [];

  const own = html("div", { class: "fields" });
  const complaint = html("p", { class: "complaint", role: "status" });
  const picture = html("div");
  const readout = html("p", { class: "readout" });
  const link = html("a", { class: "settings-link" }, "Link to these settings");
  host.append(
    html("div", { class: "fields fields-head" }, kind.node, run.node, axis.node), own,
    html("div", { class: "fields" }, warm.node, warmSteps.node, warmStart.node, cycled.node, base.node, max.node),
    complaint, picture, readout, tabs(), html("p", {}, link));
  const say = spoken(host);
  const plot = new Plot(picture, { label: "Rate of each update. The arrow keys read it off." });
  const read = plot.handle("Update to read", (x) => { cursor = Math.round(x); update(); }, { anywhere: true, upright: true });

  function tabs() {
    const names = ["lrcourse", "PyTorch", "Keras"];
    const code = html("code");
    panel = html("div", { role: "tabpanel", class: "code-panel", tabindex: 0 }, html("pre", {}, code));
    note = html("p", { class: "note" });
    const buttons = names.map((name, i) => html("button", {
      type: "button", role: "tab", "aria-selected": i === 0, tabindex: i === 0 ? 0 : -1, onclick: () => open(i),
      onkeydown(event) {
        const to = { ArrowRight: i + 1, ArrowLeft: i + names.length - 1 }[event.key];
        if (to === undefined) return;
        open(to % names.length);
        buttons[to % names.length].focus();
      },
    }, name));
    function open(i) {
      buttons.forEach((button, k) => { button.setAttribute("aria-selected", k === i); button.tabIndex = k === i ? 0 : -1; });
      chosen = names[i];
      panel.setAttribute("aria-label", `${chosen} code`);
      showCode();
    }
    panel.setAttribute("aria-label", "lrcourse code");
    const copy = html("button", { type: "button", class: "copy-code", onclick: () => copied(copy, code.textContent) }, "Copy code");
    return html("div", { class: "codes" },
      html("div", { class: "tab-row" }, html("div", { role: "tablist", "aria-label": "Code in" }, ...buttons), copy), panel, note);
  }

  async function copied(button, text) {
    const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
    if (!done) getSelection().selectAllChildren(panel);
    button.textContent = done ? "Copied" : "Selected: press Ctrl+C";
    setTimeout(() => { button.textContent = "Copy code"; }, 2000);
  }

  function showCode() {
    panel.querySelector("code").textContent = codes[chosen]?.code ?? "";
    note.textContent = codes[chosen]?.note ?? "";
  }

  function rebuild() {
    fields = PARAMETERS[kind.value].map((spec) => control(spec, update));
    own.replaceChildren(...fields.map((field) => field.node));
    cursor = undefined;
    shown();
    update();
  }

  function shown() {
    const one = kind.value === "OneCycle";
    for (const field of [warmSteps, warmStart]) field.node.hidden = !warm.value;
    cycled.node.hidden = !one;
    for (const field of [base, max]) field.node.hidden = !(one && cycled.value);
  }

  // What is set: plain data, as to_dict() writes it.
  function setting() {
    const plain = { kind: kind.value, ...Object.fromEntries(fields.map((field) => [field.name, field.value])) };
    return {
      plain, run: run.value, warm: warm.value ? { steps: warmSteps.value, start: warmStart.value } : undefined,
      cycled: kind.value === "OneCycle" && cycled.value && !warm.value ? { base: base.value, max: max.value } : undefined,
    };
  }

  function update() {
    const invalid = [...fields, ...common].find((field) => !field.node.hidden && !field.valid);
    const now = setting();
    const wrong = invalid ? `${invalid.name}: not a number in its range.` : lrcourse.schedules.problem(now.plain);
    complaint.textContent = wrong;
    host.classList.toggle("explorer-wrong", Boolean(wrong));
    if (wrong) return;
    const whole = now.warm ? lrcourse.schedules.warmup(now.plain, now.warm.steps, now.warm.start) : now.plain;
    const table = lrcourse.schedules.table(whole, now.run);
    codes = lrcourse.code(now);
    showCode();
    link.href = `#${fragment()}`;
    draw(table, now);
    describe(table);
  }

  function draw(table, now) {
    const top = Math.max(...table) || 1;
    const positive = table.filter((each) => each > 0);
    const floor = Math.max(Math.min(...positive, top), top * 1e-6);
    const log = axis.value === "logarithmic";
    const mean = table.reduce((a, b) => a + b, 0) / table.length;
    plot.draw((p) => {
      p.axes({ low: 0, high: table.length, label: "update" },
        log ? { low: floor / 1.5, high: top * 1.5, log, label: "learning rate" } : { low: 0, high: top * 1.08, label: "learning rate" });
      const points = Array.from(table, (each, t) => [t, each]);
      p.area(points, "area");
      p.line([[0, mean], [table.length, mean]], "line mean");
      p.line(points, "line line-0");
      p.text([table.length, mean], `mean ${format(mean)}`, { dy: -6, dx: -4, "text-anchor": "end", class: "tag" });
      if (now.cycled) momentum(p, now, table.length);
      const t = Math.min(cursor ?? Math.round(table.length / 4), table.length - 1);
      const seen = log ? Math.max(table[t], floor / 1.5) : table[t];
      read(t, seen, `update ${t}: rate ${format(table[t], 4)}`);
    });
  }

  // The momentum has its own scale: from its smallest to its largest value over the height of the picture.
  function momentum(p, { plain, cycled: { base: low, max: high } }, n) {
    const values = lrcourse.schedules.table(lrcourse.schedules.momentum(plain, low, high), n);
    const { top, bottom } = p.box;
    const y = (m) => p.y.back(bottom - 10 - ((m - low) / (high - low || 1)) * (bottom - top - 30));
    p.line(Array.from(values, (m, t) => [t, y(m)]), "line line-1");
    p.text([0, y(values[0])], `momentum ${format(high)} … ${format(low)}`, { dx: 6, dy: -7, class: "tag tag-1" });
  }

  function describe(table) {
    const area = table.reduce((a, b) => a + b, 0);
    const top = table.indexOf(Math.max(...table));
    const t = Math.min(cursor ?? Math.round(table.length / 4), table.length - 1);
    const text = `Area under the curve ${format(area, 4)}, mean rate ${format(area / table.length, 4)}. First ${format(table[0])}, `
      + `highest ${format(table[top])} at update ${top}, last ${format(table.at(-1))}. At the mark: update ${t}, rate ${format(table[t], 4)}.`;
    readout.textContent = text;
    say(text);
  }

  function fragment() {
    const all = [kind, ...fields, ...common].filter((field) => !field.node.hidden);
    return `schedule?${new URLSearchParams(all.map((field) => [field.name, String(field.value)]))}`;
  }

  function settled() {
    if (!complaint.textContent) history.replaceState(null, "", `#${fragment()}`);
  }

  function restore() {
    const [name, query] = location.hash.slice(1).split("?");
    if (name !== "schedule" || !query) return false;
    const asked = new URLSearchParams(query);
    if (Object.hasOwn(PARAMETERS, asked.get("schedule"))) kind.value = asked.get("schedule");
    rebuild();
    for (const field of [...fields, ...common]) {
      const text = asked.get(field.name);
      if (text === null) continue;
      if (Array.isArray(field.value)) field.value = text.split(",");
      else if (typeof field.value === "boolean") field.value = text === "true";
      else if (typeof field.value === "string") field.value = text;
      else if (Number.isFinite(Number(text))) field.value = Number(text);
    }
    shown();
    update();
    figure.scrollIntoView();
    return true;
  }

  host.addEventListener("change", settled);
  addEventListener("hashchange", restore);
  if (!restore()) rebuild();
});
})();
