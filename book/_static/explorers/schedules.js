// The schedules of lrcourse.schedules, from the plain data that to_dict() writes: the same formulas, equal to 1e-9.
(() => {
const lrcourse = (window.lrcourse ??= {});
const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
const mix = (start, end, weight) =>
  clamp((1 - weight) * start + weight * end, Math.min(start, end), Math.max(start, end));
const raised = (base, exponent) => Math.min(base ** exponent, Number.MAX_VALUE);
const wave = (x) => (1 - Math.cos(Math.PI * x)) / 2;
const share = (t, steps) => Math.min(t / steps, 1);
const passed = (steps, t) => steps.filter((step) => step <= t).length;

const kinds = {
  Constant: ({ lr }) => () => lr,
  Step: ({ lr, every, gamma }) => (t) => lr * raised(gamma, Math.floor(t / every)),
  MultiStep: ({ lr, milestones, gamma }) => (t) => lr * raised(gamma, passed(milestones, t)),
  Exponential: ({ lr, gamma, every, staircase }) => (t) =>
    lr * raised(gamma, staircase ? Math.floor(t / every) : t / every),
  Linear: ({ start, end, steps }) => (t) => mix(start, end, share(t, steps)),
  Polynomial: ({ start, end, steps, power }) => (t) => mix(end, start, (1 - share(t, steps)) ** power),
  Cosine: ({ peak, end, steps }) => (t) => mix(peak, end, wave(share(t, steps))),
  Geometric: ({ start, end, steps }) => (t) => start * (end / start) ** share(t, steps),
  REX: ({ peak, end, steps, bend }) => (t) => mix(end, peak, (1 - share(t, steps)) / (1 - bend * share(t, steps))),
  InverseSqrt: ({ peak, timescale }) => (t) => peak / Math.sqrt(1 + t / timescale),
  InverseTime: ({ peak, timescale, power }) => (t) => peak / raised(1 + t / timescale, power),
  Piecewise: ({ boundaries, values }) => (t) => values[passed(boundaries, t)],

  Cyclic({ base_lr, max_lr, step_size_up: up, step_size_down, mode, gamma }) {
    const down = step_size_down ?? up;
    return (t) => {
      const cycle = Math.floor(1 + t / (up + down));
      const into = t - (cycle - 1) * (up + down);
      const height = clamp(into <= up ? into / up : (up + down - into) / down, 0, 1);
      const scale = { triangular: 1, triangular2: 0.5 ** (cycle - 1), exp_range: raised(gamma, t) }[mode];
      return base_lr + (max_lr - base_lr) * height * scale;
    };
  },

  SGDR({ peak, end, first, t_mult, peak_mult }) {
    const startsAt = (i) => (t_mult === 1 ? first * i : (first * (t_mult ** i - 1)) / (t_mult - 1));
    return (t) => {
      let i = Math.floor(t_mult === 1 ? t / first : Math.log1p((t * (t_mult - 1)) / first) / Math.log(t_mult));
      // But for rounding: that of the logarithm, and that of the steps of a restart.
      const begun = (cycle) => t >= startsAt(cycle) * (1 - 1e-12);
      if (begun(i + 1)) i += 1;
      if (!begun(i)) i -= 1;
      return mix(Math.max(end, peak * raised(peak_mult, i)), end, wave((t - startsAt(i)) / (first * t_mult ** i)));
    };
  },

  OneCycle(plain) {
    const [corners, rates] = corners_of(plain);
    return (t) => {
      const i = clamp(passed(corners, t) - 1, 0, corners.length - 2);
      const part = clamp((t - corners[i]) / (corners[i + 1] - corners[i]), 0, 1);
      return mix(rates[i], rates[i + 1], plain.anneal === "cos" ? Math.sin((Math.PI / 2) * part) ** 2 : part);
    };
  },

  WSD: ({ peak, warmup, stable, decay, end, shape, start = 0 }) => (t) => {
    if (t < warmup) return mix(start, peak, t / warmup);
    const done = clamp((t - warmup - stable) / decay, 0, 1);
    if (shape === "exp") return peak ** (1 - done) * end ** done;
    return mix(peak, end, { linear: done, cosine: wave(done), "1-sqrt": Math.sqrt(done) }[shape]);
  },

  Then({ first, second, at }) {
    const [before, after] = [of(first), of(second)];
    return (t) => (t < at ? before(t) : after(t - at));
  },
};

// The steps and the rates between which one cycle moves.
function corners_of({ max_lr, steps, pct_start, initial_lr, final_lr, phases }) {
  const initial = initial_lr ?? max_lr / 25;
  const final = final_lr ?? initial / 10000;
  const top = pct_start * steps - 1;
  return phases === 2
    ? [[0, top, steps - 1], [initial, max_lr, final]]
    : [[0, top, 2 * top, steps - 1], [initial, max_lr, initial, final]];
}

// The rate as a function of the step.
const of = (plain) => kinds[plain.kind](plain);

// The rates of the first n updates.
function table(plain, n) {
  const rate = of(plain);
  return Float64Array.from({ length: n }, (_, t) => rate(t));
}

const warmup = (plain, steps, start = 0) => ({
  kind: "Then", first: { kind: "Linear", start, end: of(plain)(0), steps }, second: plain, at: steps,
});

const momentum = (oneCycle, base = 0.85, max = 0.95) => ({
  ...oneCycle, max_lr: base, initial_lr: max, final_lr: max,
});

// What lrcourse would complain about, or "".
function problem(plain) {
  const rising = (values) => values.every((value, i) => i === 0 || values[i - 1] <= value);
  if (plain.kind === "Cyclic" && plain.max_lr < plain.base_lr) return "max_lr must be at least base_lr.";
  if (plain.kind === "SGDR" && plain.end > plain.peak) return "end must be at most peak.";
  if (plain.kind === "WSD" && plain.shape === "exp" && !(plain.end > 0 && plain.peak > 0))
    return "An exponential never reaches 0: raise end.";
  if (plain.kind === "Geometric" && !(plain.start > 0 && plain.end > 0)) return "By factors, 0 is never reached: raise it.";
  if (plain.kind === "OneCycle" && corners_of(plain)[0].some((step, i, all) => i > 0 && all[i - 1] >= step))
    return "pct_start leaves a phase no step: move it, or use more steps.";
  if (!rising(plain.milestones ?? plain.boundaries ?? [])) return "The steps must be in rising order.";
  if (plain.kind === "Piecewise" && plain.values.length !== plain.boundaries.length + 1)
    return `values must be ${plain.boundaries.length + 1} rates: one before, between and after the boundaries.`;
  return "";
}

lrcourse.schedules = { kinds, of, table, warmup, momentum, problem, corners: corners_of };
})();
