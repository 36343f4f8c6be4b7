import assert from "node:assert/strict";

/** A certificate and its key, PEM. */
export interface Certificate {
  cert: string;
  key: string;
}

/** An authority, a server that is called localhost and 127.0.0.1, and a client. */
export interface Certificates {
  ca: string;
  server: Certificate;
  client: Certificate;
}

/** Makes them with openssl(1). */
export async function makeCertificates(): Promise<Certificates> {
  const dir = await Deno.makeTempDir({ prefix: "isola-certificates-" });
  const openssl = async (...args: string[]) => {
    const { success, stderr } = await new Deno.Command("openssl", { args, cwd: dir }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
  };
  const request = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"];
  const issue = async (name: string): Promise<Certificate> => {
    const extensions = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
    const files = ["-keyout", `${name}.key`, "-out", `${name}.csr`];
    await openssl(...request, "-subj", `/CN=${name}`, ...extensions, ...files);
    await openssl(
      ...["x509", "-req", "-in", `${name}.csr`, "-copy_extensions", "copy", "-days", "1"],
      ...["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", `${name}.pem`],
    );
    return {
      cert: await Deno.readTextFile(`${dir}/${name}.pem`),
      key: await Deno.readTextFile(`${dir}/${name}.key`),
    };
  };
  try {
    await openssl(...request, "-x509", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem");
    const ca = await Deno.readTextFile(`${dir}/ca.pem`);
    return { ca, server: await issue("server"), client: await issue("client") };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
