/** A thread that makes one call of `encode` or `decode`, and ends. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Call, Report } from './abortable.js';
import { toFailure } from './failure.js';
import { decode, encode } from './index.js';

const call = workerData as Call;
const options = { ...call.options, onProgress: (progress: number) => tell({ progress }) };

try {
  if (call.operation === 'encode') {
    const result = await encode(call.input, options);
    tell({ result }, result);
  } else {
    const result = await decode(call.input, options);
    tell({ result }, result.samples);
  }
} catch (error) {
  tell({ failure: toFailure(error) });
}

/** @param given of the report: its memory becomes the caller's */
function tell(report: Report, given?: Uint8Array | Uint16Array): void {
  parentPort!.postMessage(report, given ? [given.buffer as ArrayBuffer] : []);
}
