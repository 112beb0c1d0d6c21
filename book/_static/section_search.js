// The search page asks the index of sections that Pagefind made (book/_ext/section_search.py) and shows the words around
// what was found. A page opened from the disk may not fetch an index: the theme's own search answers there.
const SECTIONS = 3; // of a page
const PAGES = 20;

const element = (tag, properties, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};

// The excerpt is Pagefind's, with the words that were found in <mark>; all else in it is escaped.
const section = ({ title, url, excerpt }) =>
  element("li", { className: "kind-title" }, element("a", { href: url, textContent: title }), element("p", { className: "context", innerHTML: excerpt }));

const score = (each) => each.weighted_locations.reduce((sum, { balanced_score: more }) => sum + more, 0);

const page = ({ url, meta, excerpt, sub_results: found }) => {
  const best = found.filter((each) => each.title !== meta.title).toSorted((a, b) => score(b) - score(a));
  const sections = best.slice(0, SECTIONS);
  const whole = element("li", {}, element("a", { href: url, textContent: meta.title }));
  whole.append(sections.length ? element("ul", {}, ...sections.map(section)) : element("p", { className: "context", innerHTML: excerpt }));
  return whole;
};

const searchSections = async (query) => {
  const status = element("p", { className: "search-summary", textContent: "Searching …" });
  status.setAttribute("role", "status");
  const list = element("ul", { className: "search sections" });
  document.getElementById("search-results").append(element("h2", { textContent: "Search results" }), status, list);
  const pagefind = await import(new URL("pagefind/pagefind.js", location.href).href);
  const { results } = await pagefind.search(query);
  const shown = await Promise.all(results.slice(0, PAGES).map((each) => each.data()));
  list.append(...shown.map(page));
  status.textContent = results.length
    ? `${results.length} ${results.length === 1 ? "page" : "pages"} found.`
    : "No page has these words. Try others, or look into the glossary.";
};

document.addEventListener("DOMContentLoaded", () => {
  if (location.protocol !== "file:") Search.performSearch = searchSections;
});
