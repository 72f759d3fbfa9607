import { decodeBytes } from './bytes.ts';
import { DiagnosticBag } from './diagnostics.ts';
import type { Diagnostic } from './diagnostics.ts';
import type { OpContext } from './op-context.ts';
import { readOp } from './parse-op.ts';
import { LineTable } from './position.ts';
import { readSexp } from './reader.ts';
import type { ListNode, SexpNode } from './reader.ts';
import { headOf, quoteNode } from './record.ts';
import type { NestedBuild, Op, Spec } from './spec.ts';
import { opNames } from './spec.ts';

/** What a file says: a spec if there are no errors, and all there is to complain about, in the order of the file. */
export interface ParseResult {
  readonly spec?: Spec;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Reads a spec from the text or the bytes of a file. Accepts what OBuilder accepts, with the same meaning, and
 * `(user (gid …) (uid …))` besides. Never throws; positions count in the text, for bytes in `decodeBytes(bytes)`.
 */
export function parseSpec(source: string | Uint8Array): ParseResult {
  const text = typeof source === 'string' ? source : decodeBytes(source);
  const lines = new LineTable(text);
  const bag = new DiagnosticBag(lines);
  const { spec } = parseTree(text, lines, bag);
  const diagnostics = bag.sorted();
  return spec === undefined ? { diagnostics } : { spec, diagnostics };
}

/** The tree of a text beside the spec it spells, for what looks at how things are written. */
export function parseTree(text: string, lines: LineTable, bag: DiagnosticBag): { spec?: Spec; tree?: SexpNode } {
  const tree = readSexp(text, bag);
  if (tree === undefined) return {};
  // With parentheses out of place every later complaint would be about the wrong thing.
  if (bag.items.some((item) => structural.has(item.code))) return { tree };
  const spec = new SpecParser(text, lines, bag).spec(tree);
  return spec === undefined || bag.failed ? { tree } : { spec, tree };
}

const structural = new Set(['read.unclosed-list', 'read.unclosed-string', 'read.unclosed-comment', 'read.too-deep']);

const specForm = '((build NAME SPEC)… (from BASE) OPERATION…)';

/** Converts a tree into a spec, and holds the names of the nested builds in sight. */
class SpecParser implements OpContext {
  readonly text: string;
  readonly lines: LineTable;
  readonly bag: DiagnosticBag;
  /** How many builds of a name are in sight. */
  readonly #inSight = new Map<string, number>();

  constructor(text: string, lines: LineTable, bag: DiagnosticBag) {
    this.text = text;
    this.lines = lines;
    this.bag = bag;
  }

  hasBuild(name: string): boolean {
    return this.#inSight.has(name);
  }

  buildNames(): Iterable<string> {
    return this.#inSight.keys();
  }

  spec(node: SexpNode): Spec | undefined {
    if (node.kind === 'atom') {
      this.bag.error('spec.not-a-list', node.start, node.end, {
        message: `A spec is a list, not the word \`${quoteNode(this, node)}\`.`,
        found: quoteNode(this, node),
        expected: specForm,
        ...(/^(?:FROM|ARG|RUN)$/.test(node.value)
          ? {
              hint: 'This looks like a Dockerfile. In a spec `FROM x` is `(from x)`, and `RUN y` is `(run (shell "y"))`.',
            }
          : {}),
      });
      return undefined;
    }
    const head = headOf(node)?.value;
    if (head === 'from' || head === 'build') {
      this.bag.error('spec.unexpected-item', node.start, node.end, {
        message: `A spec is a list of items; this is one item, \`${quoteNode(this, node)}\`.`,
        found: quoteNode(this, node),
        expected: specForm,
        hint: 'Put one more pair of parentheses around it.',
      });
      return undefined;
    }
    const fromAt = node.items.findIndex((item) => headOf(item)?.value === 'from');
    const builds = this.#builds(fromAt === -1 ? node.items : node.items.slice(0, fromAt), fromAt !== -1);
    const from = this.#from(node, fromAt);
    const ops: Op[] = [];
    for (const item of fromAt === -1 ? [] : node.items.slice(fromAt + 1)) {
      if (this.bag.full) break;
      const op = readOp(this, item);
      if (op !== undefined) ops.push(op);
    }
    for (const name of builds.names) this.#leave(name);
    if (from === undefined) return undefined;
    return { builds: builds.sound, ...from, ops, range: this.lines.range(node.start, node.end) };
  }

  /** The items before `(from …)`: nested builds, each in sight of the next. Names count even when a build is wrong. */
  #builds(items: readonly SexpNode[], hasFrom: boolean): { sound: NestedBuild[]; names: string[] } {
    const sound: NestedBuild[] = [];
    const names: string[] = [];
    for (const item of items) {
      if (this.bag.full) break;
      const head = headOf(item)?.value;
      if (head !== 'build' || item.kind !== 'list') {
        this.#unexpectedItem(item, head, hasFrom);
        continue;
      }
      const [, name, child] = item.items;
      if (item.items.length !== 3 || name?.kind !== 'atom' || child === undefined) {
        this.bag.error('spec.wrong-arguments', item.start, item.end, {
          message: 'A nested build has a name, which is a word or a string, and one spec.',
          found: quoteNode(this, item),
          expected: '(build NAME ((from BASE) OPERATION…))',
        });
        continue;
      }
      const spec = this.spec(child);
      names.push(name.value);
      this.#inSight.set(name.value, (this.#inSight.get(name.value) ?? 0) + 1);
      if (spec !== undefined) sound.push({ name: name.value, spec, range: this.lines.range(item.start, item.end) });
    }
    return { sound, names };
  }

  #unexpectedItem(item: SexpNode, head: string | undefined, hasFrom: boolean): void {
    const isOp = head !== undefined && (opNames as readonly string[]).includes(head);
    this.bag.error('spec.unexpected-item', item.start, item.end, {
      message:
        isOp && hasFrom
          ? `The operation \`${head}\` stands before (from …).`
          : `A spec begins with (from BASE) or (build NAME SPEC), not with \`${quoteNode(this, item)}\`.`,
      found: quoteNode(this, item),
      expected: specForm,
    });
  }

  #from(node: ListNode, fromAt: number): Pick<Spec, 'from' | 'fromRange'> | undefined {
    const item = node.items[fromAt];
    if (item?.kind !== 'list') {
      this.bag.error('spec.missing-from', node.start, node.end, {
        message: 'This spec has no (from BASE).',
        found: quoteNode(this, node),
        expected: specForm,
      });
      return undefined;
    }
    const base = item.items[1];
    if (item.items.length === 2 && base?.kind === 'atom') {
      return { from: base.value, fromRange: this.lines.range(base.start, base.end) };
    }
    this.bag.error('spec.wrong-arguments', item.start, item.end, {
      message: '`from` takes one image.',
      found: quoteNode(this, item),
      expected: '(from BASE)',
    });
    return undefined;
  }

  #leave(name: string): void {
    const count = this.#inSight.get(name) ?? 0;
    if (count > 1) this.#inSight.set(name, count - 1);
    else this.#inSight.delete(name);
  }
}
