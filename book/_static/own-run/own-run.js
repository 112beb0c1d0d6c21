// Your own run: a log that is dropped, chosen or pasted is drawn, and said of it is what an audit says. Nothing is sent.
(() => {
const { html, format, Plot, choice, spoken, audit } = window.lrcourse;
const SLICE = 24; // milliseconds of work before the page may answer its reader
const DRAWN = 1500; // points of a line: more of them are not seen
const HEAVY = 20_000; // characters of a paste that a text field shows without a pause
const AUTOMATIC = "by its name";
const KINDS = ["step", "rate", "loss", "momentum"];
const pause = () => new Promise((done) => setTimeout(done));

// The result of work that is done a slice at a time; undefined if something newer has begun.
async function sliced(work, isNewest) {
  let from = performance.now();
  for (let part = work.next(); ; part = work.next()) {
    if (part.done) return part.value;
    if (performance.now() - from < SLICE) continue;
    await pause();
    if (!isNewest()) return undefined;
    from = performance.now();
  }
}

// Of many points the lowest and the highest in each piece, which is what a line of them shows.
function thinned(points) {
  if (points.length <= 2 * DRAWN) return points;
  const size = Math.ceil((2 * points.length) / DRAWN);
  const kept = [];
  for (let from = 0; from < points.length; from += size) {
    let [low, high] = [from, from];
    for (let i = from; i < Math.min(from + size, points.length); i++) {
      if (!(points[i][1] >= points[low][1])) low = i;
      if (!(points[i][1] <= points[high][1])) high = i;
    }
    kept.push(points[Math.min(low, high)], points[Math.max(low, high)]);
  }
  return [...kept, points.at(-1)];
}

// The row whose step is nearest.
function nearest(steps, step) {
  let [low, high] = [0, steps.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle] < step) low = middle + 1;
    else high = middle;
  }
  return low > 0 && step - steps[low - 1] < steps[low] - step ? low - 1 : low;
}

