export { type ContainerWorth, GreedyDual } from './greedy-dual.ts';
export {
  HybridHistogram,
  type HybridHistogramOptions,
  hybridDefaults,
  type KeepAliveWindow,
} from './hybrid-histogram.ts';
