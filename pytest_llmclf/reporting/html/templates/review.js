// Keys, decisions and moves; and the start of the page.

const DECIDING = [
  ["a", "The label is right", () => decide("accept")],
  ["r", "Another label is right", () => chooseLabel("", false)],
  ["b", "A further label is right", () => chooseLabel("", true)],
  ["x", "Not in this set", () => decide("leave-out")],
  ["u", "Unsure", () => decide("unsure")],
];
const MOVING = [
  ["Z", "Undo", undo],
  ["←", "Previous", () => move(-1)],
  ["→", "Next", () => move(1)],
  ["W", "Note", askWhy],
];
const FILES = [
  ["S", "Save", saveInStep],
  ["D", "Download", download],
  ["O", "Open", () => byId("file").click()],
  ["?", "Help", showHelp],
];
const HELP = [
  ["1 2 3 ...", "another label is right: the one with this number"],
  ["N", "the next image that is not decided"],
  ["Home End", "the first image, the last one"],
];

const lowered = (keys) => Object.fromEntries(keys.map(([key, , action]) => [key.toLowerCase(), action]));
const KEYS = {
  ...lowered(DECIDING),
  ...lowered(MOVING),
  ...lowered(FILES),
  arrowleft: () => move(-1),
  arrowright: () => move(1),
  home: () => go(0),
  end: () => go(data.images.length - 1),
  n: () => toUndecided(view.place + 1),
};
const HELD = ["arrowleft", "arrowright"]; // those that may be held down

function decide(kind, labels = []) {
  const one = shown();
  const right = kind === "accept" ? one.was : labels;
  const before = current(one)?.decision;
  const why = view.drafts.get(view.place) ?? before?.why ?? "";
  if (!before || before.decision !== kind || !same(before.labels, right) || before.why !== why) {
    take(decided(one, kind, right, why));
    view.drafts.delete(view.place);
    inStep();
  }
  toUndecided(view.place + 1);
}

// What right labels mean beside those that the image had.
function relabel(label, further = []) {
  const one = shown();
  const labels = [...new Set([...further, label])];
  if (same(labels, one.was)) decide("accept");
  else decide(one.was.every((text) => labels.includes(text)) ? "also" : "relabel", labels);
}

function chooseLabel(text, further) {
  const made = current(shown())?.decision;
  const right = made && made.labels.length ? made.labels : shown().was;
  const title = further ? ["Right as well as ", several(right)] : ["Instead of ", several(shown().was)];
  askLabel(title, text, (label) => relabel(label, further ? right : []));
}

// A digit begins a label or its number; where nothing longer begins so, it is that label.
function digit(key) {
  const [place, ...others] = meant(key);
  if (place === undefined) return tell(`no label has the number ${key}`);
  if (others.length || (!NUMBERED && data.labels[place] !== key)) return chooseLabel(key, false);
  return relabel(data.labels[place]);
}

function undo() {
  const mine = [...log.entries.values()]
    .filter((one) => one.decision.by === log.name)
    .sort(inOrder)
    .reverse();
  for (const entry of mine) {
    const place = data.images.findIndex((one) => current(one) === entry);
    if (place < 0) continue;
    undone(entry);
    inStep();
    tell(`undone: ${entry.decision.image}`);
    return go(place);
  }
  return tell("there is nothing to undo");
}

function go(place) {
  view.place = Math.max(0, Math.min(data.images.length - 1, place));
  show();
}

const move = (step) => go(view.place + step);

// The next image from a place on that is not decided, from the beginning again at the end.
function toUndecided(from) {
  const count = data.images.length;
  for (let step = 0; step < count; step += 1) {
    const place = (from + step) % count;
    if (!current(data.images[place])) return go(place);
  }
  return show();
}

function askText(id, { title, value, text, needed, done }) {
  const dialog = byId(id);
  const input = el("input", { type: "text", value, autocomplete: "off", maxlength: 500, "aria-labelledby": `${id}-head` });
  const form = el(
    "form",
    {
      method: "dialog",
      onsubmit: (event) => {
        event.preventDefault();
        if (needed && !input.value.trim()) return;
        dialog.close();
        done(input.value.trim());
      },
    },
    el("h2", { id: `${id}-head` }, title),
    el("p", { class: "note" }, text),
    input,
    el("button", { type: "submit", class: "quiet" }, el("kbd", {}, "Enter"), " Go on"),
  );
  refill(dialog, form);
  dialog.showModal();
  input.focus();
}

