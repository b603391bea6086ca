import type { PeerHost } from './container-peer.ts';
import { OciRuntime } from './oci-runtime.ts';

/** runc, which containerd and Docker start containers with. */
export const openRunc = (host: PeerHost) => OciRuntime.open({ program: 'runc', flags: [], mapsRoot: true }, host);
