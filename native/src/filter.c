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

static void close_stream(FILE **f) {
        if (*f)
                (void) fclose(*f);
}

static void release_context(scmp_filter_ctx *context) {
        if (*context)
                seccomp_release(*context);
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

static int add_calls(scmp_filter_ctx context, uint32_t action, char *names, char *conditions) {
        struct scmp_arg_cmp comparisons[COMPARISONS_MAX];
        uint32_t default_action;
        int n = parse_conditions(conditions, comparisons);
        if (n < 0)
                return n;
        int q = seccomp_attr_get(context, SCMP_FLTATR_ACT_DEFAULT, &default_action);
        if (q < 0)
                return q;
        for (char *name; (name = strsep(&names, ","));) {
                name = trim(name);
                int number = seccomp_syscall_resolve_name(name);
                if (number == __NR_SCMP_ERROR)
                        return -EINVAL;
                /* Not on this architecture; or a rule that says of one call what is true of all unnamed ones. */
                if (number < 0 || action == default_action)
                        continue;
                int r = seccomp_rule_add_array(context, action, number, (unsigned) n, comparisons);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_rule(scmp_filter_ctx context, char *text) {
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
        return add_calls(context, action, cursor, conditions);
}

/* "default ACTION" makes the context and so comes first; "foreign ACTION" is an attribute of it. */
static int take_line(scmp_filter_ctx *context, char *line) {
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
                return *context ? add_rule(*context, line) : -EINVAL;
        (void) word(&cursor);
        const char *verb = word(&cursor);
        if (!verb || !parse_action(verb, &cursor, &action) || is_default == (*context != NULL))
                return -EINVAL;
        if (is_foreign)
                return seccomp_attr_set(*context, SCMP_FLTATR_ACT_BADARCH, action);
        *context = seccomp_init(action);
        return *context ? 0 : -ENOMEM;
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
        const size_t bytes = (size_t) st.st_size, count = bytes / sizeof(struct sock_filter);
        if (count == 0 || count > BPF_MAXINSNS)
                return -E2BIG;

        struct hob_filter *filter = malloc(sizeof *filter);
        struct sock_filter *code = malloc(bytes);
        if (!filter || !code || pread(fd, code, bytes, 0) != (ssize_t) bytes) {
                free(filter);
                free(code);
                return -ENOMEM;
        }
        filter->program = (struct sock_fprog) { .len = (unsigned short) count, .filter = code };
        *ret_filter = filter;
        return 0;
}

static int read_profile(FILE *file, scmp_filter_ctx *context, char *step) {
        char line[LINE_BYTES_MAX];
        for (unsigned number = 1; fgets(line, sizeof line, file); number++) {
                int r = strlen(line) == sizeof line - 1 ? -EINVAL : take_line(context, line);
                if (r < 0) {
                        (void) snprintf(step, HOB_STEP_BYTES, "profile line %u", number);
                        return r;
                }
        }
        if (ferror(file) || !*context)
                return failed(step, "profile", -EINVAL);
        return 0;
}

int hob_filter_load(const char *path, struct hob_filter **ret_filter, char *step) {
        __attribute__((cleanup(close_stream))) FILE *file = fopen(path, "re");
        __attribute__((cleanup(release_context))) scmp_filter_ctx context = NULL;

        if (!file)
                return failed(step, "open profile", -errno);
        int r = read_profile(file, &context, step);
        if (r < 0)
                return r;
        /* A binary tree over the numbers instead of a list: shorter for every call, and quicker to install. */
        STEP("optimise filter", seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2));
        STEP("export filter", export_filter(context, ret_filter));
        return 0;
}

void hob_filter_free(struct hob_filter *filter) {
        if (!filter)
                return;
        free(filter->program.filter);
        free(filter);
}

int install_filter(const struct hob_filter *filter) {
        return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter->program, 0, 0) < 0 ? -errno : 0;
}
