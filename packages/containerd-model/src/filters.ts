import { fail } from './grpc-codes.ts';

/** What of an object a filter can see: plain fields, and `labels`. */
export interface Filterable {
  readonly fields: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

/** containerd's filter language (reference §1.1): OR between strings, `,` is AND inside one. No filter lets everything through. */
export function parseFilters(filters: readonly string[]): (object: Filterable) => boolean {
  const alternatives = filters.filter((text) => text !== '').map(parseFilter);
  return (object) => alternatives.length === 0 || alternatives.some((all) => all.every((test) => test(object)));
}

type Test = (object: Filterable) => boolean;

const selector = /^\s*(?:labels\.("(?:[^"\\]|\\.)*"|[A-Za-z0-9_./-]+)|([A-Za-z_]+(?:\.[A-Za-z_]+)*))\s*(==|!=|~=)?/;
const value = /^("(?:[^"\\]|\\.)*"|[^\s,]+)\s*/;

function parseFilter(text: string): Test[] {
  const tests: Test[] = [];
  for (let rest = text; rest !== '';) {
    const [matched, label, field = '', operator] = selector.exec(rest) ?? [];
    if (matched === undefined) throw fail.invalid(`filters: parse error: [${text}]`);
    rest = rest.slice(matched.length);
    const read: (object: Filterable) => string | undefined =
      label === undefined ? (object) => object.fields[field] : (object) => object.labels[unquote(label)];
    if (operator === undefined) tests.push((object) => read(object) !== undefined);
    else {
      const [whole] = value.exec(rest) ?? [];
      if (whole === undefined) throw fail.invalid(`filters: parse error: [${text}]: expected value`);
      rest = rest.slice(whole.length);
      tests.push(comparison(operator, read, unquote(whole.trim())));
    }
    if (rest.startsWith(',')) rest = rest.slice(1);
    else if (rest !== '') throw fail.invalid(`filters: parse error: [${text}]: unexpected input`);
  }
  return tests;
}

function comparison(operator: string, read: (object: Filterable) => string | undefined, wanted: string): Test {
  if (operator === '~=') return (object) => new RegExp(wanted).test(read(object) ?? '');
  return (object) => ((read(object) ?? '') === wanted) === (operator === '==');
}

function unquote(text: string): string {
  return text.startsWith('"') ? (JSON.parse(text) as string) : text;
}
