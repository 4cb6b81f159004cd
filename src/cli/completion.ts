import { Argument, type Command, type Option } from 'commander';
import { print } from './report.js';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

export function addCompletion(program: Command): void {
  program
    .command('completion')
    .description('print what makes a shell complete commands and options')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .addHelpText(
      'after',
      `
Examples:
  source <(cnfzip completion bash)                                   in ~/.bashrc
  source <(cnfzip completion zsh)                                    in ~/.zshrc
  cnfzip completion fish > ~/.config/fish/completions/cnfzip.fish`,
    )
    .action(async (shell: (typeof SHELLS)[number]) => {
      const script = shell === 'fish' ? fish(program) : bash(program, shell === 'zsh');
      await print(...script.split('\n'));
    });
}

/** bash's completion, which zsh can use too. Where nothing is known, files are completed. */
function bash(program: Command, zsh: boolean): string {
  const name = program.name();
  const cases = program.commands.map((command) => `    ${command.name()}) words="${flagsOf(command).join(' ')}" ;;`);
  const choices = program.commands.flatMap((command) =>
    command.options
      .filter((option) => option.argChoices)
      .map((option) => `    ${command.name()}:${option.long}) words="${option.argChoices!.join(' ')}"; dash= ;;`),
  );
  const nested = program.commands
    .filter((command) => command.commands.length > 0)
    .map((command) => `    ${command.name()}:2) words="${namesOf(command)}"; dash= ;;`);
  return `${zsh ? 'autoload -U +X bashcompinit && bashcompinit\n' : ''}_${name}() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command=\${COMP_WORDS[1]} words= dash=1
  case $command in
${cases.join('\n')}
  esac
  case $command:$previous in
${choices.join('\n')}
  esac
  if [ "$COMP_CWORD" = 1 ]; then words="${namesOf(program)}"; dash=; fi
  case $command:$COMP_CWORD in
${nested.join('\n')}
  esac
  COMPREPLY=()
  if [ -z "$dash" ] || [ "\${word#-}" != "$word" ]; then COMPREPLY=($(compgen -W "$words" -- "$word")); fi
}
complete -o default -F _${name} ${name}`;
}

function fish(program: Command): string {
  const name = program.name();
  const quote = (text: string) => `'${text.replace(/['\\]/g, '\\$&')}'`;
  const lines = program.commands.map(
    (command) => `complete -c ${name} -n __fish_use_subcommand -a ${command.name()} -d ${quote(command.description())}`,
  );
  for (const command of program.commands) {
    const seen = `'__fish_seen_subcommand_from ${command.name()}'`;
    if (command.commands.length > 0) lines.push(`complete -c ${name} -n ${seen} -f -a ${quote(namesOf(command))}`);
    for (const option of visible(command)) {
      const words = [
        ...(option.short ? [`-s ${option.short.slice(1)}`] : []),
        ...(option.long && option.long !== option.short ? [`-l ${option.long.slice(2)}`] : []),
        ...(option.required ? ['-r'] : []),
        ...(option.argChoices ? [`-f -a ${quote(option.argChoices.join(' '))}`] : []),
      ];
      lines.push(`complete -c ${name} -n ${seen} ${words.join(' ')} -d ${quote(option.description)}`);
    }
  }
  return lines.join('\n');
}

function flagsOf(command: Command): string[] {
  return visible(command).flatMap(({ short, long }) => [short, long].filter((flag) => flag !== undefined));
}

/** Options of a command and of its subcommands. */
function visible(command: Command): Option[] {
  return [command, ...command.commands].flatMap(({ options }) => options.filter(({ hidden }) => !hidden));
}

/** Names of a command's subcommands. */
function namesOf(command: Command): string {
  return command.commands.map((nested) => nested.name()).join(' ');
}
