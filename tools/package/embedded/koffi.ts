import { dirname } from 'node:path';
import { getRawAsset } from 'node:sea';

import { unpackNative } from './unpack-native.ts';

/**
 * What `import('koffi')` gives in the single executable: koffi's native part, which has the same functions. Its own loader
 * looks for files in node_modules.
 */
const native: { exports: Record<string, unknown> } = { exports: {} };
process.dlopen(native, unpackNative(Buffer.from(getRawAsset('koffi.node') as ArrayBuffer), dirname(process.execPath)));
// oxlint-disable-next-line import/no-default-export -- koffi has one
export default native.exports;
