// What explorers are made of besides plots: fields with a label, a name and a value, speech, and their place in the page.
(() => {
const lrcourse = (window.lrcourse ??= {});
const { html } = lrcourse;
let count = 0;

// A number with a slider: a labelled range input and a number input that follow each other. `log`: the slider moves
// by powers of ten; its left end is 0 if `min` is 0.
function slider({ name, label = name, value, min, max, step, log = false, least = 1e-6 }, changed) {
  const [low, high] = log ? [Math.log10(min || least), Math.log10(max)] : [min, max];
  const range = html("input", { type: "range", min: low, max: high, step: log ? 0.01 : step, "aria-label": label });
  const number = html("input", { type: "number", min, max, step: log ? "any" : step, id: `input-${++count}`, inputmode: "decimal" });
  const field = {
    name,
    node: html("div", { class: "field" }, html("label", { for: number.id }, label), range, number),
    get value() { return number.value === "" ? NaN : Number(number.value); },
    set value(to) {
      number.value = to;
      this.follow();
    },
    follow() {
      const now = this.value;
      const valid = Number.isFinite(now) && now >= min && now <= max && (step !== 1 || Number.isInteger(now));
      number.setAttribute("aria-invalid", !valid);
      range.value = log ? (now > 0 ? Math.log10(now) : low) : now;
      range.setAttribute("aria-valuetext", number.value);
      return valid;
    },
    get valid() { return number.getAttribute("aria-invalid") === "false"; },
  };
  range.addEventListener("input", () => {
    const at = Number(range.value);
    number.value = !log ? at : min === 0 && at <= low ? 0 : Number((10 ** at).toPrecision(2));
    number.setAttribute("aria-invalid", false);
    range.setAttribute("aria-valuetext", number.value);
    changed(field);
  });
  // A browser moves a slider as soon as a finger touches it: where the finger then scrolls the page, it moves back.
  let before;
  range.addEventListener("pointerdown", () => { before = number.value; });
  range.addEventListener("pointercancel", () => {
    field.value = before;
    changed(field);
  });
  number.addEventListener("input", () => {
    field.follow();
    changed(field);
  });
  field.value = value;
  return field;
}
function choice({ name, label = name, value, options }, changed) {
  const select = html("select", { id: `input-${++count}` },
    ...options.map((each) => html("option", { value: String(each) }, String(each))));
  select.value = String(value);
  const field = {
    name, node: html("div", { class: "field" }, html("label", { for: select.id }, label), select), valid: true,
    get value() { return options[select.selectedIndex]; },
    set value(to) { select.value = String(to); },
  };
  select.addEventListener("change", () => changed(field));
  return field;
}

function tick({ name, label = name, value = false }, changed) {
  const box = html("input", { type: "checkbox" });
  box.checked = value;
  const field = {
    name, node: html("div", { class: "field" }, html("label", { class: "tick" }, box, html("span", {}, label))), valid: true,
    get value() { return box.checked; },
    set value(to) { box.checked = to; },
  };
  box.addEventListener("change", () => changed(field));
  return field;
}

// Says a text to screen readers once it has stood still for a moment.
function spoken(node) {
  const quiet = html("p", { class: "spoken", "aria-live": "polite" });
  node.append(quiet);
  let timer;
  return (text) => {
    clearTimeout(timer);
    timer = setTimeout(() => { quiet.textContent = text; }, 500);
  };
}

// Calls `build(host)` for each explorer of that name on the page; its picture stays for print.
function explorers(name, build) {
  document.addEventListener("DOMContentLoaded", () => {
    for (const figure of document.querySelectorAll(`figure.explorer-${name}`)) {
      const host = html("div", { class: "explorer" });
      figure.prepend(host);
      figure.classList.add("explorer-live");
      build(host, figure);
    }
  });
}

Object.assign(lrcourse, { slider, choice, tick, spoken, explorers });
})();
