// A tour by keyboard: what Tab should reach on the page, in order, and what it shows at each stop.
() => {
  const shown = (element) => element.checkVisibility({ visibilityProperty: true });
  const reachable = (element) => {
    if (element.tabIndex < 0 || element.disabled || !shown(element)) return false;
    if (element.type !== "radio") return true;
    const group = [...document.querySelectorAll("input[type=radio]")].filter((each) => each.name === element.name);
    return element === (group.find((each) => each.checked) ?? group[0]); // arrow keys reach the others
  };
  const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")].filter(reachable);

  // Where a ring may stand: the element, the label of a tab, the form of a search field, the disc of a handle, an arrow.
  const marks = (element) => [element, element.closest("form"), element.labels?.[0], element.querySelector(".target, .toctree-toggle")].filter(Boolean);
  const look = (element) => marks(element).map((each) => {
    const { outlineStyle, outlineWidth, outlineColor, boxShadow, stroke, strokeWidth } = getComputedStyle(each);
    return [outlineStyle === "none" ? "" : outlineStyle + outlineWidth + outlineColor, boxShadow, stroke, strokeWidth];
  }).join();
  const before = new Map(all.map((element) => [element, look(element)]));

  // In sight: what lies at its middle is the element itself, a part of it, or what it is a part of.
  const inSight = (element) => {
    const drawn = element.querySelector(".toctree-toggle") ?? element; // an arrow that lies outside of its own element
    const seen = getComputedStyle(element).opacity === "0" ? element.labels?.[0] ?? element : drawn;
    const { left, top, width, height } = seen.getBoundingClientRect();
    const found = document.elementFromPoint(left + width / 2, top + height / 2);
    return Boolean(found) && (seen.contains(found) || found.contains(seen)) && getComputedStyle(seen).opacity === "1";
  };

  window.tour = {
    names: all.map((element) => element.outerHTML.slice(0, 100)),
    stop() {
      const element = document.activeElement;
      if (element === document.body) return null;
      document.getAnimations().forEach((each) => each.finish()); // what fades or slides in is there
      return {
        number: all.indexOf(element), name: element.outerHTML.slice(0, 100),
        ring: look(element) !== before.get(element), inSight: inSight(element),
      };
    },
  };
}