function begin(section) {
  let files = [], rows, meant = {}, found, cursor, columns = {}, turn = 0, timer;
  const host = html("div", { class: "explorer" });
  const file = html("input", { type: "file", id: "own-file", multiple: "", accept: ".csv,.tsv,.txt,.log,.json,.jsonl,.ndjson,text/*" });
  const paste = html("textarea", { id: "own-paste", rows: 3, spellcheck: "false", placeholder: "step,lr,loss" });
  const examples = audit.examples.map((each) => html("button", { type: "button", onclick: () => tryOut(each) }, each.name));
  const spec = html("input", { type: "text", id: "own-schedule", spellcheck: "false", autocomplete: "off", placeholder: "Cosine(0.1, 0, 900)" });
  const steps = html("input", { type: "number", id: "own-steps", min: 1, step: 1, inputmode: "numeric" });
  const axis = choice({ name: "axis", label: "Rate axis", value: "linear", options: ["linear", "logarithmic"] }, draw);
  const names = html("div", { class: "fields" });
  const chosen = html("details", { hidden: "" }, html("summary", {}, "Columns"), names);
  const complaint = html("p", { class: "complaint", role: "status" });
  const [ratePlace, lossPlace] = [html("div"), html("div")];
  const readout = html("p", { class: "readout" });
  const heading = html("h2", { class: "about", tabindex: -1 });
  const list = html("ol", { class: "findings" });
  const command = html("code");
  const result = html("div", { class: "result", hidden: "" }, heading, html("div", { class: "pair" }, ratePlace, lossPlace), readout, list,
    html("p", { class: "note" }, "The same in a terminal: ", command));
  host.append(
    html("div", { class: "drop" }, html("label", { for: file.id }, "Drop a log here, or choose its files"), file,
      html("label", { for: paste.id }, "or paste it"), paste),
    html("div", { class: "play-row", role: "group", "aria-label": "Logs to try" }, html("span", {}, "None at hand? Try"), ...examples),
    html("div", { class: "fields meant" },
      html("div", { class: "field field-text" }, html("label", { for: spec.id }, "Schedule that was meant, if you know it"), spec),
      html("div", { class: "field field-text" }, html("label", { for: steps.id }, "Updates of the whole run"), steps), axis.node),
    chosen, complaint, result);
  section.replaceChildren(host);
  const say = spoken(host);
  const ratePlot = new Plot(ratePlace, { label: "Rate of each update. The arrow keys read it off.", ratio: 0.6, least: 200, most: 300 });
  const lossPlot = new Plot(lossPlace, { label: "Loss of each update", ratio: 0.6, least: 200, most: 300 });
  const read = ratePlot.handle("Update to read", (x) => { cursor = nearest(rows.step, x); draw(); }, { anywhere: true, upright: true });

  file.addEventListener("change", () => opened([...file.files]));
  paste.addEventListener("input", () => later(() => taken(paste.value ? [{ name: "pasted.csv", text: paste.value }] : [])));
  paste.addEventListener("paste", pasted);
  for (const input of [spec, steps]) input.addEventListener("input", () => later(judge));
  for (const type of ["dragover", "dragleave", "drop"]) addEventListener(type, dragged);

  function later(what) {
    clearTimeout(timer);
    timer = setTimeout(what, 250);
  }

  function dragged(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault(); // else the browser leaves for the file
    host.classList.toggle("dropping", event.type === "dragover");
    if (event.type === "drop") opened([...event.dataTransfer.files]);
  }

  async function opened(given) {
    try {
      const decoder = new TextDecoder("utf-8", { fatal: true });
      const texts = await Promise.all(given.map(async (each) => ({ name: each.name, text: decoder.decode(await each.arrayBuffer()) })));
      columns = {};
      await taken(texts);
    } catch {
      refuse(new audit.Refused("That is no text file that can be read."));
    }
  }

  // A text field would take seconds to show a long log.
  function pasted(event) {
    const text = event.clipboardData.getData("text");
    if (text.length < HEAVY) return;
    event.preventDefault();
    paste.value = "";
    paste.placeholder = `${text.split("\n").length} lines were pasted`;
    columns = {};
    taken([{ name: "pasted.csv", text }]);
  }

  function tryOut(example) {
    spec.value = example.schedule;
    steps.value = example.steps ?? "";
    columns = {};
    taken([{ name: `${example.name.replaceAll(" ", "-")}.csv`, text: example.text }]);
  }

  // Reads the files of a run, then looks for its faults.
  async function taken(given) {
    files = given;
    const mine = ++turn;
    rows = undefined;
    if (!files.length) return refuse(undefined);
    await attempt(async () => {
      const fresh = await sliced(audit.read(files, columns), () => mine === turn);
      if (!fresh) return;
      rows = fresh;
      offer(rows.names, false);
      await judge();
    });
    return undefined;
  }

  async function judge() {
    if (!rows) return;
    const mine = ++turn;
    await attempt(async () => {
      const rate = spec.value.trim() ? audit.rateOf(audit.parsed(spec.value)) : undefined;
      const length = steps.value === "" ? undefined : Number(steps.value);
      if (length !== undefined && !(Number.isInteger(length) && length > 0)) throw new audit.Refused("The updates of the run are a whole number, 1 or more.");
      const next = { rate, steps: length, tolerance: audit.precision(rows) };
      const report = await sliced(audit.report(rows, next), () => mine === turn);
      if (!report) return;
      [meant, found, cursor] = [next, report, undefined];
      complaint.textContent = "";
      tell();
      draw();
    });
  }

  async function attempt(work) {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof audit.Refused)) throw error;
      refuse(error);
    }
  }

  function refuse(error) {
    complaint.textContent = error?.message ?? "";
    result.hidden = true;
    if (error?.names) offer(error.names, true);
  }

  // The columns to choose from, for a log that has unusual ones.
  function offer(all, open) {
    chosen.hidden = false;
    if (open) chosen.open = true;
    const fields = KINDS.map((kind) => choice({
      name: kind, label: `Column of the ${kind}`, value: columns[kind] ?? AUTOMATIC, options: [AUTOMATIC, ...all],
    }, (field) => {
      columns[kind] = field.value === AUTOMATIC ? undefined : field.value;
      taken(files);
    }));
    if (names.dataset.all === JSON.stringify([all, columns])) return;
    names.dataset.all = JSON.stringify([all, columns]);
    names.replaceChildren(...fields.map((field) => field.node));
  }

  function tell() {
    const faults = found.findings.filter((each) => each.kind === "fault").length;
    const notes = found.findings.length - faults;
    const counted = (n, word) => (n ? [`${n} ${word}${n > 1 ? "s" : ""}`] : []);
    const counts = [...(faults ? [] : ["no fault found"]), ...counted(faults, "fault"), ...counted(notes, "note")].join(", ");
    const all = found.findings.map((each) => each.name).join(", ");
    heading.textContent = counts[0].toUpperCase() + counts.slice(1) + (all && `: ${all}`);
    list.replaceChildren(...found.findings.map(card));
    const quoted = (text) => (/^[\w.,/-]+$/.test(text) ? text : `"${text}"`);
    const given = KINDS.filter((kind) => columns[kind]).map((kind) => ` --${kind} ${quoted(columns[kind])}`).join("");
    command.textContent = `lrcourse audit ${files.map((each) => quoted(each.name)).join(" ")}`
      + `${meant.rate ? ` --schedule ${quoted(spec.value.trim())}` : ""}${meant.steps ? ` --steps ${meant.steps}` : ""}${given}`;
    result.hidden = false;
    say(`${found.about}: ${counts}. ${all}`);
  }

  function card({ name, kind, seen, step }) {
    const { why, fix, card: address } = audit.faults[name];
    const there = step !== undefined && html("button", { type: "button", onclick: () => { cursor = nearest(rows.step, step); draw(); } }, `Show step ${step}`);
    return html("li", { class: kind },
      html("p", {}, html("strong", {}, name[0].toUpperCase() + name.slice(1)), html("span", { class: "kind" }, kind), ...(there ? [there] : [])),
      html("p", {}, html("em", {}, "Seen: "), `${seen}.`), html("p", {}, html("em", {}, "Why: "), `${why}.`),
      html("p", {}, html("em", {}, "Fix: "), `${fix}. `, html("a", { href: address }, "What it looks like")));
  }

  function draw() {
    if (!rows || !found) return;
    const [first, last] = [Math.min(rows.step[0], 0), rows.step.at(-1)];
    const x = { low: rows.step[0] > last / 2 ? rows.step[0] : first, high: Math.max(last + 1, meant.steps ?? 0), label: rows.unit };
    const at = cursor ?? Math.round(rows.step.length / 2);
    drawRates(x, at);
    rows.losses ??= thinned(rows.loss.flatMap((loss, i) => (Number.isFinite(loss) ? [[rows.step[i], loss]] : [])));
    lossPlace.hidden = !rows.losses.length;
    if (rows.losses.length) lossPlot.draw((p) => drawLoss(p, x, rows.losses, at));
    const told = meant.rate ? `, meant ${format(meant.rate(rows.step[at]), 4)}` : "";
    const loss = rows.loss[at] === undefined ? "" : `, loss ${format(rows.loss[at], 4)}`;
    const lines = meant.rate ? " Dashed: what was meant." : "";
    readout.textContent = `${found.about}.${lines} At the mark: ${rows.unit} ${rows.step[at]}, rate ${rows.rate[at].map((rate) => format(rate, 4)).join(" and ")}${told}${loss}.`;
  }

  function drawRates(x, at) {
    rows.groups ??= rows.rate[0].map((_, g) => thinned(rows.step.map((step, i) => [step, rows.rate[i][g]])));
    const stride = Math.max(1, Math.floor((x.high - x.low) / 50_000));
    const length = meant.rate ? Math.ceil((x.high - x.low) / stride) : 0;
    meant.told ??= thinned(Array.from({ length }, (_, i) => [x.low + i * stride, meant.rate(x.low + i * stride)]));
    const { groups } = rows;
    const { told } = meant;
    const seen = [...groups.flat(), ...told].map(([, rate]) => rate).filter((rate) => rate > 0 && rate < Infinity);
    const [top, low] = [Math.max(...seen, 0) || 1, Math.min(...seen, 1)];
    const log = axis.value === "logarithmic";
    ratePlot.draw((p) => {
      p.axes(x, log ? { low: Math.max(low, top * 1e-6) / 1.5, high: top * 1.5, log, label: "rate" } : { low: 0, high: top * 1.08, label: "rate" });
      for (const group of groups) p.line(group, groups.length > 1 ? "line line-0 thin" : "line line-0");
      p.line(told, "line line-1");
      marks(p);
      read(rows.step[at], Math.max(audit.leading(rows)[at], p.y.low), `update ${rows.step[at]}: rate ${format(audit.leading(rows)[at], 4)}`);
    });
  }

  function drawLoss(p, x, losses, at) {
    const values = losses.map(([, loss]) => loss);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const log = low > 0 && high > 30 * low;
    const room = (high - low || Math.abs(high) || 1) * 0.06;
    p.axes(x, log ? { low: low / 1.3, high: high * 1.3, log, label: "loss" } : { low: low - room, high: high + room, label: "loss" });
    p.line(losses, "line line-2 solid");
    p.upright(rows.step[at], "stem");
    marks(p);
  }

  // The number of each finding where it shows first.
  function marks(p) {
    found.findings.forEach(({ step }, i) => {
      if (step === undefined) return;
      p.upright(step, "first-seen");
      p.add("text", { x: Math.min(p.x.to(step) + 4, p.box.right - 10), y: p.box.top + 14 + 15 * i, class: "tag tag-1" }, String(i + 1));
    });
  }
}

document.addEventListener("DOMContentLoaded", () => {
  for (const section of document.querySelectorAll("section.own-run")) begin(section);
});
})();
