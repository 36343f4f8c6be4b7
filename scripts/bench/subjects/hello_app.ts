/** Runs in Deno, Isola and workerd as it is. */
export default { fetch: () => new Response("Hello, world") };
