/** When the clock of a test starts: 2026-01-05T12:00:00Z, in ms. In a file that needs no test runner. */
export const TEST_EPOCH = 1_767_614_400_000;
