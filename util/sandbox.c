/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System-call filters: parsing of the policy, the lists of calls, and their installation.
 *
 * A list is a table of names, so that a call which this architecture lacks is skipped.
 */
#include "util/sandbox.h"

#include "config-host.h"
#include "util/error.h"

#include <string.h>

#ifdef CONFIG_SECCOMP

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* --- the process filter: what is denied --- */

/* Administration of the host, and access to other processes: no emulator needs any of them. */
static const char *const deny_always[] = {
    "acct",
    "add_key",
    "adjtimex",
    "bpf",
    "chroot",
    "clock_adjtime",
    "clock_settime",
    "delete_module",
    "fanotify_init",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "init_module",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "migrate_pages",
    "modify_ldt",
    "mount",
    "mount_setattr",
    "move_mount",
    "move_pages",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pidfd_getfd",
    "pivot_root",
    "process_madvise",
    "process_vm_readv",
    "process_vm_writev",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "setdomainname",
    "sethostname",
    "setns",
    "settimeofday",
    "stime",
    "swapoff",
    "swapon",
    "syslog",
    "umount",
    "umount2",
    "unshare",
    "userfaultfd",
    "vhangup",
};

/* LeakSanitizer stops the threads of its own process with it. */
static const char *const deny_tracing[] = { "ptrace" };

static const char *const deny_obsolete[] = {
    "_sysctl",         "afs_syscall",    "bdflush", "create_module",
    "epoll_ctl_old",   "epoll_wait_old", "ftime",   "getpmsg",
    "get_kernel_syms", "nfsservctl",     "prof",    "profil",
    "putpmsg",         "query_module",   "readdir", "security",
    "sgetmask",        "ssetmask",       "sysfs",   "tuxcall",
    "ulimit",          "uselib",         "ustat",   "vm86",
    "vm86old",         "vserver",
};

static const char *const deny_privileges[] = {
    "capset",     "setfsgid",   "setfsgid32",  "setfsuid",    "setfsuid32",
    "setgid",     "setgid32",   "setgroups",   "setgroups32", "setregid",
    "setregid32", "setresgid",  "setresgid32", "setresuid",   "setresuid32",
    "setreuid",   "setreuid32", "setuid",      "setuid32",
};

static const char *const deny_spawn[] = { "execve", "execveat", "fork", "vfork" };

static const char *const deny_resourcecontrol[] = {
    "ioprio_set",         "sched_setaffinity", "sched_setparam",
    "sched_setscheduler", "setpriority",       "setrlimit",
};

/* --- the CPU filter: what is allowed --- */

/* Memory, synchronisation and time, for the C library and the CPU engine. */
static const char *const cpu_runtime[] = {
    "brk",           "clock_getres",    "clock_gettime",   "clock_nanosleep",
    "exit",          "exit_group",      "futex",           "futex_waitv",
    "getpid",        "getrandom",       "gettid",          "gettimeofday",
    "madvise",       "membarrier",      "memfd_create",    "mremap",
    "munmap",        "nanosleep",       "restart_syscall", "rseq",
    "rt_sigaction",  "rt_sigprocmask",  "rt_sigreturn",    "sched_getaffinity",
    "sched_getattr", "sched_setattr",   "sched_yield",     "set_robust_list",
    "sigaltstack",   "sysinfo",         "tgkill",          "time",
    "timer_settime", "timerfd_gettime", "timerfd_settime", "uname",
};

/* Transfers on descriptors that are open: disks, networks, consoles and their wake-ups. */
static const char *const cpu_transfers[] = {
    "close",     "dup",       "epoll_ctl",   "epoll_pwait",  "epoll_wait", "eventfd2",
    "fallocate", "fcntl",     "fcntl64",     "fdatasync",    "flock",      "fstat",
    "fsync",     "ftruncate", "ftruncate64", "io_getevents", "io_submit",  "io_uring_enter",
    "ioctl",     "lseek",     "_llseek",     "newfstatat",   "pipe2",      "poll",
    "ppoll",     "pread64",   "preadv",      "preadv2",      "pselect6",   "pwrite64",
    "pwritev",   "pwritev2",  "read",        "readv",        "recvfrom",   "recvmmsg",
    "recvmsg",   "select",    "sendmmsg",    "sendmsg",      "sendto",     "stat",
    "statx",     "write",     "writev",
};

/* The user network opens and closes host connections for the guest. */
static const char *const cpu_sockets[] = {
    "accept",     "accept4", "bind",       "connect",  "getpeername", "getsockname",
    "getsockopt", "listen",  "setsockopt", "shutdown", "socket",
};

