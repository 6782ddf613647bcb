// The page.

const root = document.documentElement;
root.dataset.errors = "0";
function failed(message) {
  root.dataset.errors = String(Number(root.dataset.errors) + 1);
  root.dataset.error = message;
}
addEventListener("error", (event) => failed(event.message));
addEventListener("unhandledrejection", (event) => failed(String(event.reason)));

const pause = () => new Promise((done) => setTimeout(done));

/** Paints cards anew where their size is another. */
function follow(cards) {
  const due = new Set();
  const observer = new ResizeObserver((entries) => {
    if (due.size === 0) {
      requestAnimationFrame(() => {
        due.forEach((card) => card.paint());
        due.clear();
      });
    }
    for (const { target } of entries) due.add(cards.find(({ node }) => node === target));
  });
  cards.forEach(({ node }) => observer.observe(node));
}

async function show() {
  const signals = JSON.parse(byId("model").textContent);
  const texts = [...document.querySelectorAll("script.samples")].map((node) => node.textContent);
  const shared = { top: 1, levels: [-80, 0], values: [0, 1] };
  const views = signals.some(
    (signal) => signal.view > 0 || signals.some((other) => other !== signal && other.clip === signal.clip),
  );
  const title = (signal, at) => (views ? `View ${signal.view}` : `Signal ${at + 1}`);
  let cards = signals.map(
    (signal, at) => new Card(signal, channelsOf(signal, texts[at]), shared, title(signal, at)),
  );
  byId("signals").append(...arrange(cards));
  // In the order of the page.
  cards = [...document.querySelectorAll(".card")].map((node) => cards.find((card) => card.node === node));
  const audio = cards.filter((card) => card.audio && card.held),
    features = cards.filter((card) => !card.audio && card.held);
  const extremes = features.length ? range(features) : null;
  if (extremes) shared.values = extremes.values;
  shared.top = round(Math.max(1e-6, ...audio.map((card) => card.peak)));
  for (const card of cards) {
    card.draw();
    card.paint();
  }
  follow(cards);
  for (const card of audio) {
    await pause();
    card.measure();
  }
  if (audio.length) shared.levels = levels(audio);
  audio.forEach((card) => card.paint());
  legend(cards, shared, extremes);
  darkness.addEventListener("change", () => {
    cards.forEach((card) => card.paint());
    legend(cards, shared, extremes);
  });
  listen(cards);
  byId("keys").hidden = audio.length === 0;
  root.dataset.cards = String(cards.length);
  root.dataset.ready = "true";
}

show();
