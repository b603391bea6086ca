/** What plots are drawn from, as the text of SVG. */

/** Pixels from the left upper corner. */
export type Place = readonly [x: number, y: number];

/** Where the values of one axis are, in pixels. */
export interface Axis {
  readonly ticks: readonly number[];
  at(value: number): number;
}

const TICKS = 5;
const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** An axis from 0 to the next tick from `most` on. */
export function axis(most: number, from: number, to: number): Axis {
  const step = tickStep(most, TICKS);
  const end = Math.max(Math.ceil(Number((most / step).toPrecision(6))), 1) * step;
  const ticks = Array.from({ length: Math.round(end / step) + 1 }, (_, at) => at * step);
  return { ticks, at: (value) => Math.round((from + (value / end) * (to - from)) * 100) / 100 };
}

/** The smallest of 1, 2 and 5 times a power of ten that makes at most so many steps up to `most`; 1 for nothing. */
export function tickStep(most: number, ticks: number): number {
  if (most <= 0) return 1;
  const least = most / ticks;
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5].find((factor) => factor * power >= least) ?? 10);
}

/** A tick's number without what binary fractions leave behind. */
export function tickLabel(value: number): string {
  return Number(value.toPrecision(6)).toLocaleString('en');
}

/** @param attributes more of them, each after a space. */
export function text([x, y]: Place, words: string, attributes = ''): string {
  const escaped = words.replaceAll(/[&<>"]/g, (character) => escapes[character] ?? '');
  return `<text x="${x}" y="${y}"${attributes}>${escaped}</text>`;
}

/** A thin grey line, as grids have. */
export function gridLine([x1, y1]: Place, [x2, y2]: Place): string {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="#dddddd"/>`;
}

export function polyline(places: readonly Place[], colour: string): string {
  const points = places.map((place) => place.join(',')).join(' ');
  return `<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="1.5"/>`;
}

/** A whole file. */
export function sheet(width: number, height: number, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}
