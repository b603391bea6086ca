import type { InvocationRecord } from '@hob/contracts';
import { until } from '../support/until.ts';

/**
 * Waits for the ends of events, however many there are: as long as more of them end, it is not over.
 *
 * @param read gives what is known of an event, undefined while nobody can be asked.
 * @throws what `read` throws, and Error when no more of them end.
 */
export async function endsOf(
  ids: Iterable<string>,
  read: (id: string) => Promise<InvocationRecord | undefined>,
): Promise<Map<string, InvocationRecord>> {
  const left = new Set(ids);
  const ends = new Map<string, InvocationRecord>();
  const look = async (): Promise<void> => {
    for (const id of left) {
      const record = await read(id);
      if (record === undefined) return;
      if (record.endedAt === undefined) continue;
      ends.set(id, record);
      left.delete(id);
    }
  };
  while (left.size > 0) {
    const before = ends.size;
    await until(
      () => `more events end; ${left.size} have not, such as ${[...left].slice(0, 3).join(', ')}`,
      async () => {
        await look();
        return ends.size > before;
      },
    );
  }
  return ends;
}
