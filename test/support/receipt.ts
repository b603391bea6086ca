import type { Answer } from './http-call.ts';

/** The receipt in an answer's headers: its numbers and words by their keys. */
export function receiptOf(answer: Answer): Readonly<Record<string, string | number>> {
  const text = answer.headers['hob-receipt'];
  if (text === undefined) throw new Error(`an answer without a receipt: ${JSON.stringify(answer.headers)}`);
  const members = text.split(', ').map((member) => member.split('='));
  return Object.fromEntries(
    members.map(([key = '', value = '']) => [key, Number.isNaN(Number(value)) ? value : Number(value)]),
  );
}
