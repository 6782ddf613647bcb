// Samples out of base64 of 16-bit numbers, the low byte first.

/** The largest number of audio; the steps of features, above which stand −∞, ∞ and no number. */
const FULL = 32767;
const STEPS = 65532;

function bytes(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const raw = atob(text);
  const all = new Uint8Array(raw.length);
  for (let at = 0; at < raw.length; at++) all[at] = raw.charCodeAt(at);
  return all;
}

/** A Float32Array a channel. */
function channelsOf(signal, text) {
  const { held, low, high, hop, channels } = signal;
  const { buffer } = bytes(text),
    audio = hop === 1;
  const numbers = audio ? new Int16Array(buffer) : new Uint16Array(buffer);
  const samples = new Float32Array(numbers.length);
  const scale = audio ? Math.max(high, -low) / FULL : (high - low) / STEPS,
    offset = audio ? 0 : low;
  for (let at = 0; at < numbers.length; at++) {
    const number = numbers[at];
    samples[at] = number <= STEPS ? offset + number * scale : [-Infinity, Infinity, NaN][number - STEPS - 1];
  }
  return Array.from({ length: channels }, (_, channel) =>
    samples.subarray(channel * held, (channel + 1) * held),
  );
}

/** The mean of channels. */
function mix(channels) {
  if (channels.length === 1) return channels[0];
  const mean = new Float32Array(channels[0].length);
  for (const channel of channels)
    for (let at = 0; at < mean.length; at++) mean[at] += channel[at] / channels.length;
  return mean;
}
