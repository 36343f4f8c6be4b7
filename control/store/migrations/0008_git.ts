/** Repositories that projects follow. */
export const GIT = ``;
