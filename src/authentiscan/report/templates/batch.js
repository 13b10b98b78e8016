"use strict";
// Cards stand as text in noscript elements, in the order of the index; only a page of them is built.
(() => {
  const CARD = "<" + "article ", CHUNK = 50, PAGE = 60, MOST_PICTURES_ON_PAPER = 400;
  const [NAME, KIND, SCORE, CODES, SCANNED] = [0, 1, 2, 3, 4];
  const index = JSON.parse(document.getElementById("index").textContent);
  const shown = document.getElementById("shown");
  const stored = document.getElementById("stored");
  const controls = document.getElementById("controls");
  const [find, code, order] = ["find", "code", "order"].map((id) => document.getElementById(id));
  let hits = [], page = 0;
  document.documentElement.classList.add("js");

  const score = (i) => (index[i][SCORE] === null ? -1 : index[i][SCORE]);
  const byName = new Intl.Collator(undefined, { numeric: true }).compare;
  const ORDERS = {
    look: (a, b) => a - b,
    high: (a, b) => score(b) - score(a) || a - b,
    low: (a, b) => score(a) - score(b) || a - b,
    name: (a, b) => byName(index[a][NAME], index[b][NAME]) || a - b,
    scan: (a, b) => index[a][SCANNED] - index[b][SCANNED],
  };

  const fits = ([name, kind, , codes], words, wanted, warned) =>
    (wanted === "all" || kind === wanted) &&
    (warned === "" || (warned === "*" ? codes.length > 0 : warned === "-" ? !codes.length : codes.includes(warned))) &&
    words.every((word) => name.toLowerCase().includes(word));

  // The HTML of cards; those that are not read yet are left out.
  const html = (places) => {
    const chunks = stored.getElementsByTagName("noscript"), read = new Map();
    return places.map((i) => {
      const number = Math.floor(i / CHUNK);
      if (!chunks[number]) return "";
      if (!read.has(number)) read.set(number, chunks[number].textContent.split(CARD).slice(1));
      return CARD + (read.get(number)[i % CHUNK] || "hidden></article>");
    }).join("").replaceAll(' data-src="', ' src="');
  };

  const render = () => {
    const pages = Math.max(1, Math.ceil(hits.length / PAGE));
    page = Math.min(Math.max(page, 0), pages - 1);
    const first = page * PAGE, last = Math.min(first + PAGE, hits.length);
    shown.innerHTML = html(hits.slice(first, last));
    for (const place of document.querySelectorAll(".place")) {
      place.textContent = hits.length ? `${first + 1} to ${last} of ${hits.length}` : "no image fits";
    }
    for (const button of document.querySelectorAll("[data-step]")) {
      button.disabled = button.dataset.step < 0 ? page === 0 : page === pages - 1;
    }
  };

  const choose = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = controls.elements.kind.value;
    hits = index.flatMap((entry, i) => (fits(entry, words, wanted, code.value) ? [i] : []));
    hits.sort(ORDERS[order.value]);
    page = 0;
    render();
  };

  controls.addEventListener("input", choose);
  controls.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("click", (event) => {
    const step = event.target.dataset && event.target.dataset.step;
    if (!step) return;
    page += Number(step);
    render();
    shown.scrollIntoView();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const box of shown.querySelectorAll(".zoom input:checked")) box.checked = false;
  });
  // Paper has no next page to click on: all that fit the filters are printed, as a compact list.
  addEventListener("beforeprint", () => {
    shown.classList.toggle("bare", hits.length > MOST_PICTURES_ON_PAPER);
    shown.innerHTML = html(hits);
  });
  addEventListener("afterprint", render);
  document.addEventListener("DOMContentLoaded", render);
  choose();
})();
