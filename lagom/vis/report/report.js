// Draws the report from the data in the page.  Names, keys and messages may come from strangers:
// all text enters the page as text nodes, never as markup.
"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);
const DASHES = { "-": null, "--": "7 4", ":": "2 3", "-.": "8 3 2 3" };
const view = { x: DATA.xs[0]?.key, y: DATA.ys[0]?.key, seeds: false, hidden: new Set() };

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null));
  return element;
}

function html(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

// Numbers as text

function number(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size >= 100 && size < 1e7) return value.toFixed(1);
  if (size >= 1e7 || (size > 0 && size < 1e-4)) return value.toExponential(2);
  return String(Number(value.toPrecision(3)));
}

function exact(value) {
  return value === null ? "–" : value.toLocaleString("en");
}

function thousands(value) {
  const trim = (x) => String(Number(x.toPrecision(6)));
  const size = Math.abs(value);
  if (size >= 1e9) return trim(value / 1e6).replace("e+", "e") + "M";
  if (size >= 1e6) return trim(value / 1e6) + "M";
  return size >= 1e3 ? trim(value / 1e3) + "K" : trim(value);
}

function duration(seconds) {
  if (seconds === null) return "–";
  if (seconds < 120) return `${number(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function interval(mean, half) {
  return half === null || half === undefined ? number(mean) : `${number(mean)} ± ${number(half)}`;
}

// Curves

function ticks(low, high, most) {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough * (1 - 1e-9));
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

// The colours of the curves are variables of the page, so that the same drawing is light or dark.
function paint() {
  const kind =
    matchMedia("(prefers-color-scheme: dark)").matches && !matchMedia("print").matches
      ? "bright"
      : "color";
  DATA.labels.forEach((label, i) =>
    document.documentElement.style.setProperty(`--curve-${i}`, label[kind]),
  );
}

function stroke(label) {
  return { stroke: `var(--curve-${label})`, "stroke-dasharray": DASHES[DATA.labels[label].dash] };
}

function sample(label) {
  const line = svg("line", { x1: 0, y1: 6, x2: 26, y2: 6, "stroke-width": 3, ...stroke(label) });
  return svg("svg", { width: 26, height: 12, "aria-hidden": "true" }, line);
}

// The mean of a curve: {x, mean, half}, null where nothing was logged in these columns.
function meanOf(curve) {
  const mean = curve.means[view.y]?.[view.x];
  return mean ? { x: DATA.grids[mean[0]], mean: mean[1], half: mean[2] } : null;
}

// The seeds of a curve: [[x, y], ...] each, without what is missing.
function seedsOf(curve) {
  const { log } = DATA.ys.find(({ key }) => key === view.y);
  return curve.runs.map((i) => {
    const xs = DATA.grids[DATA.runs[i].x[log]?.[view.x]] ?? [];
    const ys = DATA.runs[i].y[view.y] ?? [];
    return xs.map((x, t) => [x, ys[t] ?? null]).filter(([x, y]) => x !== null && y !== null);
  });
}

// The values at x: {mean, half}, null outside the range of the curve.
function valueAt({ x: xs, mean, half }, x) {
  const right = xs.findIndex((value) => value >= x);
  if (right < 0 || (right === 0 && xs[0] > x)) return null;
  const left = xs[right] === x ? right : right - 1;
  const share = left === right ? 0 : (x - xs[left]) / (xs[right] - xs[left]);
  const blend = (ys) => {
    const ends = [ys?.[left] ?? null, ys?.[right] ?? null];
    return ends.includes(null) ? null : ends[0] + share * (ends[1] - ends[0]);
  };
  return blend(mean) === null ? null : { mean: blend(mean), half: blend(half) };
}

// [low, high] of the vertical axis between two places, where lines enter and leave included.  Wide
// bands may be cut, so that the lines stay readable: the interval of two seeds is 13 deviations wide.
function heights(lines, [left, right]) {
  const values = [];
  const ends = [];
  const inside = (x) => x >= left && x <= right;
  for (const { drawn, seeds, broken } of lines) {
    for (const x of drawn ? [left, ...drawn.x.filter(inside), right] : []) {
      const value = valueAt(drawn, x);
      if (!value) continue;
      values.push(value.mean);
      ends.push(value.mean - (value.half ?? 0), value.mean + (value.half ?? 0));
    }
    values.push(...broken.filter(([x]) => inside(x)).map(([, y]) => y));
    for (const seed of view.seeds ? seeds : []) {
      for (const [x, y] of seed) if (inside(x)) ends.push(y);
    }
  }
  const min = (list) => list.reduce((a, b) => Math.min(a, b), Infinity);
  const max = (list) => list.reduce((a, b) => Math.max(a, b), -Infinity);
  if (!values.length) return [0, 1];
  let [low, high] = [min(values), max(values)];
  if (low === high) {
    const room = Math.abs(low) * 0.1 || 1;
    return [low - room, high + room];
  }
  const room = view.seeds ? Infinity : (high - low) / 2;
  low = Math.max(low - room, Math.min(low, min(ends)));
  high = Math.min(high + room, Math.max(high, max(ends)));
  return [low - 0.05 * (high - low), high + 0.05 * (high - low)];
}

const panels = [];

class Panel {
  constructor({ environment, curves, notes }, index) {
    Object.assign(this, { curves, index, zoom: null, cursor: null, drag: null });
    this.reset = html(
      "button",
      { type: "button", hidden: "", click: () => this.zoomTo(null) },
      "reset zoom",
    );
    this.readout = html("div", { class: "readout", "aria-live": "polite", hidden: "" });
    this.svg = svg("svg", {
      tabindex: 0,
      role: "group",
      "aria-label": `${environment}: arrow keys read values, + and - zoom, Escape shows all`,
      pointerdown: (event) => this.press(event),
      pointermove: (event) => this.move(event),
      pointerup: (event) => this.release(event),
      pointercancel: () => this.release(null),
      pointerleave: () => this.show(null),
      blur: () => this.show(null),
      dblclick: () => this.zoomTo(null),
      keydown: (event) => this.key(event),
    });
    const caption = html(
      "figcaption",
      {},
      environment,
      ...notes.map((note) => html("small", {}, note)),
    );
    this.figure = html("figure", {}, caption, this.svg, this.reset, this.readout);
  }

  zoomTo(zoom) {
    const [low, high] = zoom?.x ?? this.all ?? [0, 1];
    if (high - low < 1e-9 * Math.max(Math.abs(low), Math.abs(high))) return;
    this.zoom = zoom;
    this.reset.hidden = zoom === null;
    this.show(null);
    this.draw();
  }

  draw() {
    this.lines = this.curves
      .filter(({ label }) => !view.hidden.has(label))
      .map((curve) => {
        const seeds = seedsOf(curve);
        const lost = curve.runs.map((i, k) => (DATA.runs[i].broken ? seeds[k].at(-1) : undefined));
        return { curve, drawn: meanOf(curve), seeds, broken: lost.filter((end) => end) };
      });
    this.grid = [...new Set(this.lines.flatMap(({ drawn }) => drawn?.x ?? []))].sort(
      (a, b) => a - b,
    );
    this.measure();
    const inner = svg("g", { "clip-path": `url(#clip-${this.index})` });
    const layers = this.lines.map((line) => this.marks(line));
    for (const layer of ["bands", "seeds", "means", "ends"])
      inner.append(...layers.flatMap((parts) => parts[layer]));
    this.overlay = svg("g");
    const { left, top, right, bottom } = this.box;
    const clip = svg("rect", { x: left, y: top, width: right - left, height: bottom - top });
    const missing = this.lines.length ? "nothing logged" : "nothing chosen";
    const nothing = this.grid.length ? [] : [svg("text", { x: left + 12, y: top + 24 }, missing)];
    this.svg.replaceChildren(
      svg("clipPath", { id: `clip-${this.index}` }, clip),
      ...this.axes(),
      inner,
      ...nothing,
      this.overlay,
    );
  }

  // Limits, margins, and the scales between values and places.
  measure() {
    const width = Math.max(this.figure.clientWidth, 240);
    const height = Math.round(Math.min(Math.max(width * 0.58, 230), 400));
    const [first, last] = [this.grid[0] ?? 0, this.grid.at(-1) ?? 1];
    this.all =
      first === last ? [first - 1, last + 1] : first > 0 ? [0, last * 1.02] : [first, last];
    const [x0, x1] = this.zoom?.x ?? this.all;
    const [y0, y1] = this.zoom?.y ?? heights(this.lines, [x0, x1]);
    this.yTicks = ticks(y0, y1, height < 300 ? 6 : 7);
    const text = (value) =>
      Math.abs(y0) >= 1e4 || Math.abs(y1) >= 1e4
        ? thousands(value)
        : String(Number(value.toPrecision(8)));
    this.yTexts = this.yTicks.map(text);
    const left = 12 + 6.6 * Math.max(...this.yTexts.map((t) => t.length));
    this.box = { left, top: 22, right: width - 14, bottom: height - 38, width, height };
    this.xTicks = ticks(x0, x1, Math.max(3, Math.floor((width - left) / 65)));
    this.limits = { x: [x0, x1], y: [y0, y1] };
    this.toX = (x) => left + ((x - x0) / (x1 - x0)) * (this.box.right - left);
    this.toY = (y) => this.box.bottom - ((y - y0) / (y1 - y0)) * (this.box.bottom - 22);
    this.fromX = (place) => x0 + ((place - left) / (this.box.right - left)) * (x1 - x0);
    this.fromY = (place) => y0 + ((this.box.bottom - place) / (this.box.bottom - 22)) * (y1 - y0);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  }

  axes() {
    const { left, top, right, bottom, height } = this.box;
    const line = (x1, y1, x2, y2, kind) => svg("line", { x1, y1, x2, y2, class: kind });
    const parts = this.yTicks.flatMap((y, i) => {
      const place = this.toY(y);
      const attributes = { x: left - 6, y: place + 4, "text-anchor": "end" };
      return [line(left, place, right, place, "gridline"), svg("text", attributes, this.yTexts[i])];
    });
    for (const x of this.xTicks) {
      const place = this.toX(x);
      const attributes = { x: place, y: bottom + 16, "text-anchor": "middle" };
      parts.push(
        line(place, top, place, bottom, "gridline"),
        svg("text", attributes, thousands(x)),
      );
    }
    const xName = DATA.xs.find(({ key }) => key === view.x)?.name ?? "";
    const yName = DATA.ys.find(({ key }) => key === view.y)?.name ?? "";
    const middle = { x: (left + right) / 2, y: height - 5, "text-anchor": "middle" };
    parts.push(line(left, bottom, right, bottom, "axis"), svg("text", middle, xName));
    parts.push(svg("text", { x: 2, y: 12 }, yName));
    return parts;
  }

  // What is drawn of a curve, by layer: a band must not veil the line of another.
  marks({ curve, drawn, seeds, broken }) {
    const color = stroke(curve.label);
    const at = (x, y) => `${this.toX(x).toFixed(1)},${this.toY(y).toFixed(1)}`;
    const line = (points, more) =>
      svg("path", { d: `M${points.join("L")}`, fill: "none", ...color, ...more });
    const points = (drawn?.x ?? []).map((x, t) => [x, drawn.mean[t], drawn.half?.[t] ?? null]);
    const full = stretches(points, ([, mean, half]) => mean !== null && half !== null);
    const bands = full.map((run) => {
      const upper = run.map(([x, mean, half]) => at(x, mean + half));
      const lower = run.map(([x, mean, half]) => at(x, mean - half)).reverse();
      if (run.length === 1)
        return line([...upper, ...lower], { "stroke-width": 1.5, "stroke-dasharray": null });
      const opacity = this.lines.length < 5 ? 0.18 : 0.08;
      return line([...upper, ...lower], {
        stroke: null,
        fill: color.stroke,
        "fill-opacity": opacity,
        class: "band",
      });
    });
    const thin = (view.seeds ? seeds : [])
      .filter((seed) => seed.length)
      .map((seed) =>
        line(
          seed.map(([x, y]) => at(x, y)),
          { "stroke-opacity": 0.45, class: "seed" },
        ),
      );
    const means = stretches(points, ([, mean]) => mean !== null).flatMap((run) => {
      const places = run.map(([x, mean]) => at(x, mean));
      if (run.length > 1)
        return line(places, { "stroke-width": 2, "stroke-linejoin": "round", class: "mean" });
      const [cx, cy] = places[0].split(",");
      return svg("circle", { cx, cy, r: 3.5, fill: color.stroke, class: "mean" });
    });
    const ends = broken.map(([x, y]) => {
      const d = `M${at(x, y)}m-4,-4l8,8m0,-8l-8,8`;
      return svg("path", { d, "stroke-width": 2, stroke: color.stroke, class: "cross" });
    });
    return { bands, seeds: thin, means, ends };
  }

  // Show what all curves are at x; null shows nothing.
  show(x) {
    this.cursor = x;
    this.readout.hidden = x === null;
    this.overlay?.replaceChildren();
    if (x === null) return;
    const place = this.toX(x);
    const { top, bottom, width } = this.box;
    this.overlay.append(svg("line", { x1: place, x2: place, y1: top, y2: bottom, class: "guide" }));
    const rows = this.lines
      .map((line) => ({ ...line, value: line.drawn && valueAt(line.drawn, x) }))
      .filter(({ value }) => value)
      .sort((a, b) => b.value.mean - a.value.mean);
    const { name } = DATA.xs.find(({ key }) => key === view.x);
    const lines = rows.map(({ curve, value, seeds }) => {
      const cy = this.toY(value.mean);
      if (cy >= top && cy <= bottom) {
        this.overlay.append(
          svg("circle", { cx: place, cy, r: 3.5, fill: stroke(curve.label).stroke }),
        );
      }
      const n = seeds.filter(
        (seed) => seed.length && seed[0][0] <= x && seed.at(-1)[0] >= x,
      ).length;
      const text = `${interval(value.mean, value.half)} (n = ${n})`;
      return html(
        "div",
        {},
        sample(curve.label),
        html("span", {}, DATA.labels[curve.label].text),
        html("b", {}, text),
      );
    });
    this.readout.replaceChildren(html("div", {}, `${name}: ${exact(x)}`), ...lines);
    const [outer, inner] = [this.figure, this.svg].map((element) =>
      element.getBoundingClientRect(),
    );
    const scale = inner.width / width;
    const isRight = place > width / 2;
    this.readout.style.top = `${inner.top - outer.top + 26 * scale}px`;
    this.readout.style.left = isRight ? "auto" : `${(place + 12) * scale}px`;
    this.readout.style.right = isRight ? `${(width - place + 12) * scale}px` : "auto";
  }

  // Where an event is, in the units of the drawing.
  place(event) {
    const { left, top, width, height } = this.svg.getBoundingClientRect();
    const inside = (value, low, high) => Math.min(Math.max(value, low), high);
    return [
      inside(((event.clientX - left) / width) * this.box.width, this.box.left, this.box.right),
      inside(((event.clientY - top) / height) * this.box.height, this.box.top, this.box.bottom),
    ];
  }

  nearest(x) {
    const [low, high] = this.limits.x;
    const known = this.grid.filter((value) => value >= low && value <= high);
    const closer = (a, b) => (Math.abs(b - x) < Math.abs(a - x) ? b : a);
    return known.length ? known.reduce(closer) : null;
  }

  press(event) {
    if (event.pointerType === "touch" || event.button !== 0) return;
    this.drag = this.place(event);
    this.svg.setPointerCapture(event.pointerId);
  }

  // The rectangle that is being drawn; it takes the whole height or width if it is flat.
  selected(event) {
    const { left, top, right, bottom } = this.box;
    const [[x0, y0], [x1, y1]] = [this.drag, this.place(event)];
    const [wide, high] = [Math.abs(x1 - x0) > 8, Math.abs(y1 - y0) > 24];
    if (!wide && !high) return null;
    return {
      x: wide ? [Math.min(x0, x1), Math.max(x0, x1)] : [left, right],
      y: high ? [Math.min(y0, y1), Math.max(y0, y1)] : [top, bottom],
      high,
    };
  }

  move(event) {
    const frame = this.drag && this.selected(event);
    if (!frame) return this.show(this.nearest(this.fromX(this.place(event)[0])));
    this.show(null);
    const [[x, x1], [y, y1]] = [frame.x, frame.y];
    this.overlay.append(svg("rect", { x, y, width: x1 - x, height: y1 - y, class: "selection" }));
  }

  release(event) {
    const frame = this.drag && event && this.selected(event);
    this.drag = null;
    if (!frame) return;
    const y = frame.high
      ? [this.fromY(frame.y[1]), this.fromY(frame.y[0])]
      : (this.zoom?.y ?? null);
    this.zoomTo({ x: frame.x.map(this.fromX), y });
  }

  // Zoom around a place, which stays where it is; never out of what there is.
  zoomBy(factor, center) {
    const cursor = this.cursor;
    const ends = this.limits.x.map((x) => center + (x - center) * factor);
    const x = [Math.max(ends[0], this.all[0]), Math.min(ends[1], this.all[1])];
    this.zoomTo(x[0] === this.all[0] && x[1] === this.all[1] ? null : { x, y: null });
    this.show(cursor);
  }

  key(event) {
    const [low, high] = this.limits.x;
    const known = this.grid.filter((value) => value >= low && value <= high);
    const i = known.indexOf(this.cursor);
    const jump = event.shiftKey ? 10 : 1;
    const last = known.length - 1;
    const target = {
      ArrowRight: i < 0 ? 0 : Math.min(i + jump, last),
      ArrowLeft: i < 0 ? last : Math.max(i - jump, 0),
      Home: 0,
      End: last,
    }[event.key];
    const factor = { "+": 0.5, "=": 0.5, "-": 2 }[event.key];
    if (target !== undefined && known.length) this.show(known[target]);
    else if (factor) this.zoomBy(factor, this.cursor ?? (low + high) / 2);
    else if (event.key === "Escape") this.zoomTo(null);
    else return;
    event.preventDefault();
  }
}

