/** Downloads. */
import { ask } from './measures.js';
import { say } from './page.js';
import { finished, type Saved } from './table.js';

export function save({ name, file }: Saved): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** All results in one archive. */
export async function saveAll(): Promise<void> {
  const files: Record<string, Blob> = {};
  for (const { saved } of finished) {
    const [, stem, extension] = /^(.*?)(\.[^.]*)?$/.exec(saved.name)!;
    let name = saved.name;
    for (let n = 2; Object.hasOwn(files, name); n++) name = `${stem} ${n}${extension ?? ''}`;
    files[name] = saved.file;
  }
  try {
    save({ name: 'cnfzip.zip', file: await ask({ kind: 'archive', files }) });
  } catch (error) {
    say(`The archive cannot be made: ${(error as Error).message}`);
  }
}
