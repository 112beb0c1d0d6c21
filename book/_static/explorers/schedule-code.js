// The code that makes a schedule, for a run of `run` updates: in lrcourse, PyTorch and Keras.
// Each answer is { code, note }: `note` says where a framework has no counterpart and what stands in for it.
(() => {
const lrcourse = (window.lrcourse ??= {});
const python = (value) =>
  value === null ? "None" : typeof value === "boolean" ? (value ? "True" : "False")
    : Array.isArray(value) ? `[${value.map(python).join(", ")}]` : typeof value === "string" ? `"${value}"` : String(value);
// Keras takes the type of every rate from the first: it must be a float.
const real = (value) => (Array.isArray(value) ? `[${value.map(real).join(", ")}]` : Number.isInteger(value) ? `${value}.0` : python(value));
// A call in one line if it is short, else an argument a line.
function call(name, given) {
  const all = Object.entries(given).map(([key, value]) => (key.startsWith("_") ? value : `${key}=${(/learning_rate|values/.test(key) ? real : python)(value)}`));
  const line = `${name}(${all.join(", ")})`;
  return line.length <= 70 ? line : `${name}(\n${all.map((each) => `    ${each},\n`).join("")})`;
}
const given = ({ kind, ...rest }) => Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null));

function ours({ plain, warm }) {
  const names = warm ? [plain.kind, "warmup"] : [plain.kind];
  const lines = [`from lrcourse import ${names.join(", ")}`, "", `schedule = ${call(plain.kind, given(plain))}`];
  if (warm) lines.push(`schedule = warmup(schedule, steps=${warm.steps}, start=${warm.start})`);
  return lines.join("\n");
}

// Plain Python: the lines of a function's body that returns the rate of update t.
const bodies = {
  Constant: ({ lr }) => [`return ${lr}`],
  Step: ({ lr, every, gamma }) => [`return ${lr} * ${gamma} ** (t // ${every})`],
  MultiStep: ({ lr, milestones, gamma }) => [`return ${lr} * ${gamma} ** sum(t >= m for m in ${python(milestones)})`],
  Exponential: ({ lr, gamma, every, staircase }) => [`return ${lr} * ${gamma} ** (t ${staircase ? "//" : "/"} ${every})`],
  Linear: ({ start, end, steps }) => [`share = min(t / ${steps}, 1)`, `return ${start} + (${end} - ${start}) * share`],
  Polynomial: ({ start, end, steps, power }) => [
    `left = 1 - min(t / ${steps}, 1)`, `return ${end} + (${start} - ${end}) * left**${power}`],
  Cosine: ({ peak, end, steps }) => [
    `share = min(t / ${steps}, 1)`, `return ${end} + (${peak} - ${end}) * (1 + math.cos(math.pi * share)) / 2`],
  Geometric: ({ start, end, steps }) => [`share = min(t / ${steps}, 1)`, `return ${start} * (${end} / ${start}) ** share`],
  REX: ({ peak, end, steps, bend }) => [
    `share = min(t / ${steps}, 1)`, `return ${end} + (${peak} - ${end}) * (1 - share) / (1 - ${bend} * share)`],
  InverseTime: ({ peak, timescale, power }) => [`return ${peak} / (1 + t / ${timescale}) ** ${power}`],
  InverseSqrt: ({ peak, timescale }) => [`return ${peak} / math.sqrt(1 + t / ${timescale})`],
  Piecewise: ({ boundaries, values }) => [`return ${python(values)}[bisect.bisect(${python(boundaries)}, t)]`],
  Cyclic: ({ base_lr, max_lr, step_size_up: up, step_size_down: down, mode, gamma }) => [
    `up, down = ${up}, ${down ?? up}`,
    "cycle, into = divmod(t, up + down)",
    "height = min(into / up, (up + down - into) / down)",
    `scale = ${{ triangular: "1", triangular2: "0.5**cycle", exp_range: `${gamma}**t` }[mode]}`,
    `return ${base_lr} + (${max_lr} - ${base_lr}) * height * scale`],
  SGDR: ({ peak, end, first, t_mult, peak_mult }) => [
    `length, top = ${first}, ${peak}`,
    "while t >= length:  # one cycle after another",
    `    t, length, top = t - length, length * ${t_mult}, top * ${peak_mult}`,
    `top = max(top, ${end})`,
    `return ${end} + (top - ${end}) * (1 + math.cos(math.pi * t / length)) / 2`],
  OneCycle(plain) {
    const [corners, rates] = lrcourse.schedules.corners(plain);
    return [
      `steps = ${python(corners)}`, `rates = ${python(rates)}`,
      "for a, b, low, high in zip(steps, steps[1:], rates, rates[1:]):",
      "    if t <= b:",
      "        share = (t - a) / (b - a)",
      ...(plain.anneal === "cos" ? ["        share = (1 - math.cos(math.pi * share)) / 2"] : []),
      "        return low + (high - low) * share",
      "return rates[-1]"];
  },
  WSD: ({ peak, warmup, stable, decay, end, shape, start }) => [
    ...(warmup ? [`if t < ${warmup}:`, `    return ${start ? `${start} + (${peak} - ${start})` : peak} * t / ${warmup}`] : []),
    `done = min(max((t - ${warmup + stable}) / ${decay}, 0), 1)`,
    `return ${{ linear: `${peak} + (${end} - ${peak}) * done`, "1-sqrt": `${peak} + (${end} - ${peak}) * math.sqrt(done)`,
      cosine: `${peak} + (${end} - ${peak}) * (1 - math.cos(math.pi * done)) / 2`,
      exp: `${peak} * (${end} / ${peak}) ** done` }[shape]}`],
};

