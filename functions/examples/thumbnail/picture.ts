// Reading and writing pictures. Inside the function every picture is RGBA, 8 bits a channel, row by row.
import jpeg from 'jpeg-js';
import { PNG } from 'pngjs';

export type Format = 'png' | 'jpeg';

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** RGBA: 4 bytes a pixel, alpha not multiplied in. */
  readonly data: Uint8Array;
}

export interface Header {
  readonly format: Format;
  readonly width: number;
  readonly height: number;
}

const PNG_SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const JPEG_QUALITY = 82;

/** What the file says of itself, without decoding it; undefined when it is neither PNG nor JPEG. */
export function probe(file: Buffer): Header | undefined {
  if (file.byteLength >= 24 && file.subarray(0, 8).equals(PNG_SIGNATURE)) {
    return { format: 'png', width: file.readUInt32BE(16), height: file.readUInt32BE(20) };
  }
  return file.byteLength >= 4 && file.readUInt16BE(0) === 0xffd8 ? probeJpeg(file) : undefined;
}

/** Walks from segment to segment to the frame header (SOF), which has the size. */
function probeJpeg(file: Buffer): Header | undefined {
  let at = 2;
  while (at + 9 <= file.byteLength && file[at] === 0xff) {
    const marker = file[at + 1] ?? 0;
    if (marker === 0xff) {
      at += 1; // a fill byte
      continue;
    }
    // C0 to CF are frame headers, but for the tables C4, C8 and CC.
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      return { format: 'jpeg', width: file.readUInt16BE(at + 7), height: file.readUInt16BE(at + 5) };
    }
    at += 2 + file.readUInt16BE(at + 2);
  }
  return undefined;
}

/** @throws whatever the decoder finds wrong with the file. */
export function decode(format: Format, file: Buffer): Picture {
  if (format === 'png') return PNG.sync.read(file);
  return jpeg.decode(file, { useTArray: true, formatAsRGBA: true, maxMemoryUsageInMB: 800 });
}

export function encode(format: Format, picture: Picture): Uint8Array<ArrayBuffer> {
  const data = Buffer.from(picture.data.buffer, picture.data.byteOffset, picture.data.byteLength);
  if (format === 'jpeg') {
    return new Uint8Array(jpeg.encode({ width: picture.width, height: picture.height, data }, JPEG_QUALITY).data);
  }
  const png = new PNG({ width: picture.width, height: picture.height });
  data.copy(png.data);
  return new Uint8Array(PNG.sync.write(png, { colorType: isOpaque(data) ? 2 : 6 }));
}

function isOpaque(data: Buffer): boolean {
  for (let at = 3; at < data.byteLength; at += 4) if (data[at] !== 255) return false;
  return true;
}
