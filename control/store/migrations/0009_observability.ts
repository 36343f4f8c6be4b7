/** What of a project is recorded. */
export const OBSERVABILITY = ``;
