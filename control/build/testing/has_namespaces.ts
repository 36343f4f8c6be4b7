/** Without namespaces there is no view, and no build command runs. */
export const HAS_NAMESPACES = await new Deno.Command("bwrap", { args: ["--ro-bind", "/", "/", "/bin/true"] })
  .output()
  .then(({ success }) => success, () => false);
