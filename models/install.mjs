// Puts the trained weights beside the compiled model definitions.
import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';

const from = new URL('.', import.meta.url);
const to = new URL('../dist/models/', import.meta.url);
mkdirSync(to, { recursive: true });
for (const file of readdirSync(to)) if (file.endsWith('.cnfm')) rmSync(new URL(file, to));
for (const file of readdirSync(from)) if (file.endsWith('.cnfm')) copyFileSync(new URL(file, from), new URL(file, to));
