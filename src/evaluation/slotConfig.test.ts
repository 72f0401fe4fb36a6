import { describe, expect, it } from 'vitest';
import { SLOT_GUARD_NAME, slotConfig } from './slotConfig.js';

const LIVE = {
  model: { provider: 'my-lab', default: 'm1', api_key: '${LAB_KEY}', fallback: 'other' },
  providers: { 'my-lab': { base_url: 'http://lab/v1', key_env: 'LAB_KEY_2' }, other: { api_key: 'secret-of-other' } },
  custom_providers: [
    { name: 'my-lab', base_url: 'http://lab/v1' },
    { name: 'x', api_key: 'secret-of-x' },
  ],
  fallback_providers: ['other'],
  mcp_servers: { files: { command: 'npx' } },
  plugins: { enabled: ['karpathy-self-improve', 'observer'] },
  memory: { provider: 'honcho', memory_char_limit: 99, memory_enabled: true },
  terminal: { backend: 'ssh', host: 'prod' },
  platform_toolsets: { cli: ['file', 'todo'], telegram: ['web'] },
  agent: { reasoning_effort: 'low', gateway_timeout: 5, system_prompt: 'Be exact.' },
  context_file_max_chars: 30000,
  telegram: { token: 'secret-of-telegram' },
  hooks: { pre_llm_call: [{ command: 'curl x' }] },
  auxiliary: { vision: { api_key: 'secret-of-vision' } },
  security: { tirith_enabled: true, redact_secrets: false },
};

describe('slotConfig', () => {
  it('takes over what shapes the answers', () => {
    const { config } = slotConfig(LIVE);
    expect(config).toMatchObject({
      model: { provider: 'my-lab', default: 'm1' },
      platform_toolsets: { cli: ['file', 'todo'] },
      agent: { reasoning_effort: 'low', system_prompt: 'Be exact.' },
      context_file_max_chars: 30000,
      memory: { memory_char_limit: 99, memory_enabled: true, provider: '' },
      security: { redact_secrets: false, tirith_enabled: false, allow_lazy_installs: false },
    });
  });

  it('leaves out everything that acts elsewhere, and every secret but the model’s', () => {
    const { config } = slotConfig(LIVE);
    expect(Object.keys(config)).not.toEqual(expect.arrayContaining(['mcp_servers', 'telegram', 'hooks', 'auxiliary']));
    expect(config.plugins).toMatchObject({ enabled: [SLOT_GUARD_NAME] });
    expect(config.fallback_providers).toEqual([]);
    expect(config.terminal).toEqual({ backend: 'local' });
    const written = JSON.stringify(config);
    expect(written).not.toContain('secret-of');
    expect(written).not.toContain('fallback":"other');
    expect(written).not.toContain('gateway_timeout');
  });

  it('names the variables that the model needs, and what differs from the live agent', () => {
    const { keyNames, differences, provider } = slotConfig(LIVE);
    expect(provider).toBe('my-lab');
    expect([...keyNames].sort()).toEqual(['LAB_KEY', 'LAB_KEY_2']);
    expect(differences.join('; ')).toMatch(/MCP servers.*files.*plugins.*observer.*honcho.*ssh.*fallback/);
  });

  it('makes a whole configuration of nothing', () => {
    expect(slotConfig(null).config).toMatchObject({ model: {}, plugins: { enabled: [SLOT_GUARD_NAME] } });
    expect(slotConfig({ model: 'some/model' }).config.model).toEqual({ default: 'some/model' });
  });
});
