/** Palettes and transparency spelled out, for formats that know neither. */
import { allocSamples, type Channels, type Image, maxvalOf } from '../../codec/image.js';

/** Whether a tRNS chunk of so many bytes says what it should say (11.3.2.1); one of another length is of no meaning. */
export function isTransparency(bytes: number, channels: Channels, paletteColours: number): boolean {
  if (paletteColours > 0) return bytes <= paletteColours;
  return channels % 2 === 1 && bytes === 2 * channels;
}

/** The tRNS chunk of an image, if it has one that says something. */
export function transparencyOf({
  palette = new Uint8Array(),
  channels,
  metadata = [],
}: Omit<Image, 'samples'>): Uint8Array | undefined {
  const data = metadata.find(({ type }) => type === 'tRNS')?.data;
  return data && isTransparency(data.length, channels, palette.length / 3) ? data : undefined;
}

/**
 * An image without a palette, and with transparency (a PNG's tRNS chunk, 11.3.2.1) as alpha; other images as they are. The
 * metadata stays, but for tRNS.
 */
export function expand(image: Image): Image {
  const { palette, metadata = [] } = image;
  const transparency = transparencyOf(image);
  if (!palette && !transparency) return image;
  const rest = metadata
    .filter(({ type }) => type !== 'tRNS')
    .map((piece) => ({ ...piece, place: atStart(piece.place) }));
  const expanded = palette ? expandPalette(image, palette, transparency) : addAlpha(image, transparency!);
  return { width: image.width, height: image.height, ...expanded, metadata: rest };
}

/** Without a palette there is nothing to stand behind. */
function atStart(place: 'start' | 'after palette' | 'end'): 'start' | 'end' {
  return place === 'end' ? 'end' : 'start';
}

type Expanded = Pick<Image, 'channels' | 'maxval' | 'samples'>;

function expandPalette({ samples }: Image, palette: Uint8Array, alphas: Uint8Array | undefined): Expanded {
  const channels: Channels = alphas ? 4 : 3;
  const out = new Uint8Array(samples.length * channels);
  for (const [i, index] of samples.entries()) {
    // Indexes beyond the palette are black, as most programs show them.
    out.set(palette.subarray(3 * index, 3 * index + 3), i * channels);
    if (alphas) out[i * channels + 3] = alphas[index] ?? 255;
  }
  return { channels, maxval: 255, samples: out };
}

/** The one colour that tRNS names is transparent. */
function addAlpha(image: Image, transparency: Uint8Array): Expanded {
  const { channels, samples } = image;
  const maxval = maxvalOf(image);
  const colour = Array.from({ length: channels }, (_, c) => transparency[2 * c] * 256 + transparency[2 * c + 1]);
  const wide = channels + 1;
  const out = allocSamples((samples.length / channels) * wide, maxval);
  for (let i = 0; i * channels < samples.length; i++) {
    const pixel = samples.subarray(i * channels, (i + 1) * channels);
    out.set(pixel, i * wide);
    out[i * wide + channels] = colour.every((value, c) => value === pixel[c]) ? 0 : maxval;
  }
  return { channels: wide as Channels, maxval, samples: out };
}
