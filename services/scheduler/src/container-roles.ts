import type { FailurePayload } from '@hob/contracts';
import type { Container } from './container.ts';
import type { Death } from './death.ts';
import type { Head } from './head-reader.ts';

/** What a container reports of a call that it runs. A method that throws a catalogued error ends the container. */
export interface ContainerCall {
  readonly id: string;
  /** The container's processes go on, at this monotonic ms. */
  thawed(atMs: number): void;
  /** The code is loaded, at this monotonic ms. */
  loaded(atMs: number): void;
  head(head: Head, isLast: boolean): void;
  body(bytes: Uint8Array, isLast: boolean): void;
  credit(bytes: number): void;
  /** The stream is over. */
  done(): void;
  /** The call failed; the stream is over. */
  error(failure: FailurePayload): void;
  /** The container takes bytes again. */
  drain(): void;
  /** The container is dead; the stream is over. */
  died(death: Death): void;
}

/** Who answers for a container. Methods must not throw. */
export interface ContainerOwner {
  /** It is dead: nothing can be done with it any more. The death is undefined until its processes are gone. */
  died(container: Container, death: Death | undefined): void;
  /** Nothing of it is left. */
  gone(container: Container, death: Death): void;
}

/** The owner of a container that has none yet. */
export const nobody: ContainerOwner = { died: () => undefined, gone: () => undefined };

/** The owner of a container that runs a function. */
export interface FunctionOwner extends ContainerOwner {
  /** It has more containers than it is to keep. */
  readonly canSpare: boolean;
  loaded(container: Container, cacheRejected: boolean): void;
  /** A call is over and the container takes another one. */
  released(container: Container): void;
}

/** The owner of a container that makes a code cache. */
export interface CompileOwner extends ContainerOwner {
  /** A piece of the cache. @throws a catalogued error, which ends the container. */
  cache(bytes: Uint8Array, isLast: boolean): void;
}
