import { defineErrors } from './define.ts';

export const backendErrors = defineErrors({});
