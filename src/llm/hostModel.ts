import { KarpathyError } from '../errors.js';
import type { HostServices, LanguageModel } from '../ports.js';

/** The model of the Hermes process in front, through its `ctx.llm`. */
export function hostModel(
  choice: { readonly provider?: string; readonly model?: string },
  host: HostServices | null,
): LanguageModel {
  return {
    configured: { provider: choice.provider ?? 'hermes', base_url: null, model: choice.model ?? 'default' },
    async complete(request) {
      if (host === null) {
        throw new KarpathyError('host_failed', "There is no Hermes in front, so the host's model cannot be used.", {
          hint: 'Run `hermes karpathy` instead of `karpathy`, or set models.proposer and models.judge to {base_url, model}.',
        });
      }
      request.signal?.throwIfAborted();
      return host.completeWithHostModel({
        ...request,
        ...(choice.provider === undefined ? {} : { provider: choice.provider }),
        ...(choice.model === undefined ? {} : { model: choice.model }),
      });
    },
  };
}
