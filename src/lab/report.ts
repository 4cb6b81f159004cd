/** A run's report: one HTML file that needs no other, and the same figures as JSON. */

import {
  type Cell,
  type Check,
  type Contest,
  type Experiment,
  type Findings,
  significant,
  type Table,
  toldSpread,
} from './experiment.js';
import type { Figure } from './figures.js';
import { isSpread } from './spread.js';

export interface Run {
  readonly name: string;
  readonly experiment: Pick<Experiment, 'title' | 'claim'>;
  readonly findings: Findings;
  readonly quick: boolean;
  readonly seed: number;
  readonly seconds: number;
  /** Version of cnfzip. */
  readonly version: string;
}

export function passed({ findings }: Run): boolean {
  return findings.checks.every((check) => check.passed);
}

export function jsonReport(run: Run): string {
  const { figures, ...findings } = run.findings;
  const { findings: _, ...about } = run;
  const drawn = figures.map(({ title, series }) => ({ title, series }));
  return `${JSON.stringify({ ...about, passed: passed(run), ...findings, figures: drawn }, null, 2)}\n`;
}

export function htmlReport(run: Run): string {
  const { name, experiment, findings, quick, seed, seconds, version } = run;
  const command = `cnfzip lab run ${name}${quick ? ' --quick' : ''} --seed ${seed}`;
  const configuration = { command, version, seed, ...findings.configuration, 'wall time': `${seconds.toFixed(1)} s` };
  const told = (value: string | number) => (typeof value === 'number' ? significant(value) : value);
  const contests = findings.contests ?? [];
  return page(`${experiment.title}${headline(findings)}`, [
    `<p class="claim">${escaped(experiment.claim)}</p>`,
    `<p class="verdict ${stateOf(findings)}">${escaped(verdict(findings))}</p>`,
    ...contests
      .filter(({ outcome }) => outcome !== 'wins')
      .map((lost) => `<p><b>${escaped(lost.claim)}: ${lost.outcome}.</b> ${escaped(lost.why)}</p>`),
    ...(contests.length > 0 ? [table(contestTable(contests))] : []),
    table(checkTable(findings.checks)),
    ...findings.notes.map((note) => `<p>${escaped(note)}</p>`),
    ...findings.figures.map(figureElement),
    ...findings.tables.map(table),
    table({
      title: 'Configuration',
      columns: ['what', 'value'],
      rows: Object.entries(configuration).map(([what, value]) => [what, told(value)]),
    }),
  ]);
}

/**
 * The list of a whole laboratory's reports.
 *
 * @param runs one or more, of one command
 */
export function indexPage(runs: readonly Run[]): string {
  const rows = runs.map((run) => {
    const link = `<a href="${run.name}.html">${run.name}</a>`;
    const found = `<td class="${stateOf(run.findings)}">${verdict(run.findings)}</td>`;
    const time = `<td class="number">${run.seconds.toFixed(0)} s</td>`;
    return `<tr><td>${link}</td><td>${escaped(run.experiment.title)}</td>${found}${time}</tr>`;
  });
  const [{ version, seed, quick }] = runs;
  return page('The laboratory of cnfzip', [
    `<p>Version ${escaped(version)}, seed ${seed}${quick ? ', quick runs' : ''}.</p>`,
    `<div class="wide"><table class="index"><thead><tr>${['experiment', 'what it asks', 'verdict'].map((column) => heading(column)).join('')}${heading('time', true)}</tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div>`,
  ]);
}

/** In a line: how many predictions hold, and where the theory loses. */
export function verdict({ checks, contests = [] }: Findings): string {
  const held = checks.filter((check) => check.passed).length;
  const counts = (['wins', 'loses', 'undecided'] as const).flatMap((outcome) => {
    const count = contests.filter((one) => one.outcome === outcome).length;
    return count > 0 ? [`${outcome} ${count} of ${contests.length} comparisons`] : [];
  });
  return [`${held} of ${checks.length} predictions hold`, ...counts].join('; ');
}

