/** A thread of the pool: codes the tiles that it is sent, one after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Flow } from '../codec/flow/model.js';
import { TileCodec } from '../codec/flow/tile-codec.js';
import { toFailure } from './failure.js';
import type { TileReply, TileTask } from './pool.js';

const codec = TileCodec.create(workerData as Flow);
// A failure is reported with the task that meets it.
codec.catch(() => {});

parentPort!.on('message', async (task: TileTask) => {
  try {
    const { result, buffer } = run(await codec, task);
    const reply: TileReply = { id: task.id, result };
    parentPort!.postMessage(reply, [buffer]);
  } catch (error) {
    const reply: TileReply = { id: task.id, failure: toFailure(error) };
    parentPort!.postMessage(reply);
  }
});

/** Results are copied: the codec's may lie in the memory of its WebAssembly instance, which cannot be transferred. */
function run(codec: TileCodec, task: TileTask) {
  if (task.kind === 'encode') {
    const encoded = codec.encode(task.samples, task.shape);
    const payload = encoded.payload.slice();
    return { result: { ...encoded, payload }, buffer: payload.buffer as ArrayBuffer };
  }
  const samples = codec.decode(task.payload, task.shape, task.level).slice();
  return { result: samples, buffer: samples.buffer as ArrayBuffer };
}
