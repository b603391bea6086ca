import { axis, gridLine, type Place, polyline, sheet, text, tickLabel } from '../svg.ts';
import type { Policy } from './policies.ts';

/** One policy in the plot. */
export interface PlotPoint extends Pick<Policy, 'family' | 'label'> {
  readonly coldStartShare: number;
  readonly wastedGbSeconds: number;
}

const WIDTH = 900;
const HEIGHT = 540;
const LEFT = 70;
const RIGHT = 170;
const TOP = 70;
const BOTTOM = 60;
/** What a label takes at most. */
const LABEL_WIDTH = 140;
const LABEL_HEIGHT = 14;

const colours: Readonly<Record<Policy['family'], string>> = {
  none: '#666666',
  fixed: '#1f77b4',
  hybrid: '#d62728',
  'greedy-dual': '#2ca02c',
};

/** Draws cold starts against wasted memory as the text of an SVG file; a line joins the policies of one family. */
export function plotSvg(points: readonly PlotPoint[]): string {
  const wasted = axis(Math.max(...points.map((point) => point.wastedGbSeconds)), LEFT, WIDTH - RIGHT);
  const cold = axis(Math.max(...points.map((point) => point.coldStartShare * 100)), HEIGHT - BOTTOM, TOP);
  const place = (point: PlotPoint): Place => [wasted.at(point.wastedGbSeconds), cold.at(point.coldStartShare * 100)];
  const families = Map.groupBy(points, ({ family }) => family);
  return sheet(WIDTH, HEIGHT, [
    text([LEFT, 24], 'Cold starts and the memory of idle containers', ' font-size="15"'),
    text([LEFT, TOP - 24], 'cold starts, % of calls'),
    text([(LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16], 'memory of idle containers, GB·s', ' text-anchor="middle"'),
    ...cold.ticks.flatMap((tick) => [
      gridLine([LEFT, cold.at(tick)], [WIDTH - RIGHT, cold.at(tick)]),
      text([LEFT - 8, cold.at(tick) + 4], tickLabel(tick), ' text-anchor="end"'),
    ]),
    ...wasted.ticks.flatMap((tick) => [
      gridLine([wasted.at(tick), TOP], [wasted.at(tick), HEIGHT - BOTTOM]),
      text([wasted.at(tick), HEIGHT - BOTTOM + 18], tickLabel(tick), ' text-anchor="middle"'),
    ]),
    ...[...families].map(([family, members]) => polyline(members.map(place), colours[family])),
    ...points.map((point) => {
      const [x, y] = place(point);
      return `<circle cx="${x}" cy="${y}" r="4" fill="${colours[point.family]}"/>`;
    }),
    ...labels(points.map((point) => ({ point, place: place(point) }))),
  ]);
}

/** The names beside the points; of those that are close, one above the other. */
function labels(points: readonly { readonly point: PlotPoint; readonly place: Place }[]): string[] {
  const taken: Place[] = [];
  return points.map(({ point, place: [x, pointY] }) => {
    let y = pointY - 6;
    const isTaken = ([otherX, otherY]: Place): boolean =>
      Math.abs(otherX - x) < LABEL_WIDTH && Math.abs(otherY - y) < LABEL_HEIGHT;
    while (taken.some(isTaken)) y -= LABEL_HEIGHT;
    taken.push([x, y]);
    return text([x + 7, y], point.label, ` fill="${colours[point.family]}"`);
  });
}