// The longest runs of neighbours for which ``holds`` is true.
function stretches(points, holds) {
  const found = [[]];
  for (const point of points) {
    if (holds(point)) found.at(-1).push(point);
    else if (found.at(-1).length) found.push([]);
  }
  return found.filter((run) => run.length);
}

function redraw() {
  for (const panel of panels) panel.draw();
}

function choice(name, options, key) {
  const change = (event) => {
    view[key] = event.target.value;
    panels.forEach((panel) => panel.zoomTo(null));
  };
  const items = options.map((option) => html("option", { value: option.key }, option.name));
  return html("label", {}, name, html("select", { id: `choose-${key}`, change }, items));
}

function legend() {
  const buttons = DATA.labels.map(({ text, count }, label) =>
    html(
      "button",
      { type: "button", click: () => toggle([label], !view.hidden.has(label)) },
      sample(label),
      html("span", {}, text, " ", html("small", {}, `(${count})`)),
    ),
  );
  const toggle = (labels, hide) => {
    labels.forEach((label) => (hide ? view.hidden.add(label) : view.hidden.delete(label)));
    buttons.forEach((button, label) =>
      button.setAttribute("aria-pressed", !view.hidden.has(label)),
    );
    redraw();
  };
  const every = [...DATA.labels.keys()];
  const both = [
    ["all", false],
    ["none", true],
  ].map(([text, hide]) =>
    html("button", { type: "button", class: "plain", click: () => toggle(every, hide) }, text),
  );
  toggle(
    every.filter((label) => !DATA.labels[label].shown),
    true,
  );
  return html(
    "div",
    { class: "legend", role: "group", "aria-label": "curves" },
    buttons,
    every.length > 4 ? both : [],
  );
}

