// Cannot be loaded.
const settings: { readonly port?: { readonly number: number } } = {};
if (settings.port === undefined) throw new TypeError('no port is set');

export default (): Response => new Response('never');
