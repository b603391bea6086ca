/*
 * Seccomp: from a profile file to a filter, and its installation.
 *
 * The profile has one rule a line, and each rule its reason:
 *
 *     default errno ENOSYS                         # reason
 *     foreign kill                                 # reason      (calls of another architecture)
 *     allow read, write                            # reason
 *     allow socket when 0 == 1                     # reason      (argument 0 is 1; several by "and")
 *     allow clone when 0 & 0x7e020000 == 0         # reason
 *     errno EPERM mount, umount2                   # reason
 *
 * A call that this architecture does not have is passed over; one that nobody knows is an error.
 *
 * A filter may differ from its profile by what it notifies the host of: see struct hob_notices.
 */
#include <ctype.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "internal.h"

#define COMPARISONS_MAX 4
#define LINE_BYTES_MAX 1024

/* A filter in the making. */
struct draft {
        scmp_filter_ctx context;
        const struct hob_notices *notices; /* or NULL */
};

static void release_draft(struct draft *draft) {
        if (draft->context)
                seccomp_release(draft->context);
}

static void free_text(char **text) {
        free(*text);
}

static char *trim(char *s) {
        while (isspace((unsigned char) *s))
                s++;
        char *end = s + strlen(s);
        while (end > s && isspace((unsigned char) end[-1]))
                *--end = '\0';
        return s;
}

/* The next word of a line that is cut apart by spaces, or NULL. */
static char *word(char **cursor) {
        char *token;
        do
                token = strsep(cursor, " \t");
        while (token && *token == '\0');
        return token;
}

static bool parse_number(const char *text, uint64_t *ret) {
        char *end;
        if (!text || !isdigit((unsigned char) *text))
                return false;
        errno = 0;
        *ret = strtoull(text, &end, 0);
        return errno == 0 && *end == '\0';
}

static bool parse_errno(const char *name, uint32_t *ret_action) {
        if (!name)
                return false;
        if (strcmp(name, "EPERM") == 0)
                *ret_action = SCMP_ACT_ERRNO(EPERM);
        else if (strcmp(name, "ENOSYS") == 0)
                *ret_action = SCMP_ACT_ERRNO(ENOSYS);
        else if (strcmp(name, "EACCES") == 0)
                *ret_action = SCMP_ACT_ERRNO(EACCES);
        else if (strcmp(name, "EAFNOSUPPORT") == 0)
                *ret_action = SCMP_ACT_ERRNO(EAFNOSUPPORT);
        else
                return false;
        return true;
}

/* "allow", "kill" or "errno NAME". */
static bool parse_action(const char *verb, char **cursor, uint32_t *ret_action) {
        if (strcmp(verb, "allow") == 0)
                *ret_action = SCMP_ACT_ALLOW;
        else if (strcmp(verb, "kill") == 0)
                *ret_action = SCMP_ACT_KILL_PROCESS;
        else if (strcmp(verb, "errno") == 0)
                return parse_errno(word(cursor), ret_action);
        else
                return false;
        return true;
}

/* "ARG == VALUE", "ARG != VALUE" or "ARG & MASK == VALUE". */
static bool parse_comparison(char *text, struct scmp_arg_cmp *ret) {
        uint64_t arg, first, second;
        const char *operator;

        if (!parse_number(word(&text), &arg) || arg > 5 || !(operator = word(&text)) || !parse_number(word(&text), &first))
                return false;
        if (strcmp(operator, "&") == 0) {
                const char *equals = word(&text);
                if (!equals || strcmp(equals, "==") != 0 || !parse_number(word(&text), &second))
                        return false;
                *ret = SCMP_CMP((unsigned) arg, SCMP_CMP_MASKED_EQ, first, second);
        } else if (strcmp(operator, "==") == 0)
                *ret = SCMP_CMP((unsigned) arg, SCMP_CMP_EQ, first);
        else if (strcmp(operator, "!=") == 0)
                *ret = SCMP_CMP((unsigned) arg, SCMP_CMP_NE, first);
        else
                return false;
        return word(&text) == NULL;
}

