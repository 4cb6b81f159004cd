/** What a page asks a worker to do, and what the worker tells. */

import type { CodingOptions } from '../../codec/coding.js';
import type { Learning } from '../../codec/flow/learning.js';
import type { Flow } from '../../codec/flow/model.js';
import type { EncodedTile } from '../../codec/flow/tile-codec.js';
import type { Image } from '../../codec/image.js';
import type { FlowLayer, FlowShape } from '../../codec/layers/flow-tiles.js';
import type { ViewOptions } from '../../codec/view.js';
import type { Failure } from '../threads/failure.js';
import type { ColourModel } from './models.js';

/** How an image is compressed; what is left out is as for `encode` of `cnfzip`. */
export interface CompressSettings {
  /** `fast`, `default` or `best`. */
  model?: ColourModel;
  /** Decode the result and compare; true without it. */
  verify?: boolean;
  /** What of the flow goes on learning; `heads` without it. */
  learning?: Learning;
}

/** Threads that code the tiles of one image at once. */
export type Call =
  | {
      readonly kind: 'compress';
      readonly input: Image | Blob;
      readonly settings: CompressSettings;
      readonly threads: number;
    }
  | { readonly kind: 'decode'; readonly input: Blob; readonly view: ViewOptions; readonly threads: number }
  | { readonly kind: 'decompress'; readonly input: Blob; readonly threads: number }
  | { readonly kind: 'read'; readonly input: Blob }
  | { readonly kind: 'flow'; readonly flow: Flow }
  | { readonly kind: 'encode tile'; readonly tile: FlowLayer }
  | { readonly kind: 'decode tile'; readonly payload: Uint8Array; readonly shape: FlowShape; readonly level: number };

/** The results of calls, by their kind. */
export interface Results {
  compress: Uint8Array<ArrayBuffer>;
  decode: Image;
  decompress: ImageFile;
  read: Image;
  flow: undefined;
  'encode tile': EncodedTile;
  'decode tile': FlowLayer['samples'];
}

/** The bytes of an image file. */
export interface ImageFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Its media type. */
  readonly type: string;
  /** With its dot. */
  readonly extension: string;
}

export type Report =
  | { readonly progress: number }
  | { readonly result: Results[Call['kind']] }
  | { readonly failure: Failure };

export type Progress = CodingOptions['onProgress'];
