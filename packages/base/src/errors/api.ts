import { defineErrors } from './define.ts';

export const apiErrors = defineErrors({});
