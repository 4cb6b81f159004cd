// Builds the extension for Visual Studio Code: dist/vscode/cnfzip.vsix, a zip file.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { strToU8, zipSync } from 'fflate';
import { rolldown } from 'rolldown';
import { zlibForBrowsers } from '../browser/zlib-for-browsers.mjs';

const { resolve } = createRequire(import.meta.url);
const path = (file) => fileURLToPath(new URL(file, import.meta.url));
const { version, license } = JSON.parse(readFileSync(path('../../package.json'), 'utf8'));

/** One file of a module and all that it imports. */
async function bundled(module, format, platform) {
  const bundle = await rolldown({
    input: path(`../../dist/src/vscode/${module}.js`),
    platform,
    external: ['vscode'],
    plugins: [zlibForBrowsers],
    // libwebp's loader looks for its module beside itself, before it takes the one that it is given.
    transform: { define: { 'import.meta.url': '"https://localhost/"' } },
  });
  const { output } = await bundle.generate({ format, minify: true, codeSplitting: false });
  await bundle.close();
  return strToU8(output[0].code);
}

const manifest = {
  name: 'cnfzip',
  displayName: 'cnfzip',
  description: 'Shows .cnfz images.',
  publisher: 'cnfzip',
  version,
  license,
  engines: { vscode: '^1.85.0' },
  main: './extension.js',
  // On vscode.dev and in other browsers.
  browser: './extension.js',
  contributes: {
    customEditors: [
      { viewType: 'cnfzip.image', displayName: 'cnfzip image', selector: [{ filenamePattern: '*.cnfz' }] },
    ],
  },
};

const vsixManifest = `<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
  <Metadata>
    <Identity Language="en-US" Id="cnfzip" Version="${version}" Publisher="cnfzip"/>
    <DisplayName>${manifest.displayName}</DisplayName>
    <Description xml:space="preserve">${manifest.description}</Description>
    <Properties><Property Id="Microsoft.VisualStudio.Code.Engine" Value="${manifest.engines.vscode}"/></Properties>
  </Metadata>
  <Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation>
  <Dependencies/>
  <Assets>
    <Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json" Addressable="true"/>
  </Assets>
</PackageManifest>
`;

const types = { vsixmanifest: 'text/xml', json: 'application/json', js: 'text/javascript', css: 'text/css' };
const defaults = [...Object.entries(types), ['wasm', 'application/wasm'], ['cnfm', 'application/octet-stream']].map(
  ([extension, type]) => `<Default Extension="${extension}" ContentType="${type}"/>`,
);
const contentTypes = `<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">${defaults.join('')}</Types>
`;

const files = {
  '[Content_Types].xml': strToU8(contentTypes),
  'extension.vsixmanifest': strToU8(vsixManifest),
  'extension/package.json': strToU8(JSON.stringify(manifest, undefined, 2)),
  'extension/extension.js': await bundled('extension', 'cjs', 'node'),
  'extension/media/page.js': await bundled('page', 'es', 'browser'),
  'extension/media/decoder.js': await bundled('decoder', 'es', 'browser'),
  'extension/media/page.css': readFileSync(path('page.css')),
  'extension/media/webp_dec.wasm': readFileSync(resolve('@jsquash/webp/codec/dec/webp_dec.wasm')),
};
for (const model of ['default', 'fast', 'best', 'gray']) {
  files[`extension/media/${model}.cnfm`] = readFileSync(path(`../../models/${model}.cnfm`));
}
mkdirSync(path('../../dist/vscode'), { recursive: true });
writeFileSync(path('../../dist/vscode/cnfzip.vsix'), zipSync(files, { mtime: new Date(1980, 0, 1) }));
