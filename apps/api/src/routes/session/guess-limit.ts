/** Where a secret can be guessed: so many tries a minute from one address. (They have 256 bits; this keeps the log short.) */
export const guessLimit = { rateLimit: { max: 60, timeWindow: 60_000 } };
