Deno.serve(() => new Response("Hello, world"));
