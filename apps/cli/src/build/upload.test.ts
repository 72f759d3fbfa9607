import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';

import { expect, test } from 'vitest';

import { systemClock } from '@loam/base';
import { openLocalContext } from '@loam/context';
import { createClient } from '@loam/contracts';
import { parseSpec } from '@loam/spec';

import { readContext, uploadBlobs } from './upload.ts';

test('only what copies name is looked at, nested builds included, and each blob arrives once with its bytes, small ones together', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'loam-upload-'));
  for (const name of ['app', 'app/.git', 'other']) mkdirSync(join(folder, name));
  const content = {
    'app/one': 'first',
    'app/two': 'first',
    'app/three': 'third',
    'app/.git/x': 'no',
    'other/y': 'no',
    big: 'b'.repeat(3_000_000),
  };
  for (const [path, value] of Object.entries(content)) writeFileSync(join(folder, path), value);

  const received = new Map<string, string>();
  let drops = 1;
  const server = createServer((request, response) => {
    if (drops-- > 0) {
      request.socket.destroy();
      return;
    }
    void buffer(request).then((bytes) => {
      received.set(`${request.method} ${request.url}`, bytes.toString());
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = createClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: 't' });

  const { spec } = parseSpec(`((build b ((from x) (copy (src app) (dst /a) (exclude .git))))
    (from x) (copy (from (build b)) (src other) (dst /o)) (copy (src big) (dst /b)))`);
  const source = openLocalContext(folder, { indexFile: join(folder, 'index.json'), clock: systemClock });
  if (!spec) throw new Error('the spec of this test is wrong');
  const context = await readContext(spec, source);
  expect(context.manifest.entries.map((entry) => entry.path)).toEqual([
    'app',
    'app/one',
    'app/three',
    'app/two',
    'big',
  ]);

  const sent: number[] = [];
  await uploadBlobs(client, source, [...context.files.values()], ({ bytes }) => sent.push(bytes));
  const frames = ['first', 'third'].map(
    (text) => `sha256:${createHash('sha256').update(text).digest('hex')} 5\n${text}`,
  );
  expect(received.get('POST /api/v1/blobs')).toBe(frames.join(''));
  expect([...received.values()].filter((body) => body === content.big)).toHaveLength(1);
  expect(received.size).toBe(2);
  expect(sent.at(-1)).toBe(3_000_010);
  server.close();
  rmSync(folder, { recursive: true });
});
