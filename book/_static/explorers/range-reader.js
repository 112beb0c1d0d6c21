// Explorer 3: recorded range tests. Where would you set the rate, what do the rules say, and what did training give?
(() => {
const lrcourse = (window.lrcourse ??= {});
const { html, format, Plot, choice, tick, spoken, explorers } = lrcourse;
const RULES = ["steepest", "valley", "minimum"];

explorers("range-test", (host) => {
  let mark;
  const { runs } = lrcourse.records.range_tests;
  const names = [...new Set(runs.map((run) => run.name))];
  const test = choice({ name: "test", label: "Range test", value: names[0], options: names }, () => { mark = undefined; answers.value = false; update(); });
  const answers = tick({ name: "answers", label: "show the answers" }, update);
  const [curve, after] = [html("div"), html("div")];
  const readout = html("p", { class: "readout" });
  host.append(html("div", { class: "fields" }, test.node, answers.node), curve, after, readout);
  const say = spoken(host);
  const plot = new Plot(curve, { label: "Loss of each update of the range test. Set the mark by a click, or with the arrow keys." });
  const below = new Plot(after, { label: "Test loss after training at fixed rates", ratio: 0.3, least: 170, most: 240 });
  const place = plot.handle("Your rate", (x) => { mark = Number(x.toPrecision(3)); update(); }, { anywhere: true, upright: true });

  function update() {
    const seeds = runs.filter((run) => run.name === test.value).map((run) => run.results);
    const [first] = seeds;
    const { rates } = first;
    const means = rates.map((_, i) => mean(seeds.map((each) => each.trained[i] ?? Infinity)));
    const lrs = first["log10 lr"].map((each) => 10 ** each);
    mark ??= Math.sqrt(rates[0] * rates.at(-1));
    const x = { low: rates[0], high: rates.at(-1), log: true, label: "learning rate" };
    const top = Math.min(1.5 * first.loss[0] + 0.5, Math.max(...first.loss));
    plot.draw((p) => {
      p.axes(x, { low: 0, high: top, label: "loss" });
      first.loss.forEach((loss, i) => p.dot([lrs[i], Math.min(loss, top)], "dot-faint", 2));
      p.line(first.smoothed.map((loss, i) => [lrs[i], loss]), "line line-0");
      if (answers.value) draw(p, first, top);
      place(mark, top / 2, `rate ${format(mark)}`);
    });
    after.hidden = !answers.value;
    below.draw((p) => {
      p.axes(x, { low: 0, high: 2.6, label: "test loss" });
      p.upright(mark, "stem");
      for (const each of seeds) rates.forEach((lr, i) => p.dot([lr, Math.min(each.trained[i] ?? 2.6, 2.6)], "dot-faint", 2.5));
      p.line(rates.map((lr, i) => [lr, Math.min(means[i], 2.6)]), "line line-2");
    });
    describe(first, rates, means);
  }

  function draw(p, result, top) {
    RULES.forEach((rule, i) => {
      if (result[rule] === null) return;
      p.upright(result[rule], `line line-${i}`);
      p.text([result[rule], top], rule, { dy: 14 + 17 * i, dx: 5, class: "tag" });
    });
  }

  function describe(result, rates, means) {
    readout.textContent = `Your mark: ${format(mark)}. ${answers.value ? verdict(result, rates, means) : "Show the answers when it stands where you would train."}`;
    say(readout.textContent);
  }

  function verdict(result, rates, means) {
    const near = (lr) => format(means[nearest(rates, lr)]);
    const best = means.indexOf(Math.min(...means));
    const said = RULES.filter((rule) => result[rule] !== null).map((rule) => `${rule} ${format(result[rule])} (${near(result[rule])})`);
    return `Training at the nearest recorded rate, ${format(rates[nearest(rates, mark)])}, ended with a test loss of ${near(mark)}; `
      + `the best, ${format(means[best])}, was at ${format(rates[best])}. `
      + (said.length ? `The rules, with the test loss near their answers: ${said.join(", ")}.`
        : "The rules give no answer: the loss does not clearly fall inside this range.");
  }

  update();
});

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
const nearest = (rates, lr) => {
  const far = rates.map((each) => Math.abs(Math.log(each / lr)));
  return far.indexOf(Math.min(...far));
};
})();
