import { createHash } from 'node:crypto';

const style = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 3rem auto; padding: 0 1rem; color: #222; background: #fff; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
pre { background: #f4f3ef; padding: .75rem; overflow-x: auto; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #ddd; }
summary { cursor: pointer; } .method { display: inline-block; min-width: 4.5rem; font-weight: 600; }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #1b1a17; } pre { background: #282620; } }
`;

/** Names the style of these pages in a content security policy, so that it may stand within them. */
export const styleSource: string = `'sha256-${createHash('sha256').update(style).digest('base64')}'`;

/** A page of one message, for the few that are shown before or without the web UI. */
export function page(content: { title: string; text: string; goTo?: string; body?: string }): string {
  const refresh =
    content.goTo === undefined ? '' : `<meta http-equiv="refresh" content="0;url=${escapeHtml(content.goTo)}">`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${refresh}
<title>${escapeHtml(content.title)} · Loam</title>
<style>${style}</style>
</head>
<body>
<h1>${escapeHtml(content.title)}</h1>
<p>${escapeHtml(content.text)}</p>
${content.body ?? ''}
</body>
</html>
`;
}

export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
