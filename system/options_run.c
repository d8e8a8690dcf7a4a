/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options that control the process and its logs.
 */
#include "options_internal.h"
#include "util/log.h"
#include "util/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

bool opt_uuid(Session *s, const char *arg, GError **err)
{
    if (!g_uuid_string_is_valid(arg)) {
        return error_set(err, ERROR_USER,
                         "-uuid %s: use the form 01234567-89ab-cdef-0123-456789abcdef", arg);
    }
    return option_set_string(&s->uuid, arg);
}

bool opt_log(Session *s, const char *arg, GError **err)
{
    return option_wants_help(arg) ? option_print(s, log_help())
                                  : option_set_string(&s->log_items, arg);
}

/* Parse [enable=]PATTERN,events=FILE,file=FILE. session_start() opens the files. */
bool opt_trace(Session *s, const char *arg, GError **err)
{
    g_autofree char *pattern = NULL;
    struct json_object *o;

    if (option_has_help(arg) || strcmp(arg, "enable=help") == 0) {
        return option_print(s, trace_help());
    }
    o = plan_options_parse(arg, "enable", err);
    pattern = o ? option_take_key(o, "enable") : NULL;
    json_object_put(o);
    return o && (!pattern || trace_set(pattern, TRACE_BY_USER, err));
}

bool opt_show(Session *s, const char *arg, GError **err)
{
    const char *sep = strpbrk(arg, "=: ");

    g_free(s->show);
    s->show = sep ? g_strndup(arg, (size_t)(sep - arg)) : g_strdup(arg);
    return !sep || option_set_string(&s->show_arg, sep + 1);
}

/* Reject cpu-pm=on, which requires virtualization hardware. session_start() locks memory. */
bool opt_overcommit(Session *s, const char *arg, GError **err)
{
    return !s->cpu_pm || error_set(err, ERROR_USER,
                                   "-overcommit cpu-pm=on: guest CPUs do not run in "
                                   "hardware virtualization here; use cpu-pm=off");
}

static bool boot_letters_check(const char *key, const char *letters, GError **err)
{
    for (const char *c = letters; c && *c; c++) {
        if (*c < 'a' || *c > 'p' || strchr(c + 1, *c)) {
            return error_set(
                err, ERROR_USER,
                "-boot %s=%s: '%c' is not accepted here; accepted are different letters "
                "from a to p",
                key, letters, *c);
        }
    }
    return true;
}

bool opt_boot(Session *s, const char *arg, GError **err)
{
    if (s->boot_splash) {
        return error_set(
            err, ERROR_USER,
            "-boot splash=%s: no firmware of this machine shows a picture; omit splash=",
            s->boot_splash);
    }
    return boot_letters_check("order", s->boot_order, err) &&
           boot_letters_check("once", s->boot_once, err);
}

static bool add_fd_number(const char *arg, const char *key, const char *text, guint64 min,
                          guint64 max, guint64 *value, GError **err)
{
    return (text && g_ascii_string_to_unsigned(text, 10, min, max, value, NULL)) ||
           error_set(err, ERROR_USER,
                     "-add-fd %s: %s= is required; accepted is a number from %" G_GUINT64_FORMAT
                     " to %" G_GUINT64_FORMAT,
                     arg, key, min, max);
}

/* Record a descriptor that the parent process passed. session_start() moves it to its set. */
bool opt_add_fd(Session *s, const char *arg, GError **err)
{
    struct json_object *o = plan_options_parse(arg, NULL, err);
    g_autofree char *set = option_take_key(o, "set"), *fd = option_take_key(o, "fd"),
                    *opaque = option_take_key(o, "opaque");
    guint64 set_number, fd_number;
    FdsetOption *x;

    json_object_put(o);
    if (!add_fd_number(arg, "set", set, 0, INT64_MAX, &set_number, err) ||
        !add_fd_number(arg, "fd", fd, STDERR_FILENO + 1, INT_MAX, &fd_number, err)) {
        return false;
    }
    if (fcntl((int)fd_number, F_GETFD) < 0) {
        return error_set_errno(err, errno, "-add-fd %s: descriptor %s is not open", arg, fd);
    }
    x = g_new0(FdsetOption, 1);
    *x = (FdsetOption){ (int64_t)set_number, (int)fd_number, g_steal_pointer(&opaque) };
    g_ptr_array_add(s->fdsets, x);
    return true;
}

