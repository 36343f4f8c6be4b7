import type { FromSandbox } from "../protocol.ts";

/** Sends a message to the host. */
export type Post = (message: FromSandbox | { type: "prepared" }) => void;

/**
 * A Worker that exits or closes itself tells its parent nothing: its process would live on, empty. So the program's
 * ways out say so first.
 */
export function captureExit(post: Post): void {
  const { exit } = Deno;
  const close = self.close.bind(self);
  Deno.exit = (code?: number) => {
    post({ type: "exit", code: code ?? Deno.exitCode });
    return exit(code);
  };
  self.close = () => {
    post({ type: "exit", code: 0 });
    close();
  };
}
