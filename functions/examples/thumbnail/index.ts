// Makes a PNG or JPEG smaller, with the npm packages pngjs and jpeg-js.
//
//     curl 'http://127.0.0.1:8080/fn/thumbnail?width=320' --data-binary @photo.jpg -o thumbnail.jpg
//
// The answer has the input's format; a picture is never made larger. The camera's rotation mark (EXIF) is not applied.
import { decode, encode, probe } from './picture.ts';
import { shrink } from './shrink.ts';

const INPUT_BYTES_MAX = 16 * 1024 * 1024;
/** What a telephone's camera makes. Decoding takes about 55 bytes a pixel, and the function has 1024 MB. */
const INPUT_PIXELS_MAX = 12_500_000;
const WIDTH_MAX = 2048;

function refuse(status: number, why: string): Response {
  return new Response(`${why}\n`, { status, headers: { 'content-type': 'text/plain; charset=utf-8' } });
}

function parseWidth(url: string): number | undefined {
  const text = new URL(url).searchParams.get('width') ?? '160';
  const width = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return width >= 1 && width <= WIDTH_MAX ? width : undefined;
}

export default async function thumbnail(request: Request): Promise<Response> {
  if (request.method !== 'POST') return refuse(405, 'POST a PNG or JPEG');
  const width = parseWidth(request.url);
  if (width === undefined) return refuse(400, `width: a whole number from 1 to ${WIDTH_MAX}`);
  const input = Buffer.from(await request.arrayBuffer());
  if (input.byteLength > INPUT_BYTES_MAX) return refuse(413, `at most ${INPUT_BYTES_MAX} bytes`);
  const header = probe(input);
  if (header === undefined) return refuse(415, 'this is neither a PNG nor a JPEG');
  // Before decoding: a few kilobytes can claim to be a picture of gigabytes.
  if (header.width * header.height > INPUT_PIXELS_MAX) return refuse(413, `at most ${INPUT_PIXELS_MAX} pixels`);

  let picture;
  try {
    picture = decode(header.format, input);
  } catch (error) {
    console.error('cannot decode:', error);
    return refuse(422, `this ${header.format.toUpperCase()} is broken`);
  }
  const small = shrink(picture, Math.min(width, picture.width));
  return new Response(encode(header.format, small), {
    headers: { 'content-type': `image/${header.format}`, 'picture-size': `${small.width}x${small.height}` },
  });
}
