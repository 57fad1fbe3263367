// What the page knows, what is chosen, and which images that leaves.

const data = JSON.parse(byId("data").textContent);
const images = [];

const KINDS = {
  misclassified: { word: "misclassified", sign: "✕" },
  unparsed: { word: "unparsed", sign: "?" },
  error: { word: "error", sign: "!" },
  lost: { word: "lost", sign: "…" },
  not_run: { word: "not run", sign: "○" },
  not_needed: { word: "not needed", sign: "–" },
  correct: { word: "correct", sign: "✓" },
};
const FLIPS = {
  broken: { word: "broken", sign: "▼", about: "right before, not now" },
  fixed: { word: "fixed", sign: "▲", about: "right now, not before" },
  changed: { word: "changed", sign: "◆", about: "wrong both times, in different ways" },
};
const SORTS = {
  worst: "mistakes first",
  sure: "most confident first",
  unsure: "least confident first",
  slow: "slowest first",
  fast: "fastest first",
  id: "by name",
};

const fresh = () => ({
  section: 0, // which report
  cells: "counts", // what the matrix shows
  kinds: new Set(), // outcomes wanted; none: all
  expected: -1, // class, or -1: any
  predicted: "", // class, "unparsed", "error", or "": any
  search: "",
  tags: new Map(), // wanted value by tag
  finding: -1, // which finding's examples
  pair: -1, // compared with
  against: -1, // task that the chosen one is compared with; -1: the best of the others
  right: "", // by how many tasks images are to be right: all, some, one, none; "": any
  flip: "", // a key of FLIPS, or "differ": not the same answer when asked again
  sort: "", // a key of SORTS, or "": what fits
  open: -1, // case in the dialog
});
let state = fresh();

const current = () => data.sections[state.section];
const labelOf = (section, place) => section.labels[place];

// What an image shows; of several right labels the one that it counts for comes first.
function shownOf(section, place) {
  const { expected, also } = section.cases;
  return [expected[place], ...also[place]].map((label) => labelOf(section, label)).join(" or ");
}
const textOf = (place) => (place < 0 ? "" : data.texts[place]);

for (const section of data.sections) {
  // By class shown: images by class answered, without zeros.
  section.filled = section.confusion.cells.map((flat) => {
    const row = new Map();
    for (let place = 0; place < flat.length; place += 2) row.set(flat[place], flat[place + 1]);
    return row;
  });
  section.places = new Map(section.cases.id.map((id, place) => [id, place]));
  section.again = new Map();
  for (const [place, ...asking] of section.repeats) {
    if (!section.again.has(place)) section.again.set(place, []);
    section.again.get(place).push(asking);
  }
}
for (const pair of data.pairs) pair.apart = new Set(pair.apart); // images in no count of it
for (const [key, board] of data.boards.entries()) {
  board.out = new Set(board.out); // images that not all of its tasks answered
  for (const place of board.sections) data.sections[place].board = key;
}

// What an outcome says, in one or two words.
function said(section, place) {
  const cases = section.cases;
  const kind = cases.kind[place];
  if (cases.predicted[place] >= 0) return labelOf(section, cases.predicted[place]);
  const reason = textOf(cases.reason[place]);
  return reason ? `(${KINDS[kind].word}: ${reason})` : `(${KINDS[kind].word})`;
}

const boardOf = (section) => (section.board === undefined ? null : data.boards[section.board]);

// By image: how many of the tasks are right, of images that all of them answered.
function rightBy(board) {
  if (board.byImage) return board.byImage;
  const counts = new Map();
  for (const place of board.sections) {
    const { cases } = data.sections[place];
    for (const [at, id] of cases.id.entries()) {
      if (!board.out.has(id)) counts.set(id, (counts.get(id) ?? 0) + (cases.kind[at] === "correct"));
    }
  }
  const words = new Map([[0, "none"], [1, "one"], [board.sections.length, "all"]]);
  board.byImage = new Map([...counts].map(([id, count]) => [id, words.get(count) ?? "some"]));
  return board.byImage;
}

function pairsOf(place) {
  return data.pairs
    .map((pair, key) => ({ pair, key }))
    .filter(({ pair }) => [pair.now, pair.before].includes(place) && pair.refused === null);
}