function curves() {
  if (!DATA.xs.length || !DATA.ys.length) return [html("p", {}, "No run has logged anything yet.")];
  DATA.panels.forEach((panel, index) => panels.push(new Panel(panel, index)));
  const change = (event) => {
    view.seeds = event.target.checked;
    redraw();
  };
  const seeds = html(
    "label",
    {},
    html("input", { type: "checkbox", id: "choose-seeds", change }),
    "single seeds",
  );
  const note =
    "Lines are means over seeds, bands 95 % Student-t intervals of the mean, × the end of a seed " +
    "that failed or diverged. Nothing is smoothed. Drag to zoom, double-click to see all again.";
  return [
    html(
      "div",
      { class: "controls" },
      choice("show", DATA.ys, "y"),
      choice("against", DATA.xs, "x"),
      seeds,
    ),
    legend(),
    html(
      "div",
      { class: panels.length > 1 ? "panels" : "panels single" },
      panels.map(({ figure }) => figure),
    ),
    html("p", { class: "note" }, note, " ", DATA.notes.join(" ")),
  ];
}

// Tables

// Columns are {title, text, value, numeric}; a click on a title sorts by ``value``.
function table(columns, rows, id) {
  const body = html("tbody");
  const row = (item) =>
    html(
      "tr",
      {},
      columns.map((column, i) =>
        html(
          i ? "td" : "th",
          { class: column.numeric ? "number" : null, scope: i ? null : "row" },
          column.text(item),
        ),
      ),
    );
  const heads = columns.map((column) => {
    const button = html(
      "button",
      { type: "button", click: () => sort(column, head) },
      column.title,
    );
    const head = html("th", { scope: "col", class: column.numeric ? "number" : null }, button);
    return head;
  });
  const sort = (column, head) => {
    // The highest number first, the first letter first; missing ones last in either direction.
    const now = head.getAttribute("aria-sort");
    const order = now
      ? now === "ascending"
        ? "descending"
        : "ascending"
      : column.numeric
        ? "descending"
        : "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const compare = (a, b) => {
      const [x, y] = [column.value(a), column.value(b)];
      if (x === null || y === null) return (x === null) - (y === null);
      return sign * (typeof x === "number" ? x - y : x.localeCompare(y, "en", { numeric: true }));
    };
    body.replaceChildren(...[...rows].sort(compare).map(row));
  };
  body.append(...rows.map(row));
  const whole = html("table", { id }, html("thead", {}, html("tr", {}, heads)), body);
  return html("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": id }, whole);
}

