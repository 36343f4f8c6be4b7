/** The lines of several logs, each oldest first, as those of one; with which of them each is of. */
export async function* mergeByTime<Line extends { time: string }>(
  logs: readonly AsyncIterable<Line>[],
): AsyncGenerator<{ index: number; line: Line }, void, void> {
  const iterators = logs.map((log) => log[Symbol.asyncIterator]());
  const heads = await Promise.all(iterators.map((iterator) => iterator.next()));
  while (true) {
    let first: { index: number; line: Line } | null = null;
    for (const [index, head] of heads.entries()) {
      if (!head.done && (first === null || head.value.time < first.line.time)) {
        first = { index, line: head.value };
      }
    }
    if (first === null) return;
    yield first;
    heads[first.index] = await iterators[first.index]!.next();
  }
}
