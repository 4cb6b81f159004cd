/** A thread that codes sequences. */
import { serve } from '../threads/threads.js';
import { type SequenceCall, type SequenceResult, sequencesHere } from './sequences.js';

const sequences = sequencesHere();

serve<SequenceCall, SequenceResult>(async (call) => ({
  result:
    call.kind === 'encode'
      ? await sequences.encode(call.flow, call.images)
      : await sequences.decode(call.flow, call.coded),
}));
