/** The commands that faults are injected into, and what they begin with. */
import { chmodSync, cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A command in a folder, whose result is the same, byte for byte, whenever it succeeds. */
export interface Scenario {
  readonly name: string;
  readonly words: readonly string[];
  /** Commands that make what the folder holds before, of files that are copied there. */
  readonly before: {
    readonly files: Readonly<Record<string, string>>;
    readonly commands?: readonly (readonly string[])[];
  };
  readonly result: string;
  /** Standard output goes to the result. */
  readonly stdout?: boolean;
  /** What the result is made from, with a mode that nobody else may read it by. */
  readonly input?: string;
  /** The input is removed when all went well. */
  readonly removes?: boolean;
  /** What is there when all went well beside the result. */
  readonly besides?: readonly string[];
  /** What a further run needs beside the words, given what there is. */
  more(folder: string): readonly string[];
}

const IMAGE = { 'a.png': 'tiny-5x3.png' };
const PACKED = { 'a.cnfz': 'tiny-5x3.cnfz' };
const QUICK = ['-q', '-T', '1'];
const COMPRESS = ['compress', ...QUICK, '--model', 'fast', 'a.png'];
const MODEL = { channels: 1, width: 8, blocks: [1, 0, 0], expand: 1, separate: 1, carry: 8, levels: 2 };
const DEFINITION = JSON.stringify({ ...MODEL, mixtures: 1, hidden: 4 });
const TRAIN = [
  'train',
  '--data',
  'photos',
  '--out',
  'm.cnfm',
  '--definition',
  'small.json',
  '--engine',
  'kernel',
].concat(['--threads', '1', '--crop', '8', '--batch', '1']);

const replacing = (result: string) => (folder: string) => (existsSync(join(folder, result)) ? ['-f'] : []);
const compressing = { input: 'a.png', result: 'a.cnfz', before: { files: IMAGE }, more: replacing('a.cnfz') };
const training = {
  result: 'm.cnfm',
  besides: ['m.cnfm.ckpt', 'm.md', 'm.svg'],
  before: { files: { 'photos/a.png': 'river-160x120.png', 'small.json': DEFINITION } },
  more: (folder: string) => (existsSync(join(folder, 'm.cnfm.ckpt')) ? ['--resume'] : []),
};

export const SCENARIOS: readonly Scenario[] = [
  { ...compressing, name: 'compress', words: COMPRESS },
  { ...compressing, name: 'compress --rm', words: [...COMPRESS, '--rm'], removes: true },
  {
    ...compressing,
    name: 'compress -f over another result',
    words: [...COMPRESS, '-f'],
    before: { files: { ...IMAGE, 'a.cnfz': 'pixel-1x1.cnfz' } },
    more: () => [],
  },
  { ...compressing, name: 'compress -c', words: [...COMPRESS, '-c'], stdout: true, more: () => [] },
  {
    name: 'decompress --rm',
    words: ['decompress', ...QUICK, '--rm', 'a.cnfz'],
    before: { files: PACKED },
    input: 'a.cnfz',
    removes: true,
    result: 'a.png',
    more: replacing('a.png'),
  },
  { ...training, name: 'train', words: [...TRAIN, '--steps', '2'] },
  {
    ...training,
    name: 'train --resume',
    words: [...TRAIN, '--steps', '2', '--resume'],
    before: { ...training.before, commands: [[...TRAIN, '--steps', '1']] },
    more: () => [],
  },
];

const fixture = (name: string) => fileURLToPath(new URL(`../../../../fixtures/${name}`, import.meta.url));

/** Fills an empty folder with a scenario's files. */
export function fillFolder({ before, input }: Scenario, folder: string): void {
  for (const [name, content] of Object.entries(before.files)) {
    const path = join(folder, name);
    mkdirSync(join(path, '..'), { recursive: true });
    if (content.startsWith('{')) writeFileSync(path, content);
    else cpSync(fixture(content), path);
  }
  if (input) chmodSync(join(folder, input), 0o600);
}
