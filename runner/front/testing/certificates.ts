import type { Certificate } from "../../contract.ts";

let made = 0;

/** A certificate that signs itself, for clients who are told to trust it: by openssl, for a day. */
export async function makeCertificate(...names: string[]): Promise<Certificate> {
  const directory = await Deno.makeTempDir({ prefix: "isola-certificate-" });
  const key = `${directory}/key.pem`;
  const chain = `${directory}/chain.pem`;
  const { success, stderr } = await new Deno.Command("openssl", {
    args: [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"],
      ...[
        "-keyout",
        key,
        "-out",
        chain,
        "-subj",
        "/CN=test",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
      ],
      ...["-addext", `subjectAltName=${names.map((name) => `DNS:${name}`).join()}`],
    ],
    stdin: "null",
  }).output();
  if (!success) throw new Error(`Cannot make a certificate: ${new TextDecoder().decode(stderr)}`);
  const certificate: Certificate = {
    id: `certificate ${++made}`,
    names,
    chain: await Deno.readTextFile(chain),
    privateKey: await Deno.readTextFile(key),
  };
  await Deno.remove(directory, { recursive: true });
  return certificate;
}
