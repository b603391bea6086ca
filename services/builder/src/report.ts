import * as esbuild from 'esbuild';

/** The longest report. The first few problems are mostly the cause of the others. */
const MESSAGES_MAX = 20;

/** Messages as text: each with its file, line and the line's source. */
export async function report(
  messages: readonly esbuild.Message[],
  kind: 'error' | 'warning',
  colour: boolean,
): Promise<string[]> {
  const shown = messages.slice(0, MESSAGES_MAX).map(withHelp);
  const texts = await esbuild.formatMessages(shown, { kind, color: colour });
  const more = messages.length - shown.length;
  return [...texts.map((text) => text.trim()), ...(more > 0 ? [`and ${more} more`] : [])];
}

/** esbuild's advice on unresolved imports is to leave them out of the bundle, which is no way out here. */
function withHelp(message: esbuild.Message): esbuild.Message {
  const missing = /^Could not resolve "([^"]+)"/.exec(message.text)?.[1];
  if (missing === undefined) return message;
  if (/^[./]/.test(missing)) return { ...message, notes: [] };
  const text = 'Is it in the package.json? Then run "npm install" there.';
  return { ...message, notes: [{ text, location: null }] };
}
