import { freePort, startChild, until } from "./child.ts";
import { firstByteMs } from "../measures/first_byte.ts";
import { HELLO_APP, type Subject } from "./subject.ts";
import { startApp } from "./deno.ts";

/** One nginx worker with kept-alive connections to `deno serve` on a unix socket: what an operator sets up by hand. */
export async function startNginx(app: URL = HELLO_APP): Promise<Subject> {
  await using started = new AsyncDisposableStack();
  const port = freePort();
  const directory = await Deno.makeTempDir({ prefix: "isola-bench-nginx-" });
  started.defer(() => Deno.remove(directory, { recursive: true }));
  const socket = `${directory}/app.sock`;
  const server = started.use(startApp(`unix:${socket}`, app));
  // nginx started by root runs its worker as another user.
  await until("the app", () => Deno.chmod(socket, 0o777), server);
  await Deno.chmod(directory, 0o755);
  await Deno.writeTextFile(`${directory}/nginx.conf`, configuration(directory, socket, port));
  const nginx = started.use(
    startChild("nginx", ["-p", directory, "-c", `${directory}/nginx.conf`, "-e", "stderr"]),
  );
  const host = "bench.localhost";
  await until("nginx", () => firstByteMs(port, host), nginx);
  const owned = started.move();
  return {
    port,
    host,
    pids: [nginx.pid, server.pid],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function configuration(directory: string, socket: string, port: number): string {
  return `
daemon off;
worker_processes 1;
pid ${directory}/nginx.pid;
error_log stderr emerg;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  proxy_request_buffering off; # which is also faster: bodies do not pass through files
  upstream app { server unix:${socket}; keepalive 64; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $host;
    }
  }
}
`;
}
