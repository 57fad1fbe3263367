// What a reader wants to know first: did it pass, what is wrong, and what got worse.

const VERDICTS = { PASS: "✓", FAIL: "✕", INCONCLUSIVE: "?", UNGATED: "–" };

function badge(word) {
  return el(
    "span",
    { class: `badge ${word.toLowerCase()}` },
    el("span", { "aria-hidden": "true" }, `${VERDICTS[word]} `),
    word,
  );
}

// The word that stands for several verdicts: the worst one.
function overall(verdicts) {
  const words = verdicts.map((verdict) => verdict.word);
  return ["FAIL", "INCONCLUSIVE", "PASS"].find((word) => words.includes(word)) ?? "UNGATED";
}

// A ratio on a line from 0 to 1, with its interval.
function strip(ratios) {
  const marks = ratios.flatMap(([ratio, className]) => {
    if (ratio.value === null) return [];
    const found = [];
    if (ratio.low !== null) {
      const span = { from: `${100 * ratio.low}%`, width: `${100 * (ratio.high - ratio.low)}%` };
      found.push(el("span", { class: `span ${className}`, vars: span }));
    }
    found.push(el("span", { class: `point ${className}`, vars: { from: `${100 * ratio.value}%` } }));
    return found;
  });
  return el("span", { class: "strip", "aria-hidden": "true" }, marks);
}

function showOverview() {
  const place = byId("overview");
  place.hidden = data.sections.length < 2;
  if (place.hidden) return;
  const row = (section, key) =>
    el(
      "tr",
      { class: key === state.section ? "chosen" : null },
      el(
        "th",
        { scope: "row" },
        el(
          "button",
          {
            type: "button",
            class: "plain-link",
            "aria-current": key === state.section ? "true" : null,
            onclick: () => choose({ ...fresh(), section: key }),
          },
          foreign(section.name),
        ),
        section.findings.length ? el("p", { class: "note" }, foreign(section.findings[0].text)) : null,
      ),
      el("td", {}, badge(overall(section.verdicts))),
      el(
        "td",
        { class: "number strong" },
        section.numbers.accuracy.text,
        section.stopped ? el("span", { class: "note wide-only" }, ` ${section.stopped}`) : null,
      ),
      el("td", { class: "wide-only strip-cell" }, strip([[section.numbers.accuracy, "recall"]])),
      el("td", { class: "number" }, section.numbers.macro[2]),
      el("td", { class: "number" }, section.images),
    );
  refill(
    place,
    el("h2", { id: "overview-head", tabindex: -1 }, "All evaluations"),
    el(
      "div",
      { class: "scroll" },
      el(
        "table",
        { class: "plain" },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            el("th", { scope: "col" }, "Evaluation and model"),
            el("th", { scope: "col" }, "Verdict"),
            el("th", { scope: "col", class: "number" }, "Accuracy"),
            el("th", { scope: "col", class: "wide-only strip-head" }, scale()),
            el("th", { scope: "col", class: "number" }, "Macro F1"),
            el("th", { scope: "col", class: "number" }, "Images"),
          ),
        ),
        el("tbody", {}, data.sections.map(row)),
      ),
    ),
  );
}

const scale = () => el("span", { class: "scale", "aria-hidden": "true" }, el("span", {}, "0"), el("span", {}, "0.5"), el("span", {}, "1"));

function showVerdict() {
  const section = current();
  const verdicts = section.verdicts.length
    ? section.verdicts
    : [{ word: "UNGATED", text: "no gate was judged" }];
  refill(
    byId("verdict"),
    el(
      "h2",
      { id: "verdict-head", tabindex: -1, class: "subject" },
      foreign(section.evaluation),
      el("span", { class: "on" }, " on "),
      foreign([section.model, section.variant].filter(Boolean).join(" · ")),
    ),
    identity(section),
    el(
      "ul",
      { class: "verdicts", role: "list" },
      verdicts.map(({ word, text }) =>
        el("li", { class: word.toLowerCase() }, badge(word), " ", foreign(text)),
      ),
    ),
    warnings(section),
    tiles(section),
    ledgerBar(section),
    diagnosis(section),
    doubts(section),
  );
}

