import type { Db } from '../../src/store/database.js';

/** One step of a statement's plan, as SQLite names it. */
export interface PlanStep {
  readonly sql: string;
  readonly step: string;
}

/** Notes every statement that is prepared on a connection from now on; call it before anything else uses it. */
export function recordStatements(db: Db): ReadonlySet<string> {
  const seen = new Set<string>();
  const prepare: Db['prepare'] = db.prepare.bind(db);
  db.prepare = (sql: string) => {
    seen.add(sql);
    return prepare(sql);
  };
  return seen;
}

/** How SQLite would carry a statement out. A plan does not depend on what is bound, nor, without ANALYZE, on the rows. */
export function queryPlan(db: Db, sql: string): PlanStep[] {
  const names = [...sql.matchAll(/@(\w+)/g)].map(([, name]) => name ?? '');
  const places = names.length > 0 ? 0 : (sql.match(/\?/g)?.length ?? 0);
  const statement = db.prepare(`EXPLAIN QUERY PLAN ${sql}`);
  const values =
    names.length > 0 ? [Object.fromEntries(names.map((name) => [name, null]))] : Array<unknown>(places).fill(null);
  return (statement.all(...values) as { detail: string }[]).map(({ detail }) => ({ sql, step: detail }));
}
