/**
 * The examples of PROTOCOL.md: the contents of its fenced blocks, in order. test/integration/protocol-examples.test.ts
 * runs them against a real gateway, and the generated AsyncAPI document shows them. So none of them is made up.
 *
 *   ```json client alice/phone     a frame that this device sends; its `hello` opens the connection
 *   ```json server alice/phone     a frame that comes to it
 *   ```http alice                  a request with the token of alice (`service`: a service token), and its JSON body
 *   ```json 201                    the answer to the request above it; empty when there is no body
 *   <!-- run: … -->                a step of the test that prepares the next example
 */
export type Example = { line: number } & (
  | { is: 'client' | 'server'; device: string; frame: Frame }
  | { is: 'request'; caller: string; method: string; path: string; body: unknown }
  | { is: 'answer'; status: number; body: unknown }
  | { is: 'run'; words: string[] }
);

export type Frame = { type: string; [field: string]: unknown };

const parts = /^```(json|http)\b *(.*)\n([^]*?)^```$|^<!-- run: (.+) -->$/gm;

const jsonOrNothing = (text: string): unknown => (text.trim() === '' ? undefined : JSON.parse(text));

/** Throws, with the line number, on a JSON or HTTP block that has no valid label or cannot be parsed. */
export function readExamples(markdown: string): Example[] {
  return [...markdown.matchAll(parts)].map((match): Example => {
    const line = markdown.slice(0, match.index).split('\n').length;
    const [, language, info = '', text = '', run] = match;
    if (run !== undefined) return { line, is: 'run', words: run.split(' ') };
    const [word = '', device = ''] = info.split(' ');
    try {
      if (language === 'http') {
        const [head = '', ...body] = text.split('\n\n');
        const [method = '', path = ''] = head.trim().split(' ');
        return { line, is: 'request', caller: word, method, path, body: jsonOrNothing(body.join('\n\n')) };
      }
      if (word === 'client' || word === 'server') return { line, is: word, device, frame: JSON.parse(text) as Frame };
      if (/^\d{3}$/.test(word)) return { line, is: 'answer', status: Number(word), body: jsonOrNothing(text) };
    } catch (thrown) {
      throw new Error(`line ${line}: ${(thrown as Error).message}`, { cause: thrown });
    }
    throw new Error(`line ${line}: an example must say who sends it, or which status it has`);
  });
}

/** The first frame of a type that either side sends in the examples. */
export function firstFrame(examples: readonly Example[], is: 'client' | 'server', type: string): Frame | undefined {
  for (const example of examples) if (example.is === is && example.frame.type === type) return example.frame;
  return undefined;
}
