// The transforms of a VP8L stream (RFC 9649, 4), which are undone in the reverse order.

import { alloc } from './arena';
import { takeBits } from './bits';
import { blocksAlong, decodePixels } from './webp-pixels';

const PREDICTOR: i32 = 0;
const COLOUR: i32 = 1;
const SUBTRACT_GREEN: i32 = 2;
const INDEXING: i32 = 3;

const BLACK: u32 = 0xff000000;

/** A transform: its kind, its block's or pixel's bits, and what it was told: numbers of blocks, or colours. */
@unmanaged
class Transform {
  kind: i32;
  bits: i32;
  data: usize;
}

/** Room for the four that there may be. */
const all: usize = memory.data(4 * 12, 4);
/** Address behind the last that was read. */
let end: usize = all;
/** A bit for each kind that there is. */
let seen: i32 = 0;
/** Binary logarithm of how many pixels of a row are stored as one. */
let packed: i32 = 0;

export function forgetTransforms(): void {
  end = all;
  seen = 0;
  packed = 0;
}

/** Pixels of a row as they are stored. */
export function storedWidth(width: i32): i32 {
  return blocksAlong(width, packed);
}

/** Reads a transform of an image of `width` x `height` pixels; false where it is none, or with an error. */
export function readTransform(width: i32, height: i32): bool {
  const kind = <i32>takeBits(2);
  if (seen & (1 << kind)) return false;
  seen |= 1 << kind;
  const transform = changetype<Transform>(end);
  end += offsetof<Transform>();
  transform.kind = kind;
  transform.data = 0;
  if (kind == SUBTRACT_GREEN) return true;
  if (kind == INDEXING) return readColours(transform);
  transform.bits = <i32>takeBits(3) + 2;
  const columns = blocksAlong(storedWidth(width), transform.bits);
  const rows = blocksAlong(height, transform.bits);
  transform.data = alloc((<u64>columns * <u64>rows) << 2);
  return transform.data != 0 && decodePixels(transform.data, columns, rows, false);
}

/** Colours, each told by its difference to the one before. Indexes that have none are transparent black. */
function readColours(transform: Transform): bool {
  const colours = <i32>takeBits(8) + 1;
  transform.data = alloc(4 * 256);
  if (!transform.data || !decodePixels(transform.data, colours, 1, false)) return false;
  for (let i = 1; i < colours; i++) {
    const at = transform.data + (<usize>i << 2);
    store<u32>(at, addBytes(load<u32>(at), load<u32>(at - 4)));
  }
  packed = colours <= 2 ? 3 : colours <= 4 ? 2 : colours <= 16 ? 1 : 0;
  transform.bits = packed;
  return true;
}

/** Undoes all transforms of the pixels of an image. */
export function undoTransforms(pixels: usize, width: i32, height: i32): void {
  let columns = storedWidth(width);
  while (end > all) {
    end -= offsetof<Transform>();
    const transform = changetype<Transform>(end);
    if (transform.kind == PREDICTOR) {
      undoPredictor(transform, pixels, columns, height);
    } else if (transform.kind == COLOUR) {
      undoColour(transform, pixels, columns, height);
    } else if (transform.kind == SUBTRACT_GREEN) {
      undoSubtractGreen(pixels, <usize>columns * <usize>height);
    } else {
      undoIndexing(transform, pixels, columns, width, height);
      columns = width;
    }
  }
}

/** Sums of four bytes each, which wrap. */
@inline
function addBytes(a: u32, b: u32): u32 {
  const ag = (a & 0xff00ff00) + (b & 0xff00ff00);
  const rb = (a & 0x00ff00ff) + (b & 0x00ff00ff);
  return (ag & 0xff00ff00) | (rb & 0x00ff00ff);
}

/** Means of four bytes each, rounded down. */
@inline
function means(a: u32, b: u32): u32 {
  return (((a ^ b) & 0xfefefefe) >> 1) + (a & b);
}

function undoPredictor(transform: Transform, pixels: usize, width: i32, height: i32): void {
  const columns = blocksAlong(width, transform.bits);
  const row = <usize>width << 2;
  let at = pixels;
  for (let y = 0; y < height; y++) {
    const modes = transform.data + (<usize>((y >> transform.bits) * columns) << 2);
    for (let x = 0; x < width; x++) {
      let guess = BLACK;
      if (y == 0) {
        if (x > 0) guess = load<u32>(at - 4);
      } else if (x == 0) {
        guess = load<u32>(at - row);
      } else {
        guess = predict((load<u32>(modes + (<usize>(x >> transform.bits) << 2)) >> 8) & 15, at, row);
      }
      store<u32>(at, addBytes(load<u32>(at), guess));
      at += 4;
    }
  }
}

