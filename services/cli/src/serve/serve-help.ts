import { acceptedValues, settings } from './serve-config.ts';

/** The part of `hob serve --help` that lists the environment. */
export function serveHelp(): string {
  const lines = settings.map(({ name, schema }) => {
    const fallback = schema.default === undefined ? 'none' : JSON.stringify(schema.default).replaceAll(/["[\]]/g, '');
    const accepted = schema.type === 'string' ? '' : `${acceptedValues(schema)}; `;
    return `  ${name}\n      ${schema.description ?? ''}\n      ${accepted}default: ${fallback}`;
  });
  const token = `  HOB_TOKEN\n      At the first start: becomes the token.\n      default: a new one is made and shown once`;
  const key = `  HOB_SECRET_KEY\n      Key of functions' secrets: 32 bytes, as hexadecimal digits or base64.\n      default: secret.key of the data folder, made when it is not there`;
  const previous = `  HOB_SECRET_KEY_PREVIOUS\n      The key that secrets may still be encrypted with: at the start they are encrypted with the other one.\n      default: none`;
  const secret = `  HOB_WEBHOOK_SECRET\n      What messages to webhooks are signed with: whsec_ and 24 to 64 bytes in Base64.\n      default: none`;
  return `\nEnvironment:\n${[token, key, previous, secret, ...lines].join('\n')}`;
}
