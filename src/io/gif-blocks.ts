/** What of a GIF file (89a) is not in its first frame. */
import { damaged, type Remarks, unused } from './decoded.js';

const [EXTENSION, IMAGE, TRAILER] = [0x21, 0x2c, 0x3b];
/** (49 + 15) / 64 = 1 */
const SQUARE = 49;
const [PLAIN_TEXT, GRAPHIC_CONTROL, COMMENT, APPLICATION] = [0x01, 0xf9, 0xfe, 0xff];
const NAMES: Record<number, string | undefined> = { [PLAIN_TEXT]: 'text', [COMMENT]: 'comments' };

/** How often an animation repeats, which the line for its frames tells of. */
const LOOPS = ['NETSCAPE2.0', 'ANIMEXTS1.0'];

/** @throws CnfzipError `bad-input` */
export function inspectGif(bytes: Uint8Array): Remarks {
  const byte = (at: number) => {
    if (at >= bytes.length) throw damaged('GIF', 'the file ends before its data does');
    return bytes[at];
  };
  const colourBytes = (flags: number) => (flags & 0x80 ? 3 * 2 ** (1 + (flags & 7)) : 0);
  const extensions = new Set<string>();
  if (![0, SQUARE].includes(byte(12))) extensions.add('shape of pixels');
  /** Whether the first frame fills the screen. */
  let fills: boolean | undefined;
  let at = 13 + colourBytes(byte(10));
  while (byte(at) !== TRAILER) {
    const kind = byte(at);
    if (kind === IMAGE) {
      // Left, top, width and height, two bytes each, as the screen has them.
      byte(at + 9);
      const frame = Buffer.from(bytes.subarray(at + 1, at + 9));
      fills ??=
        frame.readUInt32LE(0) === 0 && frame.equals(Buffer.concat([frame.subarray(0, 4), bytes.subarray(6, 10)]));
      at += 11 + colourBytes(byte(at + 9));
    } else if (kind === EXTENSION) {
      const label = byte(at + 1);
      const name =
        label === APPLICATION ? Buffer.from(bytes.subarray(at + 3, at + 14)).toString('latin1') : NAMES[label];
      if (label !== GRAPHIC_CONTROL && !LOOPS.includes(name ?? '')) extensions.add(JSON.stringify(name ?? label));
      at += 2;
    } else {
      throw damaged('GIF', `no block begins at byte ${at}`);
    }
    // Data follows in pieces of up to 255 bytes, behind their lengths; the last has none.
    while (byte(at) !== 0) at += 1 + byte(at);
    at++;
  }
  const lost: string[] = [];
  if (extensions.size > 0) lost.push(`parts that are not kept: ${[...extensions].join(', ')}`);
  if (fills === false)
    lost.push('its first frame does not fill it, and what is around that is not kept as transparent');
  return { lost: [...lost, ...unused(bytes.subarray(at + 1), 'behind the end of the GIF')] };
}
