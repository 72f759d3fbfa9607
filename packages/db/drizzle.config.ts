import { defineConfig } from 'drizzle-kit';

/** `drizzle-kit generate` after a change of the schema writes the next migration; commit both. */
export default defineConfig({
  dialect: 'postgresql',
  schema: './src/schema/index.ts',
  out: './migrations',
  casing: 'snake_case',
});
