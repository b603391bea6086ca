import type { Receipt } from '@hob/contracts';
import type { BundleCode, SecretSource } from './bundle-code.ts';
import type { CodeCaches } from './code-cache.ts';
import type { DeadlineList } from './deadline-list.ts';
import type { Environment } from './environment.ts';
import type { Fleet } from './fleet.ts';
import type { Invocation } from './invocation.ts';
import type { CallHistories } from './keep-alive/index.ts';
import type { LimitSweep } from './limit-sweep.ts';
import type { Pools } from './pools.ts';
import type { SourceMaps } from './source-maps.ts';
import type { VersionGroup } from './version-group.ts';

/** What the groups of one scheduler share. */
export interface GroupServices {
  readonly env: Environment;
  readonly fleet: Fleet;
  readonly sweep: LimitSweep;
  readonly pools: Pools;
  readonly code: BundleCode;
  readonly secrets: SecretSource;
  readonly caches: CodeCaches;
  readonly sourceMaps: SourceMaps;
  readonly histories: CallHistories;
  readonly cancelGraces: DeadlineList<Invocation>;
  /** How many calls wait in all groups. */
  readonly totals: { waiting: number };
  /** A call is over. Called once for each call. */
  ended(call: Invocation, receipt: Receipt): void;
  /** A group may be forgotten. */
  emptied(group: VersionGroup): void;
}
