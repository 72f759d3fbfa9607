/**
 * fast-check for vitest: property tests draw the same examples in every run, so that what is red is so for a change, and not by
 * chance. `LOAM_TEST_SEED` draws others.
 */
import fc from '../../node_modules/fast-check/lib/fast-check.js';

fc.configureGlobal({ seed: Number(process.env.LOAM_TEST_SEED ?? 20_261_123) });

export * from '../../node_modules/fast-check/lib/fast-check.js';
export default fc;
