/**
 * What may stand beside an image's samples, the same for encoder and decoder: what makes a PNG of just these samples that
 * every reader takes, or, as a palette, fits the samples.
 */
import type { Image, Metadata } from './image.js';

export const PLACES = ['start', 'after palette', 'end'] as const;

/** Most pieces of metadata. */
export const MAX_PIECES = 1 << 16;

const MAX_COLOURS = 256;

/** What is wrong with an image's palette and metadata, in a few words; nothing if they are as `Image` says. */
export function attachmentsProblem(
  { channels, palette, metadata = [] }: Pick<Image, 'channels' | 'palette' | 'metadata'>,
  maxval: number,
): string | undefined {
  if (palette !== undefined) {
    if (channels !== 1 || maxval > 255) return 'an image with a palette must have 1 channel and maxval up to 255';
    if (!isPalette(palette)) return 'palette must be a Uint8Array of 1 to 256 colours, three bytes each';
    if (palette.length > 3 * (maxval + 1))
      return `a palette of ${palette.length / 3} colours is longer than maxval + 1`;
  }
  if (!Array.isArray(metadata)) return 'metadata must be an array';
  let place = 0;
  for (const piece of metadata) {
    const problem = pieceProblem(piece, channels, palette !== undefined);
    if (problem) return problem;
    if (PLACES.indexOf(piece.place) < place) return `metadata ${piece.type} stands behind what it must stand before`;
    place = PLACES.indexOf(piece.place);
  }
  if (metadata.filter(({ type }) => type === 'PLTE').length > 1) return 'metadata holds more than one PLTE';
  return undefined;
}

function pieceProblem(piece: Metadata, channels: number, indexed: boolean): string | undefined {
  const { type, place, data } = piece ?? {};
  if (typeof type !== 'string' || !/^[A-Za-z]{4}$/.test(type)) return 'a metadata type is not four letters';
  if (!PLACES.includes(place)) return `metadata ${type} has no place ${place}`;
  if (!(data instanceof Uint8Array)) return `metadata ${type}: its data must be a Uint8Array`;
  if (place === 'after palette' && !indexed) return `metadata ${type} stands after a palette, and there is none`;
  // A chunk whose type begins with a capital decides what the samples are (PNG, third edition, 5.4).
  if (type[0] > 'Z') return undefined;
  if (type !== 'PLTE') return `${type} is no type of metadata`;
  if (channels < 3 || place === 'end')
    return 'metadata PLTE suggests colours: of RGB and RGBA only, before the samples';
  return isPalette(data) ? undefined : 'metadata PLTE must hold 1 to 256 colours, three bytes each';
}

function isPalette(bytes: unknown): boolean {
  if (!(bytes instanceof Uint8Array)) return false;
  return bytes.length > 0 && bytes.length % 3 === 0 && bytes.length <= 3 * MAX_COLOURS;
}
