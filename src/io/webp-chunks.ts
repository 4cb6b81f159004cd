/** What of a WebP file (RFC 9649) is not in its samples as libwebp reads them. */
import { damaged, type Remarks, unused } from './decoded.js';

/** Of chunks that are kept, or tell what the others tell. */
const HANDLED = ['VP8 ', 'VP8L', 'VP8X', 'ALPH', 'ANMF', 'ICCP', 'EXIF', 'XMP '];

const [RIFF_HEADER, CHUNK_HEADER, FRAME_HEADER] = [12, 8, 16];

/** @param lossy the line for lossy samples */
export function inspectWebp(bytes: Uint8Array, lossy: string): Remarks {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = 8 + view.getUint32(4, true);
  if (end > bytes.length) throw damaged('WebP', 'the file ends before its data does');
  const types = new Set<string>();
  /** Chunks from `at` on; returns where the last of them ends. */
  const walk = (from: number, to: number, inFrame = false): number => {
    let at = from;
    while (at + CHUNK_HEADER <= to) {
      const type = Buffer.from(bytes.subarray(at, at + 4)).toString('latin1');
      const length = view.getUint32(at + 4, true);
      types.add(type);
      const data = at + CHUNK_HEADER;
      if (type === 'ANMF' && inFrame) throw damaged('WebP', 'a frame holds a frame');
      if (type === 'ANMF') walk(data + FRAME_HEADER, Math.min(data + length, to), true);
      at = data + length + (length % 2);
    }
    return at;
  };
  // Some programs leave out the last chunk's padding.
  const last = Math.min(walk(RIFF_HEADER, end), end);
  const lost: string[] = [];
  if (types.has('VP8 ')) lost.push(lossy);
  const unknown = [...types].filter((type) => !HANDLED.includes(type));
  if (unknown.length > 0)
    lost.push(`chunks that are not kept: ${unknown.map((type) => JSON.stringify(type)).join(', ')}`);
  lost.push(...unused(bytes.subarray(last), 'behind the end of the WebP'));
  return { lost };
}
