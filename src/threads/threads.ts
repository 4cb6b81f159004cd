/** Threads that each make one call at a time, and wait for the next. */
import { parentPort, type Worker, type WorkerOptions } from 'node:worker_threads';
import { type Failure, toError, toFailure } from './failure.js';
import { startThread } from './thread.js';

/** What a thread tells of its call: the part of it that is done, and at last how it ended. */
type Report<Result> = { readonly progress: number } | { readonly result: Result } | { readonly failure: Failure };

export type Progress = (fraction: number) => void;

export interface CallOptions {
  /** Memory of the call that becomes the thread's. */
  readonly transfer?: ArrayBuffer[];
  readonly onProgress?: Progress;
  /** Ends the thread at once, whatever it does; the promise is rejected with its reason. */
  readonly signal?: AbortSignal;
}

interface Job<Call, Result> extends CallOptions {
  readonly call: Call;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/** Threads of one module, which `serve`s. They are started when they are needed, and idle ones keep no process from ending. */
export class Threads<Call, Result> {
  /** Those that run, and what each does. */
  readonly #jobs = new Map<Worker, Job<Call, Result> | undefined>();
  readonly #waiting: Job<Call, Result>[] = [];

  /**
   * @param most threads at once; further calls wait
   * @param options of each thread
   */
  constructor(
    readonly module: URL,
    readonly most: number,
    readonly options: WorkerOptions = {},
  ) {}

  /** Makes a call; it is rejected, and its thread ended, if `onProgress` throws. */
  run(call: Call, options: CallOptions = {}): Promise<Result> {
    // Many calls may share the caller's signal, on which a listener of each would be taken for a leak.
    const signal = options.signal && AbortSignal.any([options.signal]);
    return new Promise<Result>((resolve, reject) => {
      signal?.throwIfAborted();
      const stop = () => this.#fail(job, signal?.reason);
      const ended = () => signal?.removeEventListener('abort', stop);
      const job: Job<Call, Result> = {
        ...options,
        call,
        resolve: (result) => {
          ended();
          resolve(result);
        },
        reject: (error) => {
          ended();
          reject(error);
        },
      };
      signal?.addEventListener('abort', stop);
      this.#waiting.push(job);
      this.#next();
    });
  }

  /**
   * Ends the threads; calls that wait or are under way are rejected. Later calls start others.
   *
   * @param reason what they are rejected with
   */
  async close(reason: unknown = new Error('the threads are closed')): Promise<void> {
    const jobs = [...this.#waiting.splice(0), ...this.#jobs.values()];
    const ends = [...this.#jobs.keys()].map((worker) => worker.terminate());
    this.#jobs.clear();
    for (const job of jobs) job?.reject(reason);
    await Promise.all(ends);
  }

  /** Begins what waits, as far as there are threads. */
  #next(): void {
    while (this.#waiting.length > 0) {
      const worker = this.#idle();
      if (!worker) return;
      const job = this.#waiting.shift()!;
      this.#jobs.set(worker, job);
      worker.ref();
      try {
        worker.postMessage(job.call, job.transfer);
      } catch (error) {
        this.#end(worker, error);
      }
    }
  }

  #idle(): Worker | undefined {
    for (const [worker, job] of this.#jobs) if (!job) return worker;
    return this.#jobs.size < this.most ? this.#start() : undefined;
  }

  #start(): Worker {
    const worker = startThread(this.module, this.options);
    this.#jobs.set(worker, undefined);
    worker.on('message', (report: Report<Result>) => this.#hear(worker, report));
    worker.on('error', (error) => this.#end(worker, error));
    worker.on('exit', () => this.#end(worker, new Error('a thread ended too early')));
    return worker;
  }

  #hear(worker: Worker, report: Report<Result>): void {
    const job = this.#jobs.get(worker);
    // It was ended meanwhile.
    if (!job) return;
    if ('progress' in report) {
      try {
        job.onProgress?.(report.progress);
      } catch (error) {
        this.#end(worker, error);
      }
      return;
    }
    this.#jobs.set(worker, undefined);
    worker.unref();
    if ('result' in report) job.resolve(report.result);
    else job.reject(toError(report.failure));
    this.#next();
  }

  #fail(job: Job<Call, Result>, reason: unknown): void {
    const [worker] = [...this.#jobs].find(([, its]) => its === job) ?? [];
    if (worker) this.#end(worker, reason);
    else {
      this.#waiting.splice(this.#waiting.indexOf(job), 1);
      job.reject(reason);
    }
  }

  /** The caller need not wait for the thread's end: a read from a device may hold that up. */
  #end(worker: Worker, reason: unknown): void {
    const job = this.#jobs.get(worker);
    if (!this.#jobs.delete(worker)) return;
    void worker.terminate();
    job?.reject(reason);
    this.#next();
  }
}

/** What a thread's module does: makes the calls that come. What `work` gives of its result becomes the caller's. */
export function serve<Call, Result>(
  work: (call: Call, onProgress: Progress) => Promise<{ result: Result; given?: ArrayBufferLike }>,
): void {
  const tell = (report: Report<Result>, given: ArrayBuffer[] = []) => parentPort!.postMessage(report, given);
  parentPort!.on('message', async (call: Call) => {
    try {
      const { result, given } = await work(call, (progress) => tell({ progress }));
      tell({ result }, given ? [given as ArrayBuffer] : []);
    } catch (error) {
      tell({ failure: toFailure(error) });
    }
  });
}
