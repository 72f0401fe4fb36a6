import initial from '../../migrations/0001_initial.sql';

export interface Migration {
  readonly name: string;
  readonly sql: string;
}

/** In order; a migration is immutable from the first tagged release on. */
export const MIGRATIONS: readonly Migration[] = [{ name: '0001_initial', sql: initial }];
