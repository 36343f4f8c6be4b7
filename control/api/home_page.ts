/** What a person sees who opens the control address in a browser. */
export const HOME_PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Isola</title>
<style>
  body { font: 1rem/1.6 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem; color-scheme: light dark }
</style>
<h1>Isola</h1>
<p>A self-hosted isolate cloud. This is its control address.</p>
<ul>
  <li>The API is under <code>/v1</code>, with a Bearer token.
  <li><a href="/healthz"><code>/healthz</code></a> tells how the server is, <a href="/metrics"><code>/metrics</code></a> counts what it does.
  <li>Deploy a folder: <code>deno run -A mod.ts deploy DIR --project NAME</code>
</ul>
</html>
`;
