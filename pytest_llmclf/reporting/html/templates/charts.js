// Charts, as SVG made element by element; each with its numbers as a table for those who want them.

const MARGIN = { left: 54, right: 14, top: 12, bottom: 40 };
const TICKS = [0, 0.25, 0.5, 0.75, 1];

function showCharts() {
  const place = byId("charts");
  const section = current();
  const made = [reliability, coverage, latency, path].map((chart) => chart(section));
  const drawn = made.filter((one) => one !== null);
  place.hidden = !drawn.length;
  const grid = el("div", { class: "charts" });
  refill(place, el("h2", { id: "charts-head", tabindex: -1 }, "Charts"), grid);
  const places = drawn.map((chart) => {
    const image = el("div", { class: "plot" });
    grid.append(
      el(
        "figure",
        {},
        el("figcaption", {}, el("h3", {}, chart.title), el("p", { class: "note" }, chart.text)),
        image,
        chartTable(chart),
      ),
    );
    return image;
  });
  // Drawn for the width there is, so that letters keep their size; it is known once all are there.
  const widths = places.map((image) => Math.max(260, image.clientWidth));
  drawn.forEach((chart, key) => places[key].append(chart.draw(widths[key])));
}

function chartTable(chart) {
  return el(
    "details",
    {},
    el("summary", {}, "Numbers"),
    el(
      "div",
      { class: "scroll" },
      el(
        "table",
        { class: "plain" },
        el("thead", {}, el("tr", {}, chart.heads.map((head) => el("th", { scope: "col" }, head)))),
        el("tbody", {}, chart.rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, cell))))),
      ),
    ),
  );
}

function frame({ width, title, x, y, xTicks, yTicks, xText, yText }) {
  const height = 250;
  const X = (value) =>
    MARGIN.left + ((value - x[0]) / (x[1] - x[0])) * (width - MARGIN.left - MARGIN.right);
  const Y = (value) =>
    height - MARGIN.bottom - ((value - y[0]) / (y[1] - y[0])) * (height - MARGIN.top - MARGIN.bottom);
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": title });
  for (const [value, text] of yTicks) {
    root.append(
      svg("line", { class: "grid", x1: X(x[0]), x2: X(x[1]), y1: Y(value), y2: Y(value) }),
      svg("text", { class: "tick", x: MARGIN.left - 8, y: Y(value) + 4, "text-anchor": "end" }, text),
    );
  }
  for (const [value, text] of xTicks) {
    // At the right edge there is no room for half of it.
    const anchor = X(value) > width - MARGIN.right - 12 ? "end" : "middle";
    const at = anchor === "end" ? width - 2 : X(value);
    root.append(
      svg("text", { class: "tick", x: at, y: height - MARGIN.bottom + 17, "text-anchor": anchor }, text),
    );
  }
  root.append(
    svg("text", { class: "axis", x: (X(x[0]) + X(x[1])) / 2, y: height - 5, "text-anchor": "middle" }, xText),
    svg("text", { class: "axis", transform: `translate(11 ${(Y(y[0]) + Y(y[1])) / 2}) rotate(-90)`, "text-anchor": "middle" }, yText),
  );
  return { root, X, Y };
}

// About `wanted` round numbers from 0 to `end`.
function round(end, wanted) {
  const rough = end / wanted;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((one) => one * size >= rough) * size;
  const found = [];
  for (let place = 0; place * step <= end * 1.0001; place += 1) found.push(place * step);
  return found;
}

