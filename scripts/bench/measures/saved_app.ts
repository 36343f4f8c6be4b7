/** Apps that answer with a text of their own. */
const MAIN_OF = {
  hello: (text: string) => `export default { fetch: () => new Response("${text}") };\n`,
  hono: (text: string) =>
    `import { Hono } from "hono";

const app = new Hono();
app.get("/", (c) => c.text("${text}"));

export default app;
`,
};

type AppName = keyof typeof MAIN_OF;

/** All of them. */
export const SAVED_APPS = Object.keys(MAIN_OF) as AppName[];

/** The project; in `isola dev` it has the folder's name. */
export const SAVED_PROJECT = "saved-app";

/** An app in a folder, with a new version at each save. */
export class SavedApp implements AsyncDisposable {
  readonly folder: string;
  readonly #name: AppName;
  readonly #parent: string;
  readonly #client = Deno.createHttpClient({ allowHost: true });
  #version = 0;

  private constructor(name: AppName, parent: string) {
    this.#name = name;
    this.#parent = parent;
    this.folder = `${parent}/${SAVED_PROJECT}`;
  }

  /** Makes the folder, without a version yet. */
  static async create(name: AppName): Promise<SavedApp> {
    const app = new SavedApp(name, await Deno.makeTempDir({ prefix: "isola-bench-app-" }));
    await Deno.mkdir(app.folder);
    const imports = { hono: "npm:hono@^4.13.19" };
    if (name === "hono") await Deno.writeTextFile(`${app.folder}/deno.json`, JSON.stringify({ imports }));
    return app;
  }

  /** Writes the next version. */
  async save(): Promise<void> {
    this.#version++;
    await Deno.writeTextFile(`${this.folder}/main.ts`, MAIN_OF[this.#name](this.#text()));
  }

  /** Throws unless the version saved last is what the production of its project answers. */
  async isServed(port: number): Promise<void> {
    const headers = { host: `${SAVED_PROJECT}.localhost` };
    const text = await (await fetch(`http://127.0.0.1:${port}/`, { client: this.#client, headers })).text();
    if (text !== this.#text()) throw new Error(`"${this.#text()}" is not served: "${text}"`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    await Deno.remove(this.#parent, { recursive: true });
  }

  #text(): string {
    return `version ${this.#version}`;
  }
}