const words = (title, key) => ({ title, text: (row) => row[key], value: (row) => row[key] });
const numeric = (title, text, value) => ({ title, text, value, numeric: true });

function results() {
  const columns = [
    words("configuration", "label"),
    words("environment", "environment"),
    numeric(
      `final ${DATA.y}`,
      (row) => interval(row.final, row.half),
      (row) => row.final,
    ),
    words("seeds", "count"),
    numeric(
      "best mean",
      (row) => number(row.best),
      (row) => row.best,
    ),
    numeric(
      "at step",
      (row) => exact(row.best_at),
      (row) => row.best_at,
    ),
    numeric(
      "steps",
      (row) => exact(row.steps),
      (row) => row.steps,
    ),
    numeric(
      "wall time",
      (row) => duration(row.seconds),
      (row) => row.seconds,
    ),
  ];
  const note =
    "final: mean over the seeds of the last 10 % of each seed's rows, with the 95 % Student-t " +
    "interval of that mean; best mean: the highest point of the mean curve, chosen afterwards and so too " +
    "high to compare with; wall time: mean over seeds.";
  return [table(columns, DATA.table, "results"), html("p", { class: "note" }, note)];
}

function differences() {
  const { pairs, skipped, most } = DATA.differences;
  const verdict = (row) => {
    if (row.p_holm === null) return "no spread";
    return row.p_holm >= 0.05 ? "undecided" : row.difference > 0 ? "higher" : "lower";
  };
  const columns = [
    words("A", "a"),
    words("B", "b"),
    words("environment", "environment"),
    numeric(
      "A − B",
      (row) => number(row.difference),
      (row) => row.difference,
    ),
    numeric(
      "95 % interval",
      (row) => `${number(row.low)} to ${number(row.high)}`,
      (row) => row.low,
    ),
    numeric(
      "p",
      (row) => number(row.p),
      (row) => row.p,
    ),
    numeric(
      "p (Holm)",
      (row) => number(row.p_holm),
      (row) => row.p_holm,
    ),
    numeric(
      "n",
      (row) => `${row.n}, ${row.m}`,
      (row) => row.n + row.m,
    ),
    { title: "A is", text: verdict, value: verdict },
  ];
  const note =
    `Differences of final ${DATA.y}, Welch's t for unequal variances. The intervals are for ` +
    `each pair alone; Holm's p allows for all ${pairs.length} of them, and decides at 0.05.`;
  const many = `Not compared, with more than ${most} configurations each: ${skipped.join(", ")}.`;
  return [
    pairs.length ? [table(columns, pairs, "differences"), html("p", { class: "note" }, note)] : [],
    skipped.length ? html("p", { class: "note" }, many) : [],
  ];
}

