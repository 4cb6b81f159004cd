/** Files as their fields, which a forger chooses as he likes: numbers, bytes, and lists of fields. */
import { varint } from '../../codec/container/bytes.js';
import { deflate } from '../../codec/container/deflate.js';
import { mutate } from './mutate.js';
import { randomBytes } from './random-bytes.js';

export type Field = NumberField | BytesField | ListField;

interface NumberField {
  readonly name: string;
  readonly form: 'byte' | 'uint32' | 'varint';
  value: number;
}

interface BytesField {
  readonly name: string;
  readonly form: 'bytes';
  value: Uint8Array;
}

/** Fields one behind the other: as they are, behind their length, deflated, or deflated behind their length before that. */
interface ListField {
  readonly name: string;
  readonly form: 'list' | 'measured' | 'deflated' | 'packed';
  readonly fields: Field[];
  /** Told as length instead of the truth. */
  claimed?: number;
}

export const number = (name: string, form: NumberField['form'], value: number): Field => ({ name, form, value });
export const bytes = (name: string, value: ArrayLike<number>): Field => {
  return { name, form: 'bytes', value: Uint8Array.from(value) };
};
export const list = (name: string, form: ListField['form'], ...fields: Field[]): Field => ({ name, form, fields });

export function bytesOf(field: Field): Uint8Array {
  switch (field.form) {
    case 'byte':
      return Uint8Array.of(field.value);
    case 'uint32':
      return Uint8Array.of(field.value, field.value >>> 8, field.value >>> 16, field.value >>> 24);
    case 'varint':
      return Uint8Array.from(varint(field.value));
    case 'bytes':
      return field.value;
  }
  const { form, fields, claimed } = field;
  const plain = Buffer.concat(fields.map(bytesOf));
  const contents = form === 'deflated' || form === 'packed' ? deflate(plain) : plain;
  return form === 'measured' || form === 'packed'
    ? Buffer.concat([Uint8Array.from(varint(claimed ?? plain.length)), contents])
    : contents;
}

/** Changes some field among these or within them, in one of the ways that there are. */
export function forgeOnce(fields: Field[], others: Field[], random: (below: number) => number): void {
  const places = placesIn(fields);
  // All that there was may be gone already.
  if (places.length === 0) return;
  const { among, at } = places[random(places.length)];
  switch (random(9)) {
    case 0:
      among.splice(at, 1);
      return;
    case 1:
      among.splice(at, 0, structuredClone(among[at]));
      return;
    case 2:
      among.splice(at, 2, ...among.slice(at, at + 2).reverse());
      return;
    case 3:
      among.splice(at + 1, 0, bytes('more', randomBytes(1 + random(5), random(1 << 30))));
      return;
    case 4:
      // What is no number in its shortest form, or none at all.
      among[at] = bytes('rubbish', [[], [0x80, 0], [255, 255, 255, 255, 255], [0]][random(4)]);
      return;
    case 5:
    case 6: {
      const same = placesIn(others).filter((place) => place.among[place.at].name === among[at].name);
      if (same.length === 0) return;
      const from = same[random(same.length)];
      among[at] = structuredClone(from.among[from.at]);
      return;
    }
    default:
      changeValue(among[at], random);
  }
}

const MOST = { byte: 2 ** 8 - 1, uint32: 2 ** 32 - 1, varint: 2 ** 35 - 1 };

function changeValue(field: Field, random: (below: number) => number): void {
  if (field.form === 'bytes') {
    field.value = mutate(field.value, field.value, random(1 << 30));
  } else if ('value' in field) {
    field.value = otherNumber(field.value, MOST[field.form], random);
  } else {
    field.claimed = otherNumber(Buffer.concat(field.fields.map(bytesOf)).length, MOST.varint, random);
  }
}

/** A number near this one, or at an end of some range. */
function otherNumber(value: number, most: number, random: (below: number) => number): number {
  const near = [value - 1, value + 1, 2 * value, value ^ (1 << random(31)), value + random(300)];
  const ends = [0, 1, 2, 3, 127, 128, 255, 256, 65535, 65536, 65537, 2 ** 14, 2 ** 24, 2 ** 28, 2 ** 32 - 1, most];
  const all = [...near, ...near, ...ends];
  return Math.min(most, Math.abs(all[random(all.length)]));
}

/** Where fields stand, those within others as well. */
function placesIn(fields: Field[]): { among: Field[]; at: number }[] {
  return fields.flatMap((field, at) => [{ among: fields, at }, ...('fields' in field ? placesIn(field.fields) : [])]);
}
