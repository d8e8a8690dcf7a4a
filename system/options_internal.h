/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The option table: one row for each command-line option. It drives parsing, -help,
 * docs/reference/options.md and `-show options=json`, from which a test derives every form that
 * must have an observable effect (tests/qtest/option_walk.py).
 *
 * An option calls its function, stores its argument in a field of the Session, or consists of
 * key=value pairs. A row with `keys` accepts only these keys. Each value is checked against the row
 * of its key and stored in the Session before the function is called.
 */
#ifndef SYSTEM_OPTIONS_INTERNAL_H
#define SYSTEM_OPTIONS_INTERNAL_H

#include <json-c/json.h>

#include "internal.h"
#include "util/error.h"

typedef bool OptionFn(Session *s, const char *arg, GError **err);

/* The source of the types of an option and their keys, for `-show options=json`. */
typedef enum OptionKinds {
    KINDS_NONE,
    KINDS_MACHINE,
    KINDS_CPU,
    KINDS_DEVICE,
    KINDS_OBJECT,
    KINDS_CHARDEV,
    KINDS_NETDEV,
    KINDS_BLOCKDEV,
    KINDS_DRIVE,
    KINDS_NIC,
    KINDS_NET,
    KINDS_LOG,
    KINDS_TRACE,
    KINDS_SHOW,
} OptionKinds;

typedef struct Option {
    const char *name, *arg; /* arg NULL: no argument */
    const char *help;
    OptionFn *fn;
    size_t field;         /* without fn: char * to set, or bool to make true; SIZE_MAX: neither */
    const char *only;     /* without fn: accepted values of an option without effect */
    const PlanProp *keys; /* fields are offsets in the Session; 0: not stored */
    const size_t *n_keys_at; /* number of keys; NULL: 0 */
    const char *implied;     /* the key of a first word without '=' */
    OptionKinds kinds;
    bool compat; /* accepted for compatibility: it has no effect on this machine */
} Option;

/* options.c */
const Option *option_table(size_t *n);
/* options_keys.c: check @arg against the keys of @o and store the values. Return false with @err
 * set to a message that names the option, the key and the accepted values. */
bool option_keys_store(Session *s, const Option *o, const char *arg, GError **err);
void option_keys_free(Session *s, const Option *o);
/* Return the keys of @o for OPTION help; g_free(). */
char *option_keys_help(const Option *o);
size_t option_n_keys(const Option *o);
/* options_json.c: return the table as JSON with all types, keys and values; owned by the caller. */
struct json_object *options_json(const Session *s);
/* Return the table in the form of query-command-line-options; owned by the caller. @option: the
 * only option to return, or NULL; NULL with @err set if the option does not exist. */
struct json_object *options_qmp(const Session *s, const char *option, GError **err);
/* Append the keys of each option as sections of docs/reference/options.md. */
void options_keys_markdown(GString *out);

/*
 * options_types.c: check the JSON form of an option. Return false with @err set for a value whose
 * type is not the one that QMP requires. The message names the key and both types.
 */
bool option_types_check_part(const PlanHostPart *part, GError **err);
bool option_types_check_device(const PlanCatalog *c, const char *text, GError **err);

/* --- absent.c --- */
/* Return the message for an option of QEMU that is not available ("-vnc is not available ...");
 * g_free(). NULL if the table does not contain the option. */
char *absent_option_text(const char *name);
/* Add the device types of QEMU that this version lacks to the catalogue. */
void absent_describe_devices(PlanCatalog *c);
/* Append both tables for the documentation. */
void absent_markdown(GString *out);

/* Print and free @text, and set MODE_DONE. Always returns true. */
bool option_print(Session *s, char *text);
bool option_wants_help(const char *arg);
/* Return whether one of the comma-separated words of an argument in text form is "help" or "?".
 * False for JSON. */
bool option_has_help(const char *arg);
/* Replace *field by a copy of @value. Always returns true. */
bool option_set_string(char **field, const char *value);
/* Remove a key from @o. Return its text, owned by the caller, or NULL if the key does not exist. */
char *option_take_key(struct json_object *o, const char *key);
/* Add a host part or a device to the description. option_add_device() frees @text. */
bool option_host_part(Session *s, const char *kind, const char *arg, GError **err);
bool option_add_device(Session *s, char *text, GError **err);

OptionFn opt_machine, opt_machine_config, opt_accel, opt_cpu, opt_memory, opt_smp,
    opt_numa;                                         /* options_machine.c */
OptionFn opt_icount, opt_seed;                        /* icount.c */
OptionFn opt_netdev, opt_net, opt_nic;                /* options_net.c */
OptionFn opt_vnc, opt_display, opt_vga, opt_audiodev; /* options_vnc.c */
OptionFn opt_semihosting, opt_semihosting_config;     /* semihosting.c */
OptionFn opt_uuid, opt_log, opt_show, opt_overcommit, opt_trace, opt_add_fd,
    opt_boot; /* options_run.c */

extern const PlanProp accel_keys[], memory_keys[], smp_keys[], numa_keys[], semihosting_keys[];
extern const size_t n_accel_keys, n_memory_keys, n_smp_keys, n_numa_keys, n_semihosting_keys;
extern const PlanProp name_keys[], msg_keys[], overcommit_keys[], boot_keys[], fw_cfg_keys[],
    rtc_keys[], icount_keys[], trace_keys[], action_keys[], watchdog_action_keys[], run_with_keys[],
    mon_keys[], sandbox_keys[], audiodev_keys[], add_fd_keys[], vnc_keys[];
extern const size_t n_name_keys, n_msg_keys, n_overcommit_keys, n_boot_keys, n_fw_cfg_keys,
    n_rtc_keys, n_icount_keys, n_trace_keys, n_action_keys, n_watchdog_action_keys, n_run_with_keys,
    n_mon_keys, n_sandbox_keys, n_audiodev_keys, n_add_fd_keys, n_vnc_keys;

#endif
