/** Damaged and forged archives, and what must come of them. */

import { readArchive, readPart, writeArchive } from '../../codec/archive/directory.js';
import { nameProblem } from '../../codec/archive/names.js';
import { decodeImage, encodeImage } from '../../codec/codec.js';
import type { EncodingOptions } from '../../codec/coding.js';
import { crc32 } from '../../codec/container/crc32.js';
import { uint32 } from '../../codec/container/head.js';
import type { Model } from '../../codec/flow/model.js';
import { checkImage, sameImage } from '../../codec/image.js';
import { toSource } from '../../codec/source.js';
import { ArchiveBuilder, type NamedImage } from '../archive/create.js';
import { Archive } from '../archive/open.js';
import { mutate } from './mutate.js';
import { randomIntegers } from './random-bytes.js';
import { randomImage } from './random-image.js';

interface Coding {
  readonly models: readonly Model[];
  readonly coding: EncodingOptions;
}

export interface ArchiveSpecimen {
  readonly images: readonly NamedImage[];
  readonly file: Uint8Array;
}

/** Of a few random images each, and of some of one size that differ. */
export async function archiveCorpus(count: number, coding: Coding): Promise<ArchiveSpecimen[]> {
  const corpus: ArchiveSpecimen[] = [];
  for (let seed = 0; seed < count; seed++) corpus.push(await specimen(seed, coding));
  return corpus;
}

async function specimen(seed: number, { models, coding }: Coding): Promise<ArchiveSpecimen> {
  const random = randomIntegers(seed);
  const [width, height, channels] = [2 + random(7), 2 + random(7), random(2) ? 3 : 1] as const;
  const similar = Array.from({ length: 2 + random(5) }, (_, i): NamedImage => {
    const samples = Uint8Array.from({ length: width * height * channels }, (_, at) => (at >> 1) + random(20));
    return { name: `similar/${i + 8}.png`, image: { width, height, channels, maxval: 255, samples } };
  });
  const others = Array.from({ length: random(3) }, (_, i) => ({ name: `o${i}`, image: randomImage(seed + 99 * i) }));
  const images = [...similar, ...others];
  const builder = new ArchiveBuilder({
    shardPixels: 4 * width * height,
    encode: (image) => encodeImage(image, models, { ...coding, verify: false }),
    flowFor: async (channels) => ({
      model: models.find((model) => model.definition.channels === channels)!,
      learning: 'heads',
    }),
  });
  for (const image of images) await builder.add(image);
  return { images, file: (await builder.finish()).bytes };
}

/**
 * @returns whether the archive is accepted with the images that it was made of
 * @throws what must not be, or a `CnfzipError` that refuses it
 */
export async function tryArchive(
  { file, images }: ArchiveSpecimen,
  other: ArchiveSpecimen,
  seed: number,
  { models, coding }: Coding,
): Promise<boolean> {
  const random = randomIntegers(seed);
  const damage = (bytes: Uint8Array) => mutate(bytes, other.file, seed);
  const kind = random(4);
  const forgers = [
    () => damage(file),
    () => forgeDirectory(file, damage),
    () => forgePart(file, damage, random),
    () => forgeNames(file, random),
  ];
  const bytes = await forgers[kind]();
  const opened = await Archive.open(sourceOf(bytes), {
    decode: (part) => decodeImage(part, models, coding),
    modelOf: async (hash) => models.find((model) => model.hash === hash) ?? models[0],
  });
  const found: NamedImage[] = [];
  for (const shard of opened.shards) {
    const decoded = await opened.decode(shard);
    found.push(...decoded.map((image, i) => ({ name: shard.names[i], image })));
    const [first] = await opened.decode(shard, 1);
    if (!sameImage(first, decoded[0])) throw new Error('its first image alone is another');
  }
  const same =
    found.length === images.length &&
    found.every(({ name, image }) => images.some((one) => one.name === name && sameImage(one.image, image)));
  if (kind === 0 && !same) throw new Error('other images were accepted');
  for (const { name, image } of found) {
    checkImage(image);
    if (nameProblem(name)) throw new Error('a name was accepted that leads elsewhere');
  }
  return same;
}

function sourceOf(bytes: Uint8Array) {
  return { ...toSource(bytes), size: bytes.length };
}

const HEAD_BYTES = 5;
const FOOT_BYTES = 8;

/** Damage of the directory, with the checksum that is then right. */
function forgeDirectory(file: Uint8Array, damage: (bytes: Uint8Array) => Uint8Array): Uint8Array {
  const length = Buffer.from(file).readUInt32LE(file.length - FOOT_BYTES);
  const end = file.length - FOOT_BYTES - length;
  return withDirectory(file.subarray(0, end), damage(file.subarray(end, end + length)));
}

function withDirectory(before: Uint8Array, directory: Uint8Array): Uint8Array {
  const length = Uint8Array.from(uint32(directory.length));
  const checksum = crc32(Buffer.concat([before.subarray(0, HEAD_BYTES), directory, length]));
  return Buffer.concat([before, directory, length, Uint8Array.from(uint32(checksum))]);
}

/** Damage of a part that leaves it its length, with the checksums that are then right. */
async function forgePart(
  file: Uint8Array,
  damage: (bytes: Uint8Array) => Uint8Array,
  random: (below: number) => number,
): Promise<Uint8Array> {
  const shards = await readArchive(sourceOf(file));
  const { offset, length, checksum } = shards[random(shards.length)];
  const forged = Uint8Array.from(file);
  forged.set(damage(file.subarray(offset, offset + length)).subarray(0, length), offset);
  const end = file.length - FOOT_BYTES - Buffer.from(file).readUInt32LE(file.length - FOOT_BYTES);
  const directory = Buffer.from(forged.subarray(end, file.length - FOOT_BYTES));
  const at = directory.indexOf(Uint8Array.from(uint32(checksum)));
  directory.set(uint32(crc32(forged.subarray(offset, offset + length))), at);
  return withDirectory(forged.subarray(0, end), directory);
}

/** An archive whose images have other names, some of which lead elsewhere, or another order. */
async function forgeNames(file: Uint8Array, random: (below: number) => number): Promise<Uint8Array> {
  const source = sourceOf(file);
  const names = ['../x.png', '/x.png', 'a', 'b/c.png', 'b//c.png', '9', 'similar/9.png', '雪.png'];
  const shards = await readArchive(source);
  const forged = shards.map(async (shard) => ({
    ...shard,
    names: shard.names.map((name) => (random(4) ? name : names[random(names.length)])),
    part: await readPart(source, shard),
  }));
  return writeArchive(await Promise.all(forged));
}
