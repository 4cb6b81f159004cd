/**
 * Forged `.cnfz` files: any field of the format (see `container.ts`, and those that it names) may be anything, and all
 * checksums are right all the same.
 */
import { readAttachments } from '../../codec/container/attachments.js';
import {
  type Container,
  FORMAT_VERSION,
  METHODS,
  type Method,
  readContainer,
  tileMethod,
} from '../../codec/container/container.js';
import { crc32 } from '../../codec/container/crc32.js';
import { inflate } from '../../codec/container/deflate.js';
import { hexToBytes } from '../../codec/container/hex.js';
import type { Image } from '../../codec/image.js';
import { layerChannels } from '../../codec/layer.js';
import { readAlphabet } from '../../codec/layers/alphabet.js';
import { PLACES } from '../../codec/metadata.js';
import { bytes, bytesOf, type Field, forgeOnce, list, number } from './fields.js';

/**
 * A file of which up to three fields are others.
 *
 * @param other a file to take fields from
 * @returns the file without its trailer, and the checksum up to there
 */
export function forgeCnfz(file: Uint8Array, other: Uint8Array, random: (below: number) => number): ForgedFile {
  const [parts, others] = [partsOf(readContainer(file)), partsOf(readContainer(other))];
  for (let times = 1 + random(3); times > 0; times--) forgeOnce(parts, others, random);
  const pieces: Uint8Array[] = [];
  let checksum = 0;
  for (const part of parts.map(bytesOf)) {
    checksum = crc32(part, checksum);
    pieces.push(part, uint32(checksum));
  }
  return { bytes: Buffer.concat(pieces), checksum };
}

export interface ForgedFile {
  readonly bytes: Uint8Array;
  readonly checksum: number;
}

/** The file with the trailer that is right for these samples. */
export function seal({ bytes, checksum }: ForgedFile, samples: Image['samples']): Uint8Array {
  return Buffer.concat([bytes, uint32(crc32(samples, checksum))]);
}

function uint32(value: number): Uint8Array {
  return bytesOf(number('', 'uint32', value));
}

/** The parts of a file that a checksum follows. */
function partsOf(container: Container): Field[] {
  const { channels, layers, attachments } = container;
  const channelsOf = layerChannels(channels, layers.length > 1);
  return [
    headerOf(container),
    ...(attachments ? [list('chunk', 'measured', attachmentsOf(container))] : []),
    ...layers.flatMap(({ method, alphabet, payloads }, i) => {
      const maxval = alphabet ? readAlphabet(alphabet, container.maxval).length - 1 : container.maxval;
      const shape = { ...container, channels: channelsOf[i], maxval };
      return [
        ...(alphabet ? [alphabetOf(alphabet, container.maxval)] : []),
        ...payloads.map((payload) => payloadFields[method](payload, shape)),
      ].map((chunk) => list('chunk', 'measured', chunk));
    }),
  ];
}

function headerOf({ width, height, channels, maxval, indexed, attachments, layers }: Container): Field {
  const flags = (indexed ? 8 : 0) + (attachments ? 16 : 0) + (layers.length > 1 ? 32 : 0);
  return list(
    'header',
    'list',
    bytes('magic', [0xcf, 0x5a, 0x0d, 0x0a]),
    number('version', 'byte', FORMAT_VERSION),
    number('width', 'varint', width),
    number('height', 'varint', height),
    number('kind', 'byte', channels + flags),
    number('maxval', 'varint', maxval),
    ...layers.flatMap(({ method, alphabet, flow }) => [
      number('method', 'byte', METHODS.indexOf(method) + (alphabet ? 16 : 0) + (flow?.adapts ? 32 : 0)),
      ...(method === 'tiles' ? [number('kernel version', 'byte', flow?.kernelVersion ?? 0)] : []),
      ...(method === 'tiles' ? [bytes('hash', flow ? hexToBytes(flow.modelHash) : new Uint8Array(8))] : []),
    ]),
  );
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

const payloadFields: Record<Method, (payload: Uint8Array, shape: Shape) => Field> = {
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
  tiles: (payload) => {
    const inner = (tileMethod(payload) === 'webp' ? webpFields : flowFields)(payload.subarray(1));
    return list('tile', 'list', number('tile method', 'byte', payload[0]), inner);
  },
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

function flowFields(payload: Uint8Array): Field {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  return list(
    'flow',
    'list',
    bytes('words', payload.subarray(0, -8)),
    number('low half of the state', 'uint32', view.getUint32(payload.length - 8, true)),
    number('high half of the state', 'uint32', view.getUint32(payload.length - 4, true)),
  );
}
