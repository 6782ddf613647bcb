// What a figure is made of: waveforms, spectrograms, maps of features.

const HERTZ = [50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);

/** The waveform of a channel: its extremes, and its root mean square in a stronger colour. */
function waveform(samples, { height, top, tag }) {
  return {
    height,
    tag,
    marks: (height) =>
      (height < 40 ? [0] : [-1, 0, 1]).map((at) => ({ at: (at + 1) / 2, text: digits(at * top, 2) })),
    read(x) {
      const sample = samples[Math.min(samples.length - 1, Math.floor(x * samples.length))];
      return `${tag ? `channel ${tag} · ` : ""}${digits(sample, 3)}`;
    },
    paint(context, width, height, scale) {
      const y = (value) => ((1 - value / top) / 2) * height;
      context.fillStyle = colour("--line");
      context.fillRect(0, Math.round(y(0)), width, scale);
      // Full scale, where there is more.
      for (const level of top > 1 ? [-1, 1] : []) {
        for (let x = 0; x < width; x += 8 * scale) context.fillRect(x, y(level), 4 * scale, scale);
      }
      if (samples.length < 2 * width) {
        context.strokeStyle = colour("--wave-strong");
        context.lineWidth = 1.25 * scale;
        context.beginPath();
        samples.forEach((sample, at) => context.lineTo(((at + 0.5) / samples.length) * width, y(sample)));
        context.stroke();
        return;
      }
      const columns = Array.from({ length: width }, (_, x) => {
        const from = Math.floor((x * samples.length) / width),
          to = Math.floor(((x + 1) * samples.length) / width);
        let low = Infinity,
          high = -Infinity,
          power = 0;
        for (let at = from; at < to; at++) {
          const sample = samples[at];
          if (sample < low) low = sample;
          if (sample > high) high = sample;
          power += sample * sample;
        }
        return { low, high, level: Math.sqrt(power / (to - from)) };
      });
      const bar = (x, low, high) => context.fillRect(x, y(high), 1, Math.max(scale, y(low) - y(high)));
      context.fillStyle = colour("--wave");
      columns.forEach(({ low, high }, x) => bar(x, low, high));
      context.fillStyle = colour("--wave-strong");
      columns.forEach(({ low, high, level }, x) => bar(x, Math.max(low, -level), Math.min(high, level)));
    },
  };
}

/** The spectrogram of a card, once it is there; `shared.levels` is the range that the page's have in common. */
function spectrum(card, shared, { height }) {
  const top = mel(card.signal.rate / 2);
  const image = cached(() => {
    const { levels, columns } = card.spectrum,
      [low, high] = shared.levels;
    return picture(columns, ROWS, (x, y) => (levels[x * ROWS + y] - low) / (high - low));
  });
  return {
    height,
    marks(height) {
      const marks = HERTZ.map((at) => ({ at: mel(at) / top, text: frequency(at) }));
      let above = Infinity;
      return marks.reverse().filter(({ at }) => {
        if (at > 0.99 || (above - at) * height < 17) return false;
        above = at;
        return true;
      });
    },
    read(x, y) {
      if (!card.spectrum) return "";
      const { levels, columns } = card.spectrum;
      const column = Math.min(columns - 1, Math.floor(x * columns)),
        row = Math.min(ROWS - 1, Math.floor(y * ROWS));
      return `${frequency(hertz(y * top))} · ${digits(Math.round(levels[column * ROWS + row]))} dB`;
    },
    paint(context, width, height) {
      if (!card.spectrum) return;
      context.imageSmoothingQuality = "high";
      context.drawImage(image(card.spectrum), 0, 0, width, height);
    },
  };
}

/** Makes a picture again only where the data or the colours are others. */
function cached(make) {
  let made = null,
    of = null,
    table = null;
  return (data) => {
    if (of !== data || table !== colours()) [made, of, table] = [make(), data, colours()];
    return made;
  };
}

/** A plane of features, the first bin at the bottom; `shared.values` is the range that the page's have in common. */
function map(bins, shared, { height, tag }) {
  const frames = bins[0].length,
    columns = Math.min(frames, 2 * COLUMNS);
  const value = (x, y) => {
    const from = Math.floor((x * frames) / columns),
      to = Math.floor(((x + 1) * frames) / columns);
    let sum = 0;
    for (let at = from; at < to; at++) sum += bins[y][at];
    return sum / (to - from);
  };
  const image = cached(() =>
    picture(columns, bins.length, (x, y) => {
      const [low, high] = shared.values;
      const level = value(x, y);
      return high > low ? (level - low) / (high - low) : level === level ? 0.5 : NaN;
    }),
  );
  return {
    height,
    tag,
    style: "map",
    marks(height) {
      const step = Math.max(1, round((bins.length * 22) / height)),
        marks = [];
      for (let bin = 0; bin < bins.length; bin += step)
        marks.push({ at: (bin + 0.5) / bins.length, text: String(bin) });
      return marks;
    },
    read(x, y) {
      const frame = Math.min(frames - 1, Math.floor(x * frames)),
        bin = Math.min(bins.length - 1, Math.floor(y * bins.length));
      return `${tag ? `${tag} · ` : ""}frame ${frame} · bin ${bin} · ${digits(bins[bin][frame])}`;
    },
    paint(context, width, height) {
      // Cells have edges, unless several share a pixel.
      context.imageSmoothingEnabled = columns > width || bins.length > height;
      context.imageSmoothingQuality = "high";
      context.drawImage(image(bins), 0, 0, width, height);
    },
  };
}
