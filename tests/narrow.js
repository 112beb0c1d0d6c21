// What a narrow window spoils: text that is cut or hidden by other text, buttons of the header that are not there.
() => {
  const width = document.documentElement.clientWidth;
  const problems = [];
  const lines = [];
  const told = (text) => text.trim().slice(0, 50);

  // The part of a box that its ancestors let be seen; a scrolling ancestor lets the reader reach the rest.
  const seen = (element, box, text) => {
    let { left, right, top, bottom } = box;
    for (let each = element; each !== document.body; each = each.parentElement) {
      const { overflowX } = getComputedStyle(each);
      if (overflowX === "visible") continue;
      const edge = each.getBoundingClientRect();
      if (["hidden", "clip"].includes(overflowX) && (left < edge.left - 1 || right > edge.right + 1)) {
        problems.push(`cut: ${told(text)}`);
      }
      [left, right] = [Math.max(left, edge.left), Math.min(right, edge.right)];
      [top, bottom] = [Math.max(top, edge.top), Math.min(bottom, edge.bottom)];
    }
    if (left < -1 || right > width + 1) problems.push(`beyond the window: ${told(text)}`);
    return { left, right, top, bottom, text };
  };

  const shown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const texts = document.createTreeWalker(document.querySelector(".bd-main"), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode;
    const element = node.parentElement;
    if (!node.data.trim() || !shown(element) || element.closest("pre, svg, script, .katex, .spoken, select")) continue;
    const range = new Range();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) lines.push(seen(element, box, node.data));
  }
  for (const block of document.querySelectorAll(".bd-main pre, .bd-main .katex")) {
    if (shown(block)) lines.push(seen(block.parentElement, block.getBoundingClientRect(), block.textContent));
  }

  lines.sort((a, b) => a.top - b.top);
  lines.forEach((one, i) => {
    for (let j = i + 1; j < lines.length && lines[j].top < one.bottom - 4; j += 1) {
      const two = lines[j];
      const across = Math.min(one.right, two.right) - Math.max(one.left, two.left);
      const down = Math.min(one.bottom, two.bottom) - two.top;
      if (across > 4 && down > 4) problems.push(`overlap: ${told(one.text)} / ${told(two.text)}`);
    }
  });

  for (const name of ["primary-toggle", "theme-switch-button", "search-button"]) {
    const button = [...document.querySelectorAll(`.bd-header-article .${name}`)].find(shown);
    const box = button?.getBoundingClientRect();
    if (!box || box.left < 0 || box.right > width || box.width < 24 || box.height < 24) problems.push(`no ${name}`);
  }
  return [...new Set(problems)];
}
