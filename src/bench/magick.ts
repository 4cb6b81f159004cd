/** The newest libjxl as a program: `magick.js encode EFFORT IN.png OUT.jxl` and `magick.js decode IN.jxl OUT.png`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { openLibjxl } from '../package/libjxl.js';

const libjxl = await openLibjxl();
const [operation, ...rest] = process.argv.slice(2);
const [input, output] = rest.slice(-2);
const file = readFileSync(input);
// Samples only: cnfzip is measured without metadata, too.
writeFileSync(output, operation === 'encode' ? libjxl.encode(file, rest[0]) : libjxl.decode(file, 'png'));