// Which model and which images, by the start of their digests.
function identity(section) {
  const facts = new Map(section.facts);
  const short = (key) => facts.get(key)?.replace(/^sha256:/, "").slice(0, 12);
  const digest = (title, key) =>
    facts.has(key) ? el("span", { title: facts.get(key) }, `${title} `, foreign(short(key))) : null;
  return el(
    "p",
    { class: "identity note" },
    facts.has("Server") ? el("span", {}, foreign(facts.get("Server"))) : null,
    digest("model digest", "Model digest"),
    digest("Modelfile", "Modelfile digest"),
    facts.has("Dataset") ? el("span", {}, "dataset ", foreign(facts.get("Dataset"))) : null,
    digest("dataset hash", "Dataset content"),
    el(
      "button",
      { type: "button", class: "plain-link", onclick: () => jumpTo("facts") },
      "Settings and all facts",
    ),
  );
}

function warnings(section) {
  const texts = section.notes.slice();
  if (section.incomplete) texts.unshift(`Incomplete: ${section.incomplete}`);
  if (!texts.length) return null;
  return el("ul", { class: "warnings", role: "list" }, texts.map((text) => el("li", {}, foreign(text))));
}

function tiles(section) {
  const { accuracy, macro, balanced, own, duration, speed } = section.numbers;
  const server = section.facts.find(([key]) => key === "Server time")?.[1];
  const tile = (title, value, ...more) =>
    el("div", { class: "tile" }, el("dt", {}, title), el("dd", {}, el("b", {}, value), more));
  const line = (text) => (text ? el("span", { class: "note" }, text) : null);
  const { stopped } = section;
  return el(
    "dl",
    { class: "tiles" },
    tile(
      "Accuracy",
      accuracy.text,
      line(`${accuracy.counts.replace("/", " right of ")} answered images`),
      accuracy.value === null ? null : strip([[accuracy, "recall"]]),
      line(accuracy.interval || stopped),
    ),
    tile("Macro F1", macro[2], line(`precision ${macro[0]}`), line(`recall ${macro[1]}`), line(stopped)),
    tile("Balanced accuracy", balanced, line("every class weighs the same"), line(stopped)),
    own.map(([name, value, why]) => tile(foreign(name), value, line(why ? foreign(why) : ""), line(stopped))),
    duration === "–" ? null : tile("Duration", duration, line(speed), line(server ? `server: ${server}` : "")),
  );
}

// Where every image went.
function ledgerBar(section) {
  const { ledger } = section;
  if (!ledger.collected) return null;
  const parts = ["correct", "misclassified", "unparsed", "error", "lost", "not_run", "not_needed"]
    .filter((kind) => ledger[kind])
    .map((kind) => [kind, ledger[kind]]);
  return el(
    "div",
    { class: "ledger" },
    el(
      "div",
      { class: "ledger-bar", "aria-hidden": "true" },
      parts.map(([kind, count]) => el("span", { class: `kind-${kind}`, vars: { part: count } })),
    ),
    el(
      "ul",
      { role: "list" },
      parts.map(([kind, count]) =>
        el(
          "li",
          {},
          el(
            "button",
            {
              type: "button",
              class: `legend kind-${kind}`,
              onclick: () => choose({ ...unfiltered(), kinds: new Set([kind]) }, { jump: true }),
            },
            el("span", { class: "sign", "aria-hidden": "true" }, KINDS[kind].sign),
            ` ${count.toLocaleString("en")} ${KINDS[kind].word}`,
          ),
        ),
      ),
      ledger.deselected
        ? el("li", { class: "note" }, `${plural(ledger.deselected, "image")} deselected`)
        : null,
      ledger.skipped
        ? el("li", { class: "note" }, `${plural(ledger.skipped, "image")} skipped`)
        : null,
    ),
  );
}

const unfiltered = () => {
  const { section, cells, pair, against, sort } = state;
  return { ...fresh(), section, cells, pair, against, sort };
};

// What the reader could not read, equal answers together: it shows what a reader would need.
function unread(section) {
  if (!section.unread.length) return [];
  const rows = section.unread.map(({ text, reason, count }) =>
    el(
      "li",
      {},
      `${plural(count, "image")}: `,
      text ? el("q", {}, foreign(text)) : "nothing said",
      " (",
      foreign(reason),
      ") ",
    ),
  );
  return [
    el("h3", { class: "diagnosis-head" }, "Answers without a label"),
    el("ul", { class: "findings" }, rows),
    el(
      "button",
      {
        type: "button",
        class: "plain-link",
        onclick: () => choose({ ...unfiltered(), predicted: "unparsed" }, { jump: true }),
      },
      `Show ${plural(section.ledger.unparsed, "image")}`,
    ),
  ];
}

