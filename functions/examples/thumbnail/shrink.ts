// Area averaging: each pixel of the result is the mean of the area it covers. The right filter for making things smaller.
import type { Picture } from './picture.ts';

/** For one pixel of the result: which pixels of the source it covers, and how much of each. */
interface Span {
  readonly first: number;
  readonly weights: Float32Array;
}

function spans(sourceLength: number, length: number): Span[] {
  const scale = sourceLength / length;
  return Array.from({ length }, (_, index) => {
    const from = index * scale;
    const to = Math.min(from + scale, sourceLength);
    const first = Math.floor(from);
    const weights = new Float32Array(Math.max(1, Math.ceil(to) - first));
    for (let at = 0; at < weights.length; at += 1) {
      const covered = Math.min(to, first + at + 1) - Math.max(from, first + at);
      weights[at] = covered / scale;
    }
    return { first, weights };
  });
}

/** Adds one row of the source to a row of sums: alpha, and colours times alpha, so that clear pixels have no colour. */
function addRow(sums: Float32Array, line: Uint8Array, columns: readonly Span[], rowWeight: number): void {
  let to = 0;
  for (const { first, weights } of columns) {
    let [red, green, blue, opacity] = [0, 0, 0, 0];
    let at = first * 4;
    for (const weight of weights) {
      const alpha = weight * (line[at + 3] ?? 0);
      red += alpha * (line[at] ?? 0);
      green += alpha * (line[at + 1] ?? 0);
      blue += alpha * (line[at + 2] ?? 0);
      opacity += alpha;
      at += 4;
    }
    sums[to] = (sums[to] ?? 0) + rowWeight * red;
    sums[to + 1] = (sums[to + 1] ?? 0) + rowWeight * green;
    sums[to + 2] = (sums[to + 2] ?? 0) + rowWeight * blue;
    sums[to + 3] = (sums[to + 3] ?? 0) + rowWeight * opacity;
    to += 4;
  }
}

/**
 * Scales to a width, keeping the shape.
 *
 * @param width at least 1 and at most the picture's own width.
 */
export function shrink(picture: Picture, width: number): Picture {
  const height = Math.max(1, Math.round((picture.height * width) / picture.width));
  const columns = spans(picture.width, width);
  const rows = spans(picture.height, height);
  const data = new Uint8Array(width * height * 4);
  const sums = new Float32Array(width * 4); // one row of the result
  for (const [y, row] of rows.entries()) {
    sums.fill(0);
    for (const [dy, rowWeight] of row.weights.entries()) {
      const line = (row.first + dy) * picture.width * 4;
      addRow(sums, picture.data.subarray(line, line + picture.width * 4), columns, rowWeight);
    }
    writeRow(sums, data, y * width * 4);
  }
  return { width, height, data };
}

function writeRow(sums: Float32Array, data: Uint8Array, at: number): void {
  for (let index = 0; index < sums.length; index += 4) {
    const alpha = sums[index + 3] ?? 0;
    data[at + index + 3] = Math.round(alpha);
    if (alpha === 0) continue;
    for (let channel = 0; channel < 3; channel += 1) {
      data[at + index + channel] = Math.round((sums[index + channel] ?? 0) / alpha);
    }
  }
}
