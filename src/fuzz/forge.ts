/**
 * Forged `.cnfz` files: any field of the format (see `head.ts`, and the parts' own modules) may be anything, and all checksums are
 * right all the same.
 */

import { readAttachments } from '../../codec/container/attachments.js';
import { varint } from '../../codec/container/bytes.js';
import { type CodedTile, type Container, readContainer } from '../../codec/container/container.js';
import { mapParts, partsOf, splitsOf, type TileMethod } from '../../codec/container/contents.js';
import { crc32 } from '../../codec/container/crc32.js';
import { inflate } from '../../codec/container/deflate.js';
import { FORMAT_VERSION, isSmall, uint32 } from '../../codec/container/head.js';
import { hexToBytes } from '../../codec/container/hex.js';
import { LEARNING } from '../../codec/flow/learning.js';
import type { Image } from '../../codec/image.js';
import { layerChannels } from '../../codec/layer.js';
import { readAlphabet } from '../../codec/layers/alphabet.js';
import { PLACES } from '../../codec/metadata.js';
import { bytes, bytesOf, type Field, forgeOnce, list, number } from './fields.js';

/**
 * A file of which up to three fields are others.
 *
 * @param other a file to take fields from
 * @returns the file with the checksums that are right if it decodes to some samples
 */
export function forgeCnfz(file: Uint8Array, other: Uint8Array, random: (below: number) => number): ForgedFile {
  const [fields, others] = [fieldsOf(readContainer(file)), fieldsOf(readContainer(other))];
  for (let times = 1 + random(3); times > 0; times--) forgeOnce(fields, others, random);
  const parts = fields.flatMap((field) => (field.name === PARTS && 'fields' in field ? field.fields : []));
  const lengths = parts.map((part) => ('claimed' in part && part.claimed) || bytesOf(part).length);
  const head = [...fields.filter(({ name }) => name !== PARTS).map(bytesOf), ...lengths.map(varint)];
  const data = Buffer.concat(parts.map(bytesOf));
  const checksums: number[] = [];
  let at = 0;
  for (const length of lengths) {
    checksums.push(crc32(data.subarray(at, at + length)));
    at += length;
  }
  const small = isSmall(lengths.map((length) => ({ length })));
  return (samples) => {
    const sealed = (...pieces: ArrayLike<number>[]) => {
      const before = Buffer.concat(pieces.map((piece) => Uint8Array.from(piece)));
      return Buffer.concat([before, Uint8Array.from(uint32(crc32(before)))]);
    };
    if (small) return sealed(...head, data);
    return Buffer.concat([sealed(...head, ...[crc32(samples), ...checksums].map(uint32)), data]);
  };
}

export type ForgedFile = (samples: Image['samples']) => Uint8Array;

/** Name of the field that has all parts; the others are the head's. */
const PARTS = 'parts';

function fieldsOf(container: Container): Field[] {
  const { channels, layers } = container;
  const channelsOf = layerChannels(channels, layers.length > 1);
  const fields = new Map<Uint8Array, Field>();
  if (container.attachments) fields.set(container.attachments, attachmentsOf(container));
  for (const [i, { alphabet, tiles }] of layers.entries()) {
    const maxval = alphabet ? readAlphabet(alphabet, container.maxval).length - 1 : container.maxval;
    const shape = { ...container, channels: channelsOf[i], maxval };
    if (alphabet) fields.set(alphabet, alphabetOf(alphabet, container.maxval));
    for (const { method, stages } of tiles) {
      fields.set(stages[0], payloadFields[method](stages[0], shape));
      for (const stage of stages.slice(1)) fields.set(stage, bytes('words', stage));
    }
  }
  const parts = [...partsOf(mapParts(container, (part) => list('part', 'list', fields.get(part)!)))];
  return [headOf(container), list(PARTS, 'list', ...parts)];
}

