/** An app on `Deno.serve` at two ports of 127.0.0.1, without and with TLS: APP PORT TLS_PORT CERT KEY. */
const [app, port, tlsPort, cert, key] = Deno.args as [string, string, string, string, string];
const { default: { fetch } } = await import(app);
const common = { hostname: "127.0.0.1", onListen() {} };
Deno.serve({ ...common, port: Number(port) }, fetch);
const files = { cert: await Deno.readTextFile(cert), key: await Deno.readTextFile(key) };
Deno.serve({ ...common, ...files, port: Number(tlsPort) }, fetch);
