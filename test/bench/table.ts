import { type Measurement, ratio } from './measurement.ts';

const columns = ['what', 'unit', 'hob p50', 'hob p99', 'peer p50', 'peer p99', 'ratio', 'peer'] as const;

function number(value: number): string {
  if (value >= 1000) return value.toFixed(0);
  return value >= 100 ? value.toFixed(1) : value.toFixed(2);
}

function row(measurement: Measurement): string[] {
  const { name, unit, hob, peer } = measurement;
  const times = ratio(measurement);
  const peerCells = peer === undefined || 'missing' in peer ? ['–', '–'] : [number(peer.p50), number(peer.p99)];
  const peerName = peer === undefined ? '–' : 'missing' in peer ? `${peer.name}: MISSING, ${peer.missing}` : peer.name;
  const timesCell = times === undefined ? '–' : `${number(times)}×`;
  return [name, unit, number(hob.p50), number(hob.p99), ...peerCells, timesCell, peerName];
}

/** The measurements as a Markdown table with aligned columns, and below it how each was measured. */
export function formatTable(measurements: readonly Measurement[]): string {
  const rows = [[...columns], ...measurements.map(row)];
  const widths = columns.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => (isNumeric(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0))).join(' | ')} |`;
  const rule = widths.map((width, column) => (isNumeric(column) ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)));
  const [head = [], ...body] = rows;
  const how = [...Map.groupBy(measurements, ({ how: settings }) => settings)].map(
    ([settings, of]) => `- ${of.map(({ name }) => name).join('; ')}: ${settings}.`,
  );
  return [line(head), line(rule), ...body.map(line), '', ...how].join('\n');
}

function isNumeric(column: number): boolean {
  return column >= 2 && column <= 6;
}
