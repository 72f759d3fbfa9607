/** A reporter for node:test that writes a line of JSON per test, and at the end one that says that it got there. */
export default async function* report(source) {
  for await (const { type, data } of source) {
    if (type === 'test:pass' || type === 'test:fail') {
      // A suite fails with its tests, which say more.
      if (data.details?.type === 'suite' && data.details.error?.failureType !== 'hookFailed') continue;
      const { error } = data.details;
      const outcome = data.skip !== undefined || data.todo !== undefined ? 'skipped' : type.slice(5);
      const why = error && String(error.cause?.stack ?? error.cause ?? error.stack ?? error);
      const ms = Math.round(data.details.duration_ms ?? 0);
      yield `${JSON.stringify({ outcome, name: data.name, ms, why })}\n`;
    } else if (type === 'test:stdout' || type === 'test:stderr') {
      yield `${JSON.stringify({ said: data.message })}\n`;
    }
  }
  yield `${JSON.stringify({ isOver: true })}\n`;
}
