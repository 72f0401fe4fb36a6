/** One kind of work that is killed. Its three parts run in three processes. */
export interface Operation {
  readonly name: string;
  /** Lays the root as it is before the work. */
  build(root: string): Promise<void>;
  /** The work; killed anywhere. */
  run(root: string): Promise<void>;
  /**
   * What another process finds and does afterwards: it recovers, finds nothing wrong, and brings the work to its end.
   * @throws an AssertionError that says what was lost
   */
  check(root: string): Promise<void>;
}