/* Calls of the C library before it reads a file, such as the list of name servers. */
static const char *const cpu_identity[] = {
    "getegid",    "geteuid", "getgid",    "getuid",     "readlink",
    "readlinkat", "access",  "faccessat", "faccessat2",
};

/* Set up in a thread that is created from a CPU thread. */
static const char *const cpu_threads[] = { "set_tid_address", "arch_prctl" };

typedef struct CallList {
    const char *const *names;
    size_t n;
} CallList;
#define LIST(a)                                                                                    \
    {                                                                                              \
        a, G_N_ELEMENTS(a)                                                                         \
    }

static const CallList cpu_lists[] = {
    LIST(cpu_runtime),  LIST(cpu_transfers), LIST(cpu_sockets),
    LIST(cpu_identity), LIST(cpu_threads),
};

/* --- reporting in SANDBOX_REPORT --- */

/* One bit for each call number below 1024 that was reported. Process-wide as the signal handler. */
static guint reported[1024 / 32];

static bool sandbox_first_report(unsigned nr)
{
    guint bit = 1u << (nr % 32);

    return nr >= 1024 || !(g_atomic_int_or(&reported[nr / 32], bit) & bit);
}

/*
 * The signal is synchronous: it interrupts the code that made the call. Allocation is therefore
 * safe here, since the allocator itself makes only calls that every filter allows.
 */
static void sandbox_write_report(int nr)
{
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);

    dprintf(STDERR_FILENO,
            "backplane: system call '%s' (%d) was denied with EPERM by the system-call filter; "
            "further occurrences are not reported (-sandbox off disables the filter)\n",
            name ? name : "unknown", nr);
    free(name);
}

/* The register that holds a system call's result; NULL: this architecture is not known here. */
static void *sandbox_result_register(ucontext_t *uc)
{
#if defined(__x86_64__)
    return &uc->uc_mcontext.gregs[REG_RAX];
#elif defined(__aarch64__)
    return &uc->uc_mcontext.regs[0];
#elif defined(__riscv) && __riscv_xlen == 64
    return &uc->uc_mcontext.__gregs[10];
#else
    return NULL;
#endif
}

static void sandbox_on_denied(int sig, siginfo_t *info, void *context)
{
    void *result = sandbox_result_register(context);
    int saved = errno;

    if (result) {
        *(long *)result = -EPERM;
    }
    if (sandbox_first_report((unsigned)info->si_syscall)) {
        sandbox_write_report(info->si_syscall);
    }
    errno = saved;
}

static bool sandbox_catch_denials(GError **err)
{
    struct sigaction action = { .sa_sigaction = sandbox_on_denied,
                                .sa_flags = SA_SIGINFO | SA_NODEFER };

    if (sigaction(SIGSYS, &action, NULL) < 0) {
        return error_set_errno(err, errno, "the system-call filter cannot be installed");
    }
    return true;
}

/* --- building a filter --- */

static uint32_t sandbox_deny_action(const SandboxPolicy *p)
{
    ucontext_t probe;

    if (p->mode == SANDBOX_KILL) {
        return SCMP_ACT_KILL_PROCESS;
    }
    return sandbox_result_register(&probe) ? SCMP_ACT_TRAP : SCMP_ACT_ERRNO(EPERM);
}

static int sandbox_add_rule(scmp_filter_ctx ctx, uint32_t action, const char *name)
{
    int nr = seccomp_syscall_resolve_name(name);

    return nr < 0 ? 0 : seccomp_rule_add(ctx, action, nr, 0);
}

static int sandbox_add_list(scmp_filter_ctx ctx, uint32_t action, const char *const *names,
                            size_t n)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = sandbox_add_rule(ctx, action, names[i]);
    }
    return rc;
}

/*
 * clone3 hides its flags from a filter. With ENOSYS the C library uses clone, whose flags state
 * whether a thread or a process is requested. LeakSanitizer creates an untraced process at the
 * exit.
 */
static int sandbox_add_thread_rules(scmp_filter_ctx ctx, uint32_t action, bool want_thread)
{
    const scmp_datum_t flags = CLONE_THREAD | (SANITIZED && !want_thread ? CLONE_UNTRACED : 0);
    scmp_datum_t wanted = want_thread ? CLONE_THREAD : 0;
    int rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

    return rc ? rc
              : seccomp_rule_add(ctx, action, SCMP_SYS(clone), 1,
                                 SCMP_A0(SCMP_CMP_MASKED_EQ, flags, wanted));
}

static int sandbox_add_spawn_rules(scmp_filter_ctx ctx, uint32_t deny)
{
    int rc = sandbox_add_list(ctx, deny, deny_spawn, G_N_ELEMENTS(deny_spawn));

    return rc ? rc : sandbox_add_thread_rules(ctx, deny, false);
}

