// Chooses among the claims by verdict, topic and words. The choice stands in the address, so that it can be sent on.
// Without this script every claim is shown.
document.addEventListener("DOMContentLoaded", () => {
  const place = document.querySelector(".claim-filter");
  const claims = [...document.querySelectorAll(".claim")];
  const titles = new Map(); // of the chapters, from the links of the claims
  const parts = [...new Set(claims.map((claim) => claim.closest("section")))];
  const of = (claim, kind) => [...claim.classList].find((name) => name.startsWith(kind)).slice(kind.length);
  for (const claim of claims) {
    const topic = of(claim, "topic-");
    const link = [...claim.querySelectorAll("a")].find((each) => each.pathname.endsWith(`/${topic}.html`));
    titles.set(topic, link ? link.textContent : topic);
  }

  const controls = { verdict: select("Verdict"), topic: select("Topic"), words: document.createElement("input") };
  controls.words.type = "search";
  controls.words.setAttribute("aria-label", "Words");
  controls.words.placeholder = "words";
  for (const verdict of new Set(claims.map((claim) => of(claim, "claim-")))) {
    controls.verdict.add(new Option(verdict.replaceAll("-", " "), verdict));
  }
  for (const [topic, title] of titles) controls.topic.add(new Option(title, topic));
  const count = document.createElement("p");
  count.setAttribute("role", "status");
  place.append(...Object.values(controls), count);

  const address = new URLSearchParams(location.search);
  for (const [name, control] of Object.entries(controls)) {
    control.value = address.get(name) ?? "";
    control.addEventListener("input", show);
  }
  show();

  function select(label) {
    const control = document.createElement("select");
    control.setAttribute("aria-label", label);
    control.add(new Option(`${label}: all`, ""));
    return control;
  }

  function show() {
    const words = controls.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const claim of claims) {
      const text = claim.textContent.toLowerCase();
      const chosen = (!controls.verdict.value || of(claim, "claim-") === controls.verdict.value)
        && (!controls.topic.value || of(claim, "topic-") === controls.topic.value)
        && words.every((word) => text.includes(word));
      claim.hidden = !chosen;
      shown += chosen;
    }
    const any = Object.values(controls).some((control) => control.value);
    for (const part of parts) part.hidden = any && ![...part.querySelectorAll(".claim")].some((claim) => !claim.hidden);
    count.textContent = `${shown} of ${claims.length} claims`;
    const kept = new URLSearchParams(Object.entries(controls).map(([name, { value }]) => [name, value]).filter(([, value]) => value));
    const query = kept.size ? `?${kept}` : "";
    if (query !== location.search) history.replaceState(null, "", location.pathname + query + location.hash);
  }
});