/** What a report's heading adds to its title where not all went as the theory has it. */
function headline({ checks, contests = [] }: Findings): string {
  const words = [
    ...(contests.some(({ outcome }) => outcome === 'loses') ? ['loses'] : []),
    ...(checks.some((check) => !check.passed) ? ['fails'] : []),
  ];
  return words.length > 0 ? ` — ${words.join(' and ')}` : '';
}

function stateOf(findings: Findings): 'pass' | 'fail' {
  return headline(findings) === '' ? 'pass' : 'fail';
}

function contestTable(contests: readonly Contest[]): Table {
  return {
    title: 'Comparisons',
    columns: ['the theory’s claim', 'ahead by', 'unit', ''],
    rows: contests.map(({ claim, gain, unit, outcome }) => [claim, gain, unit, outcome]),
  };
}

function checkTable(checks: readonly Check[]): Table {
  return {
    title: 'Predicted and measured',
    columns: ['prediction', 'predicted', 'measured', 'unit', ''],
    rows: checks.map(({ claim, predicted, measured, error, unit, passed: holds }) => [
      claim,
      predicted,
      error === undefined ? measured : { mean: measured, error, values: [] },
      unit,
      holds ? 'pass' : 'fail',
    ]),
  };
}

function figureElement({ title, caption, svg, legend }: Figure): string {
  const names = legend.map(({ name, colour }) => `<span><i style="background:${colour}"></i>${escaped(name)}</span>`);
  return `<figure><h2>${escaped(title)}</h2><div class="legend">${names.join('')}</div><div class="panels">${svg}</div><figcaption>${escaped(caption)}</figcaption></figure>`;
}

const STATES: Record<string, string> = { pass: 'pass', wins: 'pass', fail: 'fail', loses: 'fail' };

function table({ title, columns, rows }: Table): string {
  const cell = (value: Cell) => {
    if (isSpread(value)) return `<td class="number">${toldSpread(value)}</td>`;
    if (typeof value === 'number') return `<td class="number">${significant(value)}</td>`;
    const state = STATES[value] ? ` class="${STATES[value]}"` : '';
    return `<td${state}>${escaped(value)}</td>`;
  };
  const numeric = (i: number) => rows.some((row) => typeof row[i] !== 'string');
  const head = columns.map((column, i) => heading(column, rows.length > 0 && numeric(i))).join('');
  const body = rows.map((row) => `<tr>${row.map(cell).join('')}</tr>`).join('\n');
  return `<h2>${escaped(title)}</h2><div class="wide"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}

/** @param number whether the column below it holds numbers */
function heading(column: string, number = false): string {
  return `<th${number ? ' class="number"' : ''}>${escaped(column)}</th>`;
}

function page(title: string, parts: readonly string[]): string {
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title><style>${STYLE}</style></head>
<body><h1>${escaped(title)}</h1>
${parts.join('\n')}
</body></html>
`;
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }
h1 { font-size: 1.6rem } h2 { font-size: 1.1rem; margin: 1.5rem 0 .4rem }
.claim { font-size: 1.05rem; border-left: 4px solid #4269d0; padding-left: .8rem }
.verdict { font-weight: bold } .pass { color: #1a7f37 } .fail { color: #cf222e }
.wide { overflow-x: auto } .wide td:first-child:not(.number) { min-width: 8rem }
table { border-collapse: collapse; font-size: .9rem } th, td { text-align: left; padding: .2rem .7rem; border-bottom: 1px solid #ddd }
.index td { white-space: nowrap }
td.number, th.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
figure { margin: 1rem 0 } figcaption { font-size: .9rem; color: #555; max-width: 50rem }
.panels { display: flex; flex-wrap: wrap }
.legend span { margin-right: 1rem; font-size: .85rem } .legend i { display: inline-block; width: .8rem; height: .8rem; margin-right: .3rem }
svg { max-width: 100%; height: auto }
`;
