/** Codes sequences of images, in this thread or in others. */

import type { ShardShape } from '../../codec/archive/directory.js';
import { decodeSequence, encodeSequence } from '../../codec/archive/sequence.js';
import { CnfzipError } from '../../codec/error.js';
import { type Flow, flowKey } from '../../codec/flow/model.js';
import { TileCodec } from '../../codec/flow/tile-codec.js';
import { type Image, sameImage } from '../../codec/image.js';
import { once } from '../../codec/once.js';
import { copyOfImage } from '../session/copies.js';
import { Threads } from '../threads/threads.js';

/** A sequence that is there. */
export interface CodedSequence {
  readonly part: Uint8Array;
  readonly shape: ShardShape;
  /** Of its images. */
  readonly count: number;
  /** So many of them are wanted. */
  readonly first: number;
}

export interface Sequences {
  /** @returns the part, proven to decode to the images */
  encode(flow: Flow, images: readonly Image[]): Promise<Uint8Array>;
  /** @throws CnfzipError `corrupt` */
  decode(flow: Flow, coded: CodedSequence): Promise<Image[]>;
}

export type SequenceCall = { readonly flow: Flow } & (
  | { readonly kind: 'encode'; readonly images: readonly Image[] }
  | { readonly kind: 'decode'; readonly coded: CodedSequence }
);

export type SequenceResult = Uint8Array | Image[];

/** Sequences that this thread codes. */
export function sequencesHere(): Sequences {
  const codecOf = once(TileCodec.create, flowKey);
  return {
    async encode(flow, images) {
      const codec = await codecOf(flow);
      const part = encodeSequence(images, codec);
      const { width, height, channels } = images[0];
      const decoded = decodeSequence(part, { width, height, channels, maxval: 255 }, images.length, codec);
      if (decoded.every((image, i) => sameImage(image, images[i]))) return part;
      throw new CnfzipError('corrupt', 'a shard does not decode to the images that were coded');
    },
    async decode(flow, { part, shape, count, first }) {
      return decodeSequence(part, shape, count, await codecOf(flow), first);
    },
  };
}

/** Sequences that threads code, as many at once as there are threads; of one thread it is this one. */
export function sequencesIn(most: number): Sequences & { close(): Promise<void> } {
  if (most === 1) return { ...sequencesHere(), close: async () => {} };
  const threads = new Threads<SequenceCall, SequenceResult>(new URL('./sequence-worker.js', import.meta.url), most);
  return {
    encode: async (flow, given) => {
      const images = await Promise.all(given.map((image) => copyOfImage(image)));
      return (await threads.run({ kind: 'encode', flow, images })) as Uint8Array;
    },
    decode: async (flow, coded) => (await threads.run({ kind: 'decode', flow, coded })) as Image[],
    close: () => threads.close(),
  };
}
