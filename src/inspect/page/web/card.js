// A card: one signal, what it is, what was drawn for it, its figure, and for audio a button that plays it.

class Card {
  constructor(signal, channels, shared, title) {
    Object.assign(this, { signal, channels, shared, title, position: 0, chosen: 0 });
    this.audio = signal.hop === 1;
    this.length = signal.held * signal.hop;
    this.seconds = this.length / signal.rate;
    this.from = signal.start / signal.rate;
    this.masks = signal.mask.map(([from, to]) => [from / signal.held, to / signal.held]);
    this.held = signal.held > 0 && channels.length > 0;
  }

  /** The largest magnitude. */
  get peak() {
    return Math.max(this.signal.high, -this.signal.low);
  }

  build() {
    const { signal } = this;
    this.node = element("article", { className: "card", tabIndex: 0 });
    const title = element("h3", { textContent: this.title });
    const span = element("span", {
      className: "span",
      textContent: `${clock(this.from)} – ${clock(this.from + this.whole())}`,
    });
    this.node.append(
      element("header", {}, title, span),
      element("ul", { className: "facts" }, ...facts(this)),
    );
    if (this.held) {
      this.read = element("output", { className: "read", "aria-live": "off" });
      this.body = element("div", { className: "body" });
      this.node.append(this.bar(), this.body);
    } else {
      this.node.append(element("p", { className: "nothing", textContent: "It has no frames." }));
    }
    if (signal.drawn.length) this.node.append(pairs("Drawn", signal.drawn));
    if (signal.columns.length) this.node.append(pairs("Columns", signal.columns));
    this.node.setAttribute(
      "aria-label",
      `${this.title}, from ${clock(this.from)}, ${digits(this.whole())} seconds`,
    );
    Object.assign(this.node.dataset, {
      kind: this.audio ? "audio" : "features",
      view: signal.view,
      clip: signal.clip,
    });
    return this.node;
  }

  /** Seconds of the whole signal, of which the page may hold a part. */
  whole() {
    return (this.signal.frames * this.signal.hop) / this.signal.rate;
  }

  bar() {
    const bar = element("div", { className: "bar" });
    if (this.audio) {
      this.button = element("button", { type: "button", className: "play" });
      this.button.addEventListener("click", () => player.toggle(this));
      this.time = element("span", { className: "time" });
      bar.append(this.button, this.time);
      if (this.channels.length > 1) bar.append(this.choice());
    }
    bar.append(this.read);
    return bar;
  }

  /** Which channel the spectrogram is of. */
  choice() {
    const names = this.channels.map((_, at) => `channel ${at + 1}`);
    const select = element(
      "select",
      { "aria-label": "Spectrogram of" },
      ...["mean", ...names].map((name) => element("option", { textContent: name })),
    );
    select.addEventListener("change", () => {
      this.chosen = select.selectedIndex;
      this.measure();
      this.paint();
    });
    return select;
  }

  lanes() {
    const { channels, shared, signal } = this;
    if (this.audio) {
      const height = Math.max(28, channels.length > 1 ? Math.round(128 / channels.length) : 88);
      const tag = (at) => (channels.length > 1 ? String(at + 1) : "");
      const waves = channels.map((channel, at) =>
        waveform(channel, { height, top: shared.top, tag: tag(at) }),
      );
      return [...waves, spectrum(this, shared, { height: 168 })];
    }
    const bins = channels.length / signal.planes;
    const height = Math.min(Math.max(signal.planes > 1 ? 84 : 220, bins), Math.max(28, 16 * bins));
    return Array.from({ length: signal.planes }, (_, plane) => {
      const tag = signal.planes > 1 ? `plane ${plane + 1}` : "";
      return map(channels.slice(plane * bins, (plane + 1) * bins), shared, { height, tag });
    });
  }

  draw() {
    if (!this.held) return;
    const label = this.audio
      ? "Waveform"
      : `Map of features, ${digits(this.signal.low)} to ${digits(this.signal.high)}`;
    this.figure = new Figure({
      seconds: this.seconds,
      lanes: this.lanes(),
      masks: this.masks,
      label,
      read: (text) => {
        this.read.textContent = text;
      },
      seek: this.audio && ((position) => player.seek(this, position)),
    });
    this.body.replaceChildren(this.figure.node);
    if (this.audio) {
      this.move(0);
      this.state("paused");
    }
  }

  /** Computes what takes time. */
  measure() {
    if (!this.held || !this.audio) return;
    this.spectrum = spectrogram(
      this.chosen ? this.channels[this.chosen - 1] : mix(this.channels),
      this.signal.rate,
    );
    const { length, peak, peakHertz } = this.spectrum;
    const about = this.peak > 0 ? `strongest at ${frequency(peakHertz)}` : "silent";
    this.figure.node.setAttribute("aria-label", `Waveform and spectrogram, ${about}`);
    Object.assign(this.node.dataset, { fft: length, peakBin: peak, peakHertz: peakHertz.toFixed(2) });
  }

  paint() {
    if (!this.figure) return;
    this.figure.paint();
    const plot = this.figure.over.getBoundingClientRect();
    const bands = this.figure.bands.map((band) => {
      const box = band.getBoundingClientRect();
      return `${(box.left - plot.left).toFixed(1)}-${(box.right - plot.left).toFixed(1)}`;
    });
    Object.assign(this.node.dataset, { width: plot.width.toFixed(1), masks: bands.join(" ") });
  }

  move(position) {
    this.position = position;
    this.figure.move(position);
    this.time.textContent = `${clock(position)} / ${clock(this.seconds)}`;
    this.node.dataset.position = position.toFixed(3);
  }

  state(state) {
    this.node.dataset.state = state;
    const plays = state === "playing";
    this.button.setAttribute("aria-label", `${plays ? "Pause" : "Play"} ${this.title}`);
    this.button.classList.toggle("playing", plays);
  }
}
