/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system-call filter of the emulator's process and of its CPU threads (seccomp mode 2).
 *
 * Two filters exist. The process filter applies to every thread and to every program that the
 * emulator starts; it allows everything except calls that an emulator never needs. The CPU filter
 * applies to threads that execute guest code; it denies everything except what devices and back
 * ends need while they answer a guest access. Filters stay in force until the process ends.
 *
 * All state except the policy is inherent to the process: the kernel's filters, and which denied
 * calls have been reported. Every function may be called without the machine lock.
 */
#ifndef UTIL_SANDBOX_H
#define UTIL_SANDBOX_H

#include <glib.h>
#include <stdbool.h>

typedef enum SandboxMode {
    SANDBOX_OFF,    /* no filter */
    SANDBOX_REPORT, /* a denied call fails with EPERM; its first occurrence is reported on stderr */
    SANDBOX_KILL,   /* a denied call ends the process with SIGSYS */
} SandboxMode;

typedef enum SandboxPrivileges {
    SANDBOX_PRIVILEGES_ALLOW,    /* calls that change user, group or capabilities are allowed */
    SANDBOX_PRIVILEGES_DENY,     /* they are denied */
    SANDBOX_PRIVILEGES_CHILDREN, /* allowed, but programs started later gain none by set-user-ID */
} SandboxPrivileges;

typedef struct SandboxPolicy {
    SandboxMode mode;
    SandboxPrivileges privileges;
    bool allow_obsolete;       /* calls that only very old programs use */
    bool deny_spawn;           /* no new processes; threads remain possible */
    bool deny_resourcecontrol; /* no change of scheduling, priority or limits */
} SandboxPolicy;

/* The policy without -sandbox: mode report where filters are supported, off elsewhere. */
void sandbox_policy_default(SandboxPolicy *p);

/*
 * Fill @p from the argument of -sandbox: on|off[,obsolete=allow|deny][,elevateprivileges=allow|
 * deny|children][,spawn=allow|deny][,resourcecontrol=allow|deny]. "on" selects SANDBOX_KILL.
 * Returns false with @err set for an unknown key or value, and for "on" if this build has no
 * libseccomp or the kernel has no filters; @p is then unchanged.
 */
bool sandbox_policy_parse(SandboxPolicy *p, const char *arg, GError **err);

/*
 * Install the process filter in all threads of the process. Call it once, after files were opened
 * and privileges given up, and before the guest runs. Sets no_new_privs if the process may not
 * install a filter otherwise, or if the policy requires it. Returns false with @err set if the
 * kernel refuses the filter. No-op in mode off.
 */
bool sandbox_confine_process(const SandboxPolicy *p, GError **err);

/*
 * Install the CPU filter in the calling thread, on top of the process filter. Threads created by it
 * inherit the filter. A failure is reported on stderr once and leaves the process filter in force.
 * No-op in mode off or with @p NULL.
 */
void sandbox_confine_cpu_thread(const SandboxPolicy *p);

/* Return whether @p denies new processes. NULL denies nothing. */
bool sandbox_denies_spawn(const SandboxPolicy *p);

#endif
