/**
 * What a blank sandbox imports and throws away: of all the syntax that programs are made of, so that the runtime's code for
 * it has run once.
 */
const greetings: Record<string, (name: string) => unknown> = {
  async later(name) {
    const { length } = await Promise.resolve(name);
    return `Hello, ${name} of ${length}`;
  },
  *each(name) {
    for (const character of [...name]) yield character?.codePointAt(0) ?? 0;
  },
};

class App {
  static readonly kind = "rehearsal";
  #requests = 0;

  get requests(): number {
    return this.#requests;
  }

  fetch(request: Request): Response {
    this.#requests++;
    const { pathname } = new URL(request.url);
    return new Response(pathname.replace(/\/+/g, "/"), { headers: { "x-requests": String(this.#requests) } });
  }
}

export { greetings };
export default new App();
