// The confusion matrix as a heat map. Blue is right and orange is wrong, which all kinds of colour
// vision tell apart; each cell's figures are black or white, whichever contrasts more with it.

const RAMPS = {
  light: {
    right: [[243, 248, 254], [158, 198, 232], [60, 130, 196], [16, 62, 120]],
    wrong: [[255, 246, 236], [250, 199, 140], [214, 112, 32], [128, 54, 6]],
    unparsed: [[248, 244, 252], [208, 189, 230], [132, 94, 176], [74, 36, 118]],
    error: [[246, 246, 247], [196, 200, 206], [122, 129, 138], [62, 68, 76]],
  },
  dark: {
    right: [[26, 36, 48], [30, 72, 112], [70, 140, 204], [168, 212, 248]],
    wrong: [[44, 34, 26], [112, 62, 20], [210, 120, 48], [255, 206, 150]],
    unparsed: [[36, 30, 46], [82, 58, 112], [152, 118, 196], [220, 200, 244]],
    error: [[34, 37, 41], [72, 78, 86], [138, 146, 156], [212, 217, 223]],
  },
};

function blended(stops, part) {
  const place = part * (stops.length - 1);
  const index = Math.min(Math.floor(place), stops.length - 2);
  return stops[index].map((low, channel) =>
    Math.round(low + (stops[index + 1][channel] - low) * (place - index)),
  );
}

