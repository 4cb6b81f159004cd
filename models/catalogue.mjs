// Writes down what the weights in this folder are, so that one of them is found by its hash, and known for gray or colour, unread.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

const folder = new URL('.', import.meta.url);
const entries = readdirSync(folder)
  .filter((file) => file.endsWith('.cnfm'))
  .sort()
  .map((file) => {
    const bytes = readFileSync(new URL(file, folder));
    const header = JSON.parse(bytes.subarray(8, 8 + bytes.readUInt32LE(4)).toString());
    const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
    return `  ${file.slice(0, -5)}: { hash: '${hash}', channels: ${header.definition.channels} },\n`;
  });

mkdirSync(new URL('build/', folder), { recursive: true });
writeFileSync(
  new URL('build/catalogue.ts', folder),
  `/** The shipped models, by their names. */
export const SHIPPED: Readonly<Record<string, { readonly hash: string; readonly channels: number }>> = {
${entries.join('')}};
`,
);
