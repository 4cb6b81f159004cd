// The module's memory behind its own constants, as a stack: what was taken last is given back first.

import { fail, failed, failing, tell, tellNumber, UNSUPPORTED } from './error';

const PAGE_BITS: u64 = 16;
/** The kernels read vectors of which they use a part: so many bytes behind everything are there to be read. */
const MARGIN: u64 = 64;
/** The last page of 2^32 bytes stays free: no address behind an end is 0. */
const ADDRESSES: u64 = 0xffff0000;

let top: usize = 0;
let most: u64 = ADDRESSES;

/** Sets how many bytes of memory there may be in all; 0 for what WebAssembly has. */
export function limitMemory(bytes: u32): void {
  most = bytes ? min<u64>(bytes, ADDRESSES) : ADDRESSES;
}

/** Address of `bytes` zeroed bytes, aligned to 16; 0 with an error if that is too much, or where there is an error already. */
export function alloc(bytes: u64): usize {
  const address = mark();
  if (!reach(<u64>address + bytes)) return 0;
  memory.fill(address, 0, <usize>bytes);
  top = (address + <usize>bytes + 15) & ~15;
  return address;
}

/** Address of what is taken next: `release` gives everything back that is taken from now on. */
export function mark(): usize {
  if (!top) top = (__heap_base + 15) & ~15;
  return top;
}

export function release(to: usize): void {
  top = to;
}

function reach(end: u64): bool {
  if (failed()) return false;
  const needed = (end + MARGIN + ((1 << PAGE_BITS) - 1)) >> PAGE_BITS;
  if (end >= ADDRESSES || needed << PAGE_BITS > most) {
    if (failing(UNSUPPORTED)) {
      tell('it takes more memory than the limit of ');
      tellNumber(most);
      tell(' bytes');
    }
    return false;
  }
  const more = <i64>needed - memory.size();
  if (more > 0 && memory.grow(<i32>more) < 0) return fail(UNSUPPORTED, 'there is not enough memory');
  return true;
}
