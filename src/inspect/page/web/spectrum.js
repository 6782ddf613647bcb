// Spectrograms of audio, on a mel axis.

/** Rows of a spectrogram, and how many columns it has at most. */
const ROWS = 192;
const COLUMNS = 2400;
/** Decibels of full scale that stand for silence. */
const SILENCE = -150;

const mel = (hertz) => 2595 * Math.log10(1 + hertz / 700);
const hertz = (mel) => 700 * (10 ** (mel / 2595) - 1);

/** About 40 ms, as a power of two. */
const windowOf = (rate) => 2 ** Math.min(13, Math.max(5, Math.round(Math.log2(rate * 0.04))));

/** A complex Fourier transform in place, radix 2. */
class Fourier {
  constructor(length) {
    this.length = length;
    this.cos = Float64Array.from({ length: length / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / length));
    this.sin = Float64Array.from({ length: length / 2 }, (_, k) => -Math.sin((2 * Math.PI * k) / length));
    const bits = Math.log2(length);
    this.swap = Uint32Array.from({ length }, (_, at) => {
      let reversed = 0;
      for (let bit = 0; bit < bits; bit++) reversed |= ((at >> bit) & 1) << (bits - 1 - bit);
      return reversed;
    });
  }

  run(re, im) {
    const { length, cos, sin, swap } = this;
    for (let at = 0; at < length; at++) {
      const to = swap[at];
      if (at < to) {
        [re[at], re[to]] = [re[to], re[at]];
        [im[at], im[to]] = [im[to], im[at]];
      }
    }
    for (let half = 1; half < length; half *= 2) {
      const stride = length / (2 * half);
      for (let first = 0; first < length; first += 2 * half) {
        for (let k = 0; k < half; k++) {
          const a = first + k,
            b = a + half,
            c = cos[k * stride],
            s = sin[k * stride];
          const x = re[b] * c - im[b] * s,
            y = re[b] * s + im[b] * c;
          re[b] = re[a] - x;
          im[b] = im[a] - y;
          re[a] += x;
          im[a] += y;
        }
      }
    }
  }
}

const fouriers = new Map();

function fourier(length) {
  if (!fouriers.has(length)) fouriers.set(length, new Fourier(length));
  return fouriers.get(length);
}

/** For each row of the picture: bins from and to, between which the greatest counts, or a place between two bins. */
function rowsOf(rate, length) {
  const top = mel(rate / 2),
    last = length / 2;
  return Array.from({ length: ROWS }, (_, row) => {
    const bin = (edge) => (hertz((top * edge) / ROWS) * length) / rate;
    const from = Math.ceil(bin(row)),
      to = Math.floor(bin(row + 1)),
      middle = bin(row + 0.5);
    if (from <= to) return { from, to, share: 0 };
    const below = Math.min(last - 1, Math.floor(middle));
    return { from: below, to: below + 1, share: middle - below };
  });
}

/**
 * The spectrogram of samples: `levels[column * ROWS + row]` in decibels, a sine of full scale being 0. Columns are
 * spread evenly over the samples. `peak` is the bin with the most power overall.
 */
function spectrogram(samples, rate) {
  const length = windowOf(rate),
    half = length / 2,
    transform = fourier(length);
  const columns = Math.max(1, Math.min(COLUMNS, Math.ceil(samples.length / (length / 4))));
  const taper = Float64Array.from({ length }, (_, at) => 0.5 - 0.5 * Math.cos((2 * Math.PI * at) / length));
  const rows = rowsOf(rate, length);
  const scale = (2 / half) ** 2;
  const levels = new Float32Array(columns * ROWS),
    total = new Float64Array(half + 1);
  const re = new Float64Array(length),
    im = new Float64Array(length),
    power = new Float64Array(half + 1);
  // No window reaches beyond the ends, where a cut would look like a click.
  const room = Math.max(0, samples.length - length);
  const fill = (into, column) => {
    const first = Math.min(room, Math.max(0, Math.round(((column + 0.5) * samples.length) / columns) - half));
    const held = Math.min(length, samples.length);
    for (let at = 0; at < held; at++) into[at] = samples[first + at] * taper[at];
    into.fill(0, held);
  };
  const draw = (column) => {
    for (let row = 0; row < ROWS; row++) {
      const { from, to, share } = rows[row];
      let level = 0;
      if (share > 0) level = power[from] * (1 - share) + power[to] * share;
      else for (let bin = from; bin <= to; bin++) level = Math.max(level, power[bin]);
      levels[column * ROWS + row] = Math.max(SILENCE, 10 * Math.log10(level * scale));
    }
  };
  // Two real columns are one complex transform.
  for (let column = 0; column < columns; column += 2) {
    fill(re, column);
    if (column + 1 < columns) fill(im, column + 1);
    else im.fill(0);
    transform.run(re, im);
    for (const [odd, sign] of [
      [0, 1],
      [1, -1],
    ]) {
      if (column + odd >= columns) break;
      for (let bin = 0; bin <= half; bin++) {
        const other = (length - bin) % length;
        const x = re[bin] + sign * re[other],
          y = im[bin] - sign * im[other];
        power[bin] = (x * x + y * y) / 4;
        total[bin] += power[bin];
      }
      draw(column + odd);
    }
  }
  let peak = 1;
  for (let bin = 2; bin <= half; bin++) if (total[bin] > total[peak]) peak = bin;
  return { levels, columns, length, rate, peak, peakHertz: (peak * rate) / length };
}
