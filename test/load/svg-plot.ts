import { type Axis, axis, gridLine, polyline, sheet, text, tickLabel } from '@hob/cli/svg';

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
function panelBody(panel: Panel, x: Axis, top: number): string[] {
  const bottom = top + PANEL_HEIGHT;
  const y = axis(Math.max(...panel.series.flatMap(({ points }) => points.map(([, value]) => value)), 0), bottom, top);
  const parts = [text([LEFT, top - 10], panel.title, ' font-weight="bold"')];
  for (const tick of y.ticks) {
    parts.push(gridLine([LEFT, y.at(tick)], [WIDTH - RIGHT, y.at(tick)]));
    parts.push(text([LEFT - 6, y.at(tick) + 4], tickLabel(tick), ' text-anchor="end"'));
  }
  for (const tick of x.ticks) parts.push(text([x.at(tick), bottom + 16], tickLabel(tick), ' text-anchor="middle"'));
  for (const [at, { name, colour, points }] of panel.series.entries()) {
    parts.push(
      polyline(
        points.map(([px, py]) => [x.at(px), y.at(py)]),
        colour,
      ),
    );
    const place = WIDTH - RIGHT - 150 * (panel.series.length - at);
    parts.push(text([place, top - 10], name, ` fill="${colour}"`));
  }
  return parts;
}

/** Draws line diagrams, one below the other, as the text of an SVG file. Both axes begin at 0; no value may be negative. */
export function svgPlot({ title, xTitle, panels }: Plot): string {
  const height = TOP + panels.length * (PANEL_HEIGHT + GAP) + BOTTOM - GAP + 20;
  const xs = panels.flatMap(({ series }) => series.flatMap(({ points }) => points.map(([value]) => value)));
  const x = axis(Math.max(...xs, 0), LEFT, WIDTH - RIGHT);
  return sheet(WIDTH, height, [
    text([LEFT, 18], title, ' font-size="15"'),
    ...panels.flatMap((panel, at) => panelBody(panel, x, TOP + 16 + at * (PANEL_HEIGHT + GAP))),
    text([WIDTH / 2, height - 8], xTitle, ' text-anchor="middle"'),
  ]);
}