/* The comparisons after "when", separated by "and". Returns how many, or -EINVAL. */
static int parse_conditions(char *text, struct scmp_arg_cmp *comparisons) {
        int n = 0;
        while (text) {
                char *next = strstr(text, " and ");
                if (next) {
                        *next = '\0';
                        next += strlen(" and ");
                }
                if (n == COMPARISONS_MAX || !parse_comparison(text, &comparisons[n++]))
                        return -EINVAL;
                text = next;
        }
        return n;
}

/* Whether @name is one of @list, whose names are separated by single spaces. */
static bool is_listed(const char *list, const char *name) {
        const size_t length = strlen(name);
        for (const char *at = list; (at = strstr(at, name)); at += length)
                if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
                        return true;
        return false;
}

/* Whether a rule of the profile is kept for this call; its action may become a notice. */
static bool takes_rule(const struct hob_notices *notices, const char *name, uint32_t *action) {
        if (!notices)
                return true;
        const bool listed = is_listed(notices->calls, name);
        if (listed && !notices->calls_kept)
                return false; /* add_notices() has the one rule for it */
        if ((notices->calls_kept && !listed && *action == SCMP_ACT_ALLOW) ||
            (notices->dangerous && *action == SCMP_ACT_ERRNO(EPERM)))
                *action = SCMP_ACT_NOTIFY;
        return true;
}

