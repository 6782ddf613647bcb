// Cards in rows.

/** Where the views of a clip lie within what they cover together. */
function strip(cards) {
  const from = Math.min(...cards.map((card) => card.from));
  const to = Math.max(...cards.map((card) => card.from + card.whole()));
  const bars = cards.map((card) => {
    const bar = element("i", { title: card.title });
    Object.assign(bar.style, {
      marginLeft: `${(100 * (card.from - from)) / (to - from)}%`,
      width: `${(100 * card.whole()) / (to - from)}%`,
    });
    return bar;
  });
  const text = (seconds) => element("span", { textContent: clock(seconds) });
  return element(
    "div",
    { className: "strip", "aria-hidden": "true" },
    text(from),
    element("div", {}, ...bars),
    text(to),
  );
}

/** A row of cards for each clip; clips of one view stand together. */
function arrange(cards) {
  const clips = Map.groupBy(cards, (card) => card.signal.clip);
  const most = Math.max(0, ...[...clips.values()].map((clip) => clip.length));
  const grid = (cards, columns) => {
    const node = element("div", { className: "grid" }, ...cards.map((card) => card.build()));
    node.style.setProperty("--columns", columns);
    return node;
  };
  if (most <= 1) {
    const long = cards.some((card) => card.seconds > 20);
    return [grid(cards, long ? 1 : Math.min(3, cards.length))];
  }
  return [...clips.values()].map((clip, at) => {
    clip.sort((a, b) => a.signal.view - b.signal.view || a.from - b.from);
    const heading = element("h2", { textContent: `Clip ${at + 1}` });
    const row = element("section", { className: "clip" }, element("header", {}, heading), grid(clip, most));
    if (clip.some((card) => card.from !== clip[0].from)) row.firstChild.append(strip(clip));
    return row;
  });
}
