import type { Command } from 'commander';
import { integer } from './options.js';
import { print, reported } from './report.js';

export function addWeb(program: Command): void {
  program
    .command('web')
    .description('serve a page that compresses images in the browser, to this machine alone')
    .option('--port <n>', 'port of 127.0.0.1; 0 takes a free one', integer(0, 65535), 8377)
    .action(({ port }: { port: number }) =>
      reported('web', {}, async () => {
        const { servePage } = await import('../web/serve.js');
        const server = await servePage(port);
        await print(`http://127.0.0.1:${server.port}/  (Ctrl+C ends)`);
      }),
    );
}
