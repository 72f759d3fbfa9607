import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Link, Outlet } from '@tanstack/react-router';

import { Shell } from './components/shell.tsx';
import { Toasts } from './components/toasts.tsx';

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
const buildStates = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const;

const root = createRootRoute({
  component: () => (
    <>
      <Outlet />
      <Toasts />
    </>
  ),
  notFoundComponent: NotFound,
});

// Not `/login`: that is the farm's own, where the one-time links lead that it prints.
const login = createRoute({
  getParentRoute: () => root,
  path: '/log-in',
  validateSearch: (search: Record<string, unknown>): { next?: string } => {
    const next = text(search['next']);
    return next ? { next } : {};
  },
  component: lazyRouteComponent(() => import('./screens/login/login-screen.tsx'), 'LoginScreen'),
});

const shell = createRoute({ getParentRoute: () => root, id: 'shell', component: Shell, notFoundComponent: NotFound });

const builds = createRoute({
  getParentRoute: () => shell,
  path: '/',
  validateSearch: (search: Record<string, unknown>) => {
    const state = buildStates.find((known) => known === search['state']);
    const pool = text(search['pool']);
    const find = text(search['search']);
    return { ...(state ? { state } : {}), ...(pool ? { pool } : {}), ...(find ? { search: find } : {}) };
  },
  component: lazyRouteComponent(() => import('./screens/builds/builds-screen.tsx'), 'BuildsScreen'),
});

const submit = createRoute({
  getParentRoute: () => shell,
  path: '/new',
  validateSearch: (search: Record<string, unknown>): { from?: string } => {
    const from = text(search['from']);
    return from ? { from } : {};
  },
  component: lazyRouteComponent(() => import('./screens/new/new-screen.tsx'), 'NewScreen'),
});

const build = createRoute({
  getParentRoute: () => shell,
  path: '/builds/$id',
  component: lazyRouteComponent(() => import('./screens/build/build-screen.tsx'), 'BuildScreen'),
});

const cache = createRoute({
  getParentRoute: () => shell,
  path: '/cache',
  validateSearch: (search: Record<string, unknown>) => {
    const select = text(search['select']);
    const find = text(search['search']);
    return {
      ...(select ? { select } : {}),
      ...(find ? { search: find } : {}),
      ...(search['view'] === 'table' ? { view: 'table' as const } : {}),
    };
  },
  component: lazyRouteComponent(() => import('./screens/cache/cache-screen.tsx'), 'CacheScreen'),
});

const agents = createRoute({
  getParentRoute: () => shell,
  path: '/agents',
  component: lazyRouteComponent(() => import('./screens/agents/agents-screen.tsx'), 'AgentsScreen'),
});

const settings = createRoute({
  getParentRoute: () => shell,
  path: '/settings',
  component: lazyRouteComponent(() => import('./screens/settings/settings-screen.tsx'), 'SettingsScreen'),
});

function NotFound() {
  return (
    <div className="page empty">
      <h1>Nothing here</h1>
      <p>No page has this address. It may have been copied in part.</p>
      <Link to="/" className="button">
        Go to the builds
      </Link>
    </div>
  );
}

export const router = createRouter({
  routeTree: root.addChildren([login, shell.addChildren([builds, submit, build, cache, agents, settings])]),
  defaultPreload: 'intent',
  defaultHashScrollIntoView: false,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
