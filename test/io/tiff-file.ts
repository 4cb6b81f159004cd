/** A TIFF file with one strip, for tests: values of tags as they are given. */
type Entry = readonly [tag: number, type: 2 | 3 | 4 | 5, values: readonly number[]];

const BYTES = { 2: 1, 3: 2, 4: 4, 5: 8 } as const;

export interface TiffFields {
  width: number;
  height: number;
  bits: number;
  channels?: number;
  photometric?: number;
  littleEndian?: boolean;
  data: Uint8Array;
  entries?: readonly Entry[];
}

export function tiffFile({ littleEndian = true, data, ...fields }: TiffFields): Buffer {
  const { width, height, bits, channels = 1, photometric = 1, entries = [] } = fields;
  const all: Entry[] = [
    [256, 3, [width]],
    [257, 3, [height]],
    [258, 3, Array(channels).fill(bits)],
    [259, 3, [1]],
    [262, 3, [photometric]],
    [273, 4, [8]],
    [277, 3, [channels]],
    [278, 3, [height]],
    [279, 4, [data.length]],
    ...entries,
  ];
  all.sort(([a], [b]) => a - b);
  const start = 8 + data.length + (data.length % 2);
  const out = Buffer.alloc(
    start + 6 + 12 * all.length + all.reduce((sum, [, type, { length }]) => sum + 8 * BYTES[type] * length, 0),
  );
  const short = (value: number, at: number) =>
    littleEndian ? out.writeUInt16LE(value, at) : out.writeUInt16BE(value, at);
  const long = (value: number, at: number) =>
    littleEndian ? out.writeUInt32LE(value, at) : out.writeUInt32BE(value, at);
  out.write(littleEndian ? 'II' : 'MM');
  short(42, 2);
  long(start, 4);
  out.set(data, 8);
  short(all.length, start);
  let end = start + 6 + 12 * all.length;
  for (const [i, [tag, type, values]] of all.entries()) {
    const at = start + 2 + 12 * i;
    short(tag, at);
    short(type, at + 2);
    long(values.length, at + 4);
    const length = BYTES[type] * values.length;
    let place = at + 8;
    if (length > 4) {
      long(end, place);
      place = end;
      end += length + (length % 2);
    }
    for (const [j, value] of values.entries()) {
      const to = place + BYTES[type] * j;
      if (type === 2) out[to] = value;
      else if (type === 3) short(value, to);
      else long(value, to);
      if (type === 5) long(1, to + 4);
    }
  }
  return out.subarray(0, end);
}
