/** What a run that did not end well may have left in a folder. Names are told by their end alone: the program's own idea is on trial. */
import { readdirSync } from 'node:fs';

export function temporaryFiles(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith('.tmp'));
}
