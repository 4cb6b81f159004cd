/** Version of the arithmetic: changes whenever the kernels compute any coded value differently. The flat decoder reads it, too. */
export const KERNEL_VERSION = 10;
