/** What the codec needs of the engine and the machine that it runs on. */
import { CnfzipError } from './error.js';

/** @throws {CnfzipError} `unsupported` if there is no WebAssembly, or another byte order than WebAssembly's */
export function checkHost(): void {
  const missing = (what: string) => new CnfzipError('unsupported', `cnfzip cannot run here: ${what}`);
  if (typeof WebAssembly === 'undefined')
    throw missing('this JavaScript engine has no WebAssembly, or it is turned off');
  // Typed arrays share the kernels' memory, which is little-endian everywhere.
  if (new Uint8Array(Uint16Array.of(1).buffer)[0] !== 1) throw missing('this machine is not little-endian');
}
