import { type FunctionConfig, memoryClassMb, networkClass } from '@hob/contracts';
import type { ContainerKind } from './container-driver.ts';

/** The kind of container that a function needs. */
export function kindOf({ runtime, memoryMb, egress }: FunctionConfig): ContainerKind {
  return { runtime, memoryMb: memoryClassMb(memoryMb), network: networkClass(egress) };
}
