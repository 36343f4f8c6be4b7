const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** Whether a URL's hostname is this machine's own, whatever a resolver says. */
export function isLoopback(hostname: string): boolean {
  return LOOPBACK.test(hostname);
}
