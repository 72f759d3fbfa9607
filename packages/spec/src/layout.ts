/**
 * How a box lays out its breaks: never a new line, always one, all or none, as many a line as fit, or (`box`) the
 * same and also wherever a new line would move left.
 */
export type BoxKind = 'hbox' | 'vbox' | 'hvbox' | 'hovbox' | 'box';

const margin = 78;
const maxIndent = 68;
const infinity = 1_000_000_010;

interface Item {
  readonly kind: 'text' | 'break' | 'open' | 'close' | 'newline';
  readonly text: string;
  readonly box: BoxKind;
  /** Blanks of a break on the same line, or the indentation of a box. */
  readonly width: number;
  /** Width of what follows up to the next break or the end of the box; negative until that is known. */
  size: number;
}

/**
 * A pretty printer after Oppen, with the geometry and the rules of OCaml's Format (78 columns, no indentation beyond
 * 68), because the printed form of a spec is defined as what Format makes of it. Text must be ASCII.
 */
export class Layout {
  readonly #out: string[] = [];
  #queue: Item[] = [];
  #queueHead = 0;
  #scan: { total: number; item: Item }[] = [];
  readonly #boxes: { kind: BoxKind | 'fits'; width: number }[] = [];
  #depth = 1;
  #spaceLeft = margin;
  #indent = 0;
  #freshLine = true;
  #leftTotal = 1;
  #rightTotal = 1;

  constructor() {
    const outermost: Item = { kind: 'open', text: '', box: 'hovbox', width: 0, size: -1 };
    this.#queue.push(outermost);
    this.#scan.push({ total: 1, item: outermost });
  }

  text(text: string): void {
    this.#enqueue({ kind: 'text', text, box: 'box', width: 0, size: text.length }, text.length);
    this.#advance();
  }

  /** A place where the line may be broken; otherwise `width` blanks. */
  break(width: 0 | 1): void {
    this.#enqueueUnsized({ kind: 'break', text: '', box: 'box', width, size: -this.#rightTotal }, width, true);
  }

  /** A new line whatever the box, at the box's indentation. */
  newline(): void {
    this.#enqueue({ kind: 'newline', text: '', box: 'box', width: 0, size: 0 }, 0);
    this.#advance();
  }

  open(box: BoxKind, indent = 0): void {
    this.#depth++;
    this.#enqueueUnsized({ kind: 'open', text: '', box, width: indent, size: -this.#rightTotal }, 0, false);
  }

  close(): void {
    this.#enqueue({ kind: 'close', text: '', box: 'box', width: 0, size: 0 }, 0);
    this.#setSize('break');
    this.#setSize('open');
    this.#depth--;
  }

  /** Everything laid out. */
  finish(): string {
    while (this.#depth > 1) this.close();
    this.#rightTotal = infinity;
    this.#advance();
    return this.#out.join('');
  }

  #enqueue(item: Item, length: number): void {
    this.#rightTotal += length;
    this.#queue.push(item);
  }

  #enqueueUnsized(item: Item, length: number, closesBreak: boolean): void {
    this.#enqueue(item, length);
    if (closesBreak) this.#setSize('break');
    this.#scan.push({ total: this.#rightTotal, item });
  }

  /** The width of the last unsized item is known now, if it is of that kind and still in the queue. */
  #setSize(kind: 'break' | 'open'): void {
    const top = this.#scan.at(-1);
    if (top === undefined) return;
    if (top.total < this.#leftTotal) this.#scan = [];
    else if (top.item.kind === kind) {
      top.item.size += this.#rightTotal;
      this.#scan.pop();
    }
  }

  /** Writes what is decided: items of known width, and those too wide for the line whatever follows. */
  #advance(): void {
    for (;;) {
      const item = this.#queue[this.#queueHead];
      if (item === undefined) break;
      if (item.size < 0 && this.#rightTotal - this.#leftTotal < this.#spaceLeft) break;
      this.#queueHead++;
      this.#write(item, item.size < 0 ? infinity : item.size);
      this.#leftTotal += item.kind === 'text' ? item.text.length : item.kind === 'break' ? item.width : 0;
    }
    if (this.#queueHead > 1000 && this.#queueHead * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#queueHead);
      this.#queueHead = 0;
    }
  }

  #write(item: Item, size: number): void {
    const box = this.#boxes.at(-1);
    switch (item.kind) {
      case 'text':
        if (item.text === '') return;
        this.#spaceLeft -= item.text.length;
        this.#out.push(item.text);
        this.#freshLine = false;
        return;
      case 'open': {
        const tooDeep = margin - this.#spaceLeft > maxIndent;
        if (tooDeep && box !== undefined && box.width > this.#spaceLeft && box.kind !== 'fits' && box.kind !== 'hbox') {
          this.#newLine(box.width);
        }
        const kind = item.box === 'vbox' || size > this.#spaceLeft ? item.box : 'fits';
        this.#boxes.push({ kind, width: this.#spaceLeft - item.width });
        return;
      }
      case 'close':
        this.#boxes.pop();
        return;
      case 'newline':
        this.#newLine(box?.width ?? margin);
        return;
      case 'break':
        if (box !== undefined && this.#breaksLine(box, size)) this.#newLine(box.width);
        else {
          this.#spaceLeft -= item.width;
          this.#out.push(' '.repeat(item.width));
        }
    }
  }

  #breaksLine(box: { kind: BoxKind | 'fits'; width: number }, size: number): boolean {
    switch (box.kind) {
      case 'vbox':
      case 'hvbox':
        return true;
      case 'hbox':
      case 'fits':
        return false;
      case 'hovbox':
        return size > this.#spaceLeft;
      case 'box':
        if (this.#freshLine) return false;
        return size > this.#spaceLeft || this.#indent > margin - box.width;
    }
  }

  #newLine(width: number): void {
    this.#indent = Math.min(maxIndent, margin - width);
    this.#spaceLeft = margin - this.#indent;
    this.#freshLine = true;
    this.#out.push('\n', ' '.repeat(this.#indent));
  }
}
