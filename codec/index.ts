/** The codec by itself: no file system, no threads, nothing of Node, so that it also runs in browsers. */
export { type CodingOptions, decodeImage, encodeImage, type FileInfo, info, type TileCoder } from './codec.js';
export { CnfzipError, type CnfzipErrorCode } from './error.js';
export type { Image } from './image.js';
export { type Model, parseModel } from './model.js';
export type { EncodedTile } from './tile-codec.js';
export type { Tile } from './tiles.js';
