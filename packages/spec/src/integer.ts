/**
 * Reads an integer as OCaml's `int_of_string` does on 64-bit machines and gives its canonical decimal:
 * a sign, `0x`, `0o`, `0b` or `0u`, digits with `_` between or after them, 63 bits. Undefined when it is none.
 * Hexadecimal, octal, binary and `0u` numbers wrap around, decimal ones must fit.
 */
export function readOcamlInt(word: string): string | undefined {
  const match = /^([-+]?)(?:0([xXoObBuU]))?([0-9a-fA-F][0-9a-fA-F_]*)$/.exec(word);
  if (match === null) return undefined;
  const [, sign, prefix, written = ''] = match;
  const digits = written.replaceAll('_', '');
  const radix = prefix === undefined ? 'u' : prefix.toLowerCase();
  if (!radixDigits[radix as keyof typeof radixDigits].test(digits)) return undefined;
  // More digits than 64 bits have are refused before they cost anything.
  if (digits.replace(/^0+/, '').length > 64) return undefined;
  const magnitude = BigInt(radix === 'u' ? digits : `0${radix}${digits}`);
  const negative = sign === '-';
  if (prefix === undefined) {
    if (magnitude > (negative ? 1n << 62n : (1n << 62n) - 1n)) return undefined;
  } else if (magnitude >= 1n << 63n) return undefined;
  return BigInt.asIntN(63, negative ? -magnitude : magnitude).toString();
}

const radixDigits = { x: /^[0-9a-fA-F]+$/, o: /^[0-7]+$/, b: /^[01]+$/, u: /^[0-9]+$/ };
