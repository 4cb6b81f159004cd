import type { Command } from 'commander';
import { CnfzipError, type FileInfo, type LayerInfo, type Limits, open as openFile, type Source } from '../index.js';
import { checkLimits } from '../session/memory.js';
import { shippedName } from '../session/models.js';
import { describeImage, PARTS, scaleName } from './describe.js';
import { type Input, listInputs, open } from './inputs.js';
import { addLimits, addListing } from './options.js';
import { count, forEachInput, print, printJson } from './report.js';

interface InfoOptions extends Limits {
  json?: boolean;
}

export function addInfo(program: Command): void {
  const command = program
    .command('info')
    .description('show what .cnfz files are made of')
    .argument('[file...]', '.cnfz files, folders of them, or - for standard input');
  addLimits(addListing(command))
    .addHelpText(
      'after',
      `
Examples:
  cnfzip info photo.cnfz            size, kind, metadata, how each layer and tile is coded
  cnfzip info --json *.cnfz | jq .bytes`,
    )
    .action(async (files: string[], options: InfoOptions) => {
      const inputs = await listInputs(command, files, true, ['.cnfz']);
      await forEachInput(inputs, 'file', options, (input) => describe(input, options));
    });
}

async function describe(input: Input, { json, ...limits }: InfoOptions): Promise<void> {
  const opened = await open(input);
  const facts = await factsOf(await opened.source(), limits).finally(opened.close);
  const models = facts.layers.map(({ modelHash }) => modelHash && (shippedName(modelHash) ?? null));
  if (json) {
    const layers = facts.layers.map((layer, i) => ({ ...layer, model: models[i] }));
    await printJson({ file: input.path, ...facts, layers });
    return;
  }
  const lines = [
    `${input.label}: ${count(facts.bytes)} bytes, ${facts.bitsPerSample.toFixed(3)} bits per sample`,
    `  image: ${describeImage(facts)}`,
    `  format version ${facts.formatVersion}; head and checksums: ${count(facts.overheadBytes)} bytes`,
    ...formatMetadata(facts),
    ...facts.layers.flatMap((layer, i) =>
      formatLayer(layer, models[i], facts.layers.length > 1 ? PARTS[i] : 'samples'),
    ),
    ...formatScales(facts),
  ];
  await print(...lines);
}

/** What the head tells, and no more is read. */
async function factsOf(source: Source & { size: number }, { maxPixels, maxMemory }: Limits): Promise<FileInfo> {
  const { info } = await openFile(source, { maxPixels, maxMemory });
  const metadataBytes = info.metadata.reduce((sum, { bytes }) => sum + bytes, 0);
  checkLimits({ ...info, metadataBytes }, { maxPixels, maxMemory }, { operation: 'decode', models: [] });
  if (source.size < info.bytes) {
    throw new CnfzipError('corrupt', `cut short: it has ${count(source.size)} of ${count(info.bytes)} bytes`);
  }
  return info;
}

function formatMetadata({ metadata, attachmentBytes }: FileInfo): string[] {
  if (attachmentBytes === 0) return [];
  const pieces = metadata.map(({ type, bytes }) => `${type} ${count(bytes)}`);
  return [
    `  palette and metadata: ${count(attachmentBytes)} bytes${pieces.length > 0 ? `: ${pieces.join(', ')}` : ''}`,
  ];
}

/** What of the file smaller images need, where they need less than all. */
function formatScales({ scales, bytes }: FileInfo): string[] {
  return [...scales]
    .reverse()
    .slice(1)
    .map((scale) => {
      const share = `${count(scale.bytes)} bytes, ${((100 * scale.bytes) / bytes).toFixed(1)} % of the file`;
      return `  scale ${scaleName(scale.scale)}: ${scale.width} x ${scale.height}, from the first ${share}`;
    });
}

const METHODS = { plain: 'row filters and deflate', webp: 'WebP', tiles: 'tiles' };

function formatLayer(layer: LayerInfo, model: string | null | undefined, part: string): string[] {
  const { modelHash, kernelVersion, learning } = layer;
  const flow = modelHash
    ? `, model ${model ?? 'not shipped with this cnfzip'} (${modelHash})${learning === 'none' ? '' : `, learning ${learning}`}, kernel arithmetic version ${kernelVersion}`
    : '';
  return [
    `  ${part}: ${METHODS[layer.method]}, ${count(layer.bytes)} bytes${flow}`,
    ...layer.tiles.map(
      ({ x, y, width, height, method, bytes }, i) =>
        `    tile ${i + 1}: ${width} x ${height} at (${x}, ${y}), ${method === 'flow' ? 'flow' : 'WebP'}, ${count(bytes)} bytes`,
    ),
  ];
}