function headOf({ width, height, channels, maxval, indexed, attachments, layers }: Container): Field {
  const flags = (indexed ? 4 : 0) + (attachments ? 8 : 0) + (layers.length > 1 ? 16 : 0) + (maxval === 255 ? 32 : 0);
  return list(
    'head',
    'list',
    bytes('magic', [0xcf, 0x5a, 0x0d, 0x0a]),
    number('version', 'byte', FORMAT_VERSION),
    number('width', 'varint', width),
    number('height', 'varint', height),
    number('kind', 'byte', channels - 1 + flags),
    ...(maxval === 255 ? [] : [number('maxval', 'varint', maxval)]),
    ...layers.flatMap((layer) => {
      const { method, alphabet, flow, tiles } = layer;
      const mixed = tiles.some((tile) => tile.method === 'webp');
      const code = { plain: 0, webp: 1, tiles: mixed ? 3 : 2 }[method];
      const flags = (alphabet ? 4 : 0) + 8 * (flow ? LEARNING.indexOf(flow.learning) : 0) + 32 * splitsOf(layer);
      return [
        number('method', 'byte', code + flags),
        ...(code === 3 ? [bytes('tiles of WebP', bitsOf(tiles))] : []),
        ...(flow ? [number('kernel version', 'byte', flow.kernelVersion)] : []),
        ...(flow ? [bytes('hash', hexToBytes(flow.modelHash))] : []),
      ];
    }),
  );
}

function bitsOf(tiles: readonly CodedTile[]): number[] {
  const bits = new Array<number>(Math.ceil(tiles.length / 8)).fill(0);
  for (const [i, { method }] of tiles.entries()) if (method === 'webp') bits[i >> 3] += 1 << (i & 7);
  return bits;
}

function attachmentsOf(container: Container): Field {
  const { palette, metadata = [] } = readAttachments(container);
  return list(
    'attachments',
    'packed',
    ...(palette ? [number('colours', 'varint', palette.length / 3), bytes('palette', palette)] : []),
    ...metadata.map(({ place, type, data }) =>
      list(
        'piece',
        'list',
        number('place', 'byte', PLACES.indexOf(place)),
        bytes('type', Buffer.from(type, 'latin1')),
        list('data of a piece', 'measured', bytes('data', data)),
      ),
    ),
  );
}

function alphabetOf(chunk: Uint8Array, maxval: number): Field {
  const alphabet = readAlphabet(chunk, maxval);
  const gaps = Array.from(alphabet, (value, i) =>
    number('gap', 'varint', value - (i === 0 ? -1 : alphabet[i - 1]) - 1),
  );
  return list('alphabet', 'list', number('values', 'varint', alphabet.length), list('gaps', 'packed', ...gaps));
}

type Shape = Pick<Container, 'height' | 'width' | 'channels' | 'maxval'>;

const payloadFields: Record<TileMethod, (payload: Uint8Array, shape: Shape) => Field> = {
  plain: (payload, { width, height, channels, maxval }) => {
    const rowBytes = width * channels * (maxval > 255 ? 2 : 1);
    const rows = inflate(payload, height * (1 + rowBytes));
    const fields = Array.from({ length: height }, (_, y) => {
      const row = rows.subarray(y * (1 + rowBytes), (y + 1) * (1 + rowBytes));
      return list('row', 'list', number('filter', 'byte', row[0]), bytes('differences', row.subarray(1)));
    });
    return list('plain', 'deflated', ...fields);
  },
  webp: webpFields,
  flow: flowFields,
};

function webpFields(stream: Uint8Array): Field {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  return list(
    'webp',
    'list',
    number('signature', 'byte', stream[0]),
    number('size, alpha and version', 'uint32', view.getUint32(1, true)),
    bytes('stream', stream.subarray(5)),
  );
}

/** Of the first stage, with its first state. */
function flowFields(payload: Uint8Array): Field {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  return list(
    'flow',
    'list',
    number('low half of the state', 'uint32', view.getUint32(0, true)),
    number('high half of the state', 'uint32', view.getUint32(4, true)),
    bytes('words', payload.subarray(8)),
  );
}
