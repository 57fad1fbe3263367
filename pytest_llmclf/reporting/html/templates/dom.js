// Making elements. Foreign text only ever becomes a text node or the value of a harmless attribute:
// this page has no other way to make markup, and its policy forbids one.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "vars") {
      for (const [key, one] of Object.entries(value)) node.style.setProperty(`--${key}`, one);
    } else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((one) => one !== null && one !== undefined));
  return node;
}

function el(name, properties, ...children) {
  return fill(document.createElement(name), properties, children);
}

function svg(name, properties, ...children) {
  return fill(document.createElementNS(SVG, name), properties, children);
}

function byId(id) {
  return document.getElementById(id);
}

function refill(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter((one) => one !== null));
}

// Signs that cannot be seen, or that turn the text around them, are written out.
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

function visible(text) {
  return text.replace(
    UNSEEN,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

// Foreign text on one line.
function name(text) {
  const shown = visible(text).replace(/[\n\t]/g, " ");
  return shown.trim() === "" ? "(blank)" : shown;
}

function foreign(text, more) {
  return el("bdi", more ?? {}, name(text));
}

function plural(count, one, many) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : (many ?? `${one}s`)}`;
}

function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 60) return `${value.toFixed(1)} s`;
  return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
}

// A share between 0 and 1 with three decimals.
function share(value) {
  return value === null || value === undefined ? "–" : value.toFixed(3);
}

// Only none is 0% and only all is 100%.
function percent(value) {
  if (value > 0 && value < 0.005) return "<1%";
  if (value < 1 && value > 0.995) return ">99%";
  return `${Math.round(100 * value)}%`;
}

// Arrow keys, Home and End move the one place of `count` that the Tab key reaches.
function moved(key, place, count, columns) {
  const step = {
    ArrowRight: 1,
    ArrowLeft: -1,
    ArrowDown: columns,
    ArrowUp: -columns,
    PageDown: 4 * columns,
    PageUp: -4 * columns,
  }[key];
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  if (step === undefined) return null;
  const goal = place + step;
  if (Math.abs(step) > 1) return goal < 0 || goal >= count ? place : goal;
  return Math.max(0, Math.min(count - 1, goal));
}
