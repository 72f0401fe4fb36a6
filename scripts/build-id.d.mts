/** First 16 hex digits of a SHA-256 over path and content of every source file of a build. */
export function buildId(): string;
