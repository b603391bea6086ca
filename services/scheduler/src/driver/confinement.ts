import { apparmorProfilePath, selinuxPolicyPath } from '@hob/native';
import { openAppArmor } from './apparmor.ts';
import { openSelinux } from './selinux.ts';

/** What the host's mandatory access control calls one container: fields of `ContainerSpec`. */
export interface ContainerLabels {
  readonly apparmorProfile?: string;
  readonly selinuxContext?: string;
  readonly selinuxFiles?: string;
}

/** The labels of containers on this host. */
export interface Confinement {
  /** @param number the container's own among those that live, from 0. */
  labels(number: number): ContainerLabels;
  /** Why a security module that is in force does not confine containers, one sentence each. */
  readonly lacks: readonly string[];
}

/** One security module: in force with hob's profile, in force without it (and why), or not in force. */
export type LsmState = { readonly labels: (number: number) => ContainerLabels } | { readonly lack: string } | undefined;

/**
 * Finds out which security modules are in force and loads hob's profiles into them. What cannot be loaded is told by
 * `lacks`, and containers go without: their other walls do not depend on it.
 *
 * @param folders what containers see of the host's files, absolute paths: SELinux wants them labelled. What is made in them later
 *   has the label of its folder.
 */
export async function openConfinement(folders: readonly string[]): Promise<Confinement> {
  const states = [await openAppArmor(apparmorProfilePath), await openSelinux(selinuxPolicyPath, folders)];
  const labellers = states.flatMap((state) => (state !== undefined && 'labels' in state ? [state.labels] : []));
  return {
    labels: (number) => Object.assign({}, ...labellers.map((labels) => labels(number))) as ContainerLabels,
    lacks: states.flatMap((state) => (state !== undefined && 'lack' in state ? [state.lack] : [])),
  };
}
