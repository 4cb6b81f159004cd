/** Downloads. */
import { zip } from 'fflate';
import { say } from './page.js';
import { type Done, finished } from './table.js';

export function save({ saved: { name, bytes, type } }: Pick<Done, 'saved'>): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([bytes], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** All results in one archive: what is compressed already is stored. */
export function saveAll(): void {
  const entries: Record<string, Uint8Array> = {};
  for (const { saved } of finished) {
    const [, stem, extension] = /^(.*?)(\.[^.]*)?$/.exec(saved.name)!;
    let name = saved.name;
    for (let n = 2; Object.hasOwn(entries, name); n++) name = `${stem} ${n}${extension ?? ''}`;
    entries[name] = saved.bytes;
  }
  zip(entries, { level: 0 }, (error, bytes) => {
    if (error) return say(`The archive cannot be made: ${error.message}`);
    save({ saved: { name: 'cnfzip.zip', bytes: new Uint8Array(bytes), type: 'application/zip' } });
  });
}
