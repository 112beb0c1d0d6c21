// Typesets the page's formulas. They stand there as TeX between the delimiters \( \) and \[ \], which remain without scripts.
for (const formula of document.querySelectorAll(".math.notranslate")) {
  const text = formula.textContent.trim();
  const tex = text.replace(/^\\[([]|\\[)\]]$/g, "");
  window.katex?.render(tex, formula, { displayMode: !text.startsWith("\\("), throwOnError: false });
  for (const wide of formula.querySelectorAll(".katex-display")) wide.tabIndex = 0; // it scrolls, also by keyboard
}
