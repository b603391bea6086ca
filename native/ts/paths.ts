import { fileURLToPath } from 'node:url';

/** The library, made by this package's build. */
export const libraryPath = fileURLToPath(new URL('../dist/libhob.so', import.meta.url));
/** The same with a hook that fails one step, for the fault sweep: HOB_PROBE names the step. */
export const faultsLibraryPath = fileURLToPath(new URL('../dist/libhob-faults.so', import.meta.url));
/** Preloaded into zygotes, so that V8's heap survives a fork. */
export const preloadPath = fileURLToPath(new URL('../dist/libhobfork.so', import.meta.url));
/** The system calls that a container may make. */
export const seccompProfilePath = fileURLToPath(new URL('../profiles/seccomp.profile', import.meta.url));
/** Runs a program as an unprivileged user; see native/programs/hob-drop.c. */
export const dropPath = fileURLToPath(new URL('../dist/hob-drop', import.meta.url));
/** The same for AppArmor and SELinux: a profile for apparmor_parser(8), and a policy module in CIL for semodule(8). */
export const apparmorProfilePath = fileURLToPath(new URL('../profiles/apparmor.profile', import.meta.url));
export const selinuxPolicyPath = fileURLToPath(new URL('../profiles/selinux.cil', import.meta.url));
/** The benchmark's: notes when each step of a create begins. */
export const stepTimesLibraryPath = fileURLToPath(new URL('../dist/libhob-step-times.so', import.meta.url));
