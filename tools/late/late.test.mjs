import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { expect, it } from 'vitest';

const late = new URL('late.mjs', import.meta.url).href;

/** What a program says that runs where everything comes late. */
async function say(script) {
  const env = { ...process.env, NODE_OPTIONS: '', LOAM_LATE_SHARE: '0.5', LOAM_LATE_MS: '30' };
  const args = ['--import', late, '--input-type=module', '--eval', script];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env });
  return JSON.parse(stdout);
}

const inOrder = Array.from({ length: 60 }, (_, number) => number);

it('file calls and timers that begin at the same time end in any order, and all of them', async () => {
  const [files, timers] = await say(`
    import { stat } from 'node:fs/promises';
    const files = [], timers = [];
    const numbers = ${JSON.stringify(inOrder)};
    await Promise.all(numbers.map((n) => stat('.').then(() => files.push(n))));
    await Promise.all(numbers.map((n) => new Promise((done) => setTimeout(() => done(timers.push(n)), 1))));
    console.log(JSON.stringify([files, timers]));
  `);
  for (const order of [files, timers]) {
    expect(order).not.toEqual(inOrder);
    expect(order.toSorted((a, b) => a - b)).toEqual(inOrder);
  }
});

it('what a child says comes whole and before its end', async () => {
  const events = await say(`
    import { spawn } from 'node:child_process';
    const all = await Promise.all(Array.from({ length: 10 }, () => new Promise((done) => {
      const child = spawn(process.execPath, ['-e', 'process.stdout.write("x".repeat(300000))']);
      const events = [];
      let length = 0;
      child.stdout.on('data', (bytes) => (length += bytes.length)).on('end', () => events.push(length));
      child.on('exit', (code) => events.push('exit ' + code)).on('close', () => done([...events, 'close']));
    })));
    console.log(JSON.stringify(all));
  `);
  for (const each of events) expect(each.toSorted()).toEqual([300_000, 'close', 'exit 0']);
  for (const each of events) expect(each.at(-1)).toBe('close');
});
