// What a card says in words and numbers.

const decibels = (value) => `${digits(Math.round(200 * Math.log10(value)) / 10)} dB`;
const whole = (number) => number.toLocaleString("en").replaceAll(",", "\u202f");
const count = (number, one) => `${whole(number)} ${one}${number === 1 ? "" : "s"}`;

/** Names and values. */
function pairs(title, entries) {
  const cells = entries.map(([name, value]) => {
    const text = value ?? "–";
    const cell = element("dd", { textContent: text });
    if (value === null) Object.assign(cell, { className: "none", title: "did not apply" });
    return element("div", {}, element("dt", { textContent: name }), cell);
  });
  return element(
    "section",
    { className: `pairs ${title.toLowerCase()}` },
    element("h4", { textContent: title }),
    element("dl", {}, ...cells),
  );
}

/** What there is to say of a signal, as list items. */
function facts(card) {
  const { signal, channels } = card;
  const facts = [];
  if (signal.item !== null) facts.push(signal.item);
  const cut = signal.held < signal.frames;
  facts.push(
    cut ? `the first ${digits(card.seconds)} s of ${clock(card.whole())}` : `${digits(card.whole())} s`,
  );
  if (card.audio) {
    facts.push(`${whole(signal.rate)} Hz`);
    facts.push(["mono", "stereo"][channels.length - 1] ?? count(channels.length, "channel"));
    if (card.held) {
      let power = 0;
      for (const channel of channels) for (const sample of channel) power += sample * sample;
      const level = Math.sqrt(power / (channels.length * signal.held));
      if (card.peak > 0) facts.push(`peak ${decibels(card.peak)}`, `RMS ${decibels(level)}`);
      else facts.push("silent");
      if (card.peak > 1) facts.push(element("b", { textContent: "beyond full scale: clips when played" }));
    }
  } else {
    const planes = signal.planes > 1 ? `${count(signal.planes, "plane")} of ` : "";
    facts.push(`${planes}${count(channels.length / signal.planes, "bin")} × ${count(signal.held, "frame")}`);
    facts.push(`a frame every ${digits((1000 * signal.hop) / signal.rate)} ms`);
    if (card.held) facts.push(`${digits(signal.low)} to ${digits(signal.high)}`);
  }
  if (signal.mask.length) {
    const covered = signal.mask.reduce((sum, [from, to]) => sum + to - from, 0) / signal.held;
    facts.push(`${digits(100 * covered, 3)} % masked in ${count(signal.mask.length, "span")}`);
  }
  if (signal.not_finite)
    facts.push(element("b", { textContent: `${count(signal.not_finite, "value")} not finite` }));
  return facts.map((fact) => element("li", {}, fact));
}
