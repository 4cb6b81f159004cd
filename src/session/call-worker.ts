/** A thread that makes whole calls of `encode` and `decode`, which its end stops at whatever point they are. */
import { workerData } from 'node:worker_threads';
import type { Image } from '../../codec/image.js';
import { serve } from '../threads/threads.js';
import { Codec } from './codec.js';
import type { CodecOptions, EncodeCallOptions } from './options.js';

export type Call =
  | { readonly kind: 'encode'; readonly image: Image; readonly options: EncodeCallOptions }
  | { readonly kind: 'decode'; readonly bytes: Uint8Array };

export type CallResult = Uint8Array<ArrayBuffer> | Image;

const codec = new Codec(workerData as CodecOptions);

serve<Call, CallResult>(async (call, onProgress) => {
  if (call.kind === 'encode') {
    const result = await codec.encode(call.image, { ...call.options, onProgress });
    return { result, given: result.buffer };
  }
  const result = await codec.decode(call.bytes, { onProgress });
  return { result, given: result.samples.buffer };
});
