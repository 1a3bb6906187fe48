/** Ids of users and conversations, as the server takes them. */
const idPattern = /^[A-Za-z0-9_-]{1,64}$/;

export const isId = (text: string): boolean => idPattern.test(text);

/** Several user names in one field, each once, as they were written. */
export const idsIn = (text: string): string[] => [...new Set(text.split(/[\s,;，、；]+/).filter((one) => one !== ''))];
