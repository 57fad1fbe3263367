// One image with everything that is known of its answer.

function openDetail(place) {
  const index = gallery.found.indexOf(place);
  if (index >= 0) gallery.place = index;
  choose({ open: place });
}

function showDetail() {
  const dialog = byId("detail");
  if (state.open < 0) {
    if (dialog.open) dialog.close();
    return;
  }
  refill(dialog, detailOf(current(), state.open));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  dialog.querySelector("h2").focus();
}

function closed() {
  if (state.open < 0) return;
  choose({ open: -1 });
  if (gallery.found.length) focusCard(gallery.place);
}

function stepDetail(step) {
  const index = gallery.found.indexOf(state.open);
  const next = gallery.found[index + step];
  if (index >= 0 && next !== undefined) {
    gallery.place = index + step;
    choose({ open: next }, { replace: true });
  }
}

function detailKey(event) {
  if (event.target.closest("pre, input")) return;
  if (event.key === "ArrowRight") stepDetail(1);
  else if (event.key === "ArrowLeft") stepDetail(-1);
  else return;
  event.preventDefault();
}

function detailOf(section, place) {
  return [
    detailHead(section, place),
    el(
      "div",
      { class: "detail-body" },
      el("div", { class: "detail-image" }, detailImage(section, place)),
      el(
        "div",
        { class: "detail-text" },
        reading(section, place),
        rawAnswer(section, place),
        thinking(section, place),
        probabilities(section, place),
        otherAnswers(section, place),
        askedAgain(section, place),
        detailFacts(section, place),
      ),
    ),
  ];
}

function detailHead(section, place) {
  const index = gallery.found.indexOf(place);
  const button = (text, label, action, off) =>
    el("button", { type: "button", class: "quiet", "aria-label": label, onclick: action, disabled: off }, text);
  return el(
    "div",
    { class: "detail-head" },
    el("h2", { id: "detail-head", tabindex: -1 }, foreign(section.cases.id[place])),
    el(
      "div",
      { class: "detail-buttons" },
      index < 0
        ? null
        : [
            button("←", "Previous image", () => stepDetail(-1), index === 0),
            el("span", { class: "note" }, `${index + 1} of ${gallery.found.length}`),
            button("→", "Next image", () => stepDetail(1), index === gallery.found.length - 1),
          ],
      button("✕", "Close", () => byId("detail").close(), false),
    ),
  );
}

function detailImage(section, place) {
  const key = section.cases.image[place];
  if (key >= 0 && images[key]) return imageOf(images[key], section, place, "large");
  return thumbOf(section, place);
}

function reading(section, place) {
  const { cases } = section;
  const kind = cases.kind[place];
  const message = textOf(cases.message[place]);
  return el(
    "div",
    { class: "reading" },
    el(
      "p",
      { class: `outcome kind-${kind}` },
      el("span", { class: "sign", "aria-hidden": "true" }, KINDS[kind].sign),
      ` ${KINDS[kind].word}`,
    ),
    el("p", {}, "Shown: ", foreign(shownOf(section, place), { class: "label" })),
    el("p", {}, "Answered: ", foreign(said(section, place), { class: "label" })),
    message ? el("p", { class: "note" }, foreign(message)) : null,
  );
}

function rawAnswer(section, place) {
  const { cases } = section;
  if (cases.answer[place] < 0) return null;
  const finish = textOf(cases.finish[place]);
  const ended = finish === "length" ? ", cut off at the token limit" : "";
  const size = plural(cases.signs[place], "character");
  return [
    el("h3", {}, "Answer"),
    el(
      "pre",
      { class: "raw", tabindex: 0, "aria-label": "Answer as it came" },
      el("bdi", {}, visible(textOf(cases.answer[place]))),
    ),
    el("p", { class: "note" }, `${size}${ended}`),
  ];
}

// What the model thought before: beside its answer, and never read as one.
function thinking(section, place) {
  const text = section.cases.thinking[place];
  if (text < 0) return null;
  return [
    el("h3", {}, "Thinking, not read as the answer"),
    el(
      "pre",
      { class: "raw", tabindex: 0, "aria-label": "Thinking as it came" },
      el("bdi", {}, visible(textOf(text))),
    ),
  ];
}

