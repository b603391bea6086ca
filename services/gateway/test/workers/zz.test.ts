import { through } from '../fakes/test-gateway.ts';
through.worker = true;
setTimeout(() => { console.error(process.getActiveResourcesInfo()); for (const h of (process as any)._getActiveHandles()) console.error(h.constructor.name, h.remoteAddress, h.remotePort, h.localPort, h.fd, h.destroyed, h._httpMessage?.path, h.listening); }, 25000).unref();
await import('../streaming.test.ts');
