// CRC-32 as in PNG, zlib and gzip.

const table: usize = memory.data(1024, 4);

function makeTable(): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >> 1) : crc >> 1;
    store<u32>(table + (byte << 2), crc);
  }
}

export function crc32(at: usize, bytes: usize): u32 {
  if (!load<u32>(table, 4)) makeTable();
  let crc: u32 = 0xffffffff;
  for (const end = at + bytes; at < end; at++) {
    crc = load<u32>(table + (<usize>((crc ^ load<u8>(at)) & 255) << 2)) ^ (crc >> 8);
  }
  return ~crc;
}
