import initial from '../../migrations/0001_initial.sql';

/** In order; a migration is immutable from the first tagged release on. */
export const MIGRATIONS: readonly { readonly name: string; readonly sql: string }[] = [
  { name: '0001_initial', sql: initial },
];
