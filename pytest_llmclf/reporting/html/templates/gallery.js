// The images. Only the rows in sight exist as elements, so ten thousand images cost no more than
// a screenful.

const gallery = { found: [], columns: 1, height: 0, cards: new Map(), place: 0, all: false };
const PRINTED = 60;

function showGallery() {
  const section = current();
  const list = el("ul", {
    id: "cards",
    class: `cards ${hasImages(section) ? "" : "bare"}`,
    role: "list",
    onclick: (event) => {
      const card = event.target.closest("li");
      if (card) openDetail(Number(card.dataset.place));
    },
    onkeydown: galleryKey,
  });
  refill(
    byId("images"),
    el(
      "div",
      { class: "head-row" },
      el("h2", { id: "images-head", tabindex: -1 }, "Images"),
      el(
        "button",
        { type: "button", class: "quiet", onclick: () => jumpTo("confusion") },
        "↑ Confusion matrix",
      ),
    ),
    filterForm(section),
    el(
      "div",
      { class: "found" },
      el("p", { id: "found", role: "status", "aria-live": "polite" }),
      el("div", { id: "clear-place" }),
    ),
    list,
    el("p", { class: "note print-note", id: "print-note" }),
  );
  updateGallery();
}

const hasImages = (section) =>
  section.cases.image.some((place) => place >= 0 && data.without[place] === null);

// After a change of what is wanted.
function updateGallery() {
  gallery.found = chosen();
  gallery.place = Math.min(gallery.place, Math.max(0, gallery.found.length - 1));
  for (const card of gallery.cards.values()) card.remove();
  gallery.cards.clear();
  tellFound();
  syncFilters();
  layOut();
}

function tellFound() {
  const section = current();
  const total = section.cases.id.length;
  const count = gallery.found.length;
  const words = [count === total ? plural(total, "image") : `${count.toLocaleString("en")} of ${plural(total, "image")}`];
  if (state.finding >= 0) words.push("examples of a finding");
  if (state.expected >= 0) words.push(["shown: ", foreign(labelOf(section, state.expected))]);
  if (state.predicted !== "") {
    const answer =
      typeof state.predicted === "number" ? labelOf(section, state.predicted) : state.predicted;
    words.push(["answered: ", foreign(answer)]);
  }
  if (state.kinds.size) words.push([...state.kinds].map((kind) => KINDS[kind].word).join(" or "));
  for (const [tag, value] of state.tags) words.push([foreign(tag), ": ", foreign(value)]);
  const kind = boardOf(section)?.right_by.find(([one]) => one === state.right);
  if (kind) words.push(kind[1]);
  if (state.flip === "differ") words.push("answered differently when asked again");
  if (FLIPS[state.flip]) words.push(FLIPS[state.flip].word);
  if (state.search) words.push(["with ", foreign(state.search)]);
  refill(byId("found"), words.flatMap((word, place) => (place ? [" · ", word] : [word])));
  const filtered = words.length > 1;
  refill(
    byId("clear-place"),
    filtered
      ? el(
          "button",
          { type: "button", class: "quiet", id: "clear", onclick: clearFilters },
          "Clear filters",
        )
      : null,
    count === 0 ? el("p", { class: "empty" }, "No image fits all of this.") : null,
  );
}

function clearFilters() {
  choose(unfiltered());
  byId("images-head").focus();
}

// Rows and columns for the width there is.
function layOut() {
  const list = byId("cards");
  if (!list) return;
  const bare = list.classList.contains("bare");
  const width = list.clientWidth;
  const gap = 12;
  const least = bare ? 220 : width < 500 ? 140 : 184;
  gallery.columns = Math.max(1, Math.floor((width + gap) / (least + gap)));
  const side = (width - gap * (gallery.columns - 1)) / gallery.columns;
  const thumb = bare ? 0 : Math.round(Math.min(side * 0.8, 190));
  // Two names and an arrow need two lines in a narrow card.
  const two = !bare && side < 175;
  list.classList.toggle("two", two);
  const text = (state.pair >= 0 ? 122 : 102) + (two ? (state.pair >= 0 ? 40 : 20) : 0);
  gallery.height = thumb + text + gap;
  gallery.width = side + gap;
  const rows = Math.ceil(gallery.found.length / gallery.columns);
  list.style.setProperty("--thumb", `${thumb}px`);
  list.style.setProperty("--card", `${thumb + text}px`);
  list.style.setProperty("--side", `${side}px`);
  list.style.height = `${Math.max(0, rows * gallery.height - gap)}px`;
  for (const [place, card] of gallery.cards) put(card, place);
  inSight();
}

function put(card, index) {
  const row = Math.floor(index / gallery.columns);
  const column = index % gallery.columns;
  card.style.setProperty("transform", `translate(${column * gallery.width}px, ${row * gallery.height}px)`);
}

// Make the cards that can be seen, and two rows around them; drop the others.
function inSight() {
  const list = byId("cards");
  if (!list || !gallery.height) return;
  const top = list.getBoundingClientRect().top;
  const ahead = 2 * gallery.height;
  let from = Math.floor((-top - ahead) / gallery.height) * gallery.columns;
  let to = Math.ceil((window.innerHeight - top + ahead) / gallery.height) * gallery.columns;
  if (gallery.all) [from, to] = [0, PRINTED];
  // Out of sight the nearest rows stay, for those who read on without scrolling.
  const few = 2 * gallery.columns;
  from = Math.max(0, Math.min(from, gallery.found.length - few));
  to = Math.min(gallery.found.length, Math.max(to, few));
  const kept = document.activeElement?.closest("#cards li");
  for (const [index, card] of gallery.cards) {
    if ((index < from || index >= to) && card !== kept) {
      card.remove();
      gallery.cards.delete(index);
    }
  }
  for (let index = from; index < to; index += 1) {
    if (!gallery.cards.has(index)) addCard(list, index);
  }
  markCard();
}

