import { callLibc } from "./libc.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<{ code: number; timeoutMs: number }>) => void;
  postMessage(message: null): void;
};

/** Beside a main thread that is about to exit: ends the process when that takes too long. */
scope.onmessage = ({ data: { code, timeoutMs } }) => {
  scope.postMessage(null);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, timeoutMs);
  callLibc({ _exit: { parameters: ["i32"], result: "void" } }, (libc) => {
    libc._exit(code);
    return true;
  });
};
