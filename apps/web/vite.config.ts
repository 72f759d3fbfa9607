import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const api = process.env['LOAM_API'] ?? 'http://127.0.0.1:7700';

export default defineConfig({
  plugins: [react()],
  // Login links are the API's, too; `/log-in` is a page of ours.
  server: { port: 7701, strictPort: true, proxy: { '/api': { target: api, ws: true }, '^/login\\b': api } },
  build: {
    target: 'es2023',
    // A data: URL for a small asset would need an exception in the content security policy.
    assetsInlineLimit: 0,
    rolldownOptions: {
      // The workspace's rooms declare and never act on import; without this, schemas that only the server uses stay in.
      treeshake: { moduleSideEffects: (id: string) => !/\/packages\/[a-z]+\/src\/|\/typebox\//.test(id) },
    },
  },
});
