import type { Findings } from './experiment.js';

/** What a laboratory worker is asked. */
export interface Task {
  readonly name: string;
  readonly quick: boolean;
  readonly seed: number;
  readonly data: string;
}

/** What it answers: lines while it runs, and at last its findings or why there are none. */
export type Reply =
  | { readonly kind: 'log'; readonly line: string }
  | { readonly kind: 'done'; readonly findings: Findings; readonly seconds: number }
  | { readonly kind: 'failed'; readonly message: string; readonly known: boolean; readonly stack?: string };
