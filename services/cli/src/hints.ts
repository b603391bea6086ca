const logs = '"hob logs <name>" shows what the function wrote';
const redis = 'the log of hob serve says why, such as a full disk; it goes on by itself once Redis answers';
const room = 'try again later, or raise maxContainers in hob.json';

/** By the code of an error: hob's own, or the system's. */
const hints: Readonly<Record<string, string>> = {
  EADDRINUSE: 'something else listens there: set HOB_LISTEN to another address',
  ERR_AUTH_REQUIRED: 'set HOB_TOKEN, or run this as the user that first started "hob serve"',
  ERR_BACKUP_FAILED: '"hob backup --help" says what it needs; HOB_DATA_DIR names the data folder',
  ERR_BUILD_ENTRY_NOT_FOUND: 'set "entry" in hob.json to the file that exports the handler',
  ERR_CLI_BAD_ANSWER: 'check that HOB_URL names a hob server; its log says what happened',
  ERR_CLI_BAD_TRACE: '"hob simulate --help" says which files it reads',
  ERR_CLI_STATUS: logs,
  ERR_CLI_UNREACHABLE: 'start it with "npx hob serve", or set HOB_URL to where it runs',
  ERR_CLI_USAGE: '"hob --help" shows the commands, "hob <command> --help" their options',
  ERR_CONFIG_NOT_FOUND: 'run "hob init" there, or name another folder',
  ERR_FN_ALIAS_NOT_FOUND: '"hob alias ls <name>" shows the aliases',
  ERR_FN_BAD_EVENT: 'send JSON, as in --data \'{"name":"you"}\'',
  ERR_FN_CRASHED: logs,
  ERR_FN_EXITED: logs,
  ERR_FN_FORBIDDEN_SYSCALL: 'allow it in "seccomp" of hob.json, or see "hob seccomp learn --help"',
  ERR_FN_LOAD_FAILED: logs,
  ERR_FN_NOT_FOUND: '"hob ls" shows the functions, "hob deploy <folder>" makes one',
  ERR_FN_NOT_LIVE: '"hob versions <name>" shows the versions, "hob alias set <name> <version>" makes one live',
  ERR_FN_NOT_PROVEN: 'what was live before still is; correct the function and deploy again',
  ERR_FN_NO_PREVIOUS: '"hob versions <name>" shows the versions, "hob alias set <name> <version>" makes one live',
  ERR_FN_OUT_OF_MEMORY: 'raise memoryMb in hob.json and deploy again',
  ERR_FN_THREW: logs,
  ERR_FN_TIMEOUT: 'raise timeoutMs in hob.json and deploy again',
  ERR_FN_VERSION_NOT_FOUND: '"hob versions <name>" shows the versions',
  ERR_INVOCATION_NOT_FOUND: 'it may have ended; results are kept for HOB_ASYNC_RESULT_KEEP_MS',
  ERR_LAUNCHER_LOST: 'run "hob serve" as root, or start the launcher: infra/systemd',
  ERR_NATIVE_SYSCALL: '"hob doctor" shows what is missing on this host',
  ERR_NATIVE_UNSUPPORTED: '"hob doctor" shows what is missing on this host',
  ERR_QUEUE_UNAVAILABLE: redis,
  ERR_REGISTRY_UNAVAILABLE: redis,
  ERR_RESTORE_FAILED: 'give it all of a file that "hob backup" wrote, and a disk with room for what is in it',
  ERR_RESTORE_NOT_EMPTY: 'set HOB_DATA_DIR to a new folder, or move what is there to another place',
  ERR_SCHED_QUEUE_FULL: room,
  ERR_SCHED_QUEUE_TIMEOUT: room,
  ERR_SCHEDULE_NOT_FOUND: '"hob schedule ls" shows the schedules; "schedule" in hob.json makes them',
  ERR_SECRET_DAMAGED: '"hob secret set" sets it again, "hob secret rm" removes it',
  ERR_SECRET_IN_USE: 'deploy a version that does not name it, or set it to another value',
  ERR_SECRET_KEY_GIVEN: 'start "hob serve" with a new key in HOB_SECRET_KEY and this one in HOB_SECRET_KEY_PREVIOUS',
  ERR_SECRET_MISSING: '"hob secret set <name> <key>" sets one to what comes on its standard input',
  ERR_SECRET_NOT_FOUND: '"hob secret ls <name>" shows what there is',
  ERR_SERVE_DATA_NEWER: 'start the newer hob that wrote it; or give this one another HOB_DATA_DIR or Redis',
  ERR_SERVE_HAND_OVER: 'remove one of the two names, or move the file out of the data folder',
  ERR_SERVE_REDIS_UNFIT: 'or start without HOB_REDIS_URL: hob then runs a Redis of its own',
  ERR_STORAGE_FAILED:
    'see why the disk of HOB_DATA_DIR cannot be written to: "findmnt" and the log of the kernel may tell',
  ERR_STORAGE_FULL: 'make room on the disk of HOB_DATA_DIR; hob goes on by itself',
  ERR_SERVE_WORKER: 'the lines above it in the log of hob serve say why',
  ERR_SERVE_LOCKED: 'stop that process, or set HOB_DATA_DIR to another folder',
  ERR_SERVE_SECRET_KEY:
    'give the key that they were encrypted with: in HOB_SECRET_KEY, or as secret.key of the data folder; to change it, in HOB_SECRET_KEY_PREVIOUS',
};

/** What the user should do next after an error with this code. */
export function hintFor(code: string): string {
  return hints[code] ?? 'HOB_DEBUG=1 shows where it happened';
}
