/** In programs: further realms, of which those of node have none of what we set up. */
export const WORKERS = `
  import { Worker as NodeWorker } from "node:worker_threads";
  const settled = (emitter, event) => new Promise((resolve, reject) => emitter.once(event, resolve).once("error", reject));
  /** What a Worker posts. */
  const inWorker = (code, options) => new Promise((resolve, reject) => {
    const url = "data:text/javascript," + encodeURIComponent(code);
    const worker = new Worker(url, { type: "module", ...options });
    const timer = setTimeout(() => reject(new Error("NotCapable: no answer")), 2000);
    worker.onmessage = ({ data }) => { clearTimeout(timer); worker.terminate(); resolve(data); };
    worker.onerror = (event) => { event.preventDefault(); clearTimeout(timer); reject(new Error(event.message)); };
  });
  /** What a program of node's Worker posts. */
  const inNodeWorker = async (code, options) => {
    const worker = new NodeWorker("const { parentPort } = require('node:worker_threads'); " + code, { eval: true, ...options });
    try {
      const said = await settled(worker, "message");
      if (String(said).startsWith("refused")) throw new Error(said);
      return said;
    } finally { await worker.terminate(); }
  };
`;
