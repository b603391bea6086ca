/** What functions have done in the outside world: which events were run for which calls. */
export class Effects {
  /** Ids of the events that ran, by the number of their call. */
  readonly events = new Map<number, Set<string>>();
  /** How large a body each had, bytes. */
  readonly bodies = new Map<string, number>();

  /** @param url as the function `effect` asks for it. */
  note(url: string): void {
    const told = new URL(url, 'http://outside').searchParams;
    const id = told.get('id') ?? '';
    const call = Number(told.get('call'));
    const events = this.events.get(call) ?? new Set();
    this.events.set(call, events.add(id));
    this.bodies.set(id, Number(told.get('bytes')));
  }
}