function askWhy() {
  const place = view.place;
  const made = current(shown())?.decision;
  askText("note", {
    title: "Why?",
    text: made ? "Is added to what you decided." : "Is added to what you decide about this image.",
    value: view.drafts.get(place) ?? made?.why ?? "",
    done: (why) => {
      if (!made) view.drafts.set(place, why);
      else if (made.why !== why) {
        take(decided(data.images[place], made.decision, made.labels, why));
        inStep();
      }
      show();
    },
  });
}

function askName() {
  const kept = inBrowser(() => localStorage.getItem(NAME)) ?? "";
  if (kept.trim()) return begin(kept);
  // Esc leaves it open: nobody decides without a name.
  byId("name").addEventListener("cancel", (event) => event.preventDefault());
  return askText("name", {
    title: "Who decides?",
    text: "Your name stands beside every decision, in the file that you save. Nothing is sent anywhere.",
    value: "",
    needed: true,
    done: (text) => {
      inBrowser(() => localStorage.setItem(NAME, text));
      begin(text);
    },
  });
}

function showHelp() {
  const dialog = byId("help");
  const row = ([key, text]) => [el("dt", {}, el("kbd", {}, key.length === 1 ? key.toUpperCase() : key)), el("dd", {}, text)];
  refill(
    dialog,
    el("h2", { id: "help-head", tabindex: -1 }, "Keys"),
    el("dl", { class: "keys" }, [...DECIDING, ...MOVING, ...FILES, ...HELP].map(row)),
    el(
      "p",
      { class: "note" },
      "A label is chosen by its number, or by its first letters and Enter. Deciding anew replaces what you decided. ",
      "No label of the dataset changes before the file is applied. What was applied when a page was made, ",
      "that page drops from this browser.",
    ),
    el("p", { class: "note" }, "You are ", foreign(log.name), ". ",
      el("button", { type: "button", class: "plain-link", onclick: forgetName }, "Somebody else decides")),
  );
  dialog.showModal();
  byId("help-head").focus();
}

function forgetName() {
  inBrowser(() => localStorage.removeItem(NAME));
  byId("help").close();
  log.name = "";
  askName();
}

function pressed(event) {
  // Whatever has the focus: the field of a dialog that was closed keeps it for a moment.
  if (event.altKey || document.querySelector("dialog[open]")) return;
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    if (key !== "z" || event.shiftKey) return;
  } else if (/^\d$/.test(key)) {
    event.preventDefault();
    if (!event.repeat) digit(key);
    return;
  }
  if (!Object.hasOwn(KEYS, key)) return;
  event.preventDefault();
  if (!event.repeat || HELD.includes(key)) KEYS[key]();
}

function begin(name_) {
  log.name = name_;
  const older = restore();
  if (older) tell(`${plural(older, "decision")} about these images taken over from pages of other runs`);
  toUndecided(0);
}

function start() {
  byId("title").textContent = `Labels of ${name(data.dataset)}`;
  document.title = `Review: ${name(data.dataset)}`;
  refill(byId("file-actions"), FILES.map(([key, text, action]) => keyButton(key, text, action)));
  byId("file").addEventListener("change", async (event) => {
    const [chosen] = event.target.files;
    if (chosen) await openFile(chosen);
    event.target.value = ""; // the same one can be chosen again
  });
  document.addEventListener("keydown", pressed);
  window.addEventListener("storage", (event) => {
    if (!event.key?.startsWith(OWN) || !log.name) return;
    const decision = event.newValue && keptAt(event.key);
    const known = [...log.entries.values()].find((one) => one.key === event.key);
    if (decision) take(decision, { key: event.key });
    else if (known) drop(known);
    show();
  });
  window.addEventListener("beforeunload", (event) => {
    if ((log.broken || file.trouble) && unsaved()) event.preventDefault();
  });
  document.addEventListener("DOMContentLoaded", () => {
    document.documentElement.dataset.images = "ready";
    showImage();
  });
  show();
  askName();
}

start();
