/** Lines may be written later than others of an earlier time, but not by more. */
const OVERLAP_MS = 5000;
/** Beyond, the oldest are forgotten: then a line may be read twice. */
const MAX_LINES = 20_000;

/** Which of some lines were there, and how often. */
export class LineBag {
  readonly #counts = new Map<string, number>();

  add(line: unknown): void {
    const text = JSON.stringify(line);
    this.#counts.set(text, (this.#counts.get(text) ?? 0) + 1);
  }

  /** Takes a line out. False if it was not in. */
  take(line: unknown): boolean {
    const text = JSON.stringify(line);
    const count = this.#counts.get(text) ?? 0;
    if (count === 1) this.#counts.delete(text);
    else if (count > 1) this.#counts.set(text, count - 1);
    return count > 0;
  }
}

/** The lines that were read last: from them on, a log is read again when the connection was lost. */
export class RecentLines<Line extends { time: string }> {
  #lines: Line[] = [];
  #newestMs = -Infinity;
  #since: string;

  /** @param since ISO 8601: before, nothing is wanted. */
  constructor(since: string) {
    this.#since = since;
  }

  /** ISO 8601. */
  get since(): string {
    if (this.#newestMs === -Infinity) return this.#since;
    const overlapping = new Date(this.#newestMs - OVERLAP_MS).toISOString();
    return overlapping > this.#since ? overlapping : this.#since;
  }

  add(line: Line): void {
    this.#newestMs = Math.max(this.#newestMs, Date.parse(line.time));
    this.#lines.push(line);
    if (this.#lines.length > 2 * MAX_LINES) this.#lines = this.#kept();
  }

  /** All lines since {@linkcode since}. */
  bag(): LineBag {
    const bag = new LineBag();
    for (const line of this.#kept()) bag.add(line);
    return bag;
  }

  #kept(): Line[] {
    return this.#lines.filter(({ time }) => time >= this.since).slice(-MAX_LINES);
  }
}
