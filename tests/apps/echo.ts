/** Says what it received, as JSON. */
const seen: string[] = [];

Deno.serve(async (request, info) => {
  const { pathname } = new URL(request.url);
  if (pathname === "/seen") return Response.json(seen.splice(0));
  seen.push(`${request.method} ${pathname}`);
  const body = await request.bytes();
  return Response.json({
    deployment: Deno.env.get("DENO_DEPLOYMENT_ID"),
    version: Deno.env.get("VERSION"),
    method: request.method,
    url: request.url,
    headers: [...request.headers],
    remoteAddr: info.remoteAddr,
    body: body.toBase64(),
  });
});
