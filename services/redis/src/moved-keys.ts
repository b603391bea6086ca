/**
 * What a server answers to a command that it did not do, as the keys are at another server, or come and go just now: a cluster that
 * moves a slot or has lost a node, a master that has become a replica.
 */
const form = /^(?:MOVED|ASK|TRYAGAIN|CLUSTERDOWN|READONLY|MASTERDOWN) |-READONLY You can't write/;
/** Another server has them, and the client has to find it. */
const goneForm = /^(?:MOVED|READONLY) |-READONLY You can't write/;

/** Whether a command can be sent again, as nothing was done. */
export function isElsewhere(error: unknown): boolean {
  return error instanceof Error && form.test(error.message);
}

/** Whether the client is connected to the wrong server. */
export function isGone(error: Error): boolean {
  return goneForm.test(error.message);
}
