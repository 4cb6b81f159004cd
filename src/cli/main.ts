#!/usr/bin/env node
/**
 * Starts the command line. Exit code 0: all went well; 1: a file failed; 2: the command line was wrong. What nobody foresaw costs
 * a line and exit code 1, too; with -v it tells where it happened.
 */
import { reportError } from './report.js';

const verbose = process.argv.some((word) => word === '-v' || word === '--verbose');

process.on('uncaughtException', (error) => {
  reportError(undefined, error, verbose);
  process.exit();
});
// Whoever writes to standard output waits for it, and tells of failures; where nobody reads stderr, nothing can be told.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});

// Loaded here, so that it is told in a line if that fails: where too few files may be open, for one.
const { run } = await import('./program.js');
await run(process.argv.slice(2));
