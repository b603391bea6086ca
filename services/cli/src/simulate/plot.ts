import type { Policy } from './policies.ts';

/** One policy in the plot. */
export interface PlotPoint extends Pick<Policy, 'family' | 'label'> {
  readonly coldStartShare: number;
  readonly wastedGbSeconds: number;
}

type Place = readonly [x: number, y: number];

const WIDTH = 900;
const HEIGHT = 540;
const LEFT = 70;
const RIGHT = 170;
const TOP = 70;
const BOTTOM = 60;
const TICKS = 5;
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
  const wasted = scale(Math.max(...points.map((point) => point.wastedGbSeconds)), LEFT, WIDTH - RIGHT);
  const cold = scale(Math.max(...points.map((point) => point.coldStartShare * 100)), HEIGHT - BOTTOM, TOP);
  const place = (point: PlotPoint): Place => [wasted.at(point.wastedGbSeconds), cold.at(point.coldStartShare * 100)];
  const families = Map.groupBy(points, ({ family }) => family);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    text([LEFT, 24], 'Cold starts and the memory of idle containers', ' font-size="15"'),
    text([LEFT, TOP - 24], 'cold starts, % of calls'),
    text([(LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16], 'memory of idle containers, GB·s', ' text-anchor="middle"'),
    ...cold.ticks.flatMap((tick) => [
      line([LEFT, cold.at(tick)], [WIDTH - RIGHT, cold.at(tick)]),
      text([LEFT - 8, cold.at(tick) + 4], label(tick), ' text-anchor="end"'),
    ]),
    ...wasted.ticks.flatMap((tick) => [
      line([wasted.at(tick), TOP], [wasted.at(tick), HEIGHT - BOTTOM]),
      text([wasted.at(tick), HEIGHT - BOTTOM + 18], label(tick), ' text-anchor="middle"'),
    ]),
    ...[...families].map(([family, members]) => {
      const path = members.map((member) => place(member).join(',')).join(' ');
      return `<polyline points="${path}" fill="none" stroke="${colours[family]}" stroke-width="1.5"/>`;
    }),
    ...points.map((point) => {
      const [x, y] = place(point);
      return `<circle cx="${x}" cy="${y}" r="4" fill="${colours[point.family]}"/>`;
    }),
    ...labels(points.map((point) => ({ point, place: place(point) }))),
    '</svg>',
    '',
  ].join('\n');
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

/** An axis from 0 to the next tick from `most` on, in pixels. */
function scale(most: number, from: number, to: number) {
  const step = tickStep(most);
  const end = Math.max(Math.ceil(most / step), 1) * step;
  const ticks = Array.from({ length: Math.round(end / step) + 1 }, (_, at) => at * step);
  return { ticks, at: (value: number) => Math.round((from + (value / end) * (to - from)) * 100) / 100 };
}

/** The smallest of 1, 2 and 5 times a power of ten that makes at most so many steps. */
function tickStep(most: number): number {
  if (most <= 0) return 1;
  const least = most / TICKS;
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5].find((factor) => factor * power >= least) ?? 10);
}

/** A number without what binary fractions leave behind. */
const label = (value: number): string => Number(value.toPrecision(6)).toLocaleString('en');

/** Words are our own: nothing in them needs an escape. */
function text([x, y]: Place, words: string, more = ''): string {
  return `<text x="${x}" y="${y}"${more}>${words}</text>`;
}

function line([x1, y1]: Place, [x2, y2]: Place): string {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="#dddddd"/>`;
}