/** The prediction of a pixel that has others at its left and above; what is right above the last of a row is the row's own first. */
function predict(mode: u32, at: usize, row: usize): u32 {
  const left = load<u32>(at - 4);
  const top = load<u32>(at - row);
  const corner = load<u32>(at - row - 4);
  const right = load<u32>(at - row + 4);
  switch (mode) {
    case 1:
      return left;
    case 2:
      return top;
    case 3:
      return right;
    case 4:
      return corner;
    case 5:
      return means(means(left, right), top);
    case 6:
      return means(left, corner);
    case 7:
      return means(left, top);
    case 8:
      return means(corner, top);
    case 9:
      return means(top, right);
    case 10:
      return means(means(left, corner), means(top, right));
    case 11:
      return nearer(left, top, corner);
    case 12:
      return gradient(left, top, corner);
    case 13:
      return halfGradient(means(left, top), corner);
    default:
      return BLACK;
  }
}

@inline
function channel(argb: u32, shift: u32): i32 {
  return <i32>((argb >> shift) & 255);
}

@inline
function clamped(value: i32): u32 {
  return <u32>max<i32>(0, min<i32>(255, value));
}

/** Of left and top the one that is nearer to left + top - corner. */
function nearer(left: u32, top: u32, corner: u32): u32 {
  let toLeft = 0;
  let toTop = 0;
  for (let shift: u32 = 0; shift < 32; shift += 8) {
    toLeft += abs<i32>(channel(top, shift) - channel(corner, shift));
    toTop += abs<i32>(channel(left, shift) - channel(corner, shift));
  }
  return toLeft < toTop ? left : top;
}

function gradient(left: u32, top: u32, corner: u32): u32 {
  let argb: u32 = 0;
  for (let shift: u32 = 0; shift < 32; shift += 8) {
    argb |= clamped(channel(left, shift) + channel(top, shift) - channel(corner, shift)) << shift;
  }
  return argb;
}

function halfGradient(mean: u32, corner: u32): u32 {
  let argb: u32 = 0;
  for (let shift: u32 = 0; shift < 32; shift += 8) {
    const value = channel(mean, shift);
    // The half is rounded towards zero.
    argb |= clamped(value + (value - channel(corner, shift)) / 2) << shift;
  }
  return argb;
}

@inline
function scaled(factor: u32, value: u32): i32 {
  return (<i32>(<i8>factor) * <i32>(<i8>value)) >> 5;
}

function undoColour(transform: Transform, pixels: usize, width: i32, height: i32): void {
  const columns = blocksAlong(width, transform.bits);
  let at = pixels;
  for (let y = 0; y < height; y++) {
    const factors = transform.data + (<usize>((y >> transform.bits) * columns) << 2);
    for (let x = 0; x < width; x++) {
      const factor = load<u32>(factors + (<usize>(x >> transform.bits) << 2));
      const argb = load<u32>(at);
      const green = argb >> 8;
      const red = ((argb >> 16) + scaled(factor, green)) & 255;
      const blue = (argb + scaled(factor >> 8, green) + scaled(factor >> 16, red)) & 255;
      store<u32>(at, (argb & 0xff00ff00) | (red << 16) | blue);
      at += 4;
    }
  }
}

function undoSubtractGreen(pixels: usize, total: usize): void {
  for (const end = pixels + (total << 2); pixels < end; pixels += 4) {
    const argb = load<u32>(pixels);
    const green = (argb >> 8) & 255;
    store<u32>(pixels, addBytes(argb, (green << 16) | green));
  }
}

/** Turns indexes, several in a pixel's green, into colours, in place: from the end, as there are more of these. */
function undoIndexing(transform: Transform, pixels: usize, columns: i32, width: i32, height: i32): void {
  const bits = 8 >> transform.bits;
  const mask = (<u32>1 << bits) - 1;
  const inPixel = (1 << transform.bits) - 1;
  for (let y = height - 1; y >= 0; y--) {
    const from = pixels + (<usize>y * <usize>columns << 2);
    const to = pixels + (<usize>y * <usize>width << 2);
    for (let x = width - 1; x >= 0; x--) {
      const green = (load<u32>(from + (<usize>(x >> transform.bits) << 2)) >> 8) & 255;
      const index = (green >> (<u32>(x & inPixel) * bits)) & mask;
      store<u32>(to + (<usize>x << 2), load<u32>(transform.data + (<usize>index << 2)));
    }
  }
}
