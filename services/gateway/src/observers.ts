import type { Observer } from '@hob/contracts';

/** One observer that tells several, in their order. */
export function combineObservers(...observers: readonly Observer[]): Observer {
  return {
    invocationEnded(receipt) {
      for (const observer of observers) observer.invocationEnded(receipt);
    },
    log(line) {
      for (const observer of observers) observer.log(line);
    },
    containerCreated(event) {
      for (const observer of observers) observer.containerCreated(event);
    },
    containerDied(event) {
      for (const observer of observers) observer.containerDied(event);
    },
    egressDenied(event) {
      for (const observer of observers) observer.egressDenied(event);
    },
    dnsQueries(event) {
      for (const observer of observers) observer.dnsQueries(event);
    },
    preloaded(event) {
      for (const observer of observers) observer.preloaded(event);
    },
    zygoteRestarted(event) {
      for (const observer of observers) observer.zygoteRestarted(event);
    },
  };
}