// Few configurations stand side by side, many below each other.
function configurations() {
  const { names, keys } = DATA.configs;
  const differing = keys.filter(([, values]) => values.length > 1).length;
  const value = (values, i) => values[values.length > 1 ? i : 0];
  const place = html("div");
  const said = html("span", { class: "note", role: "status" });
  const search = html("input", {
    type: "search",
    id: "filter",
    placeholder: "lr, or a value",
    input: () => draw(),
  });
  const all = html("input", { type: "checkbox", id: "all-keys", change: () => draw() });
  const draw = () => {
    const term = search.value.trim().toLowerCase();
    const has = (text) => text.toLowerCase().includes(term);
    let rows = names.map((_, i) => i);
    let shown = keys.filter(([, values]) => all.checked || values.length > 1);
    if (term) {
      const named = keys.filter(([key]) => has(key));
      if (named.length) shown = named;
      else
        rows = rows.filter(
          (i) => has(names[i]) || shown.some(([, values]) => has(value(values, i))),
        );
    }
    said.textContent = `${rows.length} of ${names.length} configurations, ${shown.length} of ${keys.length} keys`;
    const column = (title, text) => ({ title, text, value: text });
    const columns =
      names.length > 6
        ? [
            column("configuration", (i) => names[i]),
            ...shown.map(([key, values]) => column(key, (i) => value(values, i))),
          ]
        : [
            column("key", ([key]) => key),
            ...rows.map((i) => column(names[i], ([, values]) => value(values, i))),
          ];
    place.replaceChildren(table(columns, names.length > 6 ? rows : shown, "configs"));
  };
  all.checked = !differing;
  draw();
  return [
    html(
      "div",
      { class: "controls" },
      html("label", {}, "filter", search),
      html("label", {}, all, "all keys"),
      said,
    ),
    place,
  ];
}

