/** `cnfzip/codec` in Node: the codec, and libwebp from its package. */
import './session/webp.js';

export * from '../codec/index.js';
