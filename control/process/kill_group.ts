/** Ends a process group, if there is anything left of it. It outlives its leader while a child runs. */
export function killGroup(leader: number): void {
  try {
    Deno.kill(-leader, "SIGKILL");
  } catch (error) {
    const isOver = error instanceof Deno.errors.NotFound || (error as { code?: string }).code === "ESRCH";
    if (!isOver) throw error;
  }
}
