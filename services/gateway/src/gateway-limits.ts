import { fail } from '@hob/contracts';
import { type Static, Type } from 'typebox';
import { Check, Default, Errors } from 'typebox/value';

const ms = (defaultMs: number, description: string) =>
  Type.Integer({ minimum: 1, maximum: 3_600_000, default: defaultMs, description: `${description}, ms.` });

/** Every limit of the gateway: the one source of the defaults, ranges, units and documentation. */
export const gatewayLimitsSchema = Type.Object(
  {
    bodyBytesMax: Type.Integer({
      minimum: 0,
      maximum: 2 ** 40,
      default: 64 * 1024 * 1024,
      description: 'The largest body of a request to a function, bytes.',
    }),
    headerBytesMax: Type.Integer({
      minimum: 1024,
      maximum: 1024 * 1024,
      default: 32 * 1024,
      description: 'The request line and headers of a request together, and the headers of a response, bytes.',
    }),
    urlBytesMax: Type.Integer({
      minimum: 256,
      maximum: 1024 * 1024,
      default: 16 * 1024,
      description: 'The longest request URL, bytes.',
    }),
    requestsMax: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 4096,
      description: 'Requests that may be served at the same time, probes and metrics not counted.',
    }),
    connectionsMax: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 16_384,
      description: 'Open connections; further ones are closed at once.',
    }),
    headersTimeoutMs: ms(10_000, 'How long a client may take to send the headers of a request'),
    bodyIdleMs: ms(30_000, 'How long a client may send nothing of a body, or read nothing of a finished response'),
    requestTimeoutMs: ms(1_800_000, 'How long a client may take to send a whole request'),
    keepAliveMs: ms(72_000, 'How long a connection without a request stays open'),
    lingerMs: ms(1000, 'How long the rest of a refused body is read, so that the client can read the refusal'),
    drainMs: ms(30_000, 'How long running requests may go on after a stop was asked for'),
    logTailMax: Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      default: 10_000,
      description: 'The most log lines given in one answer.',
    }),
    trustForwarded: Type.Boolean({
      default: false,
      description: 'Believe x-forwarded-* headers of the client. Only behind a proxy that sets them.',
    }),
  },
  { additionalProperties: false, title: 'Limits of the gateway' },
);

export type GatewayLimits = Readonly<Static<typeof gatewayLimitsSchema>>;

/**
 * Fills in the defaults and checks the ranges.
 *
 * @throws ERR_CONFIG_INVALID for the first value that is unknown or out of range.
 */
export function gatewayLimits(input: Partial<GatewayLimits> = {}): GatewayLimits {
  const limits: unknown = Default(gatewayLimitsSchema, { ...input });
  if (Check(gatewayLimitsSchema, limits)) return limits;
  const [first] = Errors(gatewayLimitsSchema, limits);
  const place = `gateway limits${first?.instancePath ?? ''}`;
  throw fail('ERR_CONFIG_INVALID', [place, first?.message ?? 'not accepted']);
}
