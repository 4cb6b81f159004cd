/** What a checkpoint remembers of the runs that made it. */

/** One start of the trainer, from the step it began at to the last it reached. */
export interface Run {
  /** The command, folders by their last names only. */
  readonly command: string;
  readonly images: number;
  readonly engine: string;
  readonly fromStep: number;
  toStep: number;
  pixels: number;
  seconds: number;
}

/** A point of the learning curve; bits per sample. */
export interface CurvePoint {
  readonly step: number;
  /** Pixels seen since the first run's start. */
  readonly pixels: number;
  /** Mean since the point before. */
  readonly train: number;
  /** Of the weights' average. */
  readonly heldOut?: number;
}

export interface History {
  readonly runs: Run[];
  readonly curve: CurvePoint[];
}
