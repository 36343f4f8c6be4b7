const NOT_SOURCE = /^(\..*|node_modules|coverage|fixtures)$/;

/** The TypeScript below a folder, but for what is not of this repository or only looks like an app of somebody's. */
export function* sourceFiles(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory && !NOT_SOURCE.test(name)) yield* sourceFiles(`${folder}/${name}`);
    if (/\.tsx?$/.test(name)) yield `${folder}/${name}`;
  }
}