// The name of what a report is held against in a pair.
const otherSide = (pair, place) => pair.names[pair.now === place ? 0 : 1];

// What two tasks say differently: image, kind of change, what was said before and what is said now.
function changesOf(pair) {
  if (pair.changes !== null) return pair.changes;
  const [before, now] = [data.sections[pair.before], data.sections[pair.now]];
  const { out } = data.boards[pair.board];
  pair.changes = [];
  for (const [place, id] of now.cases.id.entries()) {
    const there = before.places.get(id);
    if (there === undefined || out.has(id)) continue;
    const [was, is] = [said(before, there), said(now, place)];
    if (was === is) continue;
    const rights = [before.cases.kind[there], now.cases.kind[place]].map((kind) => kind === "correct");
    const kind = rights[0] === rights[1] ? "changed" : rights[0] ? "broken" : "fixed";
    pair.changes.push([id, kind, was, is]);
  }
  return pair.changes;
}

const TURNED = { broken: "fixed", fixed: "broken", changed: "changed" };

// By place in a report, which is one side of the pair: how it differs from the other side.
function flipsOf(pair, at) {
  pair.flips ??= new Map();
  if (!pair.flips.has(at)) {
    const found = new Map();
    for (const [id, kind, was, now] of changesOf(pair)) {
      const place = data.sections[at].places.get(id);
      if (place === undefined) continue;
      found.set(place, pair.now === at ? { kind, was } : { kind: TURNED[kind], was: now });
    }
    pair.flips.set(at, found);
  }
  return pair.flips.get(at);
}

function flipOf(place) {
  return state.pair < 0 ? undefined : flipsOf(data.pairs[state.pair], state.section).get(place);
}

const isApart = (pair, id) =>
  pair.apart.has(id) || (pair.board !== undefined && data.boards[pair.board].out.has(id));

// The text that a search looks in, made once.
function haystack(section, place) {
  section.haystacks ??= [];
  if (section.haystacks[place] === undefined) {
    const cases = section.cases;
    const parts = [
      cases.id[place],
      shownOf(section, place),
      said(section, place),
      textOf(cases.answer[place]),
      textOf(cases.thinking[place]),
      textOf(cases.message[place]),
      ...cases.tags.map(([, values]) => textOf(values[place])),
    ];
    section.haystacks[place] = parts.join("\n").toLowerCase();
  }
  return section.haystacks[place];
}

function tests(section) {
  const { cases } = section;
  const found = [];
  if (state.kinds.size) found.push((place) => state.kinds.has(cases.kind[place]));
  if (state.expected >= 0) found.push((place) => cases.expected[place] === state.expected);
  if (state.predicted === "unparsed" || state.predicted === "error") {
    found.push((place) => cases.kind[place] === state.predicted);
  } else if (state.predicted === "others") {
    const shown = new Set(section.confusion.shown);
    found.push((place) => cases.predicted[place] >= 0 && !shown.has(cases.predicted[place]));
  } else if (state.predicted !== "") {
    found.push((place) => cases.predicted[place] === Number(state.predicted));
  }
  for (const [tag, wanted] of state.tags) {
    const values = cases.tags.find(([named]) => named === tag)?.[1];
    if (values) found.push((place) => textOf(values[place]) === wanted);
  }
  if (state.finding >= 0 && section.findings[state.finding]) {
    const shown = new Set(section.findings[state.finding].cases);
    found.push((place) => shown.has(place));
  }
  const board = boardOf(section);
  if (state.right && board) {
    found.push((place) => rightBy(board).get(cases.id[place]) === state.right);
  }
  if (state.flip === "differ" && section.stability) {
    const shown = new Set(section.stability.differ);
    found.push((place) => shown.has(place));
  } else if (FLIPS[state.flip] && state.pair >= 0) {
    found.push((place) => flipOf(place)?.kind === state.flip);
  }
  const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length) {
    found.push((place) => words.every((word) => haystack(section, place).includes(word)));
  }
  return found;
}

function chosen() {
  const section = current();
  const wanted = tests(section);
  const found = [];
  for (let place = 0; place < section.cases.id.length; place += 1) {
    if (wanted.every((test) => test(place))) found.push(place);
  }
  return sorted(section, found);
}