/* --- keys --- */

#define STRING_KEY(n, f, text)                                                                     \
    {                                                                                              \
        .name = (n), .kind = PLAN_PROP_STRING, .field = (f), .doc = (text)                         \
    }
#define BOOL_KEY(n, f, text)                                                                       \
    {                                                                                              \
        .name = (n), .kind = PLAN_PROP_BOOL, .field = (f), .doc = (text)                           \
    }
#define ENUM_KEY(n, f, c, text)                                                                    \
    {                                                                                              \
        .name = (n), .kind = PLAN_PROP_ENUM, .field = (f), .choices = (c), .doc = (text)           \
    }
#define KEYS(table) const size_t n_##table = G_N_ELEMENTS(table)

static const char *const only_on[] = { "on", NULL };

const PlanProp name_keys[] = {
    STRING_KEY("guest", offsetof(Session, name), "name of the guest, shown by query-name"),
    STRING_KEY("process", offsetof(Session, process_name), "name of the process for ps and top"),
    ENUM_KEY("debug-threads", 0, only_on, "threads are always named"),
};
KEYS(name_keys);

const PlanProp add_fd_keys[] = {
    STRING_KEY("set", 0, "number of the set, from 0"),
    STRING_KEY("fd", 0, "number of the descriptor in this process, from 3"),
    STRING_KEY("opaque", 0, "a note, which query-fdsets returns"),
};
KEYS(add_fd_keys);

const PlanProp msg_keys[] = {
    BOOL_KEY("timestamp", offsetof(Session, msg_timestamp), "write the time before each message"),
    BOOL_KEY("guest-name", offsetof(Session, msg_guest_name),
             "write the name of the guest before each message"),
};
KEYS(msg_keys);

const PlanProp trace_keys[] = {
    STRING_KEY("enable", 0, "events to enable: a name or a pattern with * and ?"),
    STRING_KEY("events", offsetof(Session, trace_events), "file with one pattern in each line"),
    STRING_KEY("file", offsetof(Session, trace_file), "write to this file instead of the log"),
};
KEYS(trace_keys);

static const char *const on_reboot[] = { "reset", "shutdown", NULL };
static const char *const on_shutdown[] = { "poweroff", "pause", NULL };
/* In the order of PanicAction and QmpWatchdogAction. */
static const char *const on_panic[] = { "shutdown", "pause", "exit-failure", "none", NULL };
static const char *const on_watchdog[] = { "reset", "shutdown", "poweroff", "pause",
                                           "debug", "none",     NULL };
#define WATCHDOG_KEY                                                                               \
    ENUM_KEY("watchdog", offsetof(Session, actions.watchdog), on_watchdog,                         \
             "action when a watchdog expires")

const PlanProp action_keys[] = {
    ENUM_KEY("reboot", 0, on_reboot, "action when the guest resets the machine"),
    ENUM_KEY("shutdown", 0, on_shutdown, "action when the guest powers off"),
    ENUM_KEY("panic", offsetof(Session, actions.panic), on_panic,
             "action when the guest reports a panic with pvpanic-pci"),
    WATCHDOG_KEY,
};
KEYS(action_keys);

const PlanProp watchdog_action_keys[] = { WATCHDOG_KEY };
KEYS(watchdog_action_keys);

const PlanProp run_with_keys[] = {
    BOOL_KEY("exit-with-parent", offsetof(Session, exit_with_parent),
             "exit when the parent process ends"),
    STRING_KEY("chroot", offsetof(Session, chroot_dir), "folder that becomes the root folder"),
    STRING_KEY("user", offsetof(Session, run_as), "user to become: a name, or UID:GID"),
};
KEYS(run_with_keys);

