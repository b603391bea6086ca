/** Dashboards, alerts and recording rules name only metrics that the gateway has. */
import type { Rule } from './repository.ts';

const usedBy = /^infra\/(?:grafana|prometheus)\/.*\.(?:json|ya?ml)$/;
const definedBy = /^services\/gateway\/src\/.*\.ts$/;
/** A histogram `x` and a summary have these series beside `x`. */
const suffix = /_(?:bucket|sum|count)$/;

export const metricNames: Rule = (repository) => {
  const defined = new Set(
    repository
      .matching(definedBy)
      .flatMap((file) => [...repository.text(file).matchAll(/['"`](hob_[a-z0-9_]+)['"`]/g)].map((match) => match[1])),
  );
  const problems = new Set<string>();
  for (const file of repository.matching(usedBy)) {
    const text = repository.text(file);
    const recorded = new Set([...text.matchAll(/^\s*-?\s*record:\s*(\S+)/gm)].map((match) => match[1]));
    for (const [name] of text.matchAll(/\bhob_[a-z0-9_]+\b/g)) {
      if (!defined.has(name) && !defined.has(name.replace(suffix, '')) && !recorded.has(name)) {
        problems.add(`${file}: no metric is called ${name}`);
      }
    }
  }
  return [...problems];
};
