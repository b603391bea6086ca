/** What the launcher and its client say to each other: one JSON object a line. The launcher believes no line it gets. */
import { type EgressPolicy, functionConfigSchema, memoryClassesMb, type NetworkClass } from '@hob/contracts';
import { type Static, Type } from 'typebox';
import type { ContainerDriver, ContainerLimits, DnsTally, EgressDenial } from '../container-driver.ts';
import { CPU_WEIGHT_USUAL } from '../driver/cgroup-knobs.ts';
import type { ControlEnd } from '../driver/container-control.ts';

/** The longest line, either way, bytes. */
export const LINE_BYTES_MAX = 64 * 1024;

const exact = { additionalProperties: false } as const;
const { memoryMb, cpu, pids, nofile, tmpMb, tmpFiles, io, runtime, seccomp, egress } = functionConfigSchema.properties;
/** A whole number in the range of a setting of hob.json. */
function within({ minimum, maximum }: { readonly minimum: number; readonly maximum: number }) {
  return Type.Integer({ minimum, maximum });
}

function systemCalls({
  maxItems,
  items,
}: {
  readonly maxItems: number;
  readonly items: { readonly maxLength: number };
}) {
  return Type.Array(Type.String({ pattern: '^[a-z0-9_]+$', maxLength: items.maxLength }), { maxItems });
}

/** Numbers a request; its answer has the same. */
const serial = Type.Integer({ minimum: 1, maximum: 0xffff_ffff });
const container = Type.String({ pattern: '^c-[0-9a-z]{1,16}-[0-9]{1,16}$' });

/**
 * Everything that a client can ask for. No message names a path, a pid, a uid or a program: a container is named by the id
 * that the launcher gave it, a bundle by its digest.
 */
export const requestSchema = Type.Union([
  /** Forks a container. Its descriptors come over the channel, with the same serial, before the answer. */
  Type.Object(
    {
      op: Type.Literal('create'),
      serial,
      runtime: Type.Union(runtime.enum.map((name) => Type.Literal(name))),
      memoryMb: Type.Union(memoryClassesMb.map((classMb) => Type.Literal(classMb))),
      network: Type.Union((['none', 'egress'] as const satisfies NetworkClass[]).map((name) => Type.Literal(name))),
      /** Which system calls end it: no rule lets it make one that hob's own profile refuses. */
      seccomp: Type.Optional(
        Type.Union([
          Type.Literal('learn'),
          Type.Object(
            {
              deny: Type.Optional(systemCalls(seccomp.properties.deny)),
              allow: Type.Optional(systemCalls(seccomp.properties.allow)),
              onViolation: Type.Optional(
                Type.Union(seccomp.properties.onViolation.enum.map((word) => Type.Literal(word))),
              ),
            },
            exact,
          ),
        ]),
      ),
    },
    exact,
  ),
  Type.Object(
    {
      op: Type.Literal('limits'),
      serial,
      container,
      memoryMb: within(memoryMb),
      cpu: Type.Number({ minimum: cpu.minimum, maximum: cpu.maximum }),
      cpuWeight: Type.Integer({ minimum: 1, maximum: CPU_WEIGHT_USUAL }),
      // The server's own settings and what the schema makes of the others may go lower than hob.json may.
      pids: Type.Integer({ minimum: 1, maximum: pids.maximum }),
      nofile: within(nofile),
      tmpMb: within(tmpMb),
      tmpFiles: within(tmpFiles),
      io: Type.Optional(
        Type.Object(
          {
            readBytesPerSecond: Type.Optional(within(io.properties.readBytesPerSecond)),
            writeBytesPerSecond: Type.Optional(within(io.properties.writeBytesPerSecond)),
            readsPerSecond: Type.Optional(within(io.properties.readsPerSecond)),
            writesPerSecond: Type.Optional(within(io.properties.writesPerSecond)),
          },
          exact,
        ),
      ),
    },
    exact,
  ),
  /** Opens what a policy allows, once. Whatever it says, it opens nothing of the host: see `neverReached`. */
  Type.Object(
    {
      op: Type.Literal('egress'),
      serial,
      container,
      policy: Type.Union([
        Type.Literal('public' satisfies EgressPolicy),
        Type.Array(Type.String({ minLength: 1, maxLength: egress.anyOf[1].items.maxLength }), {
          maxItems: egress.anyOf[1].maxItems,
        }),
      ]),
    },
    exact,
  ),
  Type.Object(
    { op: Type.Literal('mount'), serial, container, digest: Type.String({ pattern: '^[0-9a-f]{64}$' }) },
    exact,
  ),
  /** Stops a container's processes, or lets them go on. */
  Type.Object({ op: Type.Literal('freeze'), serial, container, isFrozen: Type.Boolean() }, exact),
  /** Ends a container. Of one that is not there any more, nothing is said. */
  Type.Object({ op: Type.Literal('kill'), serial, container }, exact),
  /** The server answers at a URL; its token, when it was made now or is known, is for root's own commands. */
  Type.Object(
    {
      op: Type.Literal('serving'),
      serial,
      url: Type.String({ pattern: '^http://[!-~]{1,300}$' }),
      token: Type.Optional(Type.String({ pattern: '^[!-~]{16,512}$' })),
    },
    exact,
  ),
  /** Ends everything. */
  Type.Object({ op: Type.Literal('close'), serial }, exact),
]);

export type Request = Static<typeof requestSchema>;
/** What a server says of itself. */
export type ServingNote = Omit<Extract<Request, { op: 'serving' }>, 'op' | 'serial'>;

type Zygotes = ReturnType<ContainerDriver['zygotes']>;

/** An answer to a request, or with serial 0 to a line that is none; and what happens by itself. */
export type Reply =
  /**
   * `limits`: what it has while it is parked. `cgroupBase`: where in the v2 tree its group is, for reading its account; absent
   * on a host without one.
   */
  | {
      readonly op: 'created';
      readonly serial: number;
      readonly container: string;
      readonly pid: number;
      readonly limits: ContainerLimits;
      readonly cgroupBase?: string | undefined;
    }
  | { readonly op: 'done'; readonly serial: number; readonly text?: string }
  | { readonly op: 'failed'; readonly serial: number; readonly code: string; readonly message: string }
  | { readonly op: 'denied'; readonly container: string; readonly denial: EgressDenial }
  | { readonly op: 'resolved'; readonly container: string; readonly tally: DnsTally }
  | { readonly op: 'ended'; readonly container: string; readonly end: ControlEnd }
  | { readonly op: 'zygotes'; readonly zygotes: Zygotes; readonly restartedMb?: number };

/** Descriptors of a process that inherited its connection: the lines, and the channel for containers' descriptors. */
export const LINES_FD = 3;
export const CHANNEL_FD = 4;
