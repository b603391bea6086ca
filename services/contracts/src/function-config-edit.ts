import { applyEdits, modify } from 'jsonc-parser';
import type { FunctionConfig } from './function-config.ts';

const BYTE_ORDER_MARK = '\uFEFF';

/**
 * Sets one setting in the text of a hob.json. Its comments, and all else that is written there, stay as they are.
 *
 * @param text what `parseFunctionConfig` accepts.
 */
export function setInFunctionConfig<K extends keyof FunctionConfig>(
  text: string,
  key: K,
  value: FunctionConfig[K],
): string {
  const mark = text.startsWith(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK : '';
  const body = text.slice(mark.length);
  const eol = body.includes('\r\n') ? '\r\n' : '\n';
  const edits = modify(body, [key], value, { formattingOptions: { insertSpaces: true, tabSize: 2, eol } });
  return mark + applyEdits(body, edits);
}
