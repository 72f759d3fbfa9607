import type { Route } from '../app.ts';
import { escapeHtml, page } from './page.ts';

interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly { name: string; in: string; required?: boolean; description?: string }[];
  readonly requestBody?: unknown;
  readonly responses?: Readonly<Record<string, unknown>>;
}

/** The OpenAPI document, and the same as a page that needs neither scripts nor the internet. */
export const docs: Route = (app) => {
  app.get('/api/v1/openapi.json', { config: { auth: 'nobody' }, schema: { hide: true } }, async () => app.swagger());

  let html: string | undefined;
  app.get('/docs', { config: { auth: 'nobody' }, schema: { hide: true } }, async (_request, reply) => {
    html ??= render(app.swagger() as { paths?: Record<string, Record<string, Operation>> });
    return reply.type('text/html; charset=utf-8').send(html);
  });
};

function render(document: { paths?: Record<string, Record<string, Operation>> }): string {
  const byTag = new Map<string, string[]>();
  for (const [path, methods] of Object.entries(document.paths ?? {})) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? 'other';
      byTag.set(tag, [...(byTag.get(tag) ?? []), renderOperation(method, path, operation)]);
    }
  }
  const body = [...byTag]
    .map(([tag, operations]) => `<h2>${escapeHtml(tag)}</h2>\n${operations.join('\n')}`)
    .join('\n');
  return page({
    title: 'The API of Loam',
    text: 'REST with JSON. Programs send `authorization: Bearer loam_…`. Errors are problem documents with a stable code. The document itself: /api/v1/openapi.json',
    body,
  });
}

function renderOperation(method: string, path: string, operation: Operation): string {
  const parameters = (operation.parameters ?? [])
    .map(
      (parameter) =>
        `<li><code>${escapeHtml(parameter.name)}</code> (${escapeHtml(parameter.in)}) ${escapeHtml(parameter.description ?? '')}</li>`,
    )
    .join('');
  const schemas: [string, unknown][] = [
    ...(operation.requestBody === undefined ? [] : [['Body', operation.requestBody] as [string, unknown]]),
    ...Object.entries(operation.responses ?? {}).filter(([status]) => /^2\d\d$/.test(status)),
  ];
  return `<details><summary><code><span class="method">${method.toUpperCase()}</span> ${escapeHtml(path)}</code> ${escapeHtml(operation.summary ?? '')}</summary>
<p>${escapeHtml(operation.description ?? '')}</p>
${parameters === '' ? '' : `<ul>${parameters}</ul>`}
${schemas.map(([name, schema]) => `<p>${escapeHtml(name)}</p><pre>${escapeHtml(JSON.stringify(schema, null, 1))}</pre>`).join('\n')}
</details>`;
}