function probabilities(section, place) {
  const found = section.cases.probabilities[place];
  if (!found) return null;
  const rows = [];
  for (let at = 0; at < found.length; at += 2) {
    const [label, value] = [found[at], found[at + 1]];
    const own = label === section.cases.expected[place] || section.cases.also[place].includes(label);
    rows.push(
      el(
        "tr",
        { class: own ? "own" : null },
        el("th", { scope: "row" }, foreign(labelOf(section, label)), own ? " (shown)" : null),
        el("td", { class: "number" }, share(value)),
        el(
          "td",
          { class: "bar-cell" },
          el("span", { class: "prob-bar", vars: { part: `${100 * value}%` } }),
        ),
      ),
    );
  }
  const left = section.labels.length - found.length / 2;
  return [
    el("h3", {}, "Probabilities"),
    el("table", { class: "probabilities" }, el("tbody", {}, rows)),
    left > 0 ? el("p", { class: "note" }, `and ${plural(left, "more class", "more classes")}, none likelier`) : null,
  ];
}

// What the other models, the other run or the committed predictions say to this image.
function otherAnswers(section, place) {
  const id = section.cases.id[place];
  const own = data.sections.indexOf(section);
  const rows = [];
  for (const [other, found] of data.sections.entries()) {
    const there = found.places.get(id);
    if (other === own || found.evaluation !== section.evaluation || there === undefined) continue;
    const text = found.cases.answer[there] < 0 ? "" : textOf(found.cases.answer[there]).slice(0, 300);
    rows.push([found.name, said(found, there), text, found.cases.kind[there]]);
  }
  for (const { pair } of pairsOf(own)) {
    if (pair.before >= 0 || isApart(pair, id)) continue;
    const flip = flipsOf(pair, own).get(place);
    // The same answer ends the same way; of another one it is known how.
    const wrong = flip?.was.startsWith("(unparsed") ? "unparsed" : "misclassified";
    const kind = flip ? (flip.kind === "broken" ? "correct" : wrong) : section.cases.kind[place];
    rows.push([pair.names[0], flip?.was ?? said(section, place), "", kind]);
  }
  if (!rows.length) return null;
  rows.unshift([
    "this one",
    said(section, place),
    textOf(section.cases.answer[place]).slice(0, 300),
    section.cases.kind[place],
  ]);
  return [
    el("h3", {}, "Side by side"),
    el(
      "table",
      { class: "sides" },
      el(
        "tbody",
        {},
        rows.map(([who, what, text, kind]) =>
          el(
            "tr",
            { class: `kind-${kind}` },
            el("th", { scope: "row" }, foreign(who)),
            el(
              "td",
              {},
              el("span", { class: "sign", "aria-hidden": "true" }, `${KINDS[kind].sign} `),
              foreign(what),
            ),
            el("td", { class: "answer" }, text ? foreign(text) : null),
          ),
        ),
      ),
    ),
  ];
}

function askedAgain(section, place) {
  const again = section.again.get(place);
  if (!again) return null;
  return [
    el("h3", {}, "Asked again"),
    el(
      "ol",
      { class: "again", start: 2 },
      again.map(([, predicted, answer]) => {
        const text = answer < 0 ? "" : textOf(answer).slice(0, 300);
        const named = predicted >= 0 ? foreign(labelOf(section, predicted)) : "(no label)";
        return el("li", {}, named, text ? [": ", foreign(text)] : null);
      }),
    ),
  ];
}

function detailFacts(section, place) {
  const { cases } = section;
  const asked = cases.cached[place]
    ? "not asked: the answer was in the store"
    : plural(cases.attempts[place], "request");
  const tokens = [
    [cases.prompt_tokens[place], "read"],
    [cases.answer_tokens[place], "written"],
    [cases.thinking_tokens[place], "of them thinking"],
  ].filter(([count]) => count !== null);
  const facts = [
    ["Confidence", cases.confidence[place] === null ? "" : share(cases.confidence[place])],
    ["Any label at all", cases.mass[place] === null ? "" : share(cases.mass[place])],
    ["Duration", cases.wall[place] === null ? "" : seconds(cases.wall[place])],
    ["Server time", cases.server[place] === null ? "" : seconds(cases.server[place])],
    ["Loading the model", cases.load[place] ? seconds(cases.load[place]) : ""],
    ["Tokens", tokens.map(([count, what]) => `${count} ${what}`).join(", ")],
    ["Asked", cases.answer[place] < 0 && !cases.attempts[place] ? "" : asked],
    ...cases.tags.map(([tag, values]) => [tag, textOf(values[place])]),
    ["Image SHA-256", cases.sha256[place]],
    ["Request digest", cases.request[place]],
  ];
  return [el("h3", {}, "Facts"), definitions(facts)];
}

function definitions(facts) {
  return el(
    "dl",
    { class: "definitions" },
    facts
      .filter(([, value]) => value !== "")
      .map(([key, value]) => el("div", {}, el("dt", {}, foreign(key)), el("dd", {}, foreign(value)))),
  );
}
