import assert from "node:assert/strict";
import { LoggedProcess } from "./logged_process.ts";
import { ISOLA, until } from "./server.ts";
import { BrowserHome, hasTrustingBrowser } from "./trusting_browser.ts";

const APP = `
  Deno.serve((request) =>
    new Response("<!doctype html><h1>" + new URL(request.url).protocol + "</h1>", {
      headers: { "content-type": "text/html" },
    })
  );
`;
/** A view of this machine in which what is trusted on it may be changed: nobody else sees that. */
const APART = ["bwrap", "--dev-bind", "/", "/"];
for (const folder of ["/usr/local/share/ca-certificates", "/etc/ssl/certs", "/etc/ca-certificates"]) {
  if (await exists(folder)) APART.push("--tmpfs", folder);
}
const canBeApart = await new Deno.Command(APART[0]!, { args: [...APART.slice(1), "true"] }).output()
  .then(({ success }) => success, () => false);

function exists(path: string): Promise<boolean> {
  return Deno.stat(path).then(() => true, () => false);
}

/** `isola dev --https` of an app, in a home of its own. */
class SecureDev implements AsyncDisposable {
  readonly home = new BrowserHome();
  readonly #process: LoggedProcess;
  /** Of the app. */
  url = "";

  private constructor() {
    const folder = `${this.home.path}/local-shop`;
    Deno.mkdirSync(folder);
    Deno.writeTextFileSync(`${folder}/main.ts`, APP);
    const free = [
      "--http-addr",
      "127.0.0.1:0",
      "--https-addr",
      "127.0.0.1:0",
      "--control-addr",
      "127.0.0.1:0",
    ];
    const command = [...ISOLA, "dev", folder, "--https", "--warm-pool", "1", ...free] as [
      string,
      ...string[],
    ];
    this.#process = new LoggedProcess(command, { env: this.environment });
  }

  static async start(): Promise<SecureDev> {
    const dev = new SecureDev();
    await until(
      "it prints the app's URL",
      () => {
        dev.url = /^https:\/\/local-shop\.localhost:\d+$/m.exec(dev.#process.output)?.[0] ?? "";
        return dev.url !== "";
      },
      60_000,
      () => dev.#process.output,
    );
    return dev;
  }

  get environment(): Record<string, string> {
    return { HOME: this.home.path, XDG_STATE_HOME: "", NO_COLOR: "1" };
  }

  /** `isola trust`; returns the path that it prints. */
  async trust(): Promise<string> {
    const [program, ...args] = [...APART, ...ISOLA, "trust"];
    const { stdout } = await new Deno.Command(program!, { args, env: this.environment, stdin: "null" })
      .output();
    return new TextDecoder().decode(stdout).split("\n", 1)[0]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
    this.home[Symbol.dispose]();
  }
}

/** What curl gets of a URL, with the authority in a file trusted. */
async function curl(url: string, caPath: string): Promise<string> {
  const { port, hostname } = new URL(url);
  const { stdout, stderr } = await new Deno.Command("curl", {
    args: ["-sS", "--cacert", caPath, "--resolve", `${hostname}:${port}:127.0.0.1`, url],
  }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

Deno.test({
  name: "isola dev --https serves the app with a certificate of a CA that isola trust names",
  ignore: !canBeApart,
  async fn() {
    await using dev = await SecureDev.start();
    const caPath = await dev.trust();
    assert.ok(caPath.startsWith(dev.home.path), caPath);
    assert.match(await curl(dev.url, caPath), /<h1>https:<\/h1>/);
    const elsewhere = await curl(dev.url.replace("local-shop.localhost", "other.test"), caPath);
    assert.match(elsewhere, /^curl: \(35\).*unrecognized name/);
    const { mode } = await Deno.stat(caPath.replace(/\.pem$/, ".key"));
    assert.equal(mode! & 0o077, 0);
  },
});

Deno.test({
  name: "After isola trust, Chromium shows the app of isola dev --https without a warning",
  ignore: !canBeApart || !hasTrustingBrowser,
  // The library keeps timers and pipes of its own until the process ends.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using dev = await SecureDev.start();
    await dev.trust();
    const browser = await dev.home.launch("MAP *.localhost 127.0.0.1");
    try {
      const page = await browser.newPage();
      await page.goto(dev.url);
      assert.equal(await page.locator("h1").innerText(), "https:");
    } finally {
      await browser.close();
    }
  },
});
