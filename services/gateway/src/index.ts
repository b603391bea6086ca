export { createGateway, type Gateway, type GatewayOptions, type ListenOptions } from './gateway.ts';
export { type GatewayLimits, gatewayLimitsSchema } from './gateway-limits.ts';
export { Metrics, type MetricsOptions } from './metrics/metrics.ts';
export { combineObservers } from './observers.ts';
export type { TokenVerifier } from './request-headers.ts';
export type { WorkerLink } from './workers/worker-link.ts';
