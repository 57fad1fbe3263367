// What was decided: lines as the dataset's file has them, each kept by the browser as soon as it is
// made. A line stands for itself, so that whatever is put together, in whatever order, says the same.

const data = JSON.parse(byId("data").textContent);
const KEPT = "llmclf-review:";
const OWN = `${KEPT}${data.run}:${data.content_hash.slice(0, 16)}:`;
const NAME = "llmclf-review-name";
const WRITTEN = "!"; // before a kept line that is in a file already
const KINDS = ["accept", "relabel", "also", "leave-out", "unsure", "take-back"];
const REQUIRED = ["format", "image", "sha256", "was", "decision", "by", "at"];
const OPTIONAL = ["labels", "why", "proposal", "followed", "control", "of"];

const log = {
  name: "",
  entries: new Map(), // by line: the decision, where it is kept, whether a file has it
  byBytes: new Map(), // by digest of an image's file: its entries
  broken: "", // why the browser keeps nothing
};

const json = (value) => JSON.stringify(value);
const listed = (texts) => `[${texts.map(json).join(", ")}]`;
const same = (one, other) => one.length === other.length && one.every((text) => other.includes(text));

// As Python writes it, name by name.
function lineOf(one) {
  const values = {
    format: "1",
    image: json(one.image),
    sha256: json(one.sha256),
    was: listed(one.was),
    decision: json(one.decision),
    by: json(one.by),
    at: json(one.at),
    labels: one.labels.length ? listed(one.labels) : null,
    why: one.why ? json(one.why) : null,
    proposal: one.proposal ? json(one.proposal) : null,
    followed: one.followed.length
      ? `{${one.followed.map(([model, label]) => `${json(model)}: ${json(label)}`).join(", ")}}`
      : null,
    control: one.control ? "true" : null,
    of: one.of ? json(one.of) : null,
  };
  const needed = [...REQUIRED, ...OPTIONAL].filter((key) => values[key] !== null);
  return `{${needed.map((key) => `${json(key)}: ${values[key]}`).join(", ")}}`;
}

const isText = (value) => typeof value === "string";
const isTexts = (value) => Array.isArray(value) && value.every(isText);
const isLabels = (value) => isTexts(value) && !value.includes("") && new Set(value).size === value.length;
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$/;
const holds = (more, less) => less.every((text) => more.includes(text));
// Whether right labels fit what was decided about an image that had others.
const LABELS_FIT = {
  accept: (was, labels) => !labels.length || same(was, labels),
  relabel: (was, labels) => labels.length > 0 && !holds(labels, was),
  also: (was, labels) => holds(labels, was) && !holds(was, labels),
};
const FITS = {
  format: (value) => value === 1,
  image: (value) => isText(value) && value !== "",
  sha256: (value) => isText(value) && /^[0-9a-f]{64}$/.test(value),
  was: (value) => isLabels(value) && value.length > 0,
  decision: (value) => KINDS.includes(value),
  by: (value) => isText(value) && value.trim() !== "",
  at: (value) => isText(value) && MOMENT.test(value) && !Number.isNaN(Date.parse(value)),
  labels: isLabels,
  why: isText,
  proposal: isText,
  followed: (value) => value !== null && typeof value === "object" && !Array.isArray(value) && Object.values(value).every(isText),
  control: (value) => typeof value === "boolean",
  of: isText,
};

// The decision on a line; an error says what is wrong with it.
function decisionOn(line) {
  const found = JSON.parse(line);
  if (found === null || typeof found !== "object" || Array.isArray(found)) throw new Error("it is no object");
  const known = new Map(Object.entries(found));
  for (const [key, value] of known) {
    if (!Object.hasOwn(FITS, key)) throw new Error(`it has an unknown name, ${key}`);
    if (!FITS[key](value)) throw new Error(`its ${key} is none`);
  }
  const lacking = REQUIRED.find((key) => !known.has(key));
  if (lacking) throw new Error(`it has no ${lacking}`);
  const kind = found.decision;
  const labels = known.get("labels") ?? [];
  if (!(LABELS_FIT[kind] ?? ((_, none) => !none.length))(found.was, labels)) {
    throw new Error(`its labels do not fit ${kind}`);
  }
  if (known.get("of") && kind !== "take-back") throw new Error("its of belongs to take-back alone");
  return {
    ...Object.fromEntries(REQUIRED.map((key) => [key, found[key]])),
    labels: kind === "accept" ? found.was : labels,
    why: known.get("why") ?? "",
    proposal: known.get("proposal") ?? "",
    followed: Object.entries(known.get("followed") ?? {}),
    control: known.get("control") ?? false,
    of: known.get("of") ?? "",
  };
}

// Adds a decision; whether it is a new one.
function take(decision, { key = null, written = false, keep = true } = {}) {
  const line = lineOf(decision);
  const known = log.entries.get(line);
  if (known) {
    known.written ||= written;
    return false;
  }
  const entry = { decision, line, key, written };
  log.entries.set(line, entry);
  if (!log.byBytes.has(decision.sha256)) log.byBytes.set(decision.sha256, []);
  log.byBytes.get(decision.sha256).push(entry);
  if (keep && key === null) keepEntry(entry);
  return true;
}

