/** Visual Studio Code: an editor that shows `.cnfz` files. What it shows them with runs in its page, by the codec for browsers. */
import * as vscode from 'vscode';

export function activate(context: vscode.ExtensionContext): void {
  const media = vscode.Uri.joinPath(context.extensionUri, 'media');
  const provider: vscode.CustomReadonlyEditorProvider = {
    openCustomDocument: (uri) => ({ uri, dispose: () => {} }),
    resolveCustomEditor: ({ uri }, { webview }) => {
      webview.options = { enableScripts: true, localResourceRoots: [media] };
      webview.onDidReceiveMessage(async () => webview.postMessage(await read(uri)));
      webview.html = pageOf(webview, media);
    },
  };
  const webviewOptions = { retainContextWhenHidden: true };
  context.subscriptions.push(vscode.window.registerCustomEditorProvider('cnfzip.image', provider, { webviewOptions }));
}

/** What the page is given when it asks. */
export type Given = { readonly bytes: Uint8Array } | { readonly failure: string };

async function read(uri: vscode.Uri): Promise<Given> {
  try {
    return { bytes: await vscode.workspace.fs.readFile(uri) };
  } catch (error) {
    return { failure: (error as Error).message };
  }
}

function pageOf(webview: vscode.Webview, media: vscode.Uri): string {
  const from = webview.cspSource;
  const rules = [
    "default-src 'none'",
    `script-src ${from} 'wasm-unsafe-eval'`,
    'worker-src blob:',
    `connect-src ${from}`,
    `style-src ${from}`,
  ];
  const base = webview.asWebviewUri(media);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${rules.join('; ')}">
<link rel="stylesheet" href="${base}/page.css">
<script type="module" src="${base}/page.js"></script>
</head>
<body data-media="${base}/"><p id="facts" role="status">…</p><canvas id="image"></canvas></body>
</html>`;
}
