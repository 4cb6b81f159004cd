/**
 * By the number of bytes that follow a byte in its word, what the byte changes of the checksum: a word of four bytes is looked
 * up at once (Kounavis, Berry 2008: slicing).
 */
const [TABLE, BEFORE_ONE, BEFORE_TWO, BEFORE_THREE] = tables();

function tables(): Int32Array[] {
  const last = Int32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
    return crc;
  });
  const all = [last];
  while (all.length < 4) all.push(all[all.length - 1].map((crc) => last[crc & 255] ^ (crc >>> 8)));
  return all;
}

/**
 * CRC-32 as PNG, zlib and gzip use it.
 *
 * @param values bytes, or numbers of 16 bits as two bytes, lower first, whatever the order of the machine's own bytes
 * @param previous checksum of the bytes before these, to go on from
 * @returns 0 .. 2^32 - 1
 */
export function crc32(values: Uint8Array | Uint16Array, previous = 0): number {
  let crc = ~previous;
  const addWord = (word: number) => {
    const x = crc ^ word;
    crc = BEFORE_THREE[x & 255] ^ BEFORE_TWO[(x >>> 8) & 255] ^ BEFORE_ONE[(x >>> 16) & 255] ^ TABLE[x >>> 24];
  };
  const add = (byte: number) => {
    crc = TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  };
  let i = 0;
  if (values instanceof Uint16Array) {
    for (; i + 2 <= values.length; i += 2) addWord(values[i] | (values[i + 1] << 16));
    for (; i < values.length; i++) {
      add(values[i]);
      add(values[i] >> 8);
    }
  } else {
    for (; i + 4 <= values.length; i += 4) {
      addWord(values[i] | (values[i + 1] << 8) | (values[i + 2] << 16) | (values[i + 3] << 24));
    }
    for (; i < values.length; i++) add(values[i]);
  }
  return ~crc >>> 0;
}
