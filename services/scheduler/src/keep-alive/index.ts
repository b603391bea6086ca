export { CallHistories, CallHistory, FORGET_MS, type LearningLimits } from './call-history.ts';
export { type ContainerWorth, GreedyDual } from './greedy-dual.ts';
export {
  HybridHistogram,
  type HybridHistogramOptions,
  hybridDefaults,
  type KeepAliveWindow,
} from './hybrid-histogram.ts';
