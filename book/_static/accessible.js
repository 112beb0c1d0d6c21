// What the theme's pages lack for screen readers, speech control and the keyboard, and style sheets cannot add.
// "interactive" comes before the deferred scripts: Font Awesome then finds icons without titles to turn into pictures.
document.addEventListener("readystatechange", () => {
  if (document.readyState !== "interactive") return;
  const all = (selector, change) => document.querySelectorAll(selector).forEach(change);

  // The spoken name of a button begins with the words that are seen on it.
  all("button.search-button-field", (button) => button.setAttribute("aria-label", button.textContent.replace(/\s+/g, " ").trim()));
  all(".theme-switch-button i", (icon) => icon.removeAttribute("title"));
  all("summary[aria-label]", (summary) => summary.removeAttribute("aria-label"));

  // The arrow beside a page that has pages below it.
  all("summary:has(.toctree-toggle)", (summary) => {
    summary.setAttribute("aria-label", `Pages of ${summary.parentElement.previousElementSibling.textContent}`);
  });

  // The logo belongs to a landmark.
  all(".sidebar-primary-item:has(> .navbar-brand)", (item) => {
    item.setAttribute("role", "navigation");
    item.setAttribute("aria-label", "Home");
  });

  // doc-biblioentry is deprecated: a bibliography is a list with items.
  all("[role=doc-biblioentry]", (entry) => entry.setAttribute("role", "listitem"));
  all(".citation-list > a", (anchor) => anchor.nextElementSibling?.prepend(anchor));
});

// The theme takes the focus from a button that opens a sidebar. Whoever pressed it by key finds it there again.
let pressed;
document.addEventListener("click", (event) => { pressed = event.detail === 0 && event.target.closest("button"); }, true);
document.addEventListener("close", () => { if (pressed) setTimeout(() => pressed.focus()); }, true);
