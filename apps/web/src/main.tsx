import './styles/tokens.css';
import './styles/base.css';
import './styles/components.css';
import './styles/shell.css';

import { isLoamError } from '@loam/base';
import { MutationCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { showError } from './components/toasts.tsx';
import { router } from './routes.tsx';

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2000,
      // Only a farm that cannot be reached is worth asking again at once; a refusal stays a refusal.
      retry: (failures, error) => failures < 2 && isLoamError(error, 'cli.api-unreachable', 'cli.api-answer'),
    },
  },
  mutationCache: new MutationCache({
    onError: (error, _variables, _result, mutation) => {
      if (mutation.meta?.['quiet'] !== true) showError(error);
    },
  }),
});

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
