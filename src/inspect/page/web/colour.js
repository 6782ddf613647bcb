// Colours from the page's paper to its ink, in steps that look even: a path through Oklab (B. Ottosson, 2020) along
// which lightness changes at one pace.

/** Lightness, chroma and hue at even distances. */
const LIGHT = [
  [0.985, 0.006, 95],
  [0.85, 0.075, 185],
  [0.66, 0.105, 228],
  [0.45, 0.13, 275],
  [0.21, 0.07, 295],
];
const DARK = [
  [0.2, 0.012, 270],
  [0.38, 0.13, 290],
  [0.57, 0.17, 350],
  [0.76, 0.15, 50],
  [0.96, 0.1, 100],
];

function oklab([lightness, chroma, hue]) {
  const angle = (hue * Math.PI) / 180;
  return [lightness, chroma * Math.cos(angle), chroma * Math.sin(angle)];
}

function rgb([lightness, a, b]) {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return linear.map((value) => {
    const clipped = Math.min(1, Math.max(0, value));
    return Math.round(255 * (clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * clipped ** (1 / 2.4) - 0.055));
  });
}

/** 256 colours, each as a number that ImageData takes, red first. */
function palette(stops) {
  const points = stops.map(oklab);
  const colours = new Uint8ClampedArray(4 * 256);
  for (let at = 0; at < 256; at++) {
    const place = (at / 255) * (points.length - 1),
      below = Math.min(points.length - 2, Math.floor(place));
    const share = place - below;
    const between = points[below].map((value, part) => value + share * (points[below + 1][part] - value));
    colours.set([...rgb(between), 255], 4 * at);
  }
  return new Uint32Array(colours.buffer);
}

const darkness = matchMedia("(prefers-color-scheme: dark)");
const palettes = { light: palette(LIGHT), dark: palette(DARK) };
const colours = () => (darkness.matches ? palettes.dark : palettes.light);

/** A picture, `value(x, y)` being 0 to 1 from the bottom up; what is no number stays clear. */
function picture(width, height, value) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer),
    table = colours();
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const level = value(x, y);
      if (level === level)
        pixels[(height - 1 - y) * width + x] = table[Math.round(255 * Math.min(1, Math.max(0, level)))];
    }
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}
