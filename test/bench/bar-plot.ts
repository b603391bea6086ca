import { sheet, text } from '@hob/cli/svg';
import type { Measurement } from './measurement.ts';
import { formatNumber } from './table.ts';

const WIDTH = 900;
const LABELS = 300;
const VALUES = 90;
const BAR = 14;
const ROW = 18;
const HEAD = 26;
const TOP = 34;

interface Bar {
  readonly name: string;
  /** Undefined for a peer that is missing. */
  readonly value: number | undefined;
}

function barsOf({ hob, peers }: Measurement): Bar[] {
  const others = peers.map((peer) => ({ name: peer.name, value: 'missing' in peer ? undefined : peer.p50 }));
  return [{ name: 'hob', value: hob.p50 }, ...others];
}

function group(measurement: Measurement, top: number): string[] {
  const bars = barsOf(measurement);
  const most = Math.max(...bars.map(({ value }) => value ?? 0), Number.MIN_VALUE);
  const title = `${measurement.name} (${measurement.unit}, ${measurement.better} is better)`;
  const parts = [text([10, top + 18], title, ' font-weight="bold"')];
  for (const [at, { name, value }] of bars.entries()) {
    const y = top + HEAD + at * ROW;
    const width = Math.max(1, Math.round(((value ?? 0) / most) * (WIDTH - LABELS - VALUES)));
    const colour = name === 'hob' ? '#c2410c' : '#94a3b8';
    parts.push(text([LABELS - 8, y + BAR - 3], name, ' text-anchor="end"'));
    if (value !== undefined)
      parts.push(`<rect x="${LABELS}" y="${y}" width="${width}" height="${BAR}" fill="${colour}"/>`);
    const end = value === undefined ? LABELS : LABELS + width + 6;
    parts.push(text([end, y + BAR - 3], value === undefined ? 'missing' : formatNumber(value)));
  }
  return parts;
}

/** Draws the medians as bars, a group for each measurement that has peers; each group has a scale of its own from 0. @returns the text of an SVG file. */
export function barPlot(title: string, measurements: readonly Measurement[]): string {
  const compared = measurements.filter(({ peers }) => peers.length > 0);
  let top = TOP;
  const groups: string[] = [];
  for (const measurement of compared) {
    groups.push(...group(measurement, top));
    top += HEAD + (1 + measurement.peers.length) * ROW + 10;
  }
  return sheet(WIDTH, top, [text([10, 22], title, ' font-size="15"'), ...groups]);
}
