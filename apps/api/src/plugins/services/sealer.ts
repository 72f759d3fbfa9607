import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';

import { LoamError } from '@loam/base';

/** Encrypts what must not lie in the database as it is. */
export interface Sealer {
  seal(plain: Uint8Array, purpose: string): Uint8Array;
  /** `purpose` must be the one it was sealed for, so that a value moved to another row cannot be opened. */
  open(sealed: Uint8Array, purpose: string): Uint8Array;
}

const ivBytes = 12;
const tagBytes = 16;

/** AES-256-GCM under the key in `keyFile`, which is made, readable by its owner alone, when it is missing. */
export async function openSealer(keyFile: string): Promise<Sealer> {
  const key = await readOrMakeKey(keyFile);
  return {
    seal(plain, purpose) {
      const iv = randomBytes(ivBytes);
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(purpose));
      const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
      return Buffer.concat([iv, cipher.getAuthTag(), sealed]);
    },
    open(sealed, purpose) {
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, ivBytes)).setAAD(Buffer.from(purpose));
      decipher.setAuthTag(sealed.subarray(ivBytes, ivBytes + tagBytes));
      return Buffer.concat([decipher.update(sealed.subarray(ivBytes + tagBytes)), decipher.final()]);
    },
  };
}

async function readOrMakeKey(file: string): Promise<Buffer> {
  try {
    const handle = await open(file, 'wx', 0o600);
    try {
      const key = randomBytes(32);
      await handle.writeFile(key);
      await handle.sync();
      return key;
    } finally {
      await handle.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const key = await readFile(file);
  if (key.length !== 32) {
    throw LoamError.of('api.config-invalid', { name: file, reason: 'it is not a key of 32 bytes' });
  }
  return key;
}
