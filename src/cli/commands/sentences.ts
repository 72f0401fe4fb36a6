import * as z from 'zod';
import { sentencesView } from '../../services/sentencesView.js';
import { wrap } from '../../text/look.js';
import { command } from '../command.js';

export const sentencesCommand = command({
  path: 'sentences',
  group: 'Look',
  summary: "the file's sentences with the numbers that `propose` uses",
  examples: ['sentences'],
  input: z.object({}),
  async run({ ctx }) {
    const view = sentencesView(ctx);
    return {
      data: view,
      text: (look) =>
        view.sentences
          .map(
            ({ number, text }) =>
              `${look.colors.dim(String(number).padStart(4))}  ${wrap(text, { width: look.width, indent: 6 })}`,
          )
          .join('\n'),
    };
  },
});
