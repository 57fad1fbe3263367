// What is shown: one image, what is said of it, what was decided, and how far it is.

const WORDS = {
  accept: () => "the label is right",
  relabel: (labels) => ["relabelled ", several(labels)],
  also: (labels) => ["right are ", several(labels)],
  "leave-out": () => "not in this set",
  unsure: () => "unsure",
};
const SMALL = 240; // images with shorter sides are enlarged
const LARGE = 480;
const view = { place: 0, batches: new Map(), drafts: new Map() };
const shown = () => data.images[view.place];

function several(labels) {
  return labels.map((one, place) => [place ? " or " : null, foreign(one)]);
}

function tell(text) {
  byId("told").textContent = name(text);
}

// The pixels of an image; null where the page has none, undefined while it still loads.
function pixels(place) {
  if (place < 0 || data.without[place] !== null) return null;
  const number = Math.floor(place / data.batch);
  if (!view.batches.has(number)) {
    const element = document.querySelectorAll("script.images")[number];
    if (!element || (document.readyState === "loading" && !element.nextElementSibling)) return undefined;
    // Read piece by piece, and few at a time: all of them together may be large.
    if (view.batches.size > 3) view.batches.clear();
    view.batches.set(number, JSON.parse(element.textContent));
  }
  return view.batches.get(number)[place % data.batch];
}

function show() {
  showProgress();
  showImage();
  showQuestion();
  warn();
}

function showProgress() {
  const done = data.images.filter((one) => current(one)).length;
  byId("progress").textContent =
    `image ${(view.place + 1).toLocaleString("en")} of ${data.images.length.toLocaleString("en")}, ` +
    `${done.toLocaleString("en")} decided`;
  byId("meter").firstElementChild.style.setProperty("width", `${(100 * done) / data.images.length}%`);
  byId("kept").textContent = file.handle
    ? file.trouble ? `not written to ${name(file.title)}` : `written to ${name(file.title)}`
    : log.broken ? "" : `kept in this browser${unsaved() ? ", not in a file yet" : ""}`;
}

function warn() {
  const place = byId("warning");
  const texts = [];
  if (log.broken) {
    texts.push(
      `This browser keeps nothing for this page (${log.broken}): what is decided is lost with this tab, ` +
        "unless it is in a file. Press S to save, D to download.",
    );
  }
  if (file.trouble) texts.push(`${file.title} could not be written (${file.trouble}). Press S to choose another file.`);
  place.hidden = !texts.length;
  place.textContent = name(texts.join(" "));
}

function showImage() {
  const one = shown();
  const found = pixels(one.place);
  const place = byId("image");
  const caption = el("figcaption", { class: "note" }, foreign(one.image));
  if (!found) {
    const why =
      found === undefined ? "loading"
      : one.place < 0 ? "its file is not found in this project"
      : data.without[one.place];
    refill(place, el("p", { class: "without" }, `No image: ${name(why)}`), caption);
    return;
  }
  const [address, width, height] = found;
  const side = Math.max(width, height);
  const times = side < SMALL ? Math.floor(LARGE / side) : 1;
  const image = el("img", {
    src: address, width, height, alt: name(one.image),
    class: times > 2 ? "pixels" : null, vars: { wide: `${width * times}px` },
  });
  refill(place, image, caption);
}

function showQuestion() {
  const one = shown();
  const made = current(one)?.decision;
  refill(
    byId("question"),
    el("p", { class: "counts" }, kindText(one)),
    el("h2", { id: "question-head", tabindex: -1 }, "Labelled ", el("b", {}, several(one.was))),
    same(one.was, one.now) ? null : el("p", { class: "note" }, "by earlier decisions now ", several(one.now)),
    el(
      "p",
      { id: "decided", class: made ? `decision ${made.decision}` : "decision", "aria-live": "polite" },
      made ? ["You decided: ", WORDS[made.decision](made.labels), made.why ? [" (", foreign(made.why), ")"] : null] : "Not decided yet",
    ),
    finished(),
    one.reasons.length ? el("ul", { class: "findings" }, one.reasons.map((text) => el("li", {}, foreign(text)))) : null,
    answers(one),
    keyButtons(DECIDING),
    labelChips(one),
    keyButtons(MOVING),
  );
}

function kindText(one) {
  if (one.control) return "Drawn at random among the images of which nothing is proposed";
  return one.score === null ? "Nothing is proposed" : `In doubt, score ${one.score.toFixed(2)}`;
}

function answers(one) {
  const row = (said, place) => {
    if (!said) return null;
    const [label, confidence, text, why] = said;
    const answer = text < 0 ? null : data.texts[text];
    return el(
      "tr",
      {},
      el("th", { scope: "row" }, foreign(data.models[place])),
      el(
        "td",
        {},
        label === null ? foreign(data.texts[why]) : el("b", {}, foreign(label)),
        answer === null || answer === label ? null : el("span", { class: "note answer" }, " “", foreign(answer), "”"),
      ),
      el("td", { class: "number" }, label === null ? "–" : share(confidence)),
    );
  };
  const head = ["Model", "Answer", "Confidence"].map((text) => el("th", { scope: "col" }, text));
  return el(
    "div",
    { class: "scroll" },
    el("table", { class: "plain" }, el("thead", {}, el("tr", {}, head)), el("tbody", {}, one.said.map(row))),
  );
}

function keyButton(key, text, action) {
  return el("button", { type: "button", class: "quiet", onclick: action }, el("kbd", {}, key), ` ${text}`);
}

function keyButtons(keys) {
  return el("div", { class: "actions" }, keys.map(([key, text, action]) => keyButton(key.toUpperCase(), text, action)));
}

function labelChips(one) {
  if (data.labels.length > 12) return null;
  return el(
    "div",
    { class: "labels" },
    el("p", { class: "note" }, "Another label is right:"),
    el("ul", { class: "choices" }, data.labels.map((label, place) =>
      el("li", {}, el(
        "button",
        { type: "button", class: "chip", disabled: same(one.was, [label]), onclick: () => relabel(label) },
        el("kbd", {}, place + 1), " ", foreign(label),
      )))),
  );
}

function finished() {
  const made = data.images.map((one) => [one, current(one)?.decision]);
  if (made.some(([, decision]) => !decision)) return null;
  const count = (kind) => made.filter(([, decision]) => decision.decision === kind).length;
  const counts = Object.entries({ accept: "right", relabel: "relabelled", also: "with several right labels",
    "leave-out": "left out", unsure: "unsure" }).filter(([kind]) => count(kind));
  const drawn = made.filter(([one, decision]) => one.control && decision.decision !== "unsure");
  const wrong = drawn.filter(([, decision]) => decision.decision !== "accept").length;
  return el(
    "div",
    { class: "finished", id: "finished" },
    el("h3", {}, `All ${plural(made.length, "image")} are decided`),
    el("p", {}, counts.map(([kind, text]) => `${count(kind)} ${text}`).join(", ")),
    drawn.length ? el("p", {}, `Of ${plural(drawn.length, "image")} drawn at random ${wrong} had a wrong label.`) : null,
    data.waiting ? el("p", {}, `${plural(data.waiting, "label")} in doubt are not on this page (--limit).`) : null,
    el("p", {}, "Save (S) or download (D) the decisions, then apply them:"),
    el("pre", {}, name(`llmclf labels apply ${fileName()} ${data.target}`)),
  );
}
