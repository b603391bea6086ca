import type { PeerHost } from './container-peer.ts';
import { OciRuntime } from './oci-runtime.ts';

/** crun, which Podman and others start containers with. */
export const openCrun = (host: PeerHost) =>
  OciRuntime.open({ program: 'crun', flags: ['--cgroup-manager=cgroupfs'], mapsRoot: false }, host);
