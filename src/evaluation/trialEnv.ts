/** Passed on to a trial; HOME, the slot's variables and the model's key are added. */
const ALLOWED = ['PATH', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ', 'TERM', 'SSL_CERT_FILE', 'SSL_CERT_DIR'];
const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'ALL_PROXY'];

/** What every process of the host is started with that has to do with trials. */
export function trialEnv(parent: Readonly<NodeJS.ProcessEnv>, home: string): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of [...ALLOWED, ...PROXIES, ...PROXIES.map((name) => name.toLowerCase())]) {
    const value = parent[name];
    if (value !== undefined) env[name] = value;
  }
  return { ...env, HERMES_HOME: home, KARPATHY_TRIAL: '1', PYTHONDONTWRITEBYTECODE: '1', NO_COLOR: '1' };
}
