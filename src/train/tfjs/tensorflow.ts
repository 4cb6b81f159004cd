/** The TensorFlow.js namespace: that of `@tensorflow/tfjs-core`, or of a package that brings its own copy of it. */
export type TensorFlow = typeof import('@tensorflow/tfjs-core');
