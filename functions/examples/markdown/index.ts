// Turns a Markdown file into HTML, with the npm package marked.
//
//     curl http://127.0.0.1:8080/fn/markdown --data-binary @input.md -H 'content-type: text/markdown'
//
// The input is a stranger's and marked does not sanitise: so raw HTML in it comes out as visible text, and links and
// images lead only to http, https, mailto or relative addresses.
import { Marked } from 'marked';

const INPUT_BYTES_MAX = 1024 * 1024;
const schemesAllowed = new Set(['http:', 'https:', 'mailto:']);
const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

/** What a browser would make of the address decides, because it ignores control characters inside a scheme. */
function isSafeAddress(address: string): boolean {
  const url = URL.parse(address, 'https://relative.invalid/');
  return url !== null && schemesAllowed.has(url.protocol);
}

const markdown = new Marked({
  gfm: true,
  renderer: { html: (token) => escapeHtml(token.text) },
  walkTokens: (token) => {
    if ((token.type === 'link' || token.type === 'image') && !isSafeAddress(String(token['href']))) token['href'] = '';
  },
});

function refuse(status: number, why: string): Response {
  return new Response(`${why}\n`, { status, headers: { 'content-type': 'text/plain; charset=utf-8' } });
}

export default {
  async fetch(request: Request): Promise<Response> {
    if (request.method !== 'POST') return refuse(405, 'POST a Markdown file');
    const input = await request.arrayBuffer();
    if (input.byteLength > INPUT_BYTES_MAX) return refuse(413, `at most ${INPUT_BYTES_MAX} bytes`);
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(input);
    } catch {
      return refuse(415, 'the file is not UTF-8 text');
    }
    const html = await markdown.parse(text);
    return new Response(html, { headers: { 'content-type': 'text/html; charset=utf-8' } });
  },
};