function sorted(section, places) {
  const { confidence, wall, server, kind } = section.cases;
  // Each place's value is found once; what is unknown comes last.
  const by = (value, sign) => {
    const keys = new Float64Array(kind.length);
    for (const place of places) keys[place] = sign * (value(place) ?? sign * Infinity);
    return (one, other) => (keys[one] < keys[other] ? -1 : Number(keys[one] > keys[other]));
  };
  const kinds = Object.keys(KINDS);
  const flips = Object.keys(FLIPS);
  const flipRank = (place) => {
    const flip = flipOf(place);
    return flip ? flips.indexOf(flip.kind) : flips.length;
  };
  const spent = (place) => wall[place] ?? server[place];
  const sure = (place) => confidence[place];
  const orders = {
    worst: () => [
      by(flipRank, 1),
      by((place) => kinds.indexOf(kind[place]), 1),
      by(sure, -1),
    ],
    sure: () => [by(sure, -1)],
    unsure: () => [by(sure, 1)],
    slow: () => [by(spent, -1)],
    fast: () => [by(spent, 1)],
    id: () => [],
  };
  const [first, second, third] = (orders[state.sort] ?? orders.worst)();
  // Ids are sorted already, so that places settle the rest.
  return places.sort(
    (one, other) =>
      first?.(one, other) || second?.(one, other) || third?.(one, other) || one - other,
  );
}

// The address holds the state; a text may hold what no address can, so it goes as JSON does.
const packed = (text) => JSON.stringify(text).slice(1, -1);
function unpacked(text) {
  try {
    return JSON.parse(`"${text}"`);
  } catch {
    return text;
  }
}

function address() {
  const found = new URLSearchParams();
  const put = (key, value, usual) => value !== usual && found.set(key, value);
  put("report", state.section, 0);
  put("cells", state.cells, "counts");
  put("outcome", [...state.kinds].join(","), "");
  put("expected", state.expected, -1);
  put("predicted", String(state.predicted), "");
  put("search", packed(state.search), "");
  for (const [tag, value] of state.tags) {
    found.set(`tag.${packed(tag)}`, packed(value));
  }
  put("finding", state.finding, -1);
  put("compare", state.pair, -1);
  put("against", state.against, -1);
  put("right", state.right, "");
  put("flip", state.flip, "");
  put("sort", state.sort, "");
  if (state.open >= 0) found.set("image", packed(current().cases.id[state.open]));
  return `#${found}`;
}

function restored(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const found = fresh();
  const number = (key, count) => {
    const value = given.has(key) ? Number(given.get(key)) : -1;
    return Number.isInteger(value) && value >= 0 && value < count ? value : -1;
  };
  const known = (key, words) => (words.includes(given.get(key)) ? given.get(key) : "");
  found.section = Math.max(0, number("report", data.sections.length));
  const section = data.sections[found.section];
  if (!section) return found;
  found.cells = known("cells", ["percent"]) || "counts";
  found.kinds = new Set((given.get("outcome") ?? "").split(",").filter((one) => one in KINDS));
  found.expected = number("expected", section.labels.length);
  found.predicted = known("predicted", ["unparsed", "error", "others"]);
  const named = number("predicted", section.labels.length);
  if (given.get("predicted") && named >= 0) found.predicted = named;
  found.search = unpacked(given.get("search") ?? "");
  for (const [key, value] of given) {
    if (key.startsWith("tag.")) found.tags.set(unpacked(key.slice(4)), unpacked(value));
  }
  found.finding = number("finding", section.findings.length);
  const pair = number("compare", data.pairs.length);
  const sides = pair < 0 ? [] : [data.pairs[pair].now, data.pairs[pair].before];
  found.pair = sides.includes(found.section) && data.pairs[pair].refused === null ? pair : -1;
  found.against = number("against", data.sections.length);
  found.right = known("right", ["all", "some", "one", "none"]);
  found.flip = known("flip", [...Object.keys(FLIPS), "differ"]);
  found.sort = known("sort", Object.keys(SORTS));
  found.open = section.places.get(unpacked(given.get("image") ?? "")) ?? -1;
  return found;
}
