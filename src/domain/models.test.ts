import { expect, it } from 'vitest';
import { describedModel, describeModel, sameModel, type NamedModel } from './models.js';

const at = (base_url: string | null, model: string, provider = 'openai-compatible'): NamedModel => ({
  provider,
  base_url,
  model,
});

it.each([
  [at('http://localhost:8080/v1/', 'Qwen'), at('http://127.0.0.1:8080/v1', 'qwen'), true],
  [at('https://api.example.org:443/v1', 'a'), at('https://API.example.org/v1', 'a'), true],
  [at('http://127.0.0.1:8080/v1', 'a'), at('http://127.0.0.1:8081/v1', 'a'), false],
  [at('http://127.0.0.1:8080/v1', 'a'), at('http://127.0.0.1:8080/v1', 'b'), false],
  [at(null, 'a', 'Anthropic'), at(null, 'a', 'anthropic'), true],
  [at(null, 'a', 'anthropic'), at(null, 'a', 'openrouter'), false],
  [at(null, 'some/Model-1', 'openrouter'), at('https://openrouter.ai/api/v1', 'some/model-1'), true],
  [at(null, 'model-1', 'vendor'), at('https://openrouter.ai/api/v1', 'vendor/model-1'), true],
  [at(null, 'model-1', 'vendor'), at('https://openrouter.ai/api/v1', 'vendor/model-2'), false],
])('%j and %j are the same model: %s', (a, b, same) => {
  expect(sameModel(a, b)).toBe(same);
  expect(sameModel(b, a)).toBe(same);
});

it('describes a model by its name and where it answers', () => {
  expect(describeModel(at('http://127.0.0.1:1/v1', 'a'))).toBe('a (http://127.0.0.1:1/v1)');
  expect(describeModel(at(null, 'a', 'anthropic'))).toBe('a (anthropic)');
});

it.each([at('http://127.0.0.1:1/v1', 'a (b)'), at(null, 'a', 'anthropic')])(
  'finds %j again from its description',
  (model) => {
    expect(describedModel(describeModel(model))).toEqual(model);
    expect(describedModel('human')).toBeNull();
  },
);
