/** The table of files, and their totals. */
import type { OpenFile } from '../browser/index.js';
import type { ColourModel } from '../browser/models.js';
import { byId, megabytes, percent } from './page.js';

/** What is to be downloaded. */
export interface Saved {
  readonly name: string;
  readonly file: Blob;
}

/** A file that the page is done with. */
export interface Done {
  /** The image's file: the one that was given, or that a `.cnfz` file was decompressed to. */
  readonly original: Blob;
  readonly file: OpenFile;
  readonly model: ColourModel;
  /** Bytes of a lossless WebP of it, once that is computed. */
  webp?: number;
  /** That it took to compress and to compare, if it was. */
  readonly seconds?: number;
  readonly saved: Saved;
}

export interface Row {
  progress(part: number): void;
  finish(done: Done, actions: { show(): void; save(): void }): void;
  /** Tells the size of a WebP of a file that is finished. */
  compare(done: Done): void;
  fail(reason: string): void;
}

/** All that were compressed, in their order. */
export const finished: Done[] = [];

export function addRow({ name, size }: File): Row {
  byId('results', HTMLElement).hidden = false;
  const row = byId('results', HTMLElement).querySelector('tbody')!.insertRow();
  const head = document.createElement('th');
  head.scope = 'row';
  head.textContent = name;
  row.append(head);
  const [original, webp, own, saved, actions] = Array.from({ length: 5 }, () => row.insertCell());
  original.textContent = megabytes(size);
  own.textContent = 'waits';
  return {
    progress(part) {
      own.textContent = percent(part);
    },
    finish(done, { show, save }) {
      const { bytes } = done.file.info;
      original.textContent = megabytes(done.original.size);
      own.textContent = megabytes(bytes);
      saved.textContent = percent(1 - bytes / done.original.size);
      actions.append(button('Look', `Look at ${name}`, show), button('Save', `Save ${done.saved.name}`, save));
      finished.push(done);
      this.compare(done);
    },
    compare(done) {
      webp.textContent = done.webp === undefined ? '–' : megabytes(done.webp);
      showTotals();
    },
    fail(reason) {
      for (const cell of [webp, own, saved, actions]) cell.remove();
      original.colSpan = 5;
      original.className = 'failed';
      original.textContent = reason;
    },
  };
}

function button(text: string, label: string, action: () => void): HTMLButtonElement {
  const element = document.createElement('button');
  element.type = 'button';
  element.className = 'quiet';
  element.textContent = text;
  element.setAttribute('aria-label', label);
  element.addEventListener('click', action);
  return element;
}

function showTotals(): void {
  const cells = byId('results', HTMLElement).querySelectorAll('tfoot td');
  const sum = (of: (done: Done) => number) => finished.reduce((total, done) => total + of(done), 0);
  const original = sum((done) => done.original.size);
  const own = sum((done) => done.file.info.bytes);
  const all = finished.every(({ webp }) => webp !== undefined);
  const totals = [
    megabytes(original),
    all ? megabytes(sum(({ webp }) => webp!)) : '–',
    megabytes(own),
    percent(1 - own / original),
  ];
  for (const [i, text] of totals.entries()) cells[i].textContent = text;
}