function drop(entry) {
  log.entries.delete(entry.line);
  const others = log.byBytes.get(entry.decision.sha256);
  others.splice(others.indexOf(entry), 1);
  // Pages of other runs may keep the same one.
  const kept = () => Object.keys(localStorage).filter((key) => key.startsWith(KEPT));
  for (const key of inBrowser(kept) ?? []) {
    const text = inBrowser(() => localStorage.getItem(key)) ?? "";
    if (text === entry.line || text === WRITTEN + entry.line) inBrowser(() => localStorage.removeItem(key));
  }
}

function keepEntry(entry) {
  // A name of its own: two tabs never write over each other's.
  const mark = Math.random().toString(36).slice(2, 10);
  entry.key ??= `${OWN}${entry.decision.at}:${mark}`;
  inBrowser(() => localStorage.setItem(entry.key, (entry.written ? WRITTEN : "") + entry.line));
}

function inBrowser(action) {
  if (log.broken) return undefined;
  try {
    return action();
  } catch (error) {
    log.broken = `${error.name}`;
    return undefined;
  }
}

// Whether the dataset has a decision already: then nobody needs the browser's copy any more.
const applied = new Set(data.applied);
const isApplied = (one) => applied.has(`${one.sha256.slice(0, 16)} ${one.at} ${one.by}`);

// What this browser kept of this page, and of pages of other runs about the same images. What was
// applied since is dropped, and what another run's page kept moves to this one's.
function restore() {
  const keys = inBrowser(() => {
    localStorage.setItem(`${KEPT}probe`, "1");
    localStorage.removeItem(`${KEPT}probe`);
    return Object.keys(localStorage).filter((key) => key.startsWith(KEPT));
  });
  let older = 0;
  for (const key of keys ?? []) {
    const own = key.startsWith(OWN);
    const decision = keptAt(key);
    if (decision && isApplied(decision) && !(own && fitsHere(decision))) {
      inBrowser(() => localStorage.removeItem(key));
      continue;
    }
    if (!decision || (!own && (decision.by !== log.name || !fitsHere(decision)))) continue;
    const written = localStorage.getItem(key).startsWith(WRITTEN);
    if (take(decision, { key: own ? key : null, written }) && !own) older += 1;
    if (!own && !log.broken) inBrowser(() => localStorage.removeItem(key));
  }
  return older;
}

function keptAt(key) {
  const kept = inBrowser(() => localStorage.getItem(key));
  if (!kept) return null;
  try {
    return decisionOn(kept.startsWith(WRITTEN) ? kept.slice(1) : kept);
  } catch {
    return null; // of another version: it stays where it is
  }
}

const byDigest = new Map();
for (const one of data.images) {
  if (!byDigest.has(one.sha256)) byDigest.set(one.sha256, []);
  byDigest.get(one.sha256).push(one);
}
const fitsHere = (decision) =>
  (byDigest.get(decision.sha256) ?? []).some((one) => same(one.was, decision.was));

const inOrder = (one, other) =>
  Date.parse(one.decision.at) - Date.parse(other.decision.at) ||
  (one.decision.decision === "take-back") - (other.decision.decision === "take-back") ||
  (one.line < other.line ? -1 : 1);

// My decision about an image that counts, as the dataset would take it: the last one about the same
// bytes with the same labels, of its own if there is any, else of a copy.
function current(image) {
  const fitting = (log.byBytes.get(image.sha256) ?? []).filter((one) => same(one.decision.was, image.was));
  const own = fitting.filter((one) => one.decision.image === image.image);
  let last = null;
  for (const one of (own.length ? own : fitting).sort(inOrder)) {
    const { decision, by, of } = one.decision;
    if (decision === "take-back" && ["", log.name].includes(of)) last = null;
    else if (decision !== "take-back" && by === log.name) last = one;
  }
  return last;
}

// Later than all that is known of the image, whatever clock that was written by.
function moment(sha256) {
  const known = (log.byBytes.get(sha256) ?? []).map((one) => Date.parse(one.decision.at) + 1);
  const text = new Date(Math.max(Date.now(), ...known)).toISOString();
  return text.replace(/\.(\d{3})Z$/, (_, digits) => (digits === "000" ? "Z" : `.${digits}000Z`));
}

function decided(image, decision, labels = [], why = "") {
  return {
    format: 1,
    image: image.image,
    sha256: image.sha256,
    was: image.was,
    decision,
    labels,
    by: log.name,
    at: moment(image.sha256),
    why,
    proposal: decision === "take-back" ? "" : image.reasons.join("; "),
    followed: decision === "take-back" ? [] : image.followed,
    control: decision !== "take-back" && image.control,
    of: decision === "take-back" ? log.name : "",
  };
}

// Undoes one decision: a line that a file has already is taken back by another one.
function undone(entry) {
  if (!entry.written) drop(entry);
  else take(decided({ ...entry.decision, reasons: [], followed: [] }, "take-back"));
}

function wholeFile() {
  return [...log.entries.values()].sort(inOrder).map((one) => `${one.line}\n`).join("");
}

function markWritten(lines) {
  for (const line of lines) {
    const entry = log.entries.get(line);
    if (!entry || entry.written) continue;
    entry.written = true;
    keepEntry(entry);
  }
}
