/** Bytes as hexadecimal digits, two a byte, lower case. */
export function bytesToHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Undoes `bytesToHex`. */
export function hexToBytes(hex: string): number[] {
  return hex.match(/../g)!.map((digits) => Number.parseInt(digits, 16));
}
