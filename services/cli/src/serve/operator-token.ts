import { pathToFileURL } from 'node:url';
import type { Logger } from 'pino';
import { localUrl, parseListen } from '../address.ts';
import { type Environment, variable } from '../environment.ts';
import { OperatorTokens } from '../operator-tokens.ts';
import { TokenStore } from './token-store.ts';

/** What is known of a server that has started. */
export interface ServerNote {
  /** Where its clients find it. */
  readonly url: string;
  /** Its token, when it was made now. */
  readonly token?: string | undefined;
  readonly dataDir: string;
  /** The server's HOB_LISTEN. */
  readonly listen: string;
}

/**
 * Keeps a server's token for this user's own commands, as far as it is known. The token must be stored by now.
 *
 * @returns the file it is in; undefined when the token is not known, or cannot be kept.
 */
export async function keepToken(env: Environment, note: ServerNote, log: Logger): Promise<string | undefined> {
  const given = variable(env, 'HOB_TOKEN');
  const folderUrl = pathToFileURL(note.dataDir).href;
  const operator = new OperatorTokens(env);
  if (!isOwn(note)) {
    log.warn({ url: note.url }, 'the server says that it serves at a URL that is not its own; it is not noted');
    return undefined;
  }
  try {
    const tokens = await TokenStore.open(note.dataDir, undefined);
    if (given !== undefined && !tokens.verify(given)) {
      log.warn('HOB_TOKEN is not the token of this data folder, which was set at its first start; it is not taken');
    }
    const candidates = [note.token, given, await operator.get(folderUrl), await operator.get(note.url)];
    const token = candidates.find((each) => each !== undefined && tokens.verify(each));
    if (token === undefined) return undefined;
    await operator.set([note.url, folderUrl], token);
    return operator.path;
  } catch (error) {
    log.warn({ err: error }, 'the token cannot be kept for your own hob commands; give it to them in HOB_TOKEN');
    return undefined;
  }
}

/** A server that was taken over must not be able to have root send another server's calls to it, or the other way round. */
function isOwn({ url, listen }: ServerNote): boolean {
  const address = parseListen(listen, 'HOB_LISTEN');
  const [said, own] = [URL.parse(url), new URL(localUrl(address))];
  return said?.hostname === own.hostname && (address.port === 0 || said.port === own.port);
}
