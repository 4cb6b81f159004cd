/** Other programs that know `.cnfz` files once `cnfzip desktop install` has run; what is not on this machine is skipped. */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeArchive } from '../../codec/archive/directory.js';
import { thumbnail } from '../../src/desktop/thumbnail.js';
import { type Channels, decodePng, encode, type Image, readImage } from '../../src/index.js';
import { fixture, MAIN } from '../paths.js';

let home: string;

function run(program: string, ...words: string[]) {
  const { XDG_DATA_HOME, XDG_CONFIG_HOME, XDG_CACHE_HOME, ...rest } = process.env;
  const env = { ...rest, HOME: home };
  return spawnSync(program, words, { cwd: home, encoding: 'utf8', env });
}

const cnfzip = (...words: string[]) => run(process.execPath, MAIN, ...words);

/** The first of some programs that is here. */
const found = (...names: string[]) =>
  names.find((name) => spawnSync('which', [name], { encoding: 'utf8' }).status === 0);

const FILE = found('file');
// Other programs have the last name, too.
const MAGICK = ['magick', 'convert-im6.q16', 'convert'].find(
  (name) => found(name) && /ImageMagick/.test(spawnSync(name, ['-version'], { encoding: 'utf8' }).stdout),
);
const GIO = found('update-mime-database') && found('gio');
const TUMBLER =
  found('dbus-run-session') &&
  found('gdbus') &&
  readdirSync('/usr/lib', { encoding: 'utf8' })
    .map((name) => `/usr/lib/${name}/tumbler-1/tumblerd`)
    .find((path) => existsSync(path));

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'cnfzip-desktop-'));
  for (const name of ['kodim23.cnfz', 'water-32x32.png']) copyFileSync(fixture(name), join(home, name));
  copyFileSync(fixture('water-32x32.cnfz'), join(home, 'nameless'));
  writeFileSync(join(home, 'set.cnfa'), writeArchive([]));
  const installed = cnfzip('desktop', 'install');
  expect(installed.stderr).toMatch(/^(.+: .+\n|cnfzip: warning: update-mime-database.*\n)+$/);
  expect(installed.status).toBe(0);
});

afterAll(() => rmSync(home, { recursive: true }));

test('what is there is left alone, unless it is to be replaced', () => {
  const again = cnfzip('desktop', 'install');
  expect(again.stderr.match(/, as it was\n/g)).toHaveLength(4);
  const magic = join(home, '.magic');
  writeFileSync(magic, 'mine');
  const refused = cnfzip('desktop', 'install');
  expect(refused.status).toBe(1);
  expect(refused.stderr).toMatch(/\.magic: it exists already: add to it what cnfzip desktop show magic prints/);
  expect(readFileSync(magic, 'utf8')).toBe('mine');
  expect(cnfzip('desktop', 'install', '-f').status).toBe(0);
  expect(readFileSync(magic, 'utf8')).toBe(cnfzip('desktop', 'show', 'magic').stdout);
});

test('thumbnails are as large as they should be, and show the image', async () => {
  expect(cnfzip('desktop', 'thumbnail', '--size', '96', 'kodim23.cnfz', 't.png')).toMatchObject({
    status: 0,
    stderr: '',
  });
  const small = await readImage(join(home, 't.png'));
  expect(small).toMatchObject({ width: 96, height: 64, channels: 3 });
  // Its mean is the image's.
  const mean = ({ samples }: Image) => Array.from(samples).reduce((sum, sample) => sum + sample, 0) / samples.length;
  expect(mean(small)).toBeCloseTo(mean(await readImage(fixture('kodim23.png'))), -0.7);
  // No more of the file is read than it needs.
  writeFileSync(join(home, 'cut.cnfz'), readFileSync(join(home, 'kodim23.cnfz')).subarray(0, 40_000));
  expect(cnfzip('desktop', 'thumbnail', '--size', '96', 'cut.cnfz', 'cut.png').status).toBe(0);
  expect(readFileSync(join(home, 'cut.png'))).toEqual(readFileSync(join(home, 't.png')));
  const wrong = cnfzip('desktop', 'thumbnail', 'water-32x32.png', 'x.png');
  expect(wrong).toMatchObject({ status: 1, stderr: 'cnfzip: water-32x32.png: not a cnfz file\n' });
});

