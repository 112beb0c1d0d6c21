// Explorer 5: a network that trains while the reader watches: a range test, one run under a schedule to drag, or a race.
(() => {
const lrcourse = window.lrcourse;
const { html, format, Plot, slider, choice, spoken, explorers, schedules, engine, examples, learned, climbed, suggested } = lrcourse;
const { tasks, limits, methods } = lrcourse.train;
const PACES = { "15 a second": 15, "60 a second": 60, "240 a second": 240, "as fast as it goes": Infinity };
const RULES = ["steepest", "valley", "minimum"];
const RATES = { low: 1e-4, high: 10, log: true, label: "learning rate" }; // at its foot a rate means 0
const WARM_FROM = 25; // a warm-up begins at this part of the peak
const still = matchMedia("(prefers-reduced-motion: reduce)");
const STILL = 1000; // milliseconds between two pictures where motion is unwelcome
const positive = (name, label, value) => ({ name, label, value, min: 1e-6, max: 100, log: true });

// A line through the middle of noisy losses: their moving average, corrected for its start at 0.
function smoothed(losses, keep = 0.9) {
  let past = 0;
  return losses.map((loss, i) => {
    past = keep * past + (1 - keep) * loss;
    return past / (1 - keep ** (i + 1));
  });
}

// The powers of two around all losses, so that the axis stands still for a while.
function around(losses) {
  const seen = losses.filter((each) => each > 1e-5 && each < 1e3);
  if (!seen.length) return { low: 0.125, high: 4, log: true };
  const [low, high] = [Math.min(...seen), Math.max(...seen)].map(Math.log2);
  return { low: 2 ** Math.floor(low), high: 2 ** Math.max(Math.ceil(high), Math.floor(low) + 1), log: true };
}

explorers("train", (host, figure) => {
  const ask = engine();
  const what = choice({ name: "do", label: "What to do", value: "one run", options: ["one run", "range test", "race"] }, begin);
  const data = choice({ name: "data", label: "Examples", value: "moons", options: Object.keys(tasks) }, begin);
  const activation = choice({ name: "activation", label: "Activation", value: "tanh", options: ["tanh", "ReLU"] }, begin);
  const batch = choice({ name: "batch", label: "Examples in a batch", value: 32, options: [1, 8, 32, 128] }, begin);
  const length = slider({ name: "updates", label: "Updates", value: 400, min: 20, max: 2000, step: 1 }, begin);
  const pace = choice({ name: "pace", label: "Pace", value: "60 a second", options: Object.keys(PACES) }, () => {});
  const method = choice({ name: "a.method", label: "A: optimizer", value: "SGD", options: methods }, begin);
  const rate = slider(positive("a.rate", "A: rate at the peak", 0.3), steer);
  const method2 = choice({ name: "b.method", label: "B: optimizer", value: "Adam", options: methods }, begin);
  const rate2 = slider(positive("b.rate", "B: rate at the peak", 0.01), steer);
  const curve = choice({ name: "curve", label: "Schedule", value: "cosine", options: ["cosine", "line", "constant"] }, steer);
  const warm = slider({ name: "warm", label: "Updates of warm-up", value: 20, min: 0, max: 1000, step: 1 }, steer);
  const low = slider({ ...positive("end", "Rate at the end", 0), min: 0, least: RATES.low }, steer);
  const from = slider(positive("from", "First rate", 0.0001), begin);
  const to = slider(positive("to", "Last rate", 10), begin);
  const all = [what, data, activation, batch, length, pace, method, rate, method2, rate2, curve, warm, low, from, to];
  const defaults = all.map((field) => field.value);
  const shown = { "one run": [method, rate, curve, warm, low], "range test": [method, from, to], race: [method, method2, rate, rate2, curve] };

  const start = html("button", { type: "button", class: "start", onclick: startOrPause }, "Start");
  const again = html("button", { type: "button", onclick: begin }, "Back to the first weights");
  const take = html("button", { type: "button", hidden: "", onclick: trainThere }, "Train at the minimum");
  const playRow = html("div", { class: "play-row" }, start, again, take);
  const complaint = html("p", { class: "complaint", role: "status" });
  const [ratePlace, lossPlace] = [0, 1].map(() => html("div"));
  const nets = [0, 1].map(learned);
  const readout = html("p", { class: "readout" });
  const link = html("a", { class: "settings-link" }, "Link to these settings");
  host.append(
    html("div", { class: "fields" }, ...all.slice(0, 6).map((field) => field.node)),
    html("div", { class: "fields" }, ...all.slice(6).map((field) => field.node)),
    complaint, playRow, readout, html("div", { class: "pair" }, ...nets.map((net) => net.node)),
    html("div", { class: "pair" }, ratePlace, lossPlace), html("p", {}, link));
  const say = spoken(host);

  const rates = new Plot(ratePlace, { label: "The rate of each update. Drag the points while it trains, or move them with the arrow keys.", ratio: 0.66, least: 210, most: 260 });
  const losses = new Plot(lossPlace, { label: "The loss of each batch", ratio: 0.66, least: 210, most: 260 });
  const height = (y) => (y < RATES.low * 1.1 ? 0 : Number(y.toPrecision(2)));
  const grip = (label, move) => rates.handle(label, (x, y) => { move(Math.min(Math.round(x), steps - 1), height(y)); steer(); }, { free: true });
  const peak = grip("Peak: the end of the warm-up and the highest rate", (x, y) => { [warm.value, rate.value] = [x, y || RATES.low]; });
  const end = grip("The rate at the end", (x, y) => { low.value = y; });
  const first = grip("A: rate at the start", (x, y) => { rate.value = y || RATES.low; });
  const second = grip("B: rate at the start", (x, y) => { rate2.value = y || RATES.low; });

  let job = 0; // answers that were asked for an earlier one are dropped
  let runs = [], t = 0, steps = 0, ended = "";
  let stale = false; // what is to begin waits for a field to be in its range
  let running = false, waiting = false, ticking = false, seen = true, last, owed = 0, drawn = 0;
  const read = {};

  const is = (name) => what.value === name;
  const letters = () => (is("race") ? ["A", "B"] : ["A"]);
  const chosen = () => [[method.value, rate.value], [method2.value, rate2.value]].slice(0, letters().length);

  // The schedule of a run as plain data.
  function plain(top) {
    if (is("range test")) return { kind: "Geometric", start: from.value, end: to.value, steps: steps - 1 };
    const before = is("race") ? 0 : warm.value;
    const [at, rest] = [is("race") ? 0 : low.value, steps - before];
    const shape = {
      cosine: { kind: "Cosine", peak: top, end: at, steps: rest }, line: { kind: "Linear", start: top, end: at, steps: rest },
      constant: { kind: "Constant", lr: top },
    }[curve.value];
    return before ? schedules.warmup(shape, before, top / WARM_FROM) : shape;
  }
  const plains = () => chosen().map(([, top]) => plain(top));

  function refused() {
    for (const field of all.slice(6)) {
      field.node.hidden = !shown[what.value].includes(field) || (field === low && curve.value === "constant");
    }
    const unset = all.find((field) => !field.valid && !field.node.hidden);
    complaint.textContent = unset ? `${unset.node.textContent} is out of its range.`
      : is("range test") && from.value >= to.value ? "The last rate must be above the first."
      : is("one run") && warm.value >= length.value ? "The warm-up must be shorter than the run." : "";
    figure.classList.toggle("explorer-wrong", complaint.textContent !== "");
    return complaint.textContent !== "";
  }

  // Puts the first weights back. What runs goes on from there.
  function begin() {
    stale = refused();
    if (stale) return pause();
    job += 1;
    [t, steps, ended, owed, waiting] = [0, length.value, "", 0, false];
    runs = chosen().map(([name]) => ({ name, losses: [], rates: [] }));
    warm.node.querySelector("input").max = steps - 1;
    warm.follow();
    const mine = job;
    untrained().then((answer) => mine === job && arrived(answer));
    return undefined;
  }

  function untrained() {
    const told = { data: data.value, activation: activation.value, batch: batch.value, steps };
    return ask({ begin: { ...told, runs: plains().map((each, i) => ({ method: runs[i].name, plain: each })) } });
  }

  // Another schedule holds from the next update on.
  function steer() {
    if (refused()) return;
    if (ended || stale) begin();
    else draw();
  }

  const awake = () => running && seen && !document.hidden;

  // Each picture asks for the updates of its time: nothing trains that nobody sees.
  function tick(now) {
    ticking = awake();
    if (!ticking) {
      last = undefined;
      return;
    }
    const speed = PACES[pace.value];
    owed = speed === Infinity ? steps : Math.min(owed + (speed * (now - (last ?? now))) / 1000, speed / 4);
    last = now;
    if (!waiting && owed >= 1) train(Math.floor(owed));
    requestAnimationFrame(tick);
  }

  function wake() {
    if (ticking || !awake()) return;
    ticking = true;
    requestAnimationFrame(tick);
  }

  async function train(n) {
    const mine = job;
    waiting = true;
    owed -= n;
    const answer = await ask({ n, plains: complaint.textContent ? undefined : plains() });
    if (mine !== job) return;
    waiting = false;
    arrived(answer);
  }

  function arrived(answer) {
    t = answer.t;
    answer.runs.forEach((each, i) => {
      runs[i].losses.push(...each.losses);
      runs[i].rates.push(...each.rates);
      Object.assign(runs[i], { judged: each.judged, picture: each.picture });
    });
    ended = over();
    if (ended && is("range test")) putBack();
    else if (ended) pause();
    else if (!running || !still.matches || performance.now() - drawn > STILL) draw();
  }

  // A range test leaves the weights as they were.
  async function putBack() {
    const mine = job;
    running = false;
    const { runs: [{ judged, picture }] } = await untrained();
    if (mine !== job) return;
    Object.assign(runs[0], { judged, picture });
    pause();
  }

  // Why it is at its end, or "".
  function over() {
    const lost = (run) => run.losses.some((loss) => !Number.isFinite(loss));
    if (is("range test")) {
      const { count, stopped } = climbed(runs[0].losses, limits);
      runs[0].losses.length = runs[0].rates.length = count;
      if (stopped) return stopped;
    }
    return t >= steps ? "done" : runs.every(lost) ? "not finite" : "";
  }

  function startOrPause() {
    if (running) {
      pause();
      return;
    }
    if (refused()) return;
    if (ended) begin();
    running = true;
    start.textContent = "Pause";
    wake();
  }

  function pause() {
    running = false;
    draw();
    say(readout.textContent);
  }

  function trainThere() {
    const { minimum } = found();
    [what.value, rate.value, curve.value] = ["one run", Number(minimum.toPrecision(2)), "cosine"];
    begin();
    settled();
    start.focus({ preventScroll: true });
  }

  const found = () => (is("range test") && ended ? suggested(runs[0].rates, runs[0].losses, limits) : undefined);

  function draw() {
    start.textContent = running ? "Pause" : ended ? "Start again" : t ? "Go on" : "Start";
    if (!runs[0]?.picture || complaint.textContent) return;
    drawn = performance.now();
    const suggestions = found();
    take.hidden = !suggestions;
    ratePlace.hidden = is("range test");
    rates.draw(drawRates);
    losses.draw((p) => (is("range test") ? drawClimb(p, suggestions) : drawLosses(p)));
    const points = (read[data.value] ??= examples(tasks[data.value])).train;
    nets.forEach((net, i) => {
      net.node.hidden = !runs[i];
      const when = is("range test") && ended ? "the first weights again" : `after ${t} updates`;
      if (runs[i]) net.draw(data.value, runs[i].picture, points, `${letters()[i]}: ${runs[i].name}, ${when}`);
    });
    describe(suggestions);
    link.href = `#${fragment()}`;
  }

  function drawRates(p) {
    p.axes({ low: 0, high: steps, label: "update" }, RATES);
    const seenRate = (each) => Math.max(each, RATES.low);
    plains().forEach((each, i) => {
      const rest = schedules.of(each);
      const past = runs[i].rates.map((lr, at) => [at, seenRate(lr)]);
      const ahead = Array.from({ length: steps - t }, (_, k) => [t + k, seenRate(rest(t + k))]);
      p.line([...past.slice(-1), ...ahead], `line line-${i} ahead`);
      p.line(past, `line line-${i}`);
    });
    p.upright(t, "stem");
    const one = is("one run");
    const grips = [one, one && curve.value !== "constant", is("race"), is("race")];
    grips.forEach((shows, i) => {
      rates.handles.children[i].toggleAttribute("hidden", !shows);
      rates.handles.children[i].setAttribute("tabindex", shows ? 0 : -1);
    });
    if (one) {
      peak(warm.value, seenRate(rate.value), `rate ${format(rate.value)} after ${warm.value} updates`);
      end(steps, seenRate(low.value), `rate ${format(low.value)}`);
    } else {
      first(0, seenRate(rate.value), `rate ${format(rate.value)}`);
      second(0, seenRate(rate2.value), `rate ${format(rate2.value)}`);
    }
  }

  function drawLosses(p) {
    p.axes({ low: 0, high: steps, label: "update" }, { ...around(runs.flatMap((run) => run.losses)), label: "loss" });
    runs.forEach((run, i) => p.line(run.losses.map((loss, at) => [at, loss]), `line line-${i} thin noisy`));
    runs.forEach((run, i) => p.line(smoothed(run.losses).map((loss, at) => [at, loss]), `line line-${i}`));
  }

  function drawClimb(p, suggestions) {
    const [run] = runs;
    p.axes({ low: from.value, high: to.value, log: true, label: "learning rate" }, { ...around(run.losses), label: "loss" });
    run.losses.forEach((loss, i) => p.dot([run.rates[i], loss], "dot-faint", 2));
    p.line(smoothed(run.losses, 0.8).map((loss, i) => [run.rates[i], loss]), "line line-0");
    if (!suggestions) return;
    // A name stands to the left of its line; lines further to the left begin below it.
    RULES.toSorted((a, b) => suggestions[b] - suggestions[a]).forEach((rule, row) => {
      const at = suggestions[rule];
      p.line([[at, p.y.back(p.box.top + 17 * row)], [at, p.y.low]], `line line-${RULES.indexOf(rule)}`);
      p.text([at, p.y.high], rule, { dy: 14 + 17 * row, dx: -5, "text-anchor": "end", class: "tag" });
    });
  }

  function describe(suggestions) {
    const texts = runs.map(({ name, losses: seenLosses, judged }, i) => {
      const { accuracy, loss } = judged;
      const now = `${letters()[i]}, ${name}: update ${seenLosses.length} of ${steps}`;
      if (is("range test")) return seenLosses.length ? `${now}, rate ${format(runs[i].rates.at(-1), 2)}.` : `${now}.`;
      if (!Number.isFinite(loss)) return `${now}. It has diverged.`;
      const batchLoss = seenLosses.length ? `mean loss of the last batches ${format(smoothed(seenLosses).at(-1), 2)}; ` : "";
      return `${now}; ${batchLoss}of the examples that it has not seen ${Math.round(100 * accuracy)} % are right.`;
    });
    if (is("range test") && ended) texts.push(verdict(suggestions));
    readout.replaceChildren(...texts.map((text) => html("span", {}, text)));
    if (!running) say(texts.join(" "));
  }

  function verdict(suggestions) {
    const why = { diverged: "It stopped, since the loss had diverged. ", "not finite": "It stopped, since the loss was no number any more. " }[ended] ?? "";
    if (!suggestions) return `${why}No rule gives a rate: the loss does not clearly fall inside this range.`;
    return `${why}The rules say: ${RULES.map((rule) => `${rule} ${format(suggestions[rule], 2)}`).join(", ")}.`;
  }

  function fragment() {
    const said = all.filter((field) => !field.node.hidden).map((field) => [field.name, String(field.value)]);
    return `train?${new URLSearchParams(said)}`;
  }

  function settled() {
    if (!complaint.textContent) history.replaceState(null, "", `#${fragment()}`);
  }

  // Sets fields from a query such as do=race&a.rate=0.1, and those that it leaves out, but the pace, as on a fresh page.
  function set(query) {
    all.forEach((field, i) => { if (field !== pace) field.value = defaults[i]; });
    for (const [name, text] of new URLSearchParams(query)) {
      const field = all.find((each) => each.name === name);
      const before = field?.value;
      if (field) field.value = typeof before === "number" && Number.isFinite(Number(text)) ? Number(text) : text;
      if (field && (field.value === undefined || Number.isNaN(field.value))) field.value = before; // no such choice
    }
    begin();
  }

  function restore() {
    const [name, query] = location.hash.slice(1).split("?");
    if (name !== "train" || !query) return false;
    set(query);
    figure.scrollIntoView();
    return true;
  }

  // Words of the text that set what is to be done, and start it.
  for (const words of document.querySelectorAll("span.set")) {
    const go = (event) => {
      event.preventDefault();
      pause();
      set(words.dataset.set);
      history.replaceState(null, "", `#${fragment()}`);
      playRow.scrollIntoView();
      start.focus({ preventScroll: true });
      startOrPause();
    };
    const looks = { class: "set", href: `#train?${words.dataset.set}`, "data-set": words.dataset.set };
    words.replaceWith(html("a", { ...looks, onclick: go }, words.textContent));
  }

  host.addEventListener("change", settled);
  addEventListener("hashchange", restore);
  document.addEventListener("visibilitychange", wake);
  new IntersectionObserver(([entry]) => {
    seen = entry.isIntersecting;
    wake();
  }).observe(host);
  if (!restore()) begin();
});
})();
