// Writes what TypeScript reads where CommonJS modules require the package: the same declarations. To TypeScript before its `module: node20` a
// `.d.ts` of this package is an ES module, which cannot be required; Node 20.19 and 22.12 can.
import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ENTRIES = ['src/index.d.ts', 'src/browser/index.d.ts', 'codec/index.d.ts'];
const IMPORTED = "with { 'resolution-mode': 'import' }";

const paths = ENTRIES.map((entry) => fileURLToPath(new URL(`../../dist/${entry}`, import.meta.url)));
const program = ts.createProgram(paths, { module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2022 });
const checker = program.getTypeChecker();

for (const path of paths) {
  const from = `'./${basename(path, '.d.ts')}.js' ${IMPORTED};`;
  const lines = [`import type * as all from ${from}`, `export type * from ${from}`];
  for (const symbol of checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(path)))) {
    const { name } = symbol;
    const { flags } = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    if (!(flags & ts.SymbolFlags.Value)) continue;
    lines.push(`export declare const ${name}: typeof all.${name};`);
    // A name that is exported here hides the type of the same name.
    if (flags & ts.SymbolFlags.Type) lines.push(`export type ${name} = all.${name};`);
  }
  writeFileSync(path.replace(/\.d\.ts$/, '.d.cts'), `${lines.join('\n')}\n`);
}
