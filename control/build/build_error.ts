/** What is wrong with the deployment, in terms of its own paths: the last line of its build log. */
export class BuildError extends Error {
  override name = "BuildError";
}
