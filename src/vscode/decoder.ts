/** A worker of the editor's page. */
import { type Model, parseModel } from '../../codec/flow/model.js';
import { provideWebp } from '../../codec/layers/webp.js';
import { type OpenedImage, openImage } from '../../codec/open.js';
import type { ViewOptions } from '../../codec/view.js';
import { picture } from '../web/picture.js';

/** What a worker has to know first. */
export interface Start {
  readonly bytes: Uint8Array;
  /** Files of the models that are needed. */
  readonly models: readonly Uint8Array[];
  /** libwebp's decoder. */
  readonly webp: Uint8Array<ArrayBuffer>;
}

export type Answer = { readonly picture: ImageData } | { readonly failure: string };

let opened: Promise<{ file: OpenedImage; models: Model[] }>;

globalThis.onmessage = async ({ data }: MessageEvent<Start | ViewOptions>) => {
  if ('bytes' in data) {
    opened = open(data);
    return;
  }
  try {
    const { file, models } = await opened;
    const shown = picture(await file.decode(models, data));
    tell({ picture: shown }, [shown.data.buffer]);
  } catch (error) {
    tell({ failure: (error as Error).message });
  }
};

async function open({ bytes, models, webp }: Start): Promise<{ file: OpenedImage; models: Model[] }> {
  const module = () => WebAssembly.compile(webp);
  provideWebp({ decoder: module, encoder: module });
  return { file: await openImage(bytes), models: await Promise.all(models.map(parseModel)) };
}

function tell(answer: Answer, transfer: Transferable[] = []): void {
  globalThis.postMessage(answer, { transfer });
}
