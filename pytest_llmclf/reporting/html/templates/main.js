// Putting it together: what is drawn when, the address, and what the window tells.

const PARTS = [
  ["leaderboard", "Ranking"],
  ["verdict", "Verdict"],
  ["confusion", "Confusion"],
  ["classes", "Classes"],
  ["compare", "Compare"],
  ["images", "Images"],
  ["charts", "Charts"],
  ["facts", "Facts"],
];

// The only way in which the state changes.
function choose(changes, { replace = false, jump = false } = {}) {
  const before = state;
  state = { ...state, ...changes };
  const goal = address();
  if (goal !== location.hash) {
    // Typing leaves one entry to go back to, not one a letter.
    if (replace) history.replaceState(null, "", goal);
    else history.pushState(null, "", goal);
  }
  redraw(before);
  if (jump) jumpTo("images");
}

const WANTED = ["kinds", "expected", "predicted", "search", "tags", "finding", "pair", "right", "flip", "sort"];

function redraw(before) {
  if (!data.sections.length) return;
  if (before.section !== state.section) showSection();
  else if (WANTED.some((key) => before[key] !== state[key])) {
    gallery.place = 0;
    updateGallery();
    markMatrix();
  }
  if (before.section === state.section && before.against !== state.against) showCompare();
  if (before.open !== state.open) showDetail();
}

function showSection() {
  focusPlace = [0, 0];
  gallery.place = 0;
  gallery.cards.clear();
  byId("section-select").value = String(state.section);
  byId("main").classList.toggle("side-by-side", current().labels.length <= 14);
  showOverview();
  showLeaderboard();
  showVerdict();
  showMatrix();
  showClasses();
  showCompare();
  showCharts();
  showFacts();
  showGallery();
  showParts();
}

function showParts() {
  refill(
    byId("parts"),
    PARTS.filter(([id]) => !byId(id).hidden).map(([id, text]) =>
      el(
        "li",
        {},
        el("button", { type: "button", class: "plain-link", onclick: () => jumpTo(id) }, text),
      ),
    ),
  );
}

function jumpTo(id) {
  const head = byId(`${id}-head`);
  head.focus({ preventScroll: true });
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  head.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
}

function showFacts() {
  const section = current();
  const group = (title, facts) =>
    facts.length ? el("div", { class: "fact-group" }, el("h3", {}, title), definitions(facts)) : null;
  refill(
    byId("facts"),
    el("h2", { id: "facts-head", tabindex: -1 }, "Facts"),
    el(
      "div",
      { class: "fact-groups" },
      group("Model and data", [...section.facts, ...section.details]),
      group("Settings", data.settings),
      group("Environment", data.environment),
    ),
    section.instructions
      ? el(
          "details",
          {},
          el("summary", {}, "What the model was told"),
          el("pre", { class: "raw" }, el("bdi", {}, visible(section.instructions))),
        )
      : null,
  );
}

// Images stand last in the file and are read piece by piece, so that a page with thousands of
// them answers from the start.
function readImages() {
  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", readImages);
    return;
  }
  const elements = [...document.querySelectorAll("script.images")];
  const next = () => {
    const element = elements.shift();
    if (!element) {
      document.documentElement.dataset.images = "ready";
      return;
    }
    for (const image of JSON.parse(element.textContent)) images.push(image);
    element.remove();
    showWaiting();
    if (state.open >= 0 && byId("detail").querySelector("[data-waiting]")) showDetail();
    setTimeout(next);
  };
  setTimeout(next);
}

function listen() {
  let asked = false;
  const soon = (action) => () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      action();
    });
  };
  window.addEventListener("scroll", soon(inSight), { passive: true });
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    layOut();
    if (width !== window.innerWidth) showCharts();
    width = window.innerWidth;
  });
  const restore = () => {
    const before = state;
    state = restored(location.hash);
    redraw(before);
    if (before.cells !== state.cells) showMatrix();
  };
  window.addEventListener("popstate", restore);
  window.addEventListener("hashchange", restore);
  window.addEventListener("beforeprint", () => {
    gallery.all = true;
    const left = gallery.found.length - PRINTED;
    refill(byId("print-note"), left > 0 ? `${plural(left, "more image")} are not printed.` : "");
    inSight();
  });
  window.addEventListener("afterprint", () => {
    gallery.all = false;
    refill(byId("print-note"), "");
    inSight();
  });
  const dialog = byId("detail");
  dialog.addEventListener("close", closed);
  dialog.addEventListener("keydown", detailKey);
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault();
    jumpTo("images");
  });
}

function start() {
  document.title = name(data.title);
  refill(byId("title"), foreign(data.title));
  const chooser = byId("chooser");
  chooser.hidden = data.sections.length < 2;
  refill(
    byId("section-select"),
    data.sections.map((section, place) => el("option", { value: place }, name(section.name))),
  );
  byId("section-select").addEventListener("change", (event) =>
    choose({ ...fresh(), section: Number(event.target.value) }),
  );
  listen();
  if (!data.sections.length) {
    refill(byId("verdict"), el("h2", { id: "verdict-head" }, "No evaluation was run"));
    for (const id of ["leaderboard", "confusion", "classes", "charts", "facts", "images"]) byId(id).hidden = true;
    readImages();
    return;
  }
  state = restored(location.hash);
  showSection();
  if (state.open >= 0) showDetail();
  document.documentElement.dataset.page = "ready";
  readImages();
}

start();
