// What the gallery can be narrowed down by.

function filterForm(section) {
  const { cases, labels } = section;
  const classes = labels.map((label, place) => [String(place), name(label)]);
  const without = [
    ["unparsed", "(unparsed)"],
    ["error", "(error)"],
  ];
  if (section.confusion.left_out) without.push(["others", "(not in the matrix)"]);
  const search = el("input", {
    type: "search",
    id: "search",
    placeholder: "file, answer, class or tag",
    autocomplete: "off",
    spellcheck: "false",
    oninput: (event) => choose({ search: event.target.value }, { replace: true }),
  });
  return el(
    "form",
    { class: "filters", role: "search", "aria-label": "Images", onsubmit: (event) => event.preventDefault() },
    kindChips(cases),
    el("label", { class: "wide" }, el("span", {}, "Search"), search),
    select("Shown", "expected", [["-1", "any class"], ...classes], (value) => ({
      expected: Number(value),
    })),
    select("Answered", "predicted", [["", "anything"], ...classes, ...without], (value) => ({
      predicted: value === "" || Number.isNaN(Number(value)) ? value : Number(value),
    })),
    cases.tags.map(([tag, values], key) => tagSelect(tag, values, key)),
    rightSelect(section),
    compareSelects(section),
    select("Order", "sort", sortChoices(section), (value) => ({ sort: value })),
  );
}

function select(title, key, choices, changes) {
  return el(
    "label",
    {},
    el("span", {}, title),
    el(
      "select",
      { id: `filter-${key}`, onchange: (event) => choose(changes(event.target.value)) },
      choices.map(([value, text]) => el("option", { value }, text)),
    ),
  );
}

function sortChoices(section) {
  const { confidence, wall, server } = section.cases;
  const unsure = confidence.every((value) => value === null);
  const untimed = [...wall, ...server].every((value) => value === null);
  return [["", SORTS.worst]].concat(
    Object.entries(SORTS).filter(
      ([key]) =>
        key !== "worst" &&
        !(unsure && ["sure", "unsure"].includes(key)) &&
        !(untimed && ["slow", "fast"].includes(key)),
    ),
  );
}

function tagSelect(tag, values, key) {
  const counts = new Map();
  for (const value of values) if (value >= 0) counts.set(value, (counts.get(value) ?? 0) + 1);
  // A tag with so many values is a name rather than a slice: the search finds those.
  if (counts.size < 2 || counts.size > 200) return null;
  const texts = [...counts.keys()].map((place) => [textOf(place), counts.get(place)]);
  texts.sort((one, other) => (one[0] < other[0] ? -1 : 1));
  const choices = texts.map(([text, count], place) => [String(place), `${name(text)} (${count})`]);
  const made = select(name(tag), `tag-${key}`, [["-1", "any"], ...choices], (value) => {
    const tags = new Map(state.tags);
    if (value === "-1") tags.delete(tag);
    else tags.set(tag, texts[Number(value)][0]);
    return { tags };
  });
  made.querySelector("select").sync = (node) => {
    node.value = String(texts.findIndex(([text]) => text === state.tags.get(tag)));
  };
  return made;
}

function rightSelect(section) {
  const board = boardOf(section);
  if (!board) return null;
  const kinds = board.right_by.map(([kind, text, count]) => [
    kind,
    `${text} (${count.toLocaleString("en")})`,
  ]);
  return select("Tasks", "right", [["", "any"], ...kinds], (value) => ({ right: value }));
}

function compareSelects(section) {
  const pairs = pairsOf(state.section);
  const flips = [["", "any"]];
  if (pairs.length) {
    for (const [key, flip] of Object.entries(FLIPS)) flips.push([key, `${flip.sign} ${flip.word}`]);
  }
  if (section.stability) flips.push(["differ", "not the same when asked again"]);
  const sides = pairs.map(({ pair, key }) => [String(key), name(otherSide(pair, state.section))]);
  return [
    pairs.length
      ? select("Compare with", "pair", [["-1", "nothing"], ...sides], (value) => ({
          pair: Number(value),
          flip: value === "-1" && FLIPS[state.flip] ? "" : state.flip,
        }))
      : null,
    flips.length > 1
      ? select("Change", "flip", flips, (value) => ({
          flip: value,
          // Without a side to compare with there are no flips: take the first one.
          pair: FLIPS[value] && state.pair < 0 ? pairs[0].key : state.pair,
        }))
      : null,
  ];
}

function kindChips(cases) {
  const counts = new Map();
  for (const kind of cases.kind) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const chips = Object.entries(KINDS)
    .filter(([kind]) => counts.has(kind))
    .map(([kind, { word, sign }]) =>
      el(
        "button",
        {
          type: "button",
          class: `chip kind-${kind}`,
          "data-kind": kind,
          "aria-pressed": "false",
          onclick: () => {
            const kinds = new Set(state.kinds);
            if (!kinds.delete(kind)) kinds.add(kind);
            choose({ kinds });
          },
        },
        el("span", { class: "sign", "aria-hidden": "true" }, sign),
        ` ${word} `,
        el("span", { class: "count" }, counts.get(kind).toLocaleString("en")),
      ),
    );
  return el("div", { class: "chips", role: "group", "aria-label": "Outcome" }, chips);
}

// The form shows what is chosen, wherever it was chosen.
function syncFilters() {
  for (const chip of document.querySelectorAll(".chip[data-kind]")) {
    chip.setAttribute("aria-pressed", String(state.kinds.has(chip.dataset.kind)));
  }
  const search = byId("search");
  if (search && document.activeElement !== search) search.value = state.search;
  const values = {
    expected: String(state.expected),
    predicted: String(state.predicted),
    pair: String(state.pair),
    right: state.right,
    flip: state.flip,
    sort: state.sort === "worst" ? "" : state.sort,
  };
  for (const [key, value] of Object.entries(values)) {
    const node = byId(`filter-${key}`);
    if (node) node.value = value;
  }
  const usual = byId("filter-sort")?.options[0];
  if (usual) usual.textContent = state.pair >= 0 ? "broken and fixed first" : SORTS.worst;
  for (const node of document.querySelectorAll(".filters select")) node.sync?.(node);
}
