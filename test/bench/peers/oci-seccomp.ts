import { constants } from 'node:os';

/** One entry of `linux.seccomp.syscalls` in an OCI configuration. */
interface OciSyscall {
  readonly names: readonly string[];
  readonly action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO';
  readonly errnoRet?: number;
  readonly args?: readonly OciArgument[];
}

interface OciArgument {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: 'SCMP_CMP_EQ' | 'SCMP_CMP_MASKED_EQ';
}

/**
 * hob's seccomp profile as an OCI runtime takes it, so that peers filter the same calls in the same way.
 *
 * @param profile text of native/profiles/seccomp.profile; native/src/filter.c describes the language.
 * @throws Error for a line that is not understood.
 */
export function ociSeccomp(profile: string): object {
  const syscalls: OciSyscall[] = [];
  for (const [index, line] of profile.split('\n').entries()) {
    const rule = (line.split('#')[0] ?? '').trim();
    if (rule === '' || rule === 'foreign kill' || rule === 'default errno ENOSYS') continue;
    const parsed = parseRule(rule);
    if (parsed === undefined) throw new Error(`seccomp.profile line ${index + 1} is not understood: ${rule}`);
    syscalls.push(parsed);
  }
  const defaults = { defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: constants.errno.ENOSYS };
  return {
    ...defaults,
    architectures: [process.arch === 'arm64' ? 'SCMP_ARCH_AARCH64' : 'SCMP_ARCH_X86_64'],
    syscalls,
  };
}

function parseRule(rule: string): OciSyscall | undefined {
  const match = /^(?:(?<allow>allow)|errno (?<errno>E[A-Z0-9]+)) (?<names>[a-z0-9_, ]+?)(?: when (?<when>.+))?$/.exec(
    rule,
  );
  if (match?.groups === undefined) return undefined;
  const { errno, names = '', when } = match.groups;
  const args = when?.split(' and ').map(parseComparison);
  if (args?.includes(undefined) === true) return undefined;
  return {
    names: names.split(',').map((name) => name.trim()),
    ...(errno === undefined
      ? { action: 'SCMP_ACT_ALLOW' }
      : { action: 'SCMP_ACT_ERRNO', errnoRet: errnoNumber(errno) }),
    ...(args === undefined ? {} : { args: args.filter((arg) => arg !== undefined) }),
  };
}

/** `0 == 1`, or `1 & 0xf == 2`. A number with a leading 0 is octal, as in C. */
function parseComparison(text: string): OciArgument | undefined {
  const match = /^(?<index>\d) (?:& (?<mask>\w+) )?== (?<value>\w+)$/.exec(text.trim());
  if (match?.groups === undefined) return undefined;
  const { index, mask, value = '' } = match.groups;
  if (mask === undefined) return { index: Number(index), value: parseC(value), op: 'SCMP_CMP_EQ' };
  return { index: Number(index), value: parseC(mask), valueTwo: parseC(value), op: 'SCMP_CMP_MASKED_EQ' };
}

function parseC(text: string): number {
  return /^0[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number(text);
}

function errnoNumber(name: string): number {
  const number = Object.entries(constants.errno).find(([known]) => known === name)?.[1];
  if (number === undefined) throw new Error(`errno ${name} is not known`);
  return number;
}