function failures() {
  return DATA.failures.map(({ name, label, status, error, log }) => {
    const title = html(
      "div",
      {},
      html("b", {}, name),
      ` ${label}: `,
      html("span", { class: "bad" }, status),
    );
    const tail = log.length
      ? [
          html(
            "details",
            {},
            html("summary", {}, "end of job.log"),
            html("pre", {}, log.join("\n")),
          ),
        ]
      : [];
    return html("div", { class: "failure" }, title, error ? html("pre", {}, error) : null, tail);
  });
}

function videos() {
  const shown = DATA.videos
    .filter(({ data }) => data !== null)
    .map(({ name, type, data }) => {
      const src = `data:${type};base64,${data}`;
      const film =
        type.startsWith("image/")
          ? html("img", { src, alt: name })
          : html("video", { src, controls: "", loop: "" });
      return html("figure", {}, film, html("figcaption", {}, html("small", {}, name)));
    });
  const named = DATA.videos.filter(({ data }) => data === null);
  const list = named.map(({ name, bytes }) =>
    html("li", {}, `${name} (${(bytes / 1e6).toFixed(1)} MB, not included)`),
  );
  return [html("div", { class: "videos" }, shown), ...(list.length ? [html("ul", {}, list)] : [])];
}

function provenance() {
  const { sources, num, keys, missing } = DATA.provenance;
  const parts = [];
  if (num > 1) {
    const most = num > sources.length ? ` The ${sources.length} most common are shown.` : "";
    const text = `The runs were made by ${num} different combinations of code, versions and machines.${most}`;
    parts.push(html("p", { class: "bad" }, text));
  }
  if (missing) parts.push(html("p", {}, `Runs without a readable fingerprint: ${missing}.`));
  if (!sources.length) return parts;
  const rows = keys.map(([key, values]) =>
    html(
      "tr",
      { class: values.length > 1 ? "differs" : null },
      html("th", { scope: "row" }, key),
      sources.map((_, i) => html("td", {}, values[values.length > 1 ? i : 0])),
    ),
  );
  const heads = sources.map((source) => {
    const text = `${source.num} run${source.num === 1 ? "" : "s"}`;
    return html("th", { scope: "col", title: source.runs }, text);
  });
  const head = html("thead", {}, html("tr", {}, html("th", { scope: "col" }, ""), heads));
  parts.push(
    html(
      "div",
      { class: "scroll", tabindex: 0 },
      html("table", { id: "provenance-table" }, head, html("tbody", {}, rows)),
    ),
  );
  return parts;
}