// Relative luminance, WCAG 2.2. Black or white reaches 4.5 to 1 on every colour there is.
function luminance(color) {
  const [red, green, blue] = color.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function heat(kind, part) {
  const found = {};
  for (const theme of ["light", "dark"]) {
    const color = blended(RAMPS[theme][kind], part);
    found[`back-${theme}`] = `rgb(${color.join(" ")})`;
    found[`fore-${theme}`] = luminance(color) > 0.179 ? "#000" : "#fff";
  }
  return found;
}

// What stands above the columns, as the filter knows it: classes, then words.
function matrixColumns(section) {
  const { shown, left_out } = section.confusion;
  return [...shown, ...(left_out ? ["others"] : []), "unparsed", "error"];
}

function matrixRows(section) {
  const { shown, unparsed, error } = section.confusion;
  section.rows ??= shown.map((place) => {
    const row = section.filled[place];
    const cells = shown.map((column) => row.get(column) ?? 0);
    const sum = (counts) => counts.reduce((all, count) => all + count, 0);
    const others = section.confusion.left_out ? [sum([...row.values()]) - sum(cells)] : [];
    return [...cells, ...others, unparsed[place], error[place]];
  });
  return section.rows;
}

// Of all classes, those without a row of their own included.
function columnTotal(section, column) {
  const key = columnKey(section, column);
  const all = (counts) => counts.reduce((sum, count) => sum + count, 0);
  if (key === "unparsed" || key === "error") return all(section.confusion[key]);
  const shown = new Set(section.confusion.shown);
  const named = (place) => (key === "others" ? !shown.has(place) : place === key);
  return all(
    section.filled.map((row) => all([...row].map(([place, count]) => (named(place) ? count : 0)))),
  );
}

function columnKey(section, column) {
  return matrixColumns(section)[column];
}

function columnName(section, column) {
  const key = columnKey(section, column);
  return typeof key === "string" ? key : labelOf(section, key);
}

function showMatrix() {
  const section = current();
  const rows = matrixRows(section);
  const size = section.confusion.shown.length;
  const sized = size > 40 ? "tiny" : size > 14 ? "small" : "";
  const note = el("p", { class: "note", id: "matrix-note" }, MATRIX_HELP);
  const table = el(
    "table",
    {
      class: `matrix ${sized}`,
      role: "grid",
      "aria-label": "Confusion matrix: rows are actual classes, columns predicted ones",
      "aria-describedby": "matrix-note",
      onclick: (event) => matrixChosen(event.target.closest("th, td")),
      onkeydown: matrixKey,
      onmouseover: (event) => matrixTold(event.target.closest("td, th")),
      onfocusin: (event) => matrixTold(event.target.closest("td, th")),
    },
    el("thead", {}, matrixHead(section)),
    el("tbody", {}, rows.map((row, place) => matrixRow(section, row, place))),
  );
  refill(
    byId("confusion"),
    el(
      "div",
      { class: "head-row" },
      el("h2", { id: "confusion-head", tabindex: -1 }, "Confusion matrix"),
      cellsSwitch(),
    ),
    el("div", { class: "scroll", role: "region", "aria-label": "Confusion matrix" }, table),
    note,
    section.confusion.left_out ? el("p", { class: "note" }, section.confusion.left_out) : null,
    confusedList(section),
  );
  markMatrix();
}

const MATRIX_HELP =
  "Rows: what is shown. Columns: what was answered. Choose a cell or a name to see its images.";

function cellsSwitch() {
  const button = (key, text) =>
    el(
      "button",
      {
        type: "button",
        class: "switch",
        "aria-pressed": String(state.cells === key),
        onclick: (event) => {
          choose({ cells: key });
          showMatrix();
          byId("confusion").querySelector('.switch[aria-pressed="true"]').focus();
          event.preventDefault();
        },
      },
      text,
    );
  return el(
    "div",
    { class: "switches", role: "group", "aria-label": "Cells show" },
    button("counts", "Counts"),
    button("percent", "% of row"),
  );
}

function matrixHead(section) {
  const heads = [];
  for (let column = 0; column < matrixColumns(section).length; column += 1) {
    const extra = column >= section.confusion.shown.length ? "extra" : null;
    heads.push(
      el(
        "th",
        { scope: "col", class: extra, tabindex: -1, "data-column": column },
        el("span", { class: "upright" }, foreign(columnName(section, column))),
      ),
    );
  }
  const corner = el("td", { class: "corner" }, el("span", {}, "answered →"), el("span", {}, "shown ↓"));
  return el("tr", {}, corner, heads);
}

function matrixRow(section, row, place) {
  const total = row.reduce((sum, count) => sum + count, 0);
  const cells = row.map((count, column) => {
    const attributes = { role: "gridcell", tabindex: -1, "data-row": place, "data-column": column };
    if (!count) return el("td", { ...attributes, class: "none" }, el("span", {}, "0"));
    const key = columnKey(section, column);
    const itself = key === section.confusion.shown[place];
    const kind = key === "unparsed" || key === "error" ? key : itself ? "right" : "wrong";
    const text = state.cells === "percent" ? String(Math.round((100 * count) / total)) : String(count);
    return el("td", { ...attributes, class: "heat", vars: heat(kind, count / total) }, text);
  });
  return el(
    "tr",
    {},
    el(
      "th",
      { scope: "row", tabindex: -1, "data-row": place },
      foreign(labelOf(section, section.confusion.shown[place])),
    ),
    cells,
  );
}

const rowName = (section, row) => foreign(labelOf(section, section.confusion.shown[row]));

function matrixTold(cell) {
  const note = byId("matrix-note");
  if (!cell || !note) return;
  const section = current();
  const { row, column } = cell.dataset;
  const rows = matrixRows(section);
  if (row !== undefined && column !== undefined) {
    const total = rows[row].reduce((sum, count) => sum + count, 0);
    const count = rows[row][column];
    const part = total ? ` (${percent(count / total)})` : "";
    const answered = foreign(columnName(section, Number(column)));
    refill(note, rowName(section, row), " answered as ", answered);
    note.append(`: ${count} of ${plural(total, "image")}${part}`);
  } else if (row !== undefined) {
    const total = rows[row].reduce((sum, count) => sum + count, 0);
    refill(note, plural(total, "image shows", "images show"), " ", rowName(section, row));
  } else if (column !== undefined) {
    const total = columnTotal(section, Number(column));
    const answered = foreign(columnName(section, Number(column)));
    refill(note, plural(total, "image was", "images were"), " answered as ", answered);
  }
}

function matrixChosen(cell) {
  if (!cell || cell.classList.contains("corner")) return;
  const { row, column } = cell.dataset;
  const expected = row === undefined ? -1 : current().confusion.shown[row];
  const predicted = column === undefined ? "" : columnKey(current(), Number(column));
  focusPlace = placeOf(cell);
  choose({ expected, predicted, kinds: new Set(), flip: "", finding: -1 }, { jump: true });
}

// Arrow keys walk over heads and cells alike; one of them at a time is reached by Tab.
let focusPlace = [0, 0];

function placeOf(cell) {
  const { row, column } = cell.dataset;
  return [row === undefined ? -1 : Number(row), column === undefined ? -1 : Number(column)];
}

function cellAt(row, column) {
  const wanted = [
    row < 0 ? ":not([data-row])" : `[data-row="${row}"]`,
    column < 0 ? ":not([data-column])" : `[data-column="${column}"]`,
  ];
  return byId("confusion").querySelector(`table :is(td, th)${wanted.join("")}:not(.corner)`);
}

function matrixKey(event) {
  const cell = event.target.closest("td, th");
  if (!cell) return;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    matrixChosen(cell);
    return;
  }
  const rows = current().confusion.shown.length;
  const columns = matrixColumns(current()).length;
  let [row, column] = placeOf(cell);
  const steps = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
  const step = steps[event.key];
  if (step) [row, column] = [row + step[0], column + step[1]];
  else if (event.key === "Home") column = -1;
  else if (event.key === "End") column = columns - 1;
  else return;
  event.preventDefault();
  row = Math.max(-1, Math.min(rows - 1, row));
  column = Math.max(-1, Math.min(columns - 1, column));
  const next = cellAt(row, column);
  if (!next) return;
  focusPlace = [row, column];
  markMatrix();
  next.focus();
}

