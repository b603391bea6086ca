/** When a running call ends. */
export interface RunningCall {
  readonly endMs: number;
  readonly target: number;
}

/** Running calls, the one that ends first on top: a binary heap. */
export class EndHeap {
  readonly #calls: RunningCall[] = [];

  get first(): RunningCall | undefined {
    return this.#calls[0];
  }

  push(call: RunningCall): void {
    const calls = this.#calls;
    let at = calls.push(call) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = calls[above];
      if (parent === undefined || parent.endMs <= call.endMs) break;
      calls[at] = parent;
      at = above;
    }
    calls[at] = call;
  }

  /** Takes the first one out. */
  shift(): void {
    const calls = this.#calls;
    const last = calls.pop();
    if (last === undefined || calls.length === 0) return;
    let at = 0;
    for (;;) {
      let below = at * 2 + 1;
      const [left, right] = [calls[below], calls[below + 1]];
      if (left !== undefined && right !== undefined && right.endMs < left.endMs) below += 1;
      const child = calls[below];
      if (child === undefined || child.endMs >= last.endMs) break;
      calls[at] = child;
      at = below;
    }
    calls[at] = last;
  }
}
