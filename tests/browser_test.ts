import assert from "node:assert/strict";
import { type Browser, chromium, type Page } from "playwright-core";
import { startTestServer, type TestServer } from "./server.ts";
import { CHROMIUM, CHROMIUM_FLAGS } from "./chromium.ts";

const EXAMPLES = new URL("../examples/", import.meta.url);

const isInstalled = await Deno.stat(CHROMIUM).then(() => true, () => false);

/** A test with a real browser. */
function browserTest(name: string, fn: (server: TestServer, browser: Browser) => Promise<void>) {
  Deno.test({
    name,
    // scripts/setup.sh installs it where it may: as root on Debian.
    ignore: !isInstalled,
    // The library keeps timers and pipes of its own until the process ends.
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using server = await startTestServer();
      const browser = await chromium.launch({ executablePath: CHROMIUM, args: [...CHROMIUM_FLAGS] });
      try {
        await fn(server, browser);
      } finally {
        await browser.close();
      }
    },
  });
}

/** The files of a folder, as they are. */
async function filesOf(folder: URL, prefix = ""): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {};
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) Object.assign(files, await filesOf(new URL(`${name}/`, folder), `${prefix}${name}/`));
    else files[prefix + name] = await Deno.readFile(new URL(name, folder));
  }
  return files;
}

browserTest("The hono example's page calls its API", async (server, browser) => {
  const { id } = await server.deploy("hono-page", await filesOf(new URL("hono/", EXAMPLES)));
  const page = await browser.newPage();
  const errors: unknown[] = [];
  page.on("pageerror", (error) => errors.push(error));
  await page.goto(`http://hono-page.localhost:${server.httpPort}/`);
  await page.getByText(id).waitFor();
  await page.locator("input[name=name]").fill("Ada");
  await page.locator("#hello button").click();
  await page.getByText("Ada").first().waitFor();
  assert.deepEqual(errors, []);
});

browserTest("Two visitors of the chat example see each other's messages", async (server, browser) => {
  await server.deploy("chat-page", await filesOf(new URL("chat/", EXAMPLES)));
  const open = async (): Promise<Page> => {
    const page = await browser.newPage();
    await page.goto(`http://chat-page.localhost:${server.httpPort}/`);
    await page.locator("#state", { hasNotText: "connecting" }).waitFor();
    return page;
  };
  const [ada, grace] = [await open(), await open()];
  await say(ada, "Ada", "Is anybody here?");
  await grace.getByText("Is anybody here?").waitFor();
  await say(grace, "Grace", "I am.");
  await ada.getByText("I am.").waitFor();
});

async function say(page: Page, from: string, text: string) {
  await page.locator("input[name=from]").fill(from);
  await page.locator("input[name=text]").fill(text);
  await page.keyboard.press("Enter");
}