static const char *const on_off[] = { "on", "off", NULL };
static const char *const allow_deny[] = { "allow", "deny", NULL };
static const char *const privileges[] = { "allow", "deny", "children", NULL };

const PlanProp sandbox_keys[] = {
    ENUM_KEY("enable", 0, on_off, "on: a denied call ends the process"),
    ENUM_KEY("obsolete", 0, allow_deny, "calls that only very old programs use"),
    ENUM_KEY("elevateprivileges", 0, privileges, "calls that change user, group or capabilities"),
    ENUM_KEY("spawn", 0, allow_deny, "new processes"),
    ENUM_KEY("resourcecontrol", 0, allow_deny, "change of scheduling, priority or limits"),
};
KEYS(sandbox_keys);

static const char *const mon_modes[] = { "readline", "control", NULL };

const PlanProp mon_keys[] = {
    STRING_KEY("chardev", 0, "id of the character back end"),
    ENUM_KEY("mode", 0, mon_modes, "human monitor or QMP"),
    BOOL_KEY("pretty", 0, "indented QMP output"),
    STRING_KEY("id", 0, "name of the monitor, which nothing refers to"),
};
KEYS(mon_keys);

const PlanProp overcommit_keys[] = {
    BOOL_KEY("mem-lock", offsetof(Session, mem_lock), "lock all memory of the process"),
    BOOL_KEY("cpu-pm", offsetof(Session, cpu_pm), "only off; on requires hardware virtualization"),
};
KEYS(overcommit_keys);

static const char *const rtc_clocks[] = { "host", "rt", "vm", NULL };
static const char *const rtc_drift[] = { "none", NULL };

const PlanProp rtc_keys[] = {
    STRING_KEY("base", 0, "utc, localtime or a date such as 2026-01-31T23:59:59"),
    ENUM_KEY("clock", 0, rtc_clocks, "source of the time; vm stops with the guest"),
    ENUM_KEY("driftfix", 0, rtc_drift, "only none; this clock has no periodic interrupt"),
};
KEYS(rtc_keys);

static const char *const no_sound[] = { "none", NULL };

const PlanProp audiodev_keys[] = {
    ENUM_KEY("driver", 0, no_sound, "only none; the machine has no audio device"),
    STRING_KEY("id", 0, "name of the back end"),
    { .name = "timer-period", .kind = PLAN_PROP_U32, .doc = "microseconds, without effect" },
    { .name = "out.frequency", .kind = PLAN_PROP_U32, .doc = "samples per second, without effect" },
    { .name = "in.frequency", .kind = PLAN_PROP_U32, .doc = "samples per second, without effect" },
};
KEYS(audiodev_keys);

const PlanProp fw_cfg_keys[] = {
    STRING_KEY("name", 0, "name of the file, for example opt/org.example/value"),
    STRING_KEY("file", 0, "file of the host with the contents"),
    STRING_KEY("string", 0, "the contents"),
};
KEYS(fw_cfg_keys);

const PlanProp boot_keys[] = {
    STRING_KEY("order", offsetof(Session, boot_order), "drive letters a to p, without effect"),
    STRING_KEY("once", offsetof(Session, boot_once), "drive letters a to p, without effect"),
    BOOL_KEY("menu", offsetof(Session, boot_options.menu), "let the firmware show its boot menu"),
    STRING_KEY("splash", offsetof(Session, boot_splash), "not accepted: no firmware shows it"),
    { .name = "splash-time",
      .kind = PLAN_PROP_U32,
      .field = offsetof(Session, boot_options.splash_time),
      .max = BOOT_TIME_MAX,
      .doc = "how long the firmware waits for a key, with menu=on; milliseconds" },
    { .name = "reboot-timeout",
      .kind = PLAN_PROP_I32,
      .field = offsetof(Session, boot_options.reboot_timeout),
      .min = UINT64_MAX, /* -1 */
      .max = BOOT_TIME_MAX,
      .doc = "milliseconds before a reboot if no device can be booted; -1: no reboot" },
    BOOL_KEY("strict", offsetof(Session, boot_options.strict),
             "boot only from devices with bootindex="),
};
KEYS(boot_keys);
