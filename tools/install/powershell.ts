import { createRequire } from 'node:module';

import { Language, Parser, type Node } from 'web-tree-sitter';

const require = createRequire(import.meta.url);

/** What is called somewhere in a script: a cmdlet, a function or a program. */
export interface Call {
  readonly name: string;
  /** Names of the parameters that it is given. */
  readonly parameters: readonly string[];
  /** How many arguments it is given, those of parameters among them. */
  readonly argumentCount: number;
  readonly text: string;
  /** What it stands in: functions and other calls, the outermost first. */
  readonly inside: readonly string[];
}

export interface PowerShellScript {
  /** Where it is not PowerShell: `row:column text`. */
  readonly errors: readonly string[];
  readonly calls: readonly Call[];
  /** Functions that it defines, with their numbers of parameters. */
  readonly functions: ReadonlyMap<string, number>;
  /** Variables that are read or written, and those that something is put into: small letters, without the sign. */
  readonly variables: ReadonlySet<string>;
  readonly assigned: ReadonlySet<string>;
  /** Templates of `-f`, with the number of values that they are given. */
  readonly formats: readonly { readonly template: string; readonly values: number }[];
}

/** Reads PowerShell with the grammar of tree-sitter, which is no PowerShell: it knows the syntax and nothing of what runs. */
export async function readPowerShell(text: string): Promise<PowerShellScript> {
  await Parser.init();
  const parser = new Parser();
  parser.setLanguage(await Language.load(require.resolve('tree-sitter-powershell/tree-sitter-powershell.wasm')));
  const tree = parser.parse(text);
  if (tree === null) throw new Error('the parser gave up');
  const found = {
    errors: [] as string[],
    calls: [] as Call[],
    functions: new Map<string, number>(),
    variables: new Set<string>(),
    assigned: new Set<string>(),
    formats: [] as { template: string; values: number }[],
  };
  const visit = (node: Node, inside: readonly string[]): void => {
    let within = inside;
    if (node.isError || node.isMissing) {
      const { row, column } = node.startPosition;
      found.errors.push(`${row + 1}:${column + 1} ${node.text.slice(0, 60)}`);
    }
    switch (node.type) {
      case 'command': {
        const call = readCall(node, inside);
        found.calls.push(call);
        within = [...inside, call.name];
        break;
      }
      case 'function_statement': {
        const name = childrenOf(node).find((child) => child.type === 'function_name')?.text ?? '';
        found.functions.set(name, node.descendantsOfType('script_parameter').length);
        within = [...inside, name];
        break;
      }
      case 'variable':
        found.variables.add(nameOf(node.text));
        break;
      case 'script_parameter':
      case 'foreach_statement':
        found.assigned.add(nameOf(childrenOf(node).find((child) => child.type === 'variable')?.text ?? ''));
        break;
      case 'left_assignment_expression':
        found.assigned.add(nameOf(node.text));
        break;
      case 'format_operator':
        found.formats.push(readFormat(node));
        break;
      default:
    }
    for (const child of childrenOf(node)) visit(child, within);
  };
  visit(tree.rootNode, []);
  tree.delete();
  parser.delete();
  return found;
}

function readCall(node: Node, inside: readonly string[]): Call {
  const elements = childrenOf(node).flatMap((child) => (child.type === 'command_elements' ? childrenOf(child) : []));
  const parameters = elements.filter(({ type }) => type === 'command_parameter').map((parameter) => parameter.text);
  const others = elements.filter(
    ({ type }) => !['command_argument_sep', 'command_parameter', 'redirection'].includes(type),
  );
  const name = node.childForFieldName('command_name')?.text ?? '';
  return { name, parameters, argumentCount: others.length, text: node.text, inside };
}

/** `'…' -f a, b` */
function readFormat(operator: Node): { template: string; values: number } {
  const [values] = operator.nextSibling?.descendantsOfType('array_literal_expression') ?? [];
  return {
    template: operator.previousSibling?.text ?? '',
    values: values === undefined || values === null ? 0 : childrenOf(values).filter(({ type }) => type !== ',').length,
  };
}

function childrenOf(node: Node): Node[] {
  return node.children.filter((child) => child !== null);
}

function nameOf(variable: string): string {
  return variable.replace(/^[$@]/, '').toLowerCase();
}
