import pc from 'picocolors';

/** What the demo prints: plain words, the commands it runs, and what they answer. All on stdout. */
export interface Narrator {
  chapter(title: string): void;
  say(text: string): void;
  /** A command as a person would type it. */
  command(line: string): void;
  /** Output of a command, indented. */
  output(text: string): void;
  /** Seconds since the start of the story. */
  elapsed(): number;
}

export function createNarrator(write: (text: string) => void = (text) => void process.stdout.write(text)): Narrator {
  const start = performance.now();
  const elapsed = () => (performance.now() - start) / 1000;
  let chapters = 0;
  return {
    chapter: (title) => write(`\n${pc.bold(`${++chapters}. ${title}`)} ${pc.dim(`[${elapsed().toFixed(0)} s]`)}\n`),
    say: (text) => write(`${wrap(text, 100)}\n`),
    command: (line) => write(`\n  ${pc.cyan(`$ ${line}`)}\n`),
    output: (text) => {
      const lines = text.trimEnd().split('\n');
      if (lines.join('') !== '') write(`${lines.map((line) => `  ${pc.dim('|')} ${line}`).join('\n')}\n`);
    },
    elapsed,
  };
}

function wrap(text: string, width: number): string {
  return text
    .split('\n')
    .map((line) => {
      // Indented lines are commands and paths, to be copied as they are.
      if (line.startsWith('  ')) return line;
      let column = 0;
      return line
        .split(' ')
        .map((word) => {
          const breaks = column > 0 && column + word.length >= width;
          column = breaks ? word.length + 1 : column + word.length + 1;
          return breaks ? `\n${word}` : word;
        })
        .join(' ')
        .replaceAll(' \n', '\n');
    })
    .join('\n');
}
