/** Version of model files. The flat decoder reads it, too. */
export const MODEL_VERSION = 7;
