/**
 * What of a model goes on learning while it codes a tile: none of it; its heads, with the vector field and a correction of their
 * locations; or each pass's last block, too. Each takes longer than the one before, and codes larger tiles shorter. Files name it by its
 * place among them.
 */
export type Learning = 'none' | 'heads' | 'blocks';
export const LEARNING: readonly Learning[] = ['none', 'heads', 'blocks'];

/** What learns unless something else is asked for. */
export const USUAL_LEARNING: Learning = 'heads';
