import type { Look } from './look.js';

/** The first line of every answer: which profile it is about. */
export function header(look: Look, profile: { readonly name: string }): string {
  return look.form === 'plain'
    ? `Profile ${profile.name}`
    : `${look.colors.dim('profile')} ${look.colors.bold(profile.name)}`;
}
