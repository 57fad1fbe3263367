// Choosing a label by its number or its first letters. No label is chosen beforehand.

const CHOICES = 40; // most labels listed at once

// Where labels begin with digits themselves, "3" is the label 3 rather than the third one.
const NUMBERED = !data.labels.some((label) => /^\s*\d/.test(label));
const number = (place) => (NUMBERED ? el("kbd", {}, place + 1) : null);

const HOW = NUMBERED ? "number or first letters" : "first letters";

const fold = (text) => text.toLocaleLowerCase("en").normalize("NFC");

// Labels that a text may mean, as their places: by number, else by first letters.
function meant(text) {
  const wanted = fold(text.trim());
  const places = data.labels.map((_, place) => place);
  if (!wanted) return places;
  const byName = places.filter((place) => fold(name(data.labels[place])).startsWith(wanted));
  const numbered = NUMBERED && /^\d+$/.test(wanted);
  return numbered ? places.filter((place) => String(place + 1).startsWith(wanted)) : byName;
}

// The one label that a text means whatever would be typed after it; -1: there are several, or none.
function certain(text) {
  const wanted = fold(text.trim());
  const places = meant(text);
  if (!wanted) return -1;
  if (places.length === 1) return places[0];
  const whole = places.filter((place) => fold(name(data.labels[place])) === wanted);
  if (whole.length === 1) return whole[0];
  return NUMBERED && !whole.length ? (places.find((place) => String(place + 1) === wanted) ?? -1) : -1;
}

function askLabel(title, text, chosen) {
  const dialog = byId("choice");
  const list = el("ul", { class: "choices", id: "choices" });
  const told = el("p", { class: "note", role: "status" });
  const input = el("input", {
    type: "search", autocomplete: "off", spellcheck: "false", "aria-label": HOW, placeholder: HOW,
    "aria-controls": "choices",
  });
  const done = (place) => {
    dialog.close();
    chosen(data.labels[place]);
  };
  const draw = () => {
    const places = meant(input.value);
    const sure = certain(input.value);
    const more = places.length - CHOICES;
    refill(
      list,
      places.slice(0, CHOICES).map((place) =>
        el("li", {}, el(
          "button",
          { type: "button", class: `chip${place === sure ? " sure" : ""}`, onclick: () => done(place) },
          number(place), " ", foreign(data.labels[place]),
        )),
      ),
    );
    const wanted = input.value.trim();
    told.textContent =
      sure >= 0 ? `Enter: ${name(data.labels[sure])}`
      : !places.length ? "no label begins so"
      : `${wanted ? `${plural(places.length, "label")} begin so: type on` : "type, then Enter"}` +
        `${more > 0 ? `; ${more.toLocaleString("en")} more are not listed` : ""}`;
  };
  input.addEventListener("input", draw);
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.repeat || event.isComposing) return;
    event.preventDefault();
    const sure = certain(input.value);
    if (sure >= 0) done(sure);
  });
  input.value = text;
  refill(dialog, el("h2", { id: "choice-head" }, title), input, told, list);
  draw();
  dialog.showModal();
  input.focus();
}
