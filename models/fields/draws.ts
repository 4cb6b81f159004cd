/** A source of random numbers. */
export interface Draws {
  /** Standard normal. */
  normal(): number;
  /** Uniform in (0, 1). */
  uniform(): number;
}
