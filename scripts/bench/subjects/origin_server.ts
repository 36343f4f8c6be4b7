/**
 * An origin of subhosting on 127.0.0.1: deployment `NAME-…` is the module NAME.js of a folder. Arguments: port, folder.
 */
const [port, folder] = Deno.args;
const CONFIG = JSON.stringify({ entrypoint: "file:///src/main.js", permissions: { net: false } });

Deno.serve({ hostname: "127.0.0.1", port: Number(port), onListen() {} }, async (request) => {
  const { pathname, searchParams } = new URL(request.url);
  await request.body?.cancel();
  if (pathname === "/events") return new Response();
  const [name] = (searchParams.get("deployment_id") ?? "").split("-");
  return new Response(await Deno.readFile(`${folder}/${name}.js`), { headers: { "x-deno-config": CONFIG } });
});
