// Precision and recall of each class and accuracy of each slice, with their intervals.

let classOrder = { by: "", up: true };
const MOST_CLASSES = 100; // in the table, until all are asked for
let everyClass = false;

function showClasses() {
  const section = current();
  refill(
    byId("classes"),
    el("h2", { id: "classes-head", tabindex: -1 }, "Classes"),
    el(
      "p",
      { class: "note legend-line" },
      el("span", { class: "key recall" }),
      " recall: how many of its images are found  ",
      el("span", { class: "key precision" }),
      ` precision: how many of its answers are right. ${section.bars} Answered: how many of its images have an answer.`,
    ),
    el("div", { class: "scroll" }, classTable(section)),
    classesLeftOut(section),
    sliceTables(section),
  );
}

const SCORES = {
  Answered: (one) => one.support,
  Precision: (one) => one.precision.value,
  Recall: (one) => one.recall.value,
  F1: (one) => one.f1_value,
};

function classTable(section) {
  const order = section.labels.map((_, place) => place);
  const cut = order.length > MOST_CLASSES && !everyClass;
  const value = SCORES[classOrder.by || (cut ? "F1" : "")];
  if (value) {
    const of = (place) => value(section.classes[place]);
    const sign = classOrder.up ? 1 : -1;
    order.sort((one, other) => {
      if (of(one) === null || of(other) === null) return (of(one) === null) - (of(other) === null);
      return sign * (of(one) - of(other)) || one - other;
    });
  }
  return el(
    "table",
    { class: "plain class-table" },
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        el("th", { scope: "col" }, "Class"),
        Object.keys(SCORES).map((key) => sortHead(key)),
        el("th", { scope: "col", class: "strip-head" }, el("span", { class: "hidden-text" }, "Chart"), scale()),
      ),
    ),
    el("tbody", {}, (cut ? order.slice(0, MOST_CLASSES) : order).map((place) => classRow(section, place))),
  );
}

function classesLeftOut(section) {
  const left = section.labels.length - MOST_CLASSES;
  if (left <= 0 || everyClass) return null;
  const order = classOrder.by ? "in this order" : "with the lowest F1";
  return el(
    "p",
    { class: "note" },
    `The first ${MOST_CLASSES} ${order}; ${left.toLocaleString("en")} more are not listed. `,
    el(
      "button",
      {
        type: "button",
        class: "plain-link",
        onclick: () => {
          everyClass = true;
          showClasses();
          byId("classes-head").focus();
        },
      },
      "List all classes",
    ),
  );
}

function sortHead(key) {
  const active = classOrder.by === key;
  const hidden = key === "Answered" || key === "F1" ? " wide-only" : "";
  return el(
    "th",
    {
      scope: "col",
      class: `number${hidden}`,
      "aria-sort": active ? (classOrder.up ? "ascending" : "descending") : null,
    },
    el(
      "button",
      {
        type: "button",
        class: "plain-link",
        onclick: () => {
          classOrder = active && !classOrder.up ? { by: "", up: true } : { by: key, up: !active };
          showClasses();
          byId("classes")
            .querySelector(`th button[data-key="${key}"]`)
            .focus();
        },
        "data-key": key,
      },
      key,
      active ? (classOrder.up ? " ↑" : " ↓") : null,
    ),
  );
}

function classRow(section, place) {
  const found = section.classes[place];
  const scored = (ratio) => [
    ratio.text,
    el("span", { class: "counts wide-only" }, ` ${ratio.counts}`),
    ratio.interval ? el("span", { class: "hidden-text" }, `, ${ratio.interval}`) : null,
  ];
  return el(
    "tr",
    {},
    el(
      "th",
      { scope: "row" },
      el(
        "button",
        {
          type: "button",
          class: "plain-link",
          onclick: () => choose({ ...unfiltered(), expected: place }, { jump: true }),
        },
        foreign(labelOf(section, place)),
      ),
    ),
    el("td", { class: "number wide-only" }, String(found.support)),
    el("td", { class: "number" }, scored(found.precision)),
    el("td", { class: "number" }, scored(found.recall)),
    el("td", { class: "number wide-only" }, found.f1),
    el(
      "td",
      { class: "strip-cell" },
      strip([
        [found.recall, "recall"],
        [found.precision, "precision"],
      ]),
    ),
  );
}

function sliceTables(section) {
  if (!section.slices.length) return null;
  return el(
    "div",
    { class: "slices" },
    section.slices.map(({ tag, values }) =>
      el(
        "div",
        {},
        el("h3", {}, "Accuracy by ", foreign(tag)),
        el(
          "table",
          { class: "plain class-table" },
          el(
            "tbody",
            {},
            values.map(({ value, accuracy }) => sliceRow(tag, value, accuracy)),
          ),
        ),
      ),
    ),
  );
}

function sliceRow(tag, value, accuracy) {
  const shown = value === "" ? "(none)" : foreign(value);
  const button = () =>
    el(
      "button",
      {
        type: "button",
        class: "plain-link",
        onclick: () => choose({ ...unfiltered(), tags: new Map([[tag, value]]) }, { jump: true }),
      },
      shown,
    );
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, button()),
    el("td", { class: "number" }, accuracy.text, el("span", { class: "counts" }, ` ${accuracy.counts}`)),
    el("td", { class: "strip-cell" }, strip([[accuracy, "recall"]])),
  );
}
