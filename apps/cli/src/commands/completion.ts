import { Argument, Command } from 'commander';

import type { CommandFactory } from './command.ts';

/** `loam completion bash|zsh`: a script for the shell, made from the commands themselves. */
export const completionCommand: CommandFactory = (cli, program) =>
  new Command('completion')
    .description('print a completion script: source <(loam completion bash)')
    .addArgument(new Argument('<shell>', 'for which').choices(['bash', 'zsh']))
    .action(async (shell: string) => {
      const zsh = shell === 'zsh' ? 'autoload -U +X bashcompinit && bashcompinit\n' : '';
      await cli.io.out(zsh + bashScript(program));
    });

function bashScript(program: Command): string {
  const cases = program.commands.map((command) => {
    const words = [...command.commands.map((child) => child.name()), ...optionsOf(command)];
    const nested = command.commands.flatMap(optionsOf);
    return `    ${command.name()}) words="${[...new Set([...words, ...nested])].join(' ')}" ;;`;
  });
  const first = program.commands.map((command) => command.name()).join(' ');
  return `_loam() {
  local words
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
    *) words="${first} ${optionsOf(program).join(' ')}" ;;
  esac
  [ "$COMP_CWORD" -eq 1 ] && words="${first} ${optionsOf(program).join(' ')}"
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _loam loam
`;
}

function optionsOf(command: Command): string[] {
  return command.options.map((option) => option.long ?? option.short ?? '').filter((text) => text !== '');
}
