// Keys: space plays, arrows go from card to card or seek.

/** The next card in a direction. */
function neighbour(cards, card, key) {
  const at = cards.indexOf(card),
    here = card.node.getBoundingClientRect();
  if (key === "ArrowLeft") return cards[at - 1];
  if (key === "ArrowRight") return cards[at + 1];
  const down = key === "ArrowDown" ? 1 : -1;
  const places = cards.map((other) => ({ other, box: other.node.getBoundingClientRect() }));
  const beyond = places.filter(({ box }) => down * (box.top - here.top) > 1);
  const row = Math.min(...beyond.map(({ box }) => down * box.top));
  const near = beyond.filter(({ box }) => Math.abs(down * box.top - row) < 1);
  return near.sort((a, b) => Math.abs(a.box.left - here.left) - Math.abs(b.box.left - here.left))[0]?.other;
}

function listen(cards) {
  addEventListener("keydown", (event) => {
    const card = cards.find(
      ({ node }) => node === document.activeElement || node.querySelector(".play") === document.activeElement,
    );
    if (!card || event.altKey || event.ctrlKey || event.metaKey) return;
    const plays = card.audio && card.held;
    if (event.key === " " && plays && document.activeElement === card.node) {
      player.toggle(card);
    } else if (event.shiftKey && plays && /^Arrow(Left|Right)$/.test(event.key)) {
      player.seek(
        card,
        card.position + (event.key === "ArrowLeft" ? -1 : 1) * Math.min(1, card.seconds / 20),
      );
    } else if (/^Arrow/.test(event.key) && !event.shiftKey) {
      neighbour(cards, card, event.key)?.node.focus();
    } else {
      return;
    }
    event.preventDefault();
  });
}
