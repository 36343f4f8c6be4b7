import { issue, type Issued, type IssueOptions } from "../control/certificates/testing/issue.ts";

/** Where a certificate is, as `tls.certificates` of `isola.yaml` names it. */
export interface CertificatePaths {
  cert: string;
  key: string;
}

/** A certificate authority with an intermediate one, which writes what it issues into a folder of its own. */
export class TestCa implements Disposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "isola-test-ca-" });
  readonly #root: Issued;
  readonly #intermediate: Issued;

  private constructor(root: Issued, intermediate: Issued) {
    this.#root = root;
    this.#intermediate = intermediate;
    Deno.writeTextFileSync(this.path, root.certificate);
  }

  static async make(): Promise<TestCa> {
    const root = await issue({ subject: "CN=Test root", isAuthority: true });
    return new TestCa(
      root,
      await issue({ subject: "CN=Test intermediate", isAuthority: true, issuer: root }),
    );
  }

  /** PEM of the root. */
  get certificate(): string {
    return this.#root.certificate;
  }

  /** Where the root is. */
  get path(): string {
    return `${this.folder}/root.pem`;
  }

  /** A certificate with its chain, PEM. */
  async issue(
    names: readonly string[],
    options: IssueOptions = {},
  ): Promise<{ chain: string; privateKey: string }> {
    const issued = await issue({ subject: `CN=${names[0]}`, names, issuer: this.#intermediate, ...options });
    const chain = issued.certificate + this.#intermediate.certificate;
    return { chain, privateKey: issued.privateKey };
  }

  /** Issues one into two files, named after its first name; later ones for that name replace it, as certbot would. */
  async write(names: readonly string[], options: IssueOptions = {}): Promise<CertificatePaths> {
    const { chain, privateKey } = await this.issue(names, options);
    const stem = `${this.folder}/${names[0]!.replace("*", "any")}`;
    const paths = { cert: `${stem}.pem`, key: `${stem}.key` };
    for (const [path, text] of [[paths.key, privateKey], [paths.cert, chain]] as const) {
      await Deno.writeTextFile(`${path}.new`, text);
      await Deno.rename(`${path}.new`, path);
    }
    return paths;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}
