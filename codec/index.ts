/**
 * The codec by itself: no file system, no threads, nothing of Node, so that it also runs in browsers.
 *
 * @module cnfzip/codec
 */

export type { ModelDefinition } from '../models/definition.js';
export { decodeImage, encodeImage } from './codec.js';
export type { CoderOf, CodingOptions, Effort, EncodingOptions, TileCoder } from './coding.js';
export type { Method, TileMethod } from './container/contents.js';
export { CnfzipError, type CnfzipErrorCode } from './error.js';
export type { Learning } from './flow/learning.js';
export { type AdaptationRates, type Flow, type Model, parseModel } from './flow/model.js';
export type { EncodedTile } from './flow/tile-codec.js';
export type { Channels, Image, Metadata } from './image.js';
export { type FileInfo, info, type LayerInfo, type ScaleInfo } from './info.js';
export type { Layer } from './layer.js';
export type { FlowLayer, FlowShape } from './layers/flow-tiles.js';
export { provideWebp, type WebpModules } from './layers/webp.js';
export { type Announced, type DecodeOptions, OpenedImage, openImage, type ScaledImage } from './open.js';
export { httpSource, type Source, streamSource } from './source.js';
export type { Tile } from './tiles.js';
export type { Region, ViewOptions } from './view.js';
