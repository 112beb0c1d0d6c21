// Numbers in Python's words: read as float() reads them, written as its format() writes them, halves to the even digit.
(() => {
const audit = (window.lrcourse.audit ??= {});
const FLOAT = /^[+-]?(\d+(_\d+)*\.?(\d+(_\d+)*)?|\.\d+(_\d+)*)(e[+-]?\d+(_\d+)*)?$/i;
const WORDS = /^([+-]?)(nan|inf|infinity)$/i;

// The number in a text, or undefined.
function float(text) {
  const bare = text.trim();
  if (FLOAT.test(bare)) return Number(bare.replaceAll("_", ""));
  const [, sign, word] = WORDS.exec(bare) ?? [];
  if (!word) return undefined;
  return word.toLowerCase() === "nan" ? NaN : sign === "-" ? -Infinity : Infinity;
}

// The first digits of a number above 0, and the power of ten of the first of them.
function leading(x, count) {
  const [exact, power] = x.toExponential(20).split("e");
  const digits = exact.replace(".", "");
  const down = digits.slice(0, count);
  if (/^50*$/.test(digits.slice(count)) && down.at(-1) % 2 === 0) return [down, Number(power)];
  const [near, at] = x.toExponential(count - 1).split("e");
  return [near.replace(".", ""), Number(at)];
}

// `{x:.6g}` is general(x, 6).
function general(x, count) {
  if (Number.isNaN(x)) return "nan";
  const sign = x < 0 || Object.is(x, -0) ? "-" : "";
  if (!Number.isFinite(x)) return `${sign}inf`;
  if (x === 0) return `${sign}0`;
  const [digits, power] = leading(Math.abs(x), count);
  const bare = (text) => text.replace(/0+$/, "").replace(/\.$/, "");
  if (power < -4 || power >= count) {
    return `${sign}${bare(`${digits[0]}.${digits.slice(1)}`)}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  }
  return sign + bare(power < 0 ? `0.${"0".repeat(-power - 1)}${digits}` : `${digits.slice(0, power + 1)}.${digits.slice(power + 1)}`);
}

// The nearest whole number, as Python's round().
function round(x) {
  const down = Math.floor(x);
  return x - down === 0.5 ? down + (down % 2 === 0 ? 0 : 1) : Math.round(x);
}

// Halves to the even digit, with some decimals: round(x, places).
function rounded(x, places) {
  const long = x.toFixed(20);
  const cut = long.indexOf(".") + 1 + places;
  const down = long.slice(0, cut);
  return Number(/^50*$/.test(long.slice(cut)) && down.at(-1) % 2 === 0 ? down : x.toFixed(places));
}

// `{x:.0%}`
const percent = (x) => `${round(x * 100)}%`;

Object.assign(audit, { float, general, round, rounded, percent });
})();
