// Several tasks on the same images: which is best, any two of them, and which images are hard.

function showLeaderboard() {
  const place = byId("leaderboard");
  const board = boardOf(current());
  place.hidden = !board;
  if (place.hidden) return;
  refill(
    place,
    el("h2", { id: "leaderboard-head", tabindex: -1 }, "Leaderboard: ", foreign(board.name)),
    el("p", { class: "strong" }, foreign(board.verdict)),
    el("p", { class: "note" }, foreign(board.about)),
    el(
      "div",
      { class: "scroll" },
      el(
        "table",
        { class: "plain leaders" },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            el("th", { scope: "col" }, "Task"),
            el("th", { scope: "col" }, "Accuracy"),
            el("th", { scope: "col", class: "wide-only strip-head" }, scale()),
            el("th", { scope: "col" }, "To the best"),
            el("th", { scope: "col" }, "Shown"),
            el("th", { scope: "col", class: "wide-only" }, "Cost of an answer"),
          ),
        ),
        el("tbody", {}, board.rows.map((row, rank) => leaderRow(board, row, rank))),
      ),
    ),
    board.remarks.length
      ? el("ul", { class: "warnings", role: "list" }, board.remarks.map((text) => el("li", {}, foreign(text))))
      : null,
    el("p", { class: "note" }, board.legend),
    hardImages(board),
  );
}

const SHOWN = { worse: "worse", "shown to be the best": "better" };

function leaderRow(board, row, rank) {
  const section = board.sections[rank];
  return el(
    "tr",
    { class: section === state.section ? "chosen" : null },
    el(
      "th",
      { scope: "row" },
      el(
        "button",
        { type: "button", class: "plain-link", onclick: () => choose({ ...fresh(), section }) },
        foreign(row.name),
      ),
    ),
    twoLines(row.accuracy),
    el("td", { class: "wide-only strip-cell" }, strip([[row, "recall"]])),
    twoLines(row.difference),
    el(
      "td",
      {},
      el("span", { class: `verdict-word ${SHOWN[row.standing] ?? ""}` }, row.said),
      row.p ? el("span", { class: "note" }, row.p) : null,
    ),
    el("td", { class: "note wide-only" }, row.cost),
  );
}

// A number and below it its interval, which stands in brackets behind it.
function twoLines(text) {
  const [value, ends] = text.split(" (");
  return el("td", {}, el("b", {}, value), ends ? el("span", { class: "note" }, ends.replace(")", "")) : null);
}

function hardImages(board) {
  const chips = board.right_by
    .filter(([kind, , count]) => count || kind !== "some")
    .map(([kind, text, count]) =>
      el(
        "button",
        {
          type: "button",
          class: "chip",
          disabled: !count,
          onclick: () => choose({ ...unfiltered(), right: kind }, { jump: true }),
        },
        `${text} `,
        el("span", { class: "count" }, count.toLocaleString("en")),
      ),
    );
  const { places } = current();
  const doubted = board.doubted.map(([id, text]) =>
    el(
      "li",
      {},
      el(
        "button",
        { type: "button", class: "plain-link", onclick: () => openDetail(places.get(id)) },
        foreign(text),
      ),
    ),
  );
  return [
    el("h3", { class: "diagnosis-head" }, "Hard images"),
    el("p", { class: "note" }, foreign(board.hard)),
    el("div", { class: "chips" }, chips),
    doubted.length ? el("p", { class: "note" }, board.doubt) : null,
    el("ul", { class: "findings" }, doubted),
  ];
}

function showCompare() {
  const place = byId("compare");
  const mine = data.pairs
    .map((pair, key) => ({ pair, key }))
    .filter(({ pair }) => [pair.now, pair.before].includes(state.section));
  const board = boardOf(current());
  const several = board && board.sections.length > 2;
  // Of many tasks one is chosen; what is compared with none of them always stands there.
  const shown = several
    ? mine.filter(({ pair }) => [pair.now, pair.before].includes(against(board)) || pair.before < 0)
    : mine;
  place.hidden = !mine.length;
  refill(
    place,
    el("h2", { id: "compare-head", tabindex: -1 }, "Compared, image by image"),
    several ? besideSelect(board) : null,
    el("div", { class: "pairs" }, shown.map(({ pair, key }) => pairCard(pair, key))),
  );
}

// The task that the chosen one is compared with: as wished, else the best of the others.
function against(board) {
  const others = board.sections.filter((one) => one !== state.section);
  return others.includes(state.against) ? state.against : others[0];
}

function besideSelect(board) {
  const chosen = against(board);
  return el(
    "label",
    { class: "beside" },
    el("span", { class: "note" }, "Compare with"),
    el(
      "select",
      {
        id: "beside",
        onchange: (event) => {
          choose({ against: Number(event.target.value) });
          byId("beside").focus();
        },
      },
      board.sections
        .map((section, rank) => [section, board.rows[rank].name])
        .filter(([section]) => section !== state.section)
        .map(([section, text]) =>
          el("option", { value: section, selected: section === chosen }, name(text)),
        ),
    ),
  );
}
