/**
 * Cuts the bytes of a log into lines of text. Characters that arrive in two pieces are put together, a line that is redrawn
 * with carriage returns is given as it looks in the end, and control sequences other than colours are taken out, since
 * they would move the cursor in somebody else's terminal.
 */
export class LineSplitter {
  readonly #decoder = new TextDecoder();
  readonly #colors: boolean;
  #rest = '';

  constructor(options: { colors: boolean }) {
    this.#colors = options.colors;
  }

  push(bytes: Uint8Array): string[] {
    return this.#split(this.#decoder.decode(bytes, { stream: true }));
  }

  /** What is left when the log has ended without a line end. */
  end(): string[] {
    const lines = this.#split(this.#decoder.decode());
    const last = this.#rest;
    this.#rest = '';
    return last === '' ? lines : [...lines, this.#clean(last)];
  }

  #split(text: string): string[] {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    // A program that never ends its lines must not fill the memory.
    if (this.#rest.length > 64 * 1024) {
      lines.push(this.#rest);
      this.#rest = '';
    }
    return lines.map((line) => this.#clean(line));
  }

  #clean(line: string): string {
    const redrawn = line.replace(/\r+$/, '').split('\r');
    const text = redrawn[redrawn.length - 1] ?? '';
    return text.replace(sequences, (sequence) => (this.#colors && isColor(sequence) ? sequence : ''));
  }
}

function isColor(sequence: string): boolean {
  return sequence.startsWith('\u001b[') && /^[0-9;:]*m$/.test(sequence.slice(2));
}

/** CSI sequences, OSC strings, other escapes, and control characters but the tabulator. */
const sequences =
  // oxlint-disable-next-line no-control-regex
  /\u001b\[[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[ -/]*[0-~]?|[\u0000-\u0008\u000b-\u001f\u007f]/g;
