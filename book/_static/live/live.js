// Loads what the live figure of a chapter is made of when the reader comes near it, and lets words in the text set it.
// Without this script a sentence stands in the figure's place, and the words are words.
(() => {
const site = document.currentScript.src.replace(/live\/live\.js.*$/, "");
const figure = document.querySelector("figure.live");
let loading;

function load() {
  loading ??= Promise.all(figure.dataset.scripts.split(" ").map((name) => new Promise((done, failed) => {
    const script = document.createElement("script");
    Object.assign(script, { src: site + name, async: false, onload: done, onerror: failed }); // run in their order
    document.head.append(script);
  }))).then(() => window.lrcourse.begin(figure), () => figure.classList.add("live-failed"));
  return loading;
}

async function set(query) {
  await load();
  figure.set?.(new URLSearchParams(query));
}

// Whoever is led up to the figure comes back by the browser's own way back.
function followed(event) {
  const link = event.currentTarget;
  const { top, bottom } = figure.getBoundingClientRect();
  event.preventDefault();
  if (bottom < 200 || top > innerHeight - 200) {
    history.pushState(null, "", link.hash);
    figure.scrollIntoView();
  }
  set(link.dataset.set);
}

if (figure) {
  new IntersectionObserver(([seen]) => seen.isIntersecting && load(), { rootMargin: "600px 0px" }).observe(figure);
  for (const words of document.querySelectorAll("span.set")) {
    const link = document.createElement("a");
    Object.assign(link, { className: "set", href: `#live?${words.dataset.set}`, textContent: words.textContent, onclick: followed });
    link.dataset.set = words.dataset.set;
    words.replaceWith(link);
  }
  const [name, query] = location.hash.slice(1).split("?");
  if (name === "live" && query) {
    figure.scrollIntoView();
    set(query);
  }
}
})();