test('thumbnails of one colour are of that colour, whatever the kind of image', async () => {
  const shownBy = async (image: Image) => {
    writeFileSync(join(home, 'one.cnfz'), await encode(image, { model: 'fast' }));
    return decodePng(await thumbnail(join(home, 'one.cnfz'), 16, {}));
  };
  const kinds: [Channels, number][] = [
    [1, 255],
    [2, 255],
    [3, 1023],
    [4, 65535],
  ];
  for (const [channels, maxval] of kinds) {
    const samples = new (maxval > 255 ? Uint16Array : Uint8Array)(70 * 30 * channels).fill(maxval);
    // Transparent pixels of another colour do not show.
    if (channels % 2 === 0) samples.fill(0, 0, 7 * channels);
    const { width, height, samples: shown } = await shownBy({ width: 70, height: 30, channels, maxval, samples });
    expect([width, height]).toEqual([16, 7]);
    const colours = shown.filter((_, i) => channels % 2 === 1 || i % channels < channels - 1);
    const white = colours.filter((sample) => sample === 255).length;
    expect(white).toBeGreaterThanOrEqual(colours.length - 2 * channels);
  }
  // An image that is small already is not enlarged.
  writeFileSync(
    join(home, 'one.cnfz'),
    await encode({ width: 5, height: 3, channels: 1, samples: new Uint8Array(15) }),
  );
  cnfzip('desktop', 'thumbnail', 'one.cnfz', 'one.png');
  expect(await readImage(join(home, 'one.png'))).toMatchObject({ width: 5, height: 3 });
});

test.skipIf(!FILE)('file recognizes images and archives', () => {
  expect(run('file', '-b', 'kodim23.cnfz').stdout).toMatch(/^cnfzip image, format version \d+\n$/);
  expect(run('file', '-b', '--mime-type', 'nameless').stdout).toBe('image/x-cnfz\n');
  expect(run('file', '-b', 'set.cnfa').stdout).toBe('cnfzip archive of images, version 3\n');
  expect(run('file', '-b', 'water-32x32.png').stdout).toMatch(/^PNG image data/);
});

test.skipIf(!GIO)('file managers know the type, by name and by contents', () => {
  const typeOf = (name: string) => run('gio', 'info', '-a', 'standard::content-type', name).stdout;
  for (const name of ['kodim23.cnfz', 'nameless'])
    expect(typeOf(name)).toContain('standard::content-type: image/x-cnfz');
  expect(typeOf('set.cnfa')).toContain('application/x-cnfzip-archive');
  expect(typeOf('water-32x32.png')).toContain('image/png');
});

test.skipIf(!MAGICK)(
  'ImageMagick reads and writes',
  async () => {
    expect(run(MAGICK!, 'water-32x32.png', 'by-magick.cnfz')).toMatchObject({ status: 0, stderr: '' });
    expect(cnfzip('decompress', '-q', 'by-magick.cnfz', '-o', 'back.png').status).toBe(0);
    const { samples } = await readImage(fixture('water-32x32.png'));
    expect((await readImage(join(home, 'back.png'))).samples).toEqual(samples);
    expect(run(MAGICK!, 'cnfz:nameless', 'png24:read.png')).toMatchObject({ status: 0, stderr: '' });
    expect((await readImage(join(home, 'read.png'))).samples).toEqual(samples);
  },
  120_000,
);

test.skipIf(!TUMBLER)(
  'Tumbler, which makes the thumbnails of Xfce, makes one',
  async () => {
    const cache = join(home, '.cache');
    mkdirSync(cache, { recursive: true });
    const service =
      '--dest org.freedesktop.thumbnails.Thumbnailer1 --object-path /org/freedesktop/thumbnails/Thumbnailer1';
    const queue = `gdbus call --session ${service} --method org.freedesktop.thumbnails.Thumbnailer1.Queue`;
    const uri = pathToFileURL(join(home, 'kodim23.cnfz')).href;
    const script = `export XDG_CACHE_HOME='${cache}'
${TUMBLER} & tumbler=$!
for i in $(seq 50); do ${queue} "['${uri}']" "['image/x-cnfz']" normal default 0 && break; sleep 0.2; done
for i in $(seq 300); do find '${cache}' -name '*.png' -exec tail -c 12 {} + | grep -aq IEND && break; sleep 0.2; done
kill $tumbler`;
    run('dbus-run-session', '--', 'sh', '-c', script);
    const [made] = readdirSync(cache, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.png'));
    expect(await readImage(join(cache, made))).toMatchObject({ width: 128, height: 85 });
  },
  120_000,
);
