import { dirname, join } from "node:path";

/** A folder with some files ("a/b.txt": content) and links ("a/l": { link: target }), removed at the end of the scope. */
export class TempFolder implements Disposable {
  readonly path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "isola-test-" }));

  constructor(entries: Record<string, string | { link: string }> = {}) {
    for (const [path, content] of Object.entries(entries)) this.write(path, content);
  }

  write(path: string, content: string | { link: string }): void {
    const target = join(this.path, path);
    Deno.mkdirSync(dirname(target), { recursive: true });
    if (typeof content === "string") Deno.writeTextFileSync(target, content);
    else Deno.symlinkSync(content.link, target);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}