const shares = () => TICKS.map((value) => [value, percent(value)]);
const line = (points) => points.map(([x, y], place) => `${place ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

function reliability(section) {
  const found = section.calibration;
  if (!found) return null;
  const bins = found.bins.filter((bin) => bin.accuracy.total);
  const most = Math.max(...bins.map((bin) => bin.accuracy.total));
  const title = "Is its confidence worth anything?";
  const missing = found.missing ? ` ${found.missing}.` : "";
  return {
    title,
    text: !bins.length ? `Not computed: ${found.missing}.` :
      `On the dashed line, answers given with 80% confidence are right 80% of the time. ` +
      `Calibration error ${found.ece} (by chance alone ${found.chance}), Brier score ${found.brier}. ` +
      `Grey bars: how many answers.${missing}`,
    heads: ["confidence", "answers", "mean confidence", "accuracy", "interval"],
    rows: bins.map(({ low, high, mean, accuracy }) => [
      `${low.toFixed(2)}–${high.toFixed(2)}`,
      String(accuracy.total),
      share(mean),
      accuracy.text,
      accuracy.interval,
    ]),
    draw(width) {
      const { root, X, Y } = frame({ width, title, x: [0, 1], y: [0, 1], xTicks: shares(), yTicks: shares(), xText: "confidence", yText: "accuracy" });
      for (const { low, high, accuracy } of bins) {
        const top = Y((0.3 * accuracy.total) / most);
        root.append(svg("rect", { class: "count-bar", x: X(low) + 1, width: X(high) - X(low) - 2, y: top, height: Y(0) - top }));
      }
      root.append(svg("line", { class: "ideal", x1: X(0), y1: Y(0), x2: X(1), y2: Y(1) }));
      const known = bins.filter((bin) => bin.mean !== null);
      root.append(svg("path", { class: "curve", d: line(known.map((bin) => [X(bin.mean), Y(bin.accuracy.value)])) }));
      for (const { mean, accuracy } of known) {
        const radius = 2.5 + 4 * Math.sqrt(accuracy.total / most);
        if (accuracy.low !== null) {
          root.append(svg("line", { class: "whisker", x1: X(mean), x2: X(mean), y1: Y(accuracy.low), y2: Y(accuracy.high) }));
        }
        root.append(svg("circle", { class: "dot", cx: X(mean), cy: Y(accuracy.value), r: radius }));
      }
      return root;
    },
  };
}

function coverage(section) {
  const found = section.calibration;
  if (!found || !found.curve.length) return null;
  const title = "What if only confident answers were taken?";
  const best = found.accepting;
  const low = Math.min(...found.curve.map(([, accuracy]) => accuracy), data.target);
  const floor = Math.max(0, Math.floor((low - 0.02) * 10) / 10);
  const ticks = round(1 - floor, 5).map((value) => floor + value);
  return {
    title,
    text: best
      ? `${percent(data.target)} of the accepted answers are right on these images if those of confidence ` +
        `${best.threshold} and above are taken: ${best.share} of all.`
      : `No confidence to ask for makes ${percent(data.target)} of the accepted answers right on these images.`,
    heads: ["accepted", "accuracy"],
    rows: found.coverages.map((one) => [one.share, one.accuracy]),
    draw(width) {
      const { root, X, Y } = frame({ width, title, x: [0, 1], y: [floor, 1], xTicks: shares(), yTicks: ticks.map((value) => [value, `${Math.round(100 * value)}%`]), xText: "answers accepted", yText: "accuracy" });
      root.append(svg("line", { class: "bound", x1: X(0), x2: X(1), y1: Y(data.target), y2: Y(data.target) }));
      root.append(svg("path", { class: "curve", d: line(found.curve.map(([at, accuracy]) => [X(at), Y(accuracy)])) }));
      if (best) root.append(svg("circle", { class: "dot", cx: X(best.coverage), cy: Y(found.curve.find(([at]) => Math.abs(at - best.coverage) < 1e-4)?.[1] ?? data.target), r: 5 }));
      return root;
    },
  };
}

function latency(section) {
  const { wall, server, cached } = section.cases;
  const seen = wall.some((value) => value !== null);
  const times = (seen ? wall : server).filter((value) => value !== null);
  if (times.length < 10) return null;
  times.sort((one, other) => one - other);
  const [half, most95] = section.took;
  // The few slowest ones, such as the first with the model to be loaded, would squeeze the rest.
  const end = times[Math.ceil(0.99 * times.length) - 1] * 1.02 || 1;
  const count = Math.max(8, Math.min(32, Math.round(Math.sqrt(times.length))));
  const bins = new Array(count).fill(0);
  let beyond = 0;
  for (const value of times) {
    if (value > end) beyond += 1;
    else bins[Math.min(count - 1, Math.floor((value / end) * count))] += 1;
  }
  const title = "How long does an answer take?";
  const most = Math.max(...bins);
  const slow = beyond ? ` ${plural(beyond, "answer")} beyond the right edge, the slowest ${seconds(times.at(-1))}.` : "";
  return {
    title,
    text:
      `${plural(times.length, "answer")}${half ? `: half within ${half[1]}, 95% within ${most95[1]}` : ""}. ` +
      `${seen ? "Seen from here, waiting for the server included" : "As the server times them"}` +
      `${cached.some(Boolean) ? "; those from the store as first asked" : ""}.${slow}`,
    heads: ["up to", "answers"],
    rows: bins.map((number, place) => [seconds(((place + 1) * end) / count), String(number)]),
    draw(width) {
      const steps = round(end, 5).map((value) => [value, seconds(value)]);
      const tall = round(most, 3).filter(Number.isInteger).map((value) => [value, String(value)]);
      const { root, X, Y } = frame({ width, title, x: [0, end], y: [0, most], xTicks: steps, yTicks: tall, xText: "duration", yText: "answers" });
      bins.forEach((number, place) => {
        const [from, to] = [X((place * end) / count), X(((place + 1) * end) / count)];
        if (number) root.append(svg("rect", { class: "bar-fill", x: from + 0.5, width: Math.max(1, to - from - 1), y: Y(number), height: Y(0) - Y(number) }));
      });
      if (half) root.append(svg("line", { class: "bound", x1: X(half[0]), x2: X(half[0]), y1: Y(0), y2: Y(most) }));
      return root;
    },
  };
}

// How a run that may stop early went: accuracy after each answer, in the order of asking.
function path(section) {
  if (!section.path) return null;
  const points = [];
  let right = 0;
  for (const place of section.path.order) {
    const kind = section.cases.kind[place];
    if (!["correct", "misclassified", "unparsed"].includes(kind)) continue;
    right += kind === "correct";
    points.push([points.length + 1, right / (points.length + 1)]);
  }
  if (points.length < 2) return null;
  const total = section.path.order.length;
  const title = "When was it decided?";
  const spared = section.ledger.not_needed;
  const step = Math.ceil(points.length / 20);
  return {
    title,
    text:
      `Accuracy after each answer, in random order. ` +
      (spared
        ? `Stopped after ${total - spared} of ${total} images: ${plural(spared, "image was", "images were")} not needed.`
        : `${points.length} of ${plural(total, "image")} ${points.length === 1 ? "was" : "were"} answered.`),
    heads: ["answers", "accuracy so far"],
    rows: points.filter((_, place) => place % step === step - 1 || place === points.length - 1).map(([count, value]) => [String(count), share(value)]),
    draw(width) {
      const ticks = round(total, 5).filter(Number.isInteger).map((value) => [value, String(value)]);
      const { root, X, Y } = frame({ width, title, x: [0, total], y: [0, 1], xTicks: ticks, yTicks: shares(), xText: "images", yText: "accuracy so far" });
      if (spared) root.append(svg("rect", { class: "spared", x: X(total - spared), width: X(total) - X(total - spared), y: Y(1), height: Y(0) - Y(1) }));
      for (const bound of section.path.bounds) {
        root.append(svg("line", { class: "bound", x1: X(0), x2: X(total), y1: Y(bound), y2: Y(bound) }));
      }
      root.append(svg("path", { class: "curve", d: line(points.map(([count, value]) => [X(count), Y(value)])) }));
      const [count, value] = points.at(-1);
      root.append(svg("circle", { class: "dot", cx: X(count), cy: Y(value), r: 4.5 }));
      return root;
    },
  };
}