const sgd = (lr, rest = "") => `optimizer = torch.optim.SGD(model.parameters(), lr=${lr}${rest})`;

// PyTorch's own scheduler, if there is one that gives these rates: [the optimizer's rate, its name, its arguments].
const natives = {
  Step: ({ lr, every, gamma }) => [lr, "StepLR", { step_size: every, gamma }],
  MultiStep: ({ lr, milestones, gamma }) => [lr, "MultiStepLR", { milestones, gamma }],
  Exponential: ({ lr, gamma, every, staircase }) => {
    if (staircase) return Number.isInteger(every) ? [lr, "StepLR", { step_size: every, gamma }] : undefined;
    return [lr, "ExponentialLR", { _: every === 1 ? `gamma=${gamma}` : `gamma=${gamma} ** (1 / ${every})` }];
  },
  Linear({ start, end, steps }) {
    if (start > 0 && end <= start) return [start, "LinearLR", { start_factor: 1, _: `end_factor=${end} / ${start}`, total_iters: steps }];
    if (start > 0) return [end, "LinearLR", { _: `start_factor=${start} / ${end}`, end_factor: 1, total_iters: steps }];
  },
  Polynomial: ({ start, end, steps, power }) => (end === 0 ? [start, "PolynomialLR", { total_iters: steps, power }] : undefined),
  Cosine: ({ peak, end, steps }, run) =>
    (run <= steps + 1 ? [peak, "CosineAnnealingLR", { T_max: steps, eta_min: end }] : undefined),
  Cyclic: ({ base_lr, max_lr, step_size_up, step_size_down, mode, gamma }) =>
    [base_lr, "CyclicLR", {
      base_lr, max_lr, step_size_up, step_size_down: step_size_down ?? step_size_up, mode, gamma, cycle_momentum: false }],
  SGDR: ({ peak, end, first, t_mult, peak_mult }) =>
    (Number.isInteger(t_mult) && peak_mult === 1
      ? [peak, "CosineAnnealingWarmRestarts", { T_0: first, T_mult: t_mult, eta_min: end }] : undefined),
  OneCycle(plain, run, cycled) {
    const [, rates] = lrcourse.schedules.corners(plain);
    const [initial, max, final] = [rates[0], plain.max_lr, rates.at(-1)];
    if (run > plain.steps || initial === 0 || max === 0) return undefined;
    return [initial, "OneCycleLR", {
      max_lr: max, total_steps: plain.steps, pct_start: plain.pct_start, anneal_strategy: plain.anneal,
      _div: `div_factor=${max} / ${initial}`,
      _final: `final_div_factor=${final === 0 ? 'float("inf")' : `${initial} / ${final}`}`,
      three_phase: plain.phases === 3, cycle_momentum: Boolean(cycled),
      ...(cycled && { base_momentum: cycled.base, max_momentum: cycled.max }),
    }, cycled ? ", momentum=0.9" : ""];
  },
};
const LACKS = {
  Cosine: "CosineAnnealingLR would rise again after its end, which this run passes",
  Linear: "LinearLR cannot start from 0",
  Polynomial: "PolynomialLR always ends at 0",
  SGDR: "CosineAnnealingWarmRestarts takes whole factors and keeps its peak",
  OneCycle: "OneCycleLR takes neither a rate of 0 at first nor more steps than its own",
};

