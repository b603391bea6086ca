import { escaped } from '../support/xml-text.ts';

/** One line of a panel. */
export interface Series {
  readonly name: string;
  /** A CSS colour. */
  readonly colour: string;
  /** x and y; in the order of x. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** One diagram of a plot; all share the x axis. */
export interface Panel {
  readonly title: string;
  readonly series: readonly Series[];
}

export interface Plot {
  readonly title: string;
  readonly xTitle: string;
  readonly panels: readonly Panel[];
}

const WIDTH = 900;
const PANEL_HEIGHT = 170;
const LEFT = 60;
const RIGHT = 20;
const TOP = 40;
const GAP = 46;
const BOTTOM = 44;
const TICKS = 5;

const round = (value: number): number => Math.round(value * 100) / 100;

/** The smallest of 1, 2 and 5 times a power of ten that makes at most so many steps up to `most`. */
export function tickStep(most: number, ticks: number): number {
  const least = most / ticks;
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= least) ?? 10);
}

/** Where values of one axis are, in pixels; it begins at 0. */
class Axis {
  readonly #end: number;
  readonly #from: number;
  readonly #to: number;
  readonly ticks: readonly number[];

  constructor(values: readonly number[], from: number, to: number) {
    const most = Math.max(...values, 1e-9);
    const step = tickStep(most, TICKS);
    this.#end = Math.ceil(round(most / step)) * step;
    this.#from = from;
    this.#to = to;
    this.ticks = Array.from({ length: Math.round(this.#end / step) + 1 }, (_, at) => round(at * step));
  }

  at(value: number): number {
    return round(this.#from + (value / this.#end) * (this.#to - this.#from));
  }
}

function text(x: number, y: number, words: string, more = ''): string {
  return `<text x="${x}" y="${y}"${more}>${escaped(words)}</text>`;
}

function line(from: readonly [number, number], to: readonly [number, number], colour: string): string {
  return `<line x1="${from[0]}" y1="${from[1]}" x2="${to[0]}" y2="${to[1]}" stroke="${colour}"/>`;
}

function panelBody(panel: Panel, x: Axis, top: number): string[] {
  const bottom = top + PANEL_HEIGHT;
  const y = new Axis(
    panel.series.flatMap(({ points }) => points.map(([, value]) => value)),
    bottom,
    top,
  );
  const parts = [text(LEFT, top - 10, panel.title, ' font-weight="bold"')];
  for (const tick of y.ticks) {
    parts.push(line([LEFT, y.at(tick)], [WIDTH - RIGHT, y.at(tick)], '#ddd'));
    parts.push(text(LEFT - 6, y.at(tick) + 4, String(tick), ' text-anchor="end"'));
  }
  for (const tick of x.ticks) parts.push(text(x.at(tick), bottom + 16, String(tick), ' text-anchor="middle"'));
  for (const [at, { name, colour, points }] of panel.series.entries()) {
    const path = points.map(([px, py]) => `${x.at(px)},${y.at(py)}`).join(' ');
    parts.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>`);
    const place = WIDTH - RIGHT - 150 * (panel.series.length - at);
    parts.push(text(place, top - 10, name, ` fill="${colour}"`));
  }
  return parts;
}

/** Draws line diagrams, one below the other, as the text of an SVG file. Both axes begin at 0; no value may be negative. */
export function svgPlot({ title, xTitle, panels }: Plot): string {
  const height = TOP + panels.length * (PANEL_HEIGHT + GAP) + BOTTOM - GAP + 20;
  const xs = panels.flatMap(({ series }) => series.flatMap(({ points }) => points.map(([value]) => value)));
  const x = new Axis(xs, LEFT, WIDTH - RIGHT);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="white"/>`,
    text(LEFT, 18, title, ' font-size="15"'),
    ...panels.flatMap((panel, at) => panelBody(panel, x, TOP + 16 + at * (PANEL_HEIGHT + GAP))),
    text(WIDTH / 2, height - 8, xTitle, ' text-anchor="middle"'),
    '</svg>',
    '',
  ].join('\n');
}
