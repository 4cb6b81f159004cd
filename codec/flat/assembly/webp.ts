import { CORRUPT, fail } from './error';
export function decodeWebp(at: usize, bytes: usize, width: u64, height: u64, channels: i32, maxval: u32): usize {
  fail(CORRUPT, 'no webp yet');
  return 0;
}