function addCard(list, index) {
  const card = cardOf(current(), gallery.found[index], index);
  put(card, index);
  gallery.cards.set(index, card);
  // Elements stand in the order in which they are read out.
  let next = null;
  let nearest = Infinity;
  for (const [other, node] of gallery.cards) {
    if (other > index && other < nearest) [nearest, next] = [other, node];
  }
  list.insertBefore(card, next);
}

function cardOf(section, place, index) {
  const { cases } = section;
  const kind = cases.kind[place];
  const flip = flipOf(place);
  const sure = cases.confidence[place];
  const facts = [seconds(cases.wall[place] ?? cases.server[place])];
  if (sure !== null && cases.predicted[place] >= 0) facts.unshift(`${percent(sure)} sure`);
  const right = kind === "correct";
  return el(
    "li",
    {
      class: `card kind-${kind}`,
      "data-place": place,
      "aria-posinset": index + 1,
      "aria-setsize": gallery.found.length,
    },
    el(
      "button",
      { type: "button", tabindex: -1 },
      thumbOf(section, place),
      el(
        "span",
        { class: "said" },
        el("span", { class: "sign", "aria-hidden": "true" }, KINDS[kind].sign),
        el("span", { class: "hidden-text" }, `${KINDS[kind].word}: `),
        foreign(shownOf(section, place)),
        right ? null : [el("span", { class: "arrow" }, " → "), foreign(said(section, place))],
      ),
      state.pair >= 0 ? flipLine(cases.id[place], flip) : null,
      el("span", { class: "answer" }, answerShort(section, place)),
      el("span", { class: "facts-line" }, facts.join(" · ")),
      el("span", { class: "id" }, foreign(cases.id[place])),
    ),
  );
}

function flipLine(id, flip) {
  const apart = isApart(data.pairs[state.pair], id);
  if (!flip) return el("span", { class: "flip same" }, apart ? "not compared" : "same answer");
  return el(
    "span",
    { class: `flip ${flip.kind}` },
    el("span", { "aria-hidden": "true" }, `${FLIPS[flip.kind].sign} `),
    `${FLIPS[flip.kind].word}, was `,
    foreign(flip.was),
  );
}

function answerShort(section, place) {
  const { cases } = section;
  if (cases.answer[place] >= 0) {
    const text = textOf(cases.answer[place]).slice(0, 300);
    return text.trim() === "" ? "(says nothing)" : ["“", foreign(text), "”"];
  }
  const message = textOf(cases.message[place]).slice(0, 300);
  return message ? foreign(message) : "";
}

function thumbOf(section, place) {
  const key = section.cases.image[place];
  const found = key < 0 ? undefined : images[key];
  if (found) return imageOf(found, section, place, "thumb");
  const why = key < 0 ? "its file is not known" : data.without[key];
  const missing = el("span", { class: "thumb missing" }, why ?? "…");
  if (key >= 0 && why === null) missing.dataset.waiting = String(key);
  return missing;
}

function imageOf([uri, width, height], section, place, className) {
  const small = Math.max(width, height) <= 96;
  const shown = name(shownOf(section, place));
  const alt = `${name(section.cases.id[place])}, shows ${shown}`;
  const image = el("img", { src: uri, alt, width, height, decoding: "async", class: small ? "pixels" : null });
  return el("span", { class: className }, image);
}

// The images have been read since: put them where cards wait for them.
function showWaiting() {
  for (const [index, card] of gallery.cards) {
    const waiting = card.querySelector("[data-waiting]");
    if (waiting && images[Number(waiting.dataset.waiting)]) {
      waiting.replaceWith(thumbOf(current(), gallery.found[index]));
    }
  }
}

function markCard() {
  for (const [index, card] of gallery.cards) {
    card.firstChild.tabIndex = index === gallery.place ? 0 : -1;
  }
  if (!gallery.cards.has(gallery.place) && gallery.cards.size) {
    gallery.cards.get(Math.min(...gallery.cards.keys())).firstChild.tabIndex = 0;
  }
}

function galleryKey(event) {
  const card = event.target.closest("li");
  if (!card) return;
  const index = Number(card.getAttribute("aria-posinset")) - 1;
  const next = moved(event.key, index, gallery.found.length, gallery.columns);
  if (next === null) return;
  event.preventDefault();
  focusCard(next);
}

function focusCard(index) {
  const list = byId("cards");
  gallery.place = index;
  const row = Math.floor(index / gallery.columns) * gallery.height;
  const top = list.getBoundingClientRect().top + row;
  const bar = byId("images").querySelector(".found").getBoundingClientRect().height + 70;
  if (top < bar) window.scrollBy(0, top - bar);
  else if (top + gallery.height > window.innerHeight) {
    window.scrollBy(0, top + gallery.height - window.innerHeight);
  }
  if (!gallery.cards.has(index)) addCard(list, index);
  gallery.cards.get(index).firstChild.focus({ preventScroll: true });
  inSight();
}
