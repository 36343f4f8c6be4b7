/**
 * `node http_worker_server.mjs MODULE APP DENO PORT`: a server that hands every request to a worker of
 * `@valtown/deno-http-worker`, whose main module is MODULE, as its README says.
 */
import http from "node:http";

const [module, app, deno, port] = process.argv.slice(2);
const { newDenoHTTPWorker } = await import(module);
const worker = await newDenoHTTPWorker(new URL(app), { denoExecutable: deno, runFlags: ["--no-config"] });

const server = http.createServer((request, response) => {
  const { method, headers } = request;
  const url = `http://${headers.host}${request.url}`;
  const upstream = worker.request(url, { method, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  upstream.on("error", () => response.destroy());
  request.pipe(upstream);
}).listen(Number(port), "127.0.0.1");

process.on("SIGTERM", () => {
  worker.terminate();
  server.close();
  server.closeAllConnections();
});
