/** An image as its file holds it: 8-bit samples, row by row, the channels of a pixel side by side. */
export interface Image {
  readonly width: number;
  readonly height: number;
  /** 1: gray. 3: red, green, blue. */
  readonly channels: 1 | 3;
  /** `height * width * channels` samples, 0 .. 255. */
  readonly samples: Uint8Array;
}
