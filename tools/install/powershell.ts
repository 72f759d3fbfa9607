import { createRequire } from 'node:module';

import { Language, Parser, type Node } from 'web-tree-sitter';

const require = createRequire(import.meta.url);

/** What is called somewhere in a script: a cmdlet, a function or a program, with the parameters that it is given. */
export interface Call {
  readonly name: string;
  readonly parameters: readonly string[];
  readonly text: string;
  /** What it stands in: functions and other calls, the outermost first. */
  readonly inside: readonly string[];
}

export interface PowerShellScript {
  /** Where it is not PowerShell: `row:column text`. */
  readonly errors: readonly string[];
  readonly calls: readonly Call[];
  /** Functions that it defines. */
  readonly functions: readonly string[];
}

/** Reads PowerShell with the grammar of tree-sitter, which is no PowerShell: it knows the syntax and nothing of what runs. */
export async function readPowerShell(text: string): Promise<PowerShellScript> {
  await Parser.init();
  const parser = new Parser();
  parser.setLanguage(await Language.load(require.resolve('tree-sitter-powershell/tree-sitter-powershell.wasm')));
  const tree = parser.parse(text);
  if (tree === null) throw new Error('the parser gave up');
  const errors: string[] = [];
  const calls: (Call & { parameters: string[] })[] = [];
  const functions: string[] = [];
  const visit = (node: Node, call: (typeof calls)[number] | undefined, inside: readonly string[]): void => {
    let inner = call;
    let within = inside;
    if (node.isError || node.isMissing) {
      const { row, column } = node.startPosition;
      errors.push(`${row + 1}:${column + 1} ${node.text.slice(0, 60)}`);
    }
    if (node.type === 'command') {
      inner = { name: node.childForFieldName('command_name')?.text ?? '', parameters: [], text: node.text, inside };
      calls.push(inner);
      within = [...inside, inner.name];
    } else if (node.type === 'command_parameter') {
      call?.parameters.push(node.text);
    } else if (node.type === 'function_statement') {
      const name = node.children.find((child) => child?.type === 'function_name')?.text ?? '';
      functions.push(name);
      within = [...inside, name];
    }
    for (const child of node.children) if (child !== null) visit(child, inner, within);
  };
  visit(tree.rootNode, undefined, []);
  tree.delete();
  parser.delete();
  return { errors, calls, functions };
}
