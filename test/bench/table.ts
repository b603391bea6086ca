import { type Measurement, type Peer, ratio } from './measurement.ts';

type Align = 'left' | 'right';

/** A number with as many digits as tell something. */
export function formatNumber(value: number): string {
  if (value >= 1000) return value.toFixed(0);
  return value >= 100 ? value.toFixed(1) : value.toFixed(2);
}

/** What a program said, as Markdown in one line. */
export function quoted(text: string): string {
  return `\`${text.replaceAll('`', "'").replaceAll(/\s+/g, ' ').trim()}\``;
}

/** A Markdown table with aligned columns. */
function markdown(heads: readonly string[], aligns: readonly Align[], rows: readonly (readonly string[])[]): string {
  const widths = heads.map((head, column) => Math.max(3, head.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const pad = (text: string, column: number): string =>
    aligns[column] === 'right' ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0);
  const line = (cells: readonly string[]): string => `| ${cells.map(pad).join(' | ')} |`;
  const rule = widths.map((width, at) => (aligns[at] === 'right' ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)));
  return [line(heads), line(rule), ...rows.map(line)].join('\n');
}

function peerRow(measurement: Measurement, peer: Peer): string[] {
  if ('missing' in peer) return ['', '', `${peer.name}: MISSING`, '–', '–', '–'];
  const times = ratio(measurement, peer) ?? 0;
  return ['', '', peer.name, formatNumber(peer.p50), formatNumber(peer.p99), `${formatNumber(times)}×`];
}

function rowsOf(measurement: Measurement): string[][] {
  const { name, unit, hob, peers } = measurement;
  const own = [name, unit, 'hob', formatNumber(hob.p50), formatNumber(hob.p99), ''];
  return [own, ...peers.map((peer) => peerRow(measurement, peer))];
}

/** hob and each of its peers on a line of their own, and below it how each was measured and why peers are missing. */
export function formatTable(measurements: readonly Measurement[]): string {
  const aligns = ['left', 'left', 'left', 'right', 'right', 'right'] as const;
  const table = markdown(['what', 'unit', 'who', 'p50', 'p99', 'ratio'], aligns, measurements.flatMap(rowsOf));
  return [table, '', ...howLines(measurements), ...missingLines(measurements)].join('\n');
}

/** What was measured the same way is said once, by the part of the names that is before a colon. */
function howLines(measurements: readonly Measurement[]): string[] {
  const groups = Map.groupBy(measurements, ({ how }) => how);
  return [...groups].map(([how, all]) => {
    const names = new Set(all.map(({ name }) => name.split(': ')[0]));
    return `- ${[...names].join('; ')}: ${how}.`;
  });
}

function missingLines(measurements: readonly Measurement[]): string[] {
  const missing = measurements.flatMap(({ peers }) => peers).filter((peer) => 'missing' in peer);
  return [...new Set(missing.map((peer) => `- ${peer.name} is missing: ${quoted(peer.missing)}`))];
}

/** Medians only, one line for each measurement that has peers. */
export function formatSummary(measurements: readonly Measurement[]): string {
  const rows = measurements
    .filter(({ peers }) => peers.length > 0)
    .map((each) => [
      each.name,
      each.unit,
      formatNumber(each.hob.p50),
      each.peers.map((peer) => brief(each, peer)).join(', '),
    ]);
  return markdown(
    ['what', 'unit', 'hob', 'peers, and how many times better hob is'],
    ['left', 'left', 'right', 'left'],
    rows,
  );
}

function brief(measurement: Measurement, peer: Peer): string {
  if ('missing' in peer) return `${peer.name} missing`;
  const [name] = peer.name.split(/ \d|, |: /); // without its version and what it runs
  return `${name} ${formatNumber(peer.p50)} (${formatNumber(ratio(measurement, peer) ?? 0)}×)`;
}
