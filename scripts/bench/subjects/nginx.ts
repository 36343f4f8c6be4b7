import { type CertificateFiles, makeCertificate } from "./certificate.ts";
import { freePort, startChild, until } from "./child.ts";
import { firstByteMs } from "../measures/first_byte.ts";
import { HELLO_APP, type Subject } from "./subject.ts";
import { startApp } from "./deno.ts";

const HOST = "bench.localhost";

/** What is not the default of an nginx. */
export interface NginxOptions {
  /** @default {HELLO_APP} */
  app?: URL;
  /** Whether it listens with TLS, too. @default {false} */
  tls?: boolean;
}

/** One nginx worker with kept-alive connections to `deno serve` on a unix socket: what an operator sets up by hand. */
export async function startNginx({ app = HELLO_APP, tls = false }: NginxOptions = {}): Promise<Subject> {
  await using started = new AsyncDisposableStack();
  const port = freePort();
  const tlsPort = tls ? freePort() : undefined;
  const directory = await Deno.makeTempDir({ prefix: "isola-bench-nginx-" });
  started.defer(() => Deno.remove(directory, { recursive: true }));
  const socket = `${directory}/app.sock`;
  const server = started.use(startApp(`unix:${socket}`, app));
  // nginx started by root runs its worker as another user.
  await until("the app", () => Deno.chmod(socket, 0o777), server);
  await Deno.chmod(directory, 0o755);
  const secure = tlsPort === undefined ? "" : tlsListener(tlsPort, await makeCertificate(directory, HOST));
  await Deno.writeTextFile(`${directory}/nginx.conf`, configuration(directory, socket, port, secure));
  const nginx = started.use(
    startChild("nginx", ["-p", directory, "-c", `${directory}/nginx.conf`, "-e", "stderr"]),
  );
  await until("nginx", () => firstByteMs(port, HOST), nginx);
  const owned = started.move();
  return {
    port,
    tlsPort,
    host: HOST,
    pids: [nginx.pid, server.pid],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** TLS as an operator of today has it: 1.2 and 1.3, sessions resumed by tickets, HTTP/2. */
function tlsListener(port: number, { cert, key }: CertificateFiles): string {
  return `
    listen 127.0.0.1:${port} ssl http2;
    ssl_certificate ${cert};
    ssl_certificate_key ${key};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_tickets on;`;
}

function configuration(directory: string, socket: string, port: number, secure: string): string {
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
  upstream app { server unix:${socket}; keepalive 256; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port};${secure}
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