function torch({ plain, warm, run, cycled }) {
  if (plain.kind === "Constant" && !warm)
    return { code: `import torch\n\n${sgd(plain.lr)}  # no scheduler needed`, note: "" };
  const native = warm ? undefined : natives[plain.kind]?.(plain, run, cycled);
  if (native) {
    const [lr, name, args, rest] = native;
    const lines = ["import torch", `from torch.optim.lr_scheduler import ${name}`, "", sgd(lr, rest),
      `scheduler = ${call(name, { _first: "optimizer", ...args })}`, "# after each update: scheduler.step()"];
    return { code: lines.join("\n"), note: "" };
  }
  const body = bodies[plain.kind](plain);
  if (warm) body.unshift(`if t < ${warm.steps}:  # warm-up`,
    `    return ${warm.start} + (${lrcourse.schedules.of(plain)(0)} - ${warm.start}) * t / ${warm.steps}`, `t -= ${warm.steps}`);
  const needs = ["bisect", "math"].filter((name) => body.some((line) => line.includes(`${name}.`)));
  const lines = [...needs.map((name) => `import ${name}`), ...(needs.length ? [""] : []), "import torch",
    "from torch.optim.lr_scheduler import LambdaLR", "", "", "def rate(t):", ...body.map((line) => `    ${line}`), "", "",
    `${sgd("1.0")}  # times rate(t)`, "scheduler = LambdaLR(optimizer, rate)", "# after each update: scheduler.step()"];
  const why = warm ? "a warm-up in front, in full" : LACKS[plain.kind] ?? `PyTorch has no scheduler for ${plain.kind}`;
  return { code: lines.join("\n"), note: `${why[0].toUpperCase()}${why.slice(1)}: a function of the step inside LambdaLR gives exactly these rates.` };
}

const fraction = (end, peak) => ({ _alpha: `alpha=${end} / ${peak}` });
const kerasNatives = {
  Step: ({ lr, every, gamma }) =>
    ["ExponentialDecay", { initial_learning_rate: lr, decay_steps: every, decay_rate: gamma, staircase: true }],
  Exponential: ({ lr, every, gamma, staircase }) =>
    ["ExponentialDecay", { initial_learning_rate: lr, decay_steps: every, decay_rate: gamma, staircase }],
  Linear: ({ start, end, steps }) =>
    ["PolynomialDecay", { initial_learning_rate: start, decay_steps: steps, end_learning_rate: end }],
  Polynomial: ({ start, end, steps, power }) =>
    ["PolynomialDecay", { initial_learning_rate: start, decay_steps: steps, end_learning_rate: end, power }],
  Cosine: ({ peak, end, steps }) =>
    (peak > 0 ? ["CosineDecay", { initial_learning_rate: peak, decay_steps: steps, ...fraction(end, peak) }] : undefined),
  SGDR: ({ peak, end, first, t_mult, peak_mult }) =>
    (peak > 0 && t_mult === 1 && peak_mult === 1
      ? ["CosineDecayRestarts", { initial_learning_rate: peak, first_decay_steps: first, t_mul: 1.0, ...fraction(end, peak) }]
      : undefined),
  InverseTime: ({ peak, timescale, power }) =>
    (power === 1
      ? ["InverseTimeDecay", { initial_learning_rate: peak, decay_steps: timescale, decay_rate: 1 }] : undefined),
  Piecewise: ({ boundaries, values }) =>
    (boundaries.length && boundaries.every((b) => b > 0) && new Set(boundaries).size === boundaries.length
      ? ["PiecewiseConstantDecay", { boundaries: boundaries.map((b) => b - 1), values }] : undefined),
};

function keras({ plain, warm, run, cycled }) {
  if (plain.kind === "Constant" && !warm)
    return { code: `import keras\n\noptimizer = keras.optimizers.SGD(learning_rate=${real(plain.lr)})`, note: "" };
  const native = warm ? undefined : kerasNatives[plain.kind]?.(plain);
  if (native) {
    const early = plain.kind === "Piecewise" ? "  Keras changes the rate after a boundary, so each is one less here." : "";
    return {
      code: `import keras\n\nrate = ${call(`keras.optimizers.schedules.${native[0]}`, native[1])}\noptimizer = keras.optimizers.SGD(learning_rate=rate)`,
      note: `Keras computes rates in float32: equal to one part in a million.${early}`,
    };
  }
  const why = warm ? "A warm-up in front of any schedule" : plain.kind === "SGDR" ? "Warm restarts with these factors" : plain.kind;
  if (cycled) return {
    code: `import keras\nfrom lrcourse.keras import ScheduleCallback\n${ours({ plain, warm })}\n`
      + `momentum = schedule.momentum(base=${cycled.base}, max=${cycled.max})\n`
      + "callback = ScheduleCallback(schedule, momentum=momentum)\n"
      + "optimizer = keras.optimizers.SGD(momentum=0.9)\n# model.fit(..., callbacks=[callback])",
    note: "Keras has no one-cycle schedule and no way to schedule a momentum: lrcourse's callback does both.",
  };
  return {
    code: `import keras\nfrom lrcourse.keras import KerasSchedule\n${ours({ plain, warm })}\n`
      + `rate = KerasSchedule(schedule, steps=${run})\noptimizer = keras.optimizers.SGD(learning_rate=rate)`,
    note: `${why} has no exact counterpart in Keras: lrcourse's adapter puts the table of rates, in float32, into the optimizer.`,
  };
}

function code(setting) {
  const momentum = setting.cycled
    ? `\nmomentum = schedule.momentum(base=${setting.cycled.base}, max=${setting.cycled.max})` : "";
  return { lrcourse: { code: ours(setting) + momentum, note: "" }, PyTorch: torch(setting), Keras: keras(setting) };
}

Object.assign(lrcourse, { code });
})();