// Which cell is reached by Tab, and which ones are what the gallery shows.
function markMatrix() {
  const table = byId("confusion").querySelector("table");
  if (!table) return;
  for (const cell of table.querySelectorAll('[tabindex="0"]')) cell.tabIndex = -1;
  const start = cellAt(...focusPlace) ?? table.querySelector("td[data-row]");
  if (start) start.tabIndex = 0;
  for (const cell of table.querySelectorAll("[aria-selected]")) cell.removeAttribute("aria-selected");
  const column = state.predicted === "" ? -1 : matrixColumns(current()).indexOf(state.predicted);
  const row = current().confusion.shown.indexOf(state.expected);
  const hidden = (state.expected >= 0 && row < 0) || (state.predicted !== "" && column < 0);
  if (hidden || (row < 0 && column < 0)) return;
  cellAt(row, column)?.setAttribute("aria-selected", "true");
}

function confusedList(section) {
  const found = [];
  section.filled.forEach((row, expected) =>
    row.forEach((count, predicted) => {
      if (expected !== predicted) found.push({ count, expected, predicted });
    }),
  );
  if (!found.length) return null;
  found.sort((one, other) => other.count - one.count);
  return el(
    "div",
    { class: "confused" },
    el("h3", {}, "Most frequent confusions"),
    el(
      "ul",
      {},
      found.slice(0, 6).map(({ count, expected, predicted }) =>
        el(
          "li",
          {},
          el(
            "button",
            {
              type: "button",
              class: "pill",
              onclick: () =>
                choose(
                  { expected, predicted, kinds: new Set(), flip: "", finding: -1 },
                  { jump: true },
                ),
            },
            foreign(labelOf(section, expected)),
            el("span", { class: "arrow" }, " → "),
            foreign(labelOf(section, predicted)),
            el("span", { class: "count" }, String(count)),
          ),
        ),
      ),
    ),
  );
}
