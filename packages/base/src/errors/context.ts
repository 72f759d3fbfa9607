import { defineErrors } from './define.ts';

export const contextErrors = defineErrors({});
