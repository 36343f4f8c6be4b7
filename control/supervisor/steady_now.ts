/** Unix time in ms, as this process began to count it: never set back. */
export function steadyNow(): number {
  return performance.timeOrigin + performance.now();
}