/* GLib sets the scheduling of its worker threads and expects EPERM where that is not possible. */
static int sandbox_add_resource_rules(scmp_filter_ctx ctx, uint32_t deny)
{
    int rc = sandbox_add_list(ctx, deny, deny_resourcecontrol, G_N_ELEMENTS(deny_resourcecontrol));

    rc = rc ? rc : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(sched_setattr), 0);
    return rc ? rc : seccomp_rule_add(ctx, deny, SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_NE, 0));
}

static int sandbox_process_rules(scmp_filter_ctx ctx, const SandboxPolicy *p)
{
    uint32_t deny = sandbox_deny_action(p);
    int rc = sandbox_add_list(ctx, deny, deny_always, G_N_ELEMENTS(deny_always));

    if (rc == 0 && !SANITIZED) {
        rc = sandbox_add_list(ctx, deny, deny_tracing, G_N_ELEMENTS(deny_tracing));
    }
    if (rc == 0 && !p->allow_obsolete) {
        rc = sandbox_add_list(ctx, deny, deny_obsolete, G_N_ELEMENTS(deny_obsolete));
    }
    if (rc == 0 && p->privileges == SANDBOX_PRIVILEGES_DENY) {
        rc = sandbox_add_list(ctx, deny, deny_privileges, G_N_ELEMENTS(deny_privileges));
    }
    if (rc == 0 && p->deny_spawn) {
        rc = sandbox_add_spawn_rules(ctx, deny);
    }
    if (rc == 0 && p->deny_resourcecontrol) {
        rc = sandbox_add_resource_rules(ctx, deny);
    }
    return rc;
}

/* New memory may not be executable: the buffers of translated code are mapped before the guest
 * runs, and no CPU thread writes to an executable mapping. */
static int sandbox_add_memory_rules(scmp_filter_ctx ctx)
{
    static const char *const calls[] = { "mmap", "mmap2", "mprotect" };
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < G_N_ELEMENTS(calls); i++) {
        int nr = seccomp_syscall_resolve_name(calls[i]);
        if (nr >= 0) {
            rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
        }
    }
    return rc;
}

/* Files may be opened for reading only; the name of the thread is the only process attribute. */
static int sandbox_cpu_rules(scmp_filter_ctx ctx)
{
    const scmp_datum_t writes = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
    int rc = sandbox_add_thread_rules(ctx, SCMP_ACT_ALLOW, true);

    for (size_t i = 0; rc == 0 && i < G_N_ELEMENTS(cpu_lists); i++) {
        rc = sandbox_add_list(ctx, SCMP_ACT_ALLOW, cpu_lists[i].names, cpu_lists[i].n);
    }
    rc = rc ? rc : sandbox_add_memory_rules(ctx);
    rc = rc ? rc
            : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
                               SCMP_A2(SCMP_CMP_MASKED_EQ, writes, 0));
    rc = rc ? rc
            : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
                               SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
    /* the allocator names its mappings */
    return rc ? rc
              : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
                                 SCMP_A0(SCMP_CMP_EQ, 0x53564d41 /* PR_SET_VMA */));
}

/* no_new_privs is set only where it is required: a program with the set-user-ID bit, started for
 * a migration, keeps working for root. */
static void sandbox_set_attributes(scmp_filter_ctx ctx, const SandboxPolicy *p, bool all_threads)
{
    bool needs_no_new_privs = geteuid() != 0 || p->privileges != SANDBOX_PRIVILEGES_ALLOW;

    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, needs_no_new_privs);
    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, all_threads);
    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
#if SCMP_VER_MAJOR > 2 || (SCMP_VER_MAJOR == 2 && SCMP_VER_MINOR >= 5)
    /* Old kernels switch a speculation off with the first filter, which slows guest code. */
    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_SSB, 1);
#endif
}

static bool sandbox_refuse_filter(int rc, GError **err)
{
    if (rc < 0) {
        error_set_errno(err, -rc, "the system-call filter cannot be installed");
    }
    return rc == 0;
}

static bool sandbox_supported(void)
{
    return seccomp_api_get() >= 2;
}

bool sandbox_confine_process(const SandboxPolicy *p, GError **err)
{
    scmp_filter_ctx ctx;
    int rc;

    if (p->mode == SANDBOX_OFF) {
        return true;
    }
    if (p->mode == SANDBOX_REPORT && !sandbox_catch_denials(err)) {
        return false;
    }
    ctx = seccomp_init(SCMP_ACT_ALLOW);
    if (!ctx) {
        return sandbox_refuse_filter(-ENOMEM, err);
    }
    sandbox_set_attributes(ctx, p, true);
    rc = sandbox_process_rules(ctx, p);
    rc = rc ? rc : seccomp_load(ctx);
    seccomp_release(ctx);
    return sandbox_refuse_filter(rc, err);
}

