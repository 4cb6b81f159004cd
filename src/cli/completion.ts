import { Argument, type Command, type Option } from 'commander';
import { SHIPPED } from '../../models/build/catalogue.js';
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
      const { NAMES } = await import('../lab/registry.js');
      const words: Words = {
        options: { '--model': Object.keys(SHIPPED) },
        arguments: { 'lab run': [...NAMES, 'all'], completion: SHELLS },
      };
      const script = shell === 'fish' ? fish(program, words) : bash(program, words, shell === 'zsh');
      await print(...script.split('\n'));
    });
}

/** What options and arguments can be, where the commands do not tell. */
interface Words {
  readonly options: Record<string, readonly string[] | undefined>;
  readonly arguments: Record<string, readonly string[] | undefined>;
}

/** bash's completion, which zsh can use too. Where nothing is known, files are completed. */
function bash(program: Command, words: Words, zsh: boolean): string {
  const name = program.name();
  const set = (list: readonly string[]) => `words="${list.join(' ')}"`;
  const flags = program.commands.map((command) => `    ${command.name()}) ${set(flagsOf(command))} ;;`);
  const values = program.commands.flatMap((command) =>
    command.options.flatMap((option) => {
      const list = valuesOf(option, words);
      return list ? [`    ${command.name()}:${option.long}) ${set(list)}; dash= ;;`] : [];
    }),
  );
  const given = program.commands.flatMap((command) => {
    const list = words.arguments[command.name()];
    const nested = command.commands.flatMap((inner) => {
      const more = words.arguments[`${command.name()} ${inner.name()}`];
      return more ? [`    "${command.name()} ${inner.name()}") ${set(more)}; dash= ;;`] : [];
    });
    return list ? [`    "${command.name()} "*) ${set(list)}; dash= ;;`] : nested;
  });
  const inner = program.commands
    .filter((command) => command.commands.length > 0)
    .map((command) => `    ${command.name()}:2) ${set(namesOf(command))}; dash= ;;`);
  return `${zsh ? 'autoload -U +X bashcompinit && bashcompinit\n' : ''}_${name}() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command=\${COMP_WORDS[1]} words= dash=1
  case $command in
    ${namesOf(program).join('|')}) ;;
    -d*) command=decompress ;;
    -t*) command=verify ;;
    -l*) command=info ;;
    *) command=compress ;;
  esac
  case $command in
${flags.join('\n')}
  esac
  if [ "\${word#-}" = "$word" ]; then
    case "$command \${COMP_WORDS[2]}" in
${given.join('\n')}
    esac
    case $command:$COMP_CWORD in
${inner.join('\n')}
    esac
    if [ "$COMP_CWORD" = 1 ]; then ${set(namesOf(program))}; dash=; fi
  fi
  case $command:$previous in
${values.join('\n')}
  esac
  COMPREPLY=()
  if [ -z "$dash" ] || [ "\${word#-}" != "$word" ]; then COMPREPLY=($(compgen -W "$words" -- "$word")); fi
}
complete -o default -F _${name} ${name}`;
}

function fish(program: Command, words: Words): string {
  const name = program.name();
  const quote = (text: string) => `'${text.replace(/['\\]/g, '\\$&')}'`;
  const lines = program.commands.map(
    (command) => `complete -c ${name} -n __fish_use_subcommand -a ${command.name()} -d ${quote(command.description())}`,
  );
  for (const command of program.commands) {
    const seen = `'__fish_seen_subcommand_from ${command.name()}'`;
    const list = words.arguments[command.name()] ?? namesOf(command);
    if (list.length > 0) lines.push(`complete -c ${name} -n ${seen} -f -a ${quote(list.join(' '))}`);
    for (const inner of command.commands) {
      const more = words.arguments[`${command.name()} ${inner.name()}`];
      const behind = `'__fish_seen_subcommand_from ${inner.name()}'`;
      if (more) lines.push(`complete -c ${name} -n ${behind} -f -a ${quote(more.join(' '))}`);
    }
    for (const option of visible(command)) {
      const values = valuesOf(option, words);
      const parts = [
        ...(option.short ? [`-s ${option.short.slice(1)}`] : []),
        ...(option.long && option.long !== option.short ? [`-l ${option.long.slice(2)}`] : []),
        ...(option.required ? ['-r'] : []),
        ...(values ? [`${option.argChoices ? '-f ' : ''}-a ${quote(values.join(' '))}`] : []),
      ];
      lines.push(`complete -c ${name} -n ${seen} ${parts.join(' ')} -d ${quote(option.description)}`);
    }
  }
  return lines.join('\n');
}

function valuesOf({ argChoices, long }: Option, words: Words): readonly string[] | undefined {
  return argChoices ?? words.options[long ?? ''];
}

function flagsOf(command: Command): string[] {
  return visible(command).flatMap(({ short, long }) => [short, long].filter((flag) => flag !== undefined));
}

/** Options of a command and of its subcommands. */
function visible(command: Command): Option[] {
  return [command, ...command.commands].flatMap(({ options }) => options.filter(({ hidden }) => !hidden));
}

/** Names of a command's subcommands. */
function namesOf(command: Command): string[] {
  return command.commands.map((nested) => nested.name());
}
