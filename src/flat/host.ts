/**
 * The flat decoder in JavaScript: all that a program of any language does to decode `.cnfz` files by `cnfzip.wasm`. It imports nothing,
 * so that it shows what other hosts must do; docs/embedding.md tells of them.
 */

/** A rectangle, in pixels of the whole image. */
export interface FlatRegion {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** What a file tells before its samples. */
export interface FlatInfo {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly maxval: number;
  /** Red, green, blue of the colours that the samples are indexes of; empty if they are none. */
  readonly palette: Uint8Array;
  /** Chunks of a PNG; `place`: 0 start, 1 after the palette, 2 end. */
  readonly metadata: readonly { readonly type: string; readonly place: number; readonly data: Uint8Array }[];
  /** Names of the models that the file needs: the first 8 bytes of the SHA-256 of each one's file, in hexadecimal digits. */
  readonly models: readonly string[];
  /** So many of the file's first bytes decode to 1, 1/2, 1/4 ... */
  readonly bytesForScales: readonly number[];
}

export interface FlatImage {
  readonly width: number;
  readonly height: number;
  /** Row by row, channels of a pixel side by side. */
  readonly samples: Uint8Array | Uint16Array;
}

/** The decoder's refusal: what `errorText` says. */
export class FlatError extends Error {
  override readonly name = 'FlatError';
  constructor(
    /** `errorCode`: 1 bad input, 2 unsupported, 3 corrupt, 4 unknown model, 5 bad model, 6 usage. */
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

type Exports = Record<string, (...numbers: number[]) => number>;

/** One instance of `cnfzip.wasm`, with the models that it was given. */
export class FlatDecoder {
  readonly #run: Exports;
  readonly #memory: WebAssembly.Memory;

  /**
   * @param module the bytes of `cnfzip.wasm`
   * @param options.maxMemory bytes that it may take in all
   */
  static async create(module: BufferSource, { maxMemory = 0 } = {}): Promise<FlatDecoder> {
    const { instance } = await WebAssembly.instantiate(module);
    const decoder = new FlatDecoder(instance);
    decoder.#run.limitMemory(maxMemory);
    return decoder;
  }

  private constructor({ exports }: WebAssembly.Instance) {
    this.#run = exports as Exports;
    this.#memory = exports.memory as WebAssembly.Memory;
  }

  /** @param file the bytes of a `.cnfm` file */
  addModel(file: Uint8Array): void {
    this.#give(file);
    this.#check(this.#run.addModel());
  }

  /** @param file a `.cnfz` file, or as many of its first bytes as the scale needs that is to be decoded */
  open(file: Uint8Array): FlatInfo {
    const run = this.#run;
    this.#give(file);
    this.#check(run.open());
    const hex = (at: number) => Array.from(this.#bytes(at, 8), (byte) => byte.toString(16).padStart(2, '0')).join('');
    return {
      width: run.width(),
      height: run.height(),
      channels: run.channels(),
      maxval: run.maxval(),
      palette: this.#bytes(run.palette(), 3 * run.paletteColours()),
      metadata: Array.from({ length: run.pieceCount() }, (_, i) => ({
        type: String.fromCharCode(...this.#bytes(run.pieceType(i), 4)),
        place: run.piecePlace(i),
        data: this.#bytes(run.piece(i), run.pieceBytes(i)),
      })),
      models: [0, 1].flatMap((layer) => (run.modelName(layer) ? [hex(run.modelName(layer))] : [])),
      bytesForScales: Array.from({ length: run.scales() + 1 }, (_, level) => run.bytesForScale(level)),
    };
  }

  /**
   * Decodes the open file.
   *
   * @param level of the region come the rows and columns that are multiples of 2^level
   * @param region without it the whole image
   */
  decode(level = 0, region?: FlatRegion): FlatImage {
    const run = this.#run;
    const { x, y, width, height } = region ?? { x: 0, y: 0, width: run.width(), height: run.height() };
    this.#check(run.decode(level, x, y, width, height));
    const bytes = this.#bytes(run.samples(), run.samplesBytes());
    const samples = run.sampleBytes() === 2 ? new Uint16Array(bytes.buffer) : bytes;
    return { width: run.shownWidth(), height: run.shownHeight(), samples };
  }

  #give(file: Uint8Array): void {
    const room = this.#run.room(file.length) >>> 0;
    this.#check(room);
    new Uint8Array(this.#memory.buffer).set(file, room);
  }

  /** A copy of bytes of the module's memory. */
  #bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.#memory.buffer, at >>> 0, length >>> 0).slice();
  }

  #check(isGood: number): void {
    if (isGood) return;
    const text = this.#bytes(this.#run.errorText(), this.#run.errorBytes());
    throw new FlatError(this.#run.errorCode(), String.fromCharCode(...text));
  }
}
