/** Version of the file's layout. The flat decoder reads it, too. */
export const FORMAT_VERSION = 7;