static int add_calls(const struct draft *draft, uint32_t action, char *names, char *conditions) {
        struct scmp_arg_cmp comparisons[COMPARISONS_MAX];
        uint32_t default_action;
        int n = parse_conditions(conditions, comparisons);
        if (n < 0)
                return n;
        int q = seccomp_attr_get(draft->context, SCMP_FLTATR_ACT_DEFAULT, &default_action);
        if (q < 0)
                return q;
        for (char *name; (name = strsep(&names, ","));) {
                name = trim(name);
                int number = seccomp_syscall_resolve_name(name);
                if (number == __NR_SCMP_ERROR)
                        return -EINVAL;
                uint32_t taken = action;
                /* Not on this architecture; or a rule that says of one call what is true of all unnamed ones. */
                if (number < 0 || !takes_rule(draft->notices, name, &taken) || taken == default_action)
                        continue;
                int r = seccomp_rule_add_array(draft->context, taken, number, (unsigned) n, comparisons);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_rule(const struct draft *draft, char *text) {
        char *cursor = text;
        const char *verb = word(&cursor);
        uint32_t action;

        if (!parse_action(verb, &cursor, &action) || !cursor)
                return -EINVAL;
        char *conditions = strstr(cursor, " when ");
        if (conditions) {
                *conditions = '\0';
                conditions += strlen(" when ");
        }
        return add_calls(draft, action, cursor, conditions);
}

/* "default ACTION" makes the context and so comes first; "foreign ACTION" is an attribute of it. */
static int take_line(struct draft *draft, char *line) {
        char *reason = strchr(line, '#');
        if (reason)
                *reason++ = '\0';
        line = trim(line);
        if (*line == '\0')
                return 0;
        if (!reason || *trim(reason) == '\0')
                return -EINVAL;

        char *cursor = line;
        uint32_t action;
        bool is_default = strncmp(line, "default ", 8) == 0, is_foreign = strncmp(line, "foreign ", 8) == 0;
        if (!is_default && !is_foreign)
                return draft->context ? add_rule(draft, line) : -EINVAL;
        (void) word(&cursor);
        const char *verb = word(&cursor);
        if (!verb || !parse_action(verb, &cursor, &action) || is_default == (draft->context != NULL))
                return -EINVAL;
        if (is_foreign)
                return seccomp_attr_set(draft->context, SCMP_FLTATR_ACT_BADARCH, action);
        draft->context = seccomp_init(action);
        return draft->context ? 0 : -ENOMEM;
}

/* What libseccomp wrote to a memory file, as a program for the kernel. */
static int export_filter(scmp_filter_ctx context, struct hob_filter **ret_filter) {
        struct stat st;
        _cleanup_close_ int fd = memfd_create("hob-filter", MFD_CLOEXEC);
        if (fd < 0)
                return -errno;
        int r = seccomp_export_bpf(context, fd);
        if (r < 0)
                return r;
        if (fstat(fd, &st) < 0)
                return -errno;
        const size_t bytes = (size_t) st.st_size;
        if (bytes == 0 || bytes > BPF_MAXINSNS * sizeof(struct sock_filter))
                return -E2BIG;
        uint8_t *code = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
        if (code == MAP_FAILED)
                return -errno;
        r = hob_filter_read(code, (uint32_t) bytes, ret_filter);
        (void) munmap(code, bytes);
        return r;
}

static int read_profile(FILE *file, struct draft *draft, char *step) {
        char line[LINE_BYTES_MAX];
        for (unsigned number = 1; fgets(line, sizeof line, file); number++) {
                int r = strlen(line) == sizeof line - 1 ? -EINVAL : take_line(draft, line);
                if (r < 0) {
                        (void) snprintf(step, HOB_STEP_BYTES, "profile line %u", number);
                        return r;
                }
        }
        if (ferror(file) || !draft->context)
                return failed(step, "profile", -EINVAL);
        return 0;
}

/* The calls that are notified whatever their arguments are. */
static int add_notices(const struct draft *draft) {
        if (!draft->notices || draft->notices->calls_kept)
                return 0;
        __attribute__((cleanup(free_text))) char *names = strdup(draft->notices->calls);
        if (!names)
                return -ENOMEM;
        char *cursor = names;
        for (const char *name; (name = word(&cursor));) {
                int number = seccomp_syscall_resolve_name(name);
                if (number == __NR_SCMP_ERROR)
                        return -EINVAL;
                int r = number < 0 ? 0 : seccomp_rule_add(draft->context, SCMP_ACT_NOTIFY, number, 0);
                if (r < 0)
                        return r;
        }
        return 0;
}

int hob_filter_load_notices(const char *path, const struct hob_notices *notices, struct hob_filter **ret_filter,
                            char *step) {
        _cleanup_fclose_ FILE *file = fopen(path, "re");
        __attribute__((cleanup(release_draft))) struct draft draft = { .notices = notices };

        if (!file)
                return failed(step, "open profile", -errno);
        int r = read_profile(file, &draft, step);
        if (r < 0)
                return r;
        STEP("notices", add_notices(&draft));
        /* A binary tree over the numbers instead of a list: shorter for every call, and quicker to install. */
        STEP("optimise filter", seccomp_attr_set(draft.context, SCMP_FLTATR_CTL_OPTIMIZE, 2));
        STEP("export filter", export_filter(draft.context, ret_filter));
        return 0;
}

int hob_filter_load(const char *path, struct hob_filter **ret_filter, char *step) {
        return hob_filter_load_notices(path, NULL, ret_filter, step);
}

int hob_filter_write(const struct hob_filter *filter, uint8_t *ret_code, uint32_t bytes_max) {
        const size_t bytes = filter->program.len * sizeof(struct sock_filter);
        if (bytes > bytes_max)
                return -E2BIG;
        memcpy(ret_code, filter->program.filter, bytes);
        return (int) bytes;
}

int hob_filter_read(const uint8_t *code, uint32_t bytes, struct hob_filter **ret_filter) {
        const size_t count = bytes / sizeof(struct sock_filter);
        if (count == 0 || count > BPF_MAXINSNS || count * sizeof(struct sock_filter) != bytes)
                return -EINVAL;
        struct sock_filter *copy = malloc(bytes);
        struct hob_filter *filter = malloc(sizeof *filter);
        if (!copy || !filter) {
                free(copy);
                free(filter);
                return -ENOMEM;
        }
        memcpy(copy, code, bytes);
        filter->program = (struct sock_fprog) { .len = (unsigned short) count, .filter = copy };
        *ret_filter = filter;
        return 0;
}

void hob_filter_free(struct hob_filter *filter) {
        if (!filter)
                return;
        free(filter->program.filter);
        free(filter);
}

int hob_call_name(int number, char *ret_name) {
        __attribute__((cleanup(free_text))) char *name =
                seccomp_syscall_resolve_num_arch(seccomp_arch_native(), number);
        if (!name)
                return -ENOENT;
        if (strlen(name) >= HOB_STEP_BYTES)
                return -E2BIG;
        (void) snprintf(ret_name, HOB_STEP_BYTES, "%s", name);
        return 0;
}

int install_filter(const struct hob_filter *filter) {
        return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter->program, 0, 0) < 0 ? -errno : 0;
}
