/** A thread that codes tiles. */
import { oncePerFlow } from '../../codec/coding.js';
import { serve } from '../threads/threads.js';
import { Tidying } from './garbage.js';
import type { TileCall, TileResult } from './tile-threads.js';

const coderOf = oncePerFlow();
const tidying = new Tidying();

serve<TileCall, TileResult>(async (call) => {
  const coder = await coderOf(call.flow);
  if (call.kind === 'encode') {
    const result = await coder.encode(call.tile);
    tidying.done(call.tile.samples.byteLength);
    return { result, given: result.payload.buffer };
  }
  const result = await coder.decode(call.payload, call.shape, call.level);
  tidying.done(result.byteLength);
  return { result, given: result.buffer };
});
