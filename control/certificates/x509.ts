/**
 * `@peculiar/x509`, loaded when it is first needed: that takes 60 to 100 ms and 21 MB, which a server without certificates
 * to check need not spend.
 */
export async function loadX509(): Promise<typeof import("@peculiar/x509")> {
  // What the library is injected with must be there before it.
  await import("reflect-metadata");
  return await import("@peculiar/x509");
}
