// Two schedules over one another, and what they do to the mean loss of noisy descents down a bowl of curvature 1.
(() => {
const { figure, format, schedules, powers, numbered, meanLosses } = window.lrcourse;
const RATES = ["lr", "peak", "start", "end", "base_lr", "max_lr", "initial_lr", "final_lr"];
const stopped = ({ run }, { stop }) => Math.min(Math.max(Math.round(stop), 1), run);
const sum = (table) => table.reduce((a, b) => a + b, 0);

// A run's schedule as plain data: its shape with the parameters that are set, a shape of height 1 times its rate.
function plain(shapes, s, run) {
  const own = Object.entries(s).filter(([name]) => name.startsWith(`${run}.`)).map(([name, value]) => [name.slice(2), value]);
  const { shape, rate = 1, ...rest } = Object.fromEntries(own);
  const all = Object.entries({ ...shapes[shape ?? run], ...rest });
  return Object.fromEntries(all.map(([name, value]) => [name, RATES.includes(name) ? value * rate : value]));
}

function values(given, s) {
  const plains = ["a", "b"].map((run) => plain(given.shapes, s, run));
  const wrong = plains.map(schedules.problem).find(Boolean);
  if (wrong) return { wrong, runs: [] };
  let factor = 1;
  if (s.same) factor = sum(schedules.table(plains[0], given.run)) / sum(schedules.table(plains[1], given.run));
  const runs = plains.map((each, i) => {
    const scaled = Object.entries(each).map(([name, value]) => [name, i && RATES.includes(name) ? value * factor : value]);
    const own = Object.fromEntries(scaled);
    const table = [...schedules.table(own, given.against ? own.steps : given.run)];
    return { plain: own, table, area: sum(table), losses: meanLosses(table, s.noise ?? given.noise ?? 1) };
  });
  return { runs, factor };
}

figure("schedule", (given) => ({
  fields: given.fields,
  state: { stop: given.run },
  values: (s) => values(given, s),
  plots: [{
    label: "The rate of each update. Move the mark, where the run is stopped, or use the arrow keys.",
    handle: given.against ? undefined : "Where the run is stopped", upright: true,
    moved: (x) => ({ stop: Math.max(1, Math.round(x)) }),
    draw(p, { runs }, s, place) {
      const tables = runs.map((run) => run.table);
      const length = Math.max(...tables.map((each) => each.length), 1);
      const top = Math.max(...tables.flat(), 1e-9);
      p.axes({ low: 0, high: length, label: "update" }, given.log ? { ...powers(tables.flat()), label: "rate" } : { low: 0, high: top * 1.08, label: "rate" });
      tables.forEach((table, i) => {
        if (!given.log) p.area(numbered(table), `area area-${i}`);
        p.line(numbered(table), `line line-${i}`);
      });
      if (place && runs.length) place(stopped(given, s), tables[0][stopped(given, s) - 1], `after update ${stopped(given, s)}`);
    },
  }, {
    label: "Mean loss",
    draw(p, { runs }, s) {
      const losses = runs.flatMap((run) => run.losses);
      const tables = runs.flatMap((run) => run.table);
      const x = given.against ? { ...powers(tables), high: Math.max(...tables), log: true, label: "rate" } : { low: 0, high: given.run, label: "update" };
      p.axes(x, { ...powers(losses, 1e-9, 1e4), label: "mean loss" });
      runs.forEach((run, i) => p.line(given.against ? run.table.map((rate, t) => [rate, run.losses[t]]) : numbered(run.losses), `line line-${i}`));
      if (!given.against) p.upright(stopped(given, s), "stem");
    },
  }],
  tell({ wrong, runs }, s) {
    if (wrong) return [wrong];
    const stop = stopped(given, s);
    return runs.map(({ table, area, losses }, i) => {
      const lowest = losses.indexOf(Math.min(...losses));
      const said = given.against
        ? `the loss is lowest, ${format(losses[lowest])}, at the rate ${format(table[lowest] ?? table.at(-1))}`
        : `area ${format(area)}, mean rate ${format(area / table.length)}; mean loss after ${stop} updates ${format(losses[stop])}`;
      return `${"AB"[i]}: ${said}.`;
    });
  },
  explore({ runs: [run] }) {
    const { kind, ...rest } = run?.plain ?? {};
    if (kind === "Cyclic") rest.step_size_down = rest.step_size_up;
    return `schedule?${new URLSearchParams({ schedule: kind, ...rest, run: run?.table.length, axis: given.log ? "logarithmic" : "linear" })}`;
  },
}));
})();
