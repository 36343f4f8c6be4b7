/** Where Debian has it. */
export const CHROMIUM = "/usr/bin/chromium";
/** Without what it does by itself, and what needs more rights than a test has. */
export const CHROMIUM_FLAGS: readonly string[] = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-sync",
];
