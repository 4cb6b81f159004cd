/** The check as a script for Node, Bun and Deno: its argument is the task, its output the findings, both JSON. */
import { readFile } from 'node:fs/promises';
import process from 'node:process';
import '../session/webp.js';
import { check } from './check.js';

const root = new URL('../../../', import.meta.url);
const findings = await check(JSON.parse(process.argv[2]), (path) => readFile(new URL(path, root)));
process.stdout.write(JSON.stringify(findings));
