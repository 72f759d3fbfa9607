/** How texts of the API are written: for the schemas as a pattern, and for who made a slip in words, after `must be`. */
export const textForms = {
  digest: { pattern: '^sha256:[0-9a-f]{64}$', words: '"sha256:" and 64 hexadecimal digits in lower case' },
  stepId: { pattern: '^[0-9a-f]{64}$', words: '64 hexadecimal digits in lower case' },
  poolName: {
    pattern: '^[a-z0-9][a-z0-9.-]*$',
    words: 'lower-case letters (a to z), digits, "." and "-", with a letter or a digit first',
  },
  secretName: { pattern: '^[A-Za-z0-9_.-]+$', words: 'letters (a to z, A to Z), digits, "_", "." and "-" alone' },
  findingId: {
    pattern: '^[a-z0-9]+([.-][a-z0-9]+)*$',
    words: 'lower-case letters (a to z) and digits, with single "." or "-" between them',
  },
} as const;

/** The words for a pattern of a schema; undefined for a pattern that is none of the above. */
export function wordsOfPattern(pattern: unknown): string | undefined {
  return Object.values(textForms).find((form) => form.pattern === pattern)?.words;
}
