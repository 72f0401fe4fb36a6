/** Shorter values are placeholders of local servers, and cutting them out would garble the message. */
const SHORTEST = 4;

/** The text without the secret, whoever repeated it. */
export function scrub(text: string, secret: string | null): string {
  return secret === null || secret.length < SHORTEST ? text : text.replaceAll(secret, '***');
}
