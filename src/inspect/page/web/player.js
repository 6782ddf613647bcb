// Playing: one signal at a time.

/** Rates that every browser plays. */
const SLOWEST = 8000;
const FASTEST = 96000;

/** Samples at another rate, straight lines between them. */
function atRate(samples, from, to) {
  const length = Math.max(1, Math.floor((samples.length * to) / from));
  return Float32Array.from({ length }, (_, at) => {
    const place = (at * from) / to,
      below = Math.floor(place),
      next = Math.min(samples.length - 1, below + 1);
    return samples[below] + (place - below) * (samples[next] - samples[below]);
  });
}

const player = {
  context: null,
  source: null,
  card: null,

  /** Plays a card from its position, or pauses it. */
  toggle(card) {
    if (this.card === card) this.pause();
    else this.play(card);
  },

  play(card) {
    this.pause();
    this.context ??= new AudioContext();
    this.context.resume();
    const source = this.context.createBufferSource();
    source.buffer = card.buffer ??= this.buffer(card);
    source.connect(this.context.destination);
    if (card.position >= card.seconds) card.position = 0;
    source.start(0, card.position);
    const from = card.position,
      begun = this.context.currentTime;
    Object.assign(this, { source, card });
    card.state("playing");
    const follow = () => {
      if (this.source !== source) return;
      // What is heard now was handed over a moment ago.
      const heard = this.context.currentTime - begun - (this.context.outputLatency || 0);
      card.move(Math.min(card.seconds, from + Math.max(0, heard)));
      requestAnimationFrame(follow);
    };
    source.onended = () => {
      if (this.source !== source) return;
      this.pause();
      card.move(card.seconds);
    };
    follow();
  },

  pause() {
    const { card, source } = this;
    Object.assign(this, { source: null, card: null });
    source?.stop();
    card?.state("paused");
  },

  /** Goes to a moment, and plays on where it played. */
  seek(card, position) {
    const plays = this.card === card;
    if (plays) this.pause();
    card.move(Math.min(card.seconds, Math.max(0, position)));
    if (plays && card.position < card.seconds) this.play(card);
  },

  buffer({ signal, channels }) {
    // More than two channels are loudspeakers only by convention: their mean is played.
    const heard = channels.length > 2 ? [mix(channels)] : channels;
    const rate = Math.min(FASTEST, Math.max(SLOWEST, signal.rate));
    const played = heard.map((channel) =>
      rate === signal.rate ? channel : atRate(channel, signal.rate, rate),
    );
    const buffer = this.context.createBuffer(played.length, played[0].length, rate);
    played.forEach((channel, at) => buffer.copyToChannel(channel, at));
    return buffer;
  },
};
