// Labels that are probably wrong, the most doubtful first; folded, since nobody asked yet.

const DOUBTS_SHOWN = 20;

function doubts(section) {
  const found = section.doubts;
  if (!found) return null;
  const shown = found.candidates.slice(0, DOUBTS_SHOWN);
  const more = found.more + found.candidates.length - shown.length;
  return el(
    "details",
    { class: "doubts" },
    el("summary", {}, `Labels in doubt: ${plural(found.candidates.length + found.more, "image")}`),
    found.texts.map((text) => el("p", { class: "note" }, foreign(text))),
    el("ol", { class: "findings" }, shown.map((one) => doubtItem(section, one))),
    more ? el("p", { class: "note" }, `and ${more.toLocaleString("en")} more in run.json`) : null,
    el("p", { class: "note" }, "To decide about them: ", data.review
      ? el("a", { href: encodeURIComponent(data.review) }, "the page for reviewing")
      : "llmclf review latest"),
  );
}

function doubtItem(section, one) {
  return el(
    "li",
    {},
    el(
      "button",
      { type: "button", class: "plain-link", onclick: () => openDetail(one.place) },
      foreign(section.cases.id[one.place]),
    ),
    ": labelled ",
    foreign(one.given),
    ", perhaps ",
    foreign(one.proposed),
    ` (score ${one.score.toFixed(2)}): `,
    one.reasons.map((text, place) => [place ? "; " : null, foreign(text)]),
  );
}
