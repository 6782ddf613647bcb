// What the cards of a page have in common: scales, and a legend of them.

/** The part of the values that lies between, all but a five-hundredth at either end. */
function range(cards) {
  const low = Math.min(...cards.map((card) => card.signal.low)),
    high = Math.max(...cards.map((card) => card.signal.high));
  const counts = new Float64Array(4096),
    last = counts.length - 1;
  let all = 0;
  for (const card of cards) {
    for (const bin of card.channels) {
      for (const value of bin) {
        if (!Number.isFinite(value)) continue;
        counts[Math.round((last * (value - low)) / (high - low || 1))]++;
        all++;
      }
    }
  }
  const edge = (from, step) => {
    let at = from;
    for (let seen = counts[at]; seen < all / 500 && at + step in counts; seen += counts[at]) at += step;
    return low + ((high - low) * at) / last;
  };
  return all ? { values: [edge(0, 1), edge(last, -1)], low, high } : { values: [0, 1], low: 0, high: 1 };
}

function legend(cards, shared, extremes) {
  const node = byId("legend");
  const table = colours();
  const stops = Array.from({ length: 17 }, (_, at) => {
    const colour = table[Math.min(255, at * 16)];
    return `rgb(${colour & 255} ${(colour >> 8) & 255} ${(colour >> 16) & 255})`;
  });
  const bar = element("i", { className: "ramp" });
  bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  const scale = (low, high) => element("span", { className: "scale" }, low, bar, high);
  const parts = [];
  const audio = cards.find((card) => card.spectrum);
  if (audio) {
    const [low, high] = shared.levels.map((level) => digits(level));
    const ms = digits((1000 * audio.spectrum.length) / audio.spectrum.rate, 3);
    parts.push(scale(`${low} dB`, `${high} dB`), `of full scale, in Hann windows of ${ms} ms, on a mel axis`);
  } else if (extremes) {
    const [low, high] = shared.values;
    parts.push(
      scale(
        `${extremes.low < low ? "≤ " : ""}${digits(low)}`,
        `${extremes.high > high ? "≥ " : ""}${digits(high)}`,
      ),
    );
    parts.push("one scale for all, the first bin at the bottom");
  }
  if (cards.some((card) => card.masks.length))
    parts.push(element("span", { className: "scale" }, element("i", { className: "mask" }), "masked"));
  node.replaceChildren(...parts.map((part) => (typeof part === "string" ? element("span", {}, part) : part)));
  node.hidden = parts.length === 0;
}

/** The decibels that are shown: eighty, up to the loudest. */
function levels(cards) {
  let loudest = SILENCE;
  for (const { spectrum } of cards) for (const level of spectrum.levels) if (level > loudest) loudest = level;
  const high = loudest > SILENCE ? 10 * Math.ceil(loudest / 10) : 0;
  return [high - 80, high];
}