function diagnosis(section) {
  const found = section.findings;
  const stable = section.stability;
  const head = el("h3", { class: "diagnosis-head" }, "Diagnosis");
  const items = found.map(({ text, cases }, key) =>
    el(
      "li",
      {},
      foreign(text),
      cases.length
        ? [
            " ",
            el(
              "button",
              {
                type: "button",
                class: "plain-link",
                onclick: () => choose({ ...unfiltered(), finding: key }, { jump: true }),
              },
              `Show ${plural(cases.length, "example")}`,
            ),
          ]
        : null,
    ),
  );
  if (stable) items.push(stabilityItem(stable));
  return [
    ...unread(section),
    head,
    items.length
      ? el("ul", { class: "findings" }, items)
      : el("p", { class: "note" }, section.silence),
    found.some((one) => one.p) ? el("p", { class: "note" }, data.legend) : null,
  ];
}

function stabilityItem(stable) {
  const flips = stable.flips === null ? "" : ` Between two askings ${stable.flips} images flip on average.`;
  const vote = stable.majority === null ? "" : ` By majority vote accuracy is ${stable.majority}.`;
  return el(
    "li",
    {},
    `Asked ${stable.askings} times, ${stable.consistent} of the images with two answers or more get the ` +
      `same answer each time (two answers agree ${stable.self_consistency}).${vote}${flips} `,
    stable.differ.length
      ? el(
          "button",
          {
            type: "button",
            class: "plain-link",
            onclick: () => choose({ ...unfiltered(), flip: "differ" }, { jump: true }),
          },
          `Show ${plural(stable.differ.length, "image")}`,
        )
      : null,
    stable.caveats.map((caveat) => el("p", { class: "note" }, foreign(caveat))),
  );
}

function pairCard(pair, key) {
  const head = el(
    "h3",
    {},
    foreign(pair.names[0]),
    el("span", { class: "arrow" }, " → "),
    foreign(pair.names[1]),
  );
  const changes = pair.else.map(([sentence, diff]) => [
    el("p", { class: "note" }, foreign(sentence)),
    diff ? el("pre", { class: "raw" }, el("bdi", {}, visible(diff))) : null,
  ]);
  const notes = pair.notes.map((note) => el("p", { class: "note" }, foreign(note)));
  if (pair.refused !== null) {
    return el("div", { class: "pair" }, head, changes, el("p", {}, "Not compared: ", foreign(pair.refused)), notes);
  }
  const word = pair.word;
  const tests = pair.tests > 1 ? `, for all ${pair.tests} comparisons together` : "";
  const buttons = Object.entries(FLIPS).map(([kind, { word: what, sign, about }]) => {
    const count = changesOf(pair).filter(([, one]) => one === kind).length;
    return el(
      "button",
      {
        type: "button",
        class: `chip flip-${kind}`,
        title: about,
        disabled: !count,
        onclick: () =>
          choose(
            { ...fresh(), section: pair.now, pair: key, against: pair.before, flip: kind, cells: state.cells },
            { jump: true },
          ),
      },
      el("span", { "aria-hidden": "true" }, `${sign} `),
      `${what} `,
      el("span", { class: "count" }, String(count)),
    );
  });
  return el(
    "div",
    { class: "pair" },
    head,
    changes,
    el(
      "p",
      { class: "pair-word" },
      el("span", { class: `verdict-word ${word.split(" ")[0]}` }, word),
      ` Accuracy ${pair.accuracies[0]} → ${pair.accuracies[1]}`,
    ),
    pair.difference === null
      ? null
      : el("p", { class: "note" }, `Difference ${pair.difference}${pair.interval ? `, ${pair.interval}` : ""}; ${pair.p}${tests}, on ${plural(pair.common, "image")} that both answered.`),
    pair.margin ? el("p", { class: "note" }, foreign(pair.margin)) : null,
    pair.answers ? el("p", { class: "note" }, foreign(pair.answers)) : null,
    el("div", { class: "chips" }, buttons),
    notes,
    pair.scores.length === 0
      ? null
      : el(
          "details",
          {},
          el("summary", {}, "Recall, F1 and averages, each with its own 95% interval"),
          el("ul", {}, pair.scores.map((text) => el("li", {}, foreign(text)))),
        ),
    pair.left_out.map(([what, cases, count]) =>
      el("p", { class: "note" }, `${plural(count, "image")} ${what}: `, foreign(cases.slice(0, 5).join(", ")), count > 5 ? ", …" : null),
    ),
  );
}
