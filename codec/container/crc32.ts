const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  return crc;
});

/**
 * CRC-32 as PNG, zlib and gzip use it.
 *
 * @param values bytes, or numbers of 16 bits as two bytes, lower first, whatever the order of the machine's own bytes
 * @param previous checksum of the bytes before these, to go on from
 * @returns 0 .. 2^32 - 1
 */
export function crc32(values: Uint8Array | Uint16Array, previous = 0): number {
  let crc = ~previous;
  const add = (byte: number) => {
    crc = TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  };
  if (values instanceof Uint16Array) {
    for (let i = 0; i < values.length; i++) {
      add(values[i]);
      add(values[i] >> 8);
    }
  } else {
    for (let i = 0; i < values.length; i++) add(values[i]);
  }
  return ~crc >>> 0;
}