function experiments() {
  const columns = [
    words("experiment", "name"),
    words("algorithm", "algos"),
    words("environments", "environments"),
    numeric(
      "configurations",
      (row) => String(row.configurations),
      (row) => row.configurations,
    ),
    words("seeds", "count"),
  ];
  return table(columns, DATA.experiments, "experiments");
}

function build() {
  document.title = DATA.title;
  const sections = [
    ["curves", "Learning curves", curves(), true],
    ["final", "Results", results(), DATA.table.length],
    [
      "pairs",
      "Differences between configurations",
      differences(),
      DATA.differences.pairs.length + DATA.differences.skipped.length,
    ],
    ["settings", "Configurations", configurations(), DATA.configs.keys.length],
    ["failures", "Failures", failures(), DATA.failures.length],
    ["films", "Videos", videos(), DATA.videos.length],
    ["provenance", "Provenance", provenance(), true],
    [
      "problems",
      "Problems in what was read",
      [
        html(
          "ul",
          {},
          DATA.messages.map((m) => html("li", {}, m)),
        ),
      ],
      DATA.messages.length,
    ],
  ].filter(([, , , wanted]) => wanted);
  const links = sections.map(([id, title]) => html("a", { href: `#${id}` }, title));
  document
    .getElementById("report")
    .replaceChildren(
      html("h1", {}, DATA.title),
      html("p", {}, DATA.summary),
      html("nav", { "aria-label": "sections" }, links),
      experiments(),
      ...sections.map(([id, title, content]) =>
        html("section", { id }, html("h2", {}, title), content),
      ),
    );
  paint();
  redraw();
  for (const query of ["(prefers-color-scheme: dark)", "print"])
    matchMedia(query).addEventListener("change", paint);
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth !== width) redraw();
    width = window.innerWidth;
  });
  window.addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
}

build();