void sandbox_confine_cpu_thread(const SandboxPolicy *p)
{
    scmp_filter_ctx ctx;
    int rc;

    if (!p || p->mode == SANDBOX_OFF) {
        return;
    }
    ctx = seccomp_init(sandbox_deny_action(p));
    rc = ctx ? 0 : -ENOMEM;
    if (ctx) {
        sandbox_set_attributes(ctx, p, false);
        rc = sandbox_cpu_rules(ctx);
        rc = rc ? rc : seccomp_load(ctx);
        seccomp_release(ctx);
    }
    if (rc < 0) {
        g_printerr("backplane: a CPU thread runs without its system-call filter: %s\n",
                   g_strerror(-rc));
    }
}

#else /* without libseccomp */

static bool sandbox_supported(void)
{
    return false;
}

bool sandbox_confine_process(const SandboxPolicy *p, GError **err)
{
    return true;
}

void sandbox_confine_cpu_thread(const SandboxPolicy *p)
{
}

#endif

/* --- the policy --- */

void sandbox_policy_default(SandboxPolicy *p)
{
    *p = (SandboxPolicy){ .mode = sandbox_supported() ? SANDBOX_REPORT : SANDBOX_OFF };
}

bool sandbox_denies_spawn(const SandboxPolicy *p)
{
    return p && p->mode != SANDBOX_OFF && p->deny_spawn;
}

static bool sandbox_refuse_value(GError **err, const char *key, const char *value,
                                 const char *accepted)
{
    return error_set(err, ERROR_USER, "-sandbox %s=%s: use %s", key, value, accepted);
}

static bool sandbox_parse_choice(const char *key, const char *value, bool *deny, GError **err)
{
    *deny = strcmp(value, "deny") == 0;
    return *deny || strcmp(value, "allow") == 0 ||
           sandbox_refuse_value(err, key, value, "allow or deny");
}

static bool sandbox_parse_privileges(SandboxPolicy *p, const char *value, GError **err)
{
    static const char *const names[] = { "allow", "deny", "children" };

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(value, names[i]) == 0) {
            p->privileges = i;
            return true;
        }
    }
    return sandbox_refuse_value(err, "elevateprivileges", value, "allow, deny or children");
}

static bool sandbox_parse_mode(SandboxPolicy *p, const char *value, GError **err)
{
    bool on = strcmp(value, "on") == 0;

    if (!on && strcmp(value, "off") != 0) {
        return sandbox_refuse_value(err, "enable", value, "on or off");
    }
    if (on && !sandbox_supported()) {
        return error_set(err, ERROR_USER,
                         "-sandbox on: system-call filters are not available: this build lacks "
                         "libseccomp, or the kernel lacks seccomp");
    }
    p->mode = on ? SANDBOX_KILL : SANDBOX_OFF;
    return true;
}

static bool sandbox_parse_key(SandboxPolicy *p, const char *key, const char *value, GError **err)
{
    bool deny;

    if (strcmp(key, "enable") == 0) {
        return sandbox_parse_mode(p, value, err);
    }
    if (strcmp(key, "obsolete") == 0) {
        bool ok = sandbox_parse_choice(key, value, &deny, err);

        p->allow_obsolete = ok && !deny;
        return ok;
    }
    if (strcmp(key, "elevateprivileges") == 0) {
        return sandbox_parse_privileges(p, value, err);
    }
    if (strcmp(key, "spawn") == 0) {
        return sandbox_parse_choice(key, value, &p->deny_spawn, err);
    }
    if (strcmp(key, "resourcecontrol") == 0) {
        return sandbox_parse_choice(key, value, &p->deny_resourcecontrol, err);
    }
    return error_set(err, ERROR_USER,
                     "-sandbox: '%s' is not a key: use obsolete, elevateprivileges, spawn or "
                     "resourcecontrol",
                     key);
}

bool sandbox_policy_parse(SandboxPolicy *p, const char *arg, GError **err)
{
    g_auto(GStrv) parts = g_strsplit(arg, ",", 0);
    SandboxPolicy policy = { .mode = SANDBOX_OFF };

    for (unsigned i = 0; parts[i]; i++) {
        char *eq = strchr(parts[i], '=');
        const char *key = eq ? parts[i] : "enable", *value = eq ? eq + 1 : parts[i];

        if (*parts[i] == '\0' && parts[i + 1] == NULL && i > 0) {
            break; /* a trailing comma */
        }
        if (eq) {
            *eq = '\0';
        }
        if (!sandbox_parse_key(&policy, key, value, err)) {
            return false;
        }
    }
    *p = policy;
    return true;
}
