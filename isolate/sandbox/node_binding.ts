import process from "node:process";

/** What `node:*` modules are made of: objects that they share with whoever asks, so that a change holds for all of them. */
export function nodeBinding<T>(name: string): T {
  return (process as unknown as { binding(name: string): T }).binding(name);
}
