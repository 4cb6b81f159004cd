/**
 * What of a model goes on learning while it codes a tile: none of it; its heads, with the vector field and a correction of their
 * locations; each pass's last block, too, from few of its sites (`sparse`) or from all of them (`blocks`). Each takes longer than the
 * one before, and codes larger tiles shorter. Files name it by its place among them.
 */
export type Learning = 'none' | 'heads' | 'sparse' | 'blocks';
export const LEARNING: readonly Learning[] = ['none', 'heads', 'sparse', 'blocks'];

/** What learns unless something else is asked for. */
export const USUAL_LEARNING: Learning = 'heads';
