/**
 * Import direction: an arrow may only point down (ARCHITECTURE.md). Each rule names the room, what it may import, and why.
 * `packages/testkit` and a room's `testsuite` and `testing` folders are for *.test.ts and for suites only.
 */
const rooms = {
  base: { may: [], because: 'everything stands on it' },
  spec: { may: [], because: 'it runs in the browser, the CLI and the agent: a value in, a value out' },
  contracts: { may: ['base'], because: 'both ends compile against it; it is the promise, not an implementation' },
  files: { may: [], because: 'it is what a file system does, for whoever writes files' },
  context: { may: ['base', 'files'], because: 'it walks a folder and knows nothing of builds' },
  backend: { may: ['base'], because: 'it holds the ports and their suites only' },
  engine: {
    may: ['base', 'spec', 'backend', 'context'],
    because: 'it is tested with the in-memory ports and must stay host-free',
  },
  containerd: { may: ['base'], because: 'it is a client for a daemon, useful alone' },
  'containerd-model': {
    may: ['base', 'backend', 'containerd'],
    because:
      'it is a server for tests: the protocol of the client, and the shell of the in-memory double as its program',
  },
  'backend-containerd': {
    may: ['base', 'backend', 'containerd', 'files'],
    because: 'a backend is a leaf; only the agent chooses one',
  },
  db: { may: [], because: 'rows are private; presenters in the API publish them' },
  queue: { may: ['base'], because: 'jobs carry ids, handlers load what they need' },
  logs: { may: ['base'], because: 'it stores bytes and knows nothing of builds' },
  daemon: { may: ['base'], because: 'it is what every daemon needs, whatever it does' },
  'postgres-server': { may: [], because: 'it runs a server and knows no row' },
  testkit: { may: ['postgres-server'], because: 'it starts real services and knows no room' },
};
const apps = {
  api: {
    may: ['base', 'spec', 'contracts', 'db', 'queue', 'logs', 'daemon', 'postgres-server'],
    because: 'only the API knows the database and the queue, and it never runs a build',
  },
  web: { may: ['base', 'spec', 'contracts'], because: 'it is bundled for the browser' },
  agent: {
    may: [
      'base',
      'spec',
      'contracts',
      'files',
      'context',
      'engine',
      'backend',
      'backend-containerd',
      'containerd',
      'daemon',
    ],
    because: 'a build host holds no database or queue credentials',
  },
  cli: { may: ['base', 'spec', 'contracts', 'context', 'files'], because: 'it is a thin client' },
};
const isTest = '\\.(test|lane)\\.tsx?$|/testsuite/|/e2e/|/bench/|/testing/';

function rule(kind, name, { may, because }) {
  const allowed = [name, ...may].map((room) => `packages/${room}/`);
  if (kind === 'apps') allowed.push(`apps/${name}/`);
  return {
    name: `${kind}-${name}-imports-down`,
    comment: because,
    severity: 'error',
    from: { path: `^${kind}/${name}/`, pathNot: isTest },
    to: { path: '^(apps|packages)/', pathNot: `^(${allowed.join('|')})` },
  };
}

module.exports = {
  forbidden: [
    ...Object.entries(rooms).map(([name, room]) => rule('packages', name, room)),
    ...Object.entries(apps).map(([name, room]) => rule('apps', name, room)),
    {
      name: 'no-app-from-a-package',
      comment: 'packages stand below apps',
      severity: 'error',
      from: { path: '^packages/' },
      to: { path: '^apps/' },
    },
    {
      name: 'browser-safe-rooms-know-no-node',
      comment: 'spec, contracts, base and web run in the browser',
      severity: 'error',
      from: { path: '^(packages/(spec|contracts|base)|apps/web/src)/', pathNot: isTest },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'contracts-know-no-server',
      comment: 'the promise must not depend on how it is kept',
      severity: 'error',
      from: { path: '^packages/contracts/' },
      to: { path: 'node_modules/(fastify|drizzle-orm|bullmq|react)' },
    },
    {
      name: 'testkit-is-for-tests',
      comment: 'product code never starts test services',
      severity: 'error',
      from: { path: '^(apps|packages)/', pathNot: `${isTest}|^packages/testkit/` },
      to: { path: '^packages/testkit/' },
    },
    {
      name: 'containerd-model-is-for-tests',
      comment: 'a model proves nothing about Windows, and product code never starts test services',
      severity: 'error',
      from: { path: '^(apps|packages)/', pathNot: `${isTest}|^packages/containerd-model/` },
      to: { path: '^packages/containerd-model/' },
    },
    {
      name: 'no-cycles',
      comment: 'a cycle is one room with two names',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolvable',
      comment: 'what cannot be resolved is not checked either',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|gen)/' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'default'] },
  },
};
