// A figure: lanes over one axis of time, with masks and a cursor over all of them.

const byId = (id) => document.getElementById(id);

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children);
  return made;
}

/** A number with a real minus, to that many significant digits. */
function digits(value, significant = 4) {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  return String(Number(value.toPrecision(significant))).replace("-", "−");
}

/** m:ss.mmm, with hours where there are some. */
function clock(seconds, decimals = 3) {
  const all = Math.round(seconds * 10 ** decimals),
    unit = 10 ** decimals;
  const rest = all % (60 * unit),
    minutes = Math.floor(all / (60 * unit));
  const tail = (rest / unit).toFixed(decimals).padStart(decimals ? decimals + 3 : 2, "0");
  if (minutes < 60) return `${minutes}:${tail}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${tail}`;
}

const frequency = (hertz) => (hertz < 1000 ? `${digits(hertz, 3)} Hz` : `${digits(hertz / 1000, 3)} kHz`);

/** The least of 1, 2 or 5 times a power of ten that is not less. */
function round(value) {
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * unit).find((step) => step >= value * (1 - 1e-9));
}

/** Marks of time at least `room` apart, places being parts of the whole. */
function moments(seconds, width, room = 58) {
  const least = Math.max((seconds * room) / Math.max(width, room), 1e-4);
  const long = [10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
  const step = least <= 5 ? round(least) : (long.find((step) => step >= least) ?? 7200);
  const decimals = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  const text = (at) => (seconds > 90 ? clock(at, 0) : at.toFixed(decimals));
  const marks = [];
  for (let at = 0; at * step <= seconds * (1 - 1e-9); at++) {
    marks.push({ at: (at * step) / seconds, text: at === 0 && seconds <= 90 ? "0 s" : text(at * step) });
  }
  return marks;
}

class Figure {
  /**
   * A lane has a height in CSS pixels, `paint(context, width, height)` in pixels of the device, `marks(height)` on
   * its axis, `read(x, y)`, a tag where there are several of its kind, and perhaps a style. Places are parts of the
   * whole: x from the left, y from the bottom. Masks are pairs of x.
   */
  constructor({ seconds, lanes, masks, label, read, seek }) {
    Object.assign(this, { seconds, lanes, masks });
    this.times = element("div", { className: "times", "aria-hidden": "true" });
    this.cursor = element("i", { className: "cursor", hidden: !seek });
    this.cross = element("i", { className: "cross", hidden: true });
    this.bands = masks.map(([from, to]) => {
      const band = element("i", { className: "mask" });
      Object.assign(band.style, { left: `${100 * from}%`, width: `${100 * (to - from)}%` });
      return band;
    });
    this.over = element(
      "div",
      { className: seek ? "over seeks" : "over" },
      ...this.bands,
      this.cross,
      this.cursor,
    );
    this.over.style.gridRow = `1 / span ${lanes.length}`;
    this.node = element("div", { className: "figure", role: "img", "aria-label": label });
    for (const [row, lane] of lanes.entries()) {
      lane.axis = element("div", { className: "axis" });
      lane.canvas = element("canvas");
      lane.node = element("div", { className: `lane ${lane.style ?? ""}` }, lane.canvas);
      if (lane.tag) lane.node.append(element("span", { className: "tag", textContent: lane.tag }));
      lane.node.style.height = `${lane.height}px`;
      lane.axis.style.gridRow = lane.node.style.gridRow = row + 1;
      this.node.append(lane.axis, lane.node);
    }
    this.node.append(this.over, this.times);
    for (const kind of ["pointermove", "pointerdown"])
      this.over.addEventListener(kind, (event) => this.hover(event, read));
    this.over.addEventListener("pointerleave", (event) => {
      // What a finger has pointed at stays.
      if (event.pointerType === "touch") return;
      this.cross.hidden = true;
      read("");
    });
    if (seek) this.over.addEventListener("click", (event) => seek(this.place(event) * seconds));
  }

  place(event) {
    const box = this.over.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  }

  hover(event, read) {
    const x = this.place(event);
    const lane =
      this.lanes.find(({ node }) => event.clientY < node.getBoundingClientRect().bottom) ?? this.lanes.at(-1);
    const box = lane.canvas.getBoundingClientRect();
    const y = Math.min(1, Math.max(0, (box.bottom - event.clientY) / box.height));
    const masked = this.masks.some(([from, to]) => from <= x && x < to);
    this.cross.hidden = false;
    this.cross.style.left = `${100 * x}%`;
    read(
      [`${(x * this.seconds).toFixed(3)} s`, lane.read(x, y), masked ? "masked" : ""]
        .filter(Boolean)
        .join(" · "),
    );
  }

  move(position) {
    this.cursor.style.left = `${(100 * position) / this.seconds}%`;
  }

  paint() {
    const width = this.over.clientWidth,
      scale = devicePixelRatio || 1;
    if (width === 0) return;
    const mark =
      (side) =>
      ({ at, text }) => {
        const label = element("span", { textContent: text });
        label.style[side] = `${100 * at}%`;
        if (at < 0.03) label.classList.add("first");
        if (at > 0.97) label.classList.add("last");
        return label;
      };
    for (const lane of this.lanes) {
      const { canvas, height } = lane;
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
      lane.paint(canvas.getContext("2d"), canvas.width, canvas.height, scale);
      lane.axis.replaceChildren(...lane.marks(height).map(mark("bottom")));
    }
    this.times.replaceChildren(...moments(this.seconds, width).map(mark("left")));
  }
}
