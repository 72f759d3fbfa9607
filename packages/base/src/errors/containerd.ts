import { defineErrors } from './define.ts';

export const containerdErrors = defineErrors({});
