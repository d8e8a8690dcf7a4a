/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run of the emulator from the command line to the exit status. Each step depends only on
 * earlier steps.
 */
#include "options_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "accel/accel.h"
#include "chardev/chardev.h"
#include "debug/semihost.h"
#include "hw/core/clock.h"
#include "migration/migration.h"
#include "monitor/monitor.h"
#include "net/net.h"
#include "plan/grow.h"
#include "ui/keys.h"
#include "ui/vnc.h"
#include "util/log.h"
#include "util/suggest.h"
#include "util/trace.h"

static void free_monitor_option(gpointer p)
{
    MonitorOption *o = p;

    g_free(o->chardev);
    g_free(o);
}

static void free_fdset_option(gpointer p)
{
    FdsetOption *o = p;

    g_free(o->opaque);
    g_free(o);
}

static void free_set_option(gpointer p)
{
    SetOption *o = p;

    g_free(o->group);
    g_free(o->id);
    g_free(o->key);
    g_free(o->value);
    g_free(o);
}

static void free_json(gpointer o)
{
    json_object_put(o);
}

Session *session_new(const char *program)
{
    Session *s = g_new0(Session, 1);
    const char *slash = strrchr(program ? program : "backplane", '/');

    s->program = slash ? slash + 1 : program;
    s->plan = plan_machine_new();
    s->catalog = type_catalog_new();
    absent_describe_devices(s->catalog);
    s->machine_configs = g_ptr_array_new_with_free_func(g_free);
    s->serials = g_ptr_array_new_with_free_func(g_free);
    s->numa = g_ptr_array_new_with_free_func(free_json);
    s->monitors = g_ptr_array_new_with_free_func(free_monitor_option);
    s->sets = g_ptr_array_new_with_free_func(free_set_option);
    s->fdsets = g_ptr_array_new_with_free_func(free_fdset_option);
    disks_init(s);
    s->planned = g_hash_table_new(NULL, NULL);
    s->ready_fd = s->null_fd = -1;
    s->boot_options.splash_time = s->boot_options.reboot_timeout = BOOT_TIME_ABSENT;
    s->icount_sleep = s->semihosting_enable = true;
    options_vnc_init(s);
    sandbox_policy_default(&s->sandbox);
    return s;
}

/* Free the machine and its back ends, in the reverse order of session_start(). Lock held. */
static void take_down(Session *s)
{
    Machine *m = s->m;

    if (!m->qtest) {
        machine_set_state(m, RUN_PAUSED);
        accel_stop(m);
    }
    session_gdb_close(s);
    semihost_free(s->semihost);
    m->hooks = (MachineHooks){ 0 };
    qtest_free(s->qtest);
    monitor_close_all(m);
    vnc_stop(m);
    keys_free(m);
    if (s->work) {
        g_source_remove(s->work);
    }
    migration_free(s->migration);
    machine_clear(m); /* devices release their back ends first */
    host_parts_free(m);
    chardev_free_all(m);
    machine_free(m);
    boot_free(s);
    s->m = NULL;
}

void session_free(Session *s)
{
    if (s->m) {
        take_down(s);
    }
    signals_stop(s);
    boot_free(s);
    plan_machine_free(s->plan);
    plan_machine_free(s->own);
    type_catalog_free(s->catalog);
    g_ptr_array_unref(s->machine_configs);
    g_ptr_array_unref(s->numa);
    g_ptr_array_unref(s->serials);
    g_ptr_array_unref(s->monitors);
    g_ptr_array_unref(s->sets);
    g_ptr_array_unref(s->audiodevs);
    g_ptr_array_unref(s->fdsets);
    disks_free(s);
    g_hash_table_unref(s->planned);
    plan_policy_free(s->policy);
    options_free(s);
    if (s->semihosting_args) {
        g_ptr_array_unref(s->semihosting_args);
    }
    g_free(s);
}

/* --- the description --- */

static bool apply_config_files(Session *s, GError **err)
{
    g_autoptr(PlanMachine) base = plan_from_files((const char *const *)s->machine_configs->pdata,
                                                  s->machine_configs->len, s->catalog, err);

    if (!base) {
        g_prefix_error(err, "-machine-config ");
        return false;
    }
    if (!plan_merge(base, s->plan, s->catalog, err)) {
        return false;
    }
    plan_machine_free(s->plan);
    s->plan = g_steal_pointer(&base);
    return true;
}

static bool set_device(Session *s, const SetOption *o, GError **err)
{
    PlanDevice *d = plan_find_device(s->plan, o->id);

    for (guint i = 0; !d && i < s->plan->devices->len; i++) {
        PlanDevice *each = s->plan->devices->pdata[i];

        d = each->id && strcmp(each->id, o->id) == 0 ? each : NULL;
    }
    if (!d) {
        return error_set(err, ERROR_USER, "-set device.%s.%s: there is no device with this id",
                         o->id, o->key);
    }
    if (strcmp(o->key, "addr") == 0) {
        d->has_addr = plan_addr_parse(o->value, &d->addr, &d->full_addr, err);
        return d->has_addr;
    }
    if (strcmp(o->key, "bus") == 0) {
        g_free(d->bus);
        d->bus = g_strdup(o->value);
        return true;
    }
    plan_device_set(d, o->key, o->value);
    return true;
}

static bool apply_set(Session *s, const SetOption *o, GError **err)
{
    PlanHostPart *part;

    if (strcmp(o->group, "device") == 0) {
        return set_device(s, o, err);
    }
    part = plan_find_host(s->plan, o->group, o->id);
    if (!part) {
        return error_set(err, ERROR_USER, "-set %s.%s.%s: there is no %s with this id", o->group,
                         o->id, o->key, o->group);
    }
    json_object_object_add(part->options, o->key, json_object_new_string(o->value));
    return true;
}

/* Set the RAM size to the size of the object that memory-backend= names, unless -m is given. */
static bool take_backend_size(Session *s, GError **err)
{
    static const PlanProp size = { .name = "size", .kind = PLAN_PROP_SIZE, .min = 1 };
    const char *id = NULL;
    PlanHostPart *part;
    PlanValue value;
    struct json_object *v;

    for (guint i = 0; i < s->plan->settings->len; i++) {
        PlanSetting *set = s->plan->settings->pdata[i];

        id = strcmp(set->name, "memory-backend") == 0 ? set->text : id;
    }
    part = id && s->plan->ram_size == 0 ? plan_find_host(s->plan, "object", id) : NULL;
    if (!part || !json_object_object_get_ex(part->options, "size", &v)) {
        return true; /* an invalid size is reported when RAM is created */
    }
    if (!plan_value_parse(&size, json_object_get_string(v), &value, err)) {
        g_prefix_error(err, "object '%s': ", id);
        return false;
    }
    s->plan->ram_size = value.u;
    return true;
}

static const PlanMachineType *machine_type(const Session *s)
{
    const PlanMachineType *t = s->plan->type ? plan_find_machine(s->catalog, s->plan->type) : NULL;

    for (size_t i = 0; !s->plan->type && !t && i < s->catalog->n_machines; i++) {
        t = s->catalog->machines[i]->is_default ? s->catalog->machines[i] : NULL;
    }
    return t;
}

static const char *memory_backend_setting(const Session *s)
{
    for (guint i = 0; i < s->plan->settings->len; i++) {
        const PlanSetting *set = s->plan->settings->pdata[i];

        if (strcmp(set->name, "memory-backend") == 0) {
            return set->text;
        }
    }
    return NULL;
}

/* Decide whether the options require a memory back end that the command line does not name.
 * dump-guest-core= and mem-merge= apply to a named back end as well (hostparts.c). */
static bool needs_memory_backend(const Session *s, const PlanMachineType *t, bool *needed,
                                 GError **err)
{
    const char *option = s->mem_path ? "-mem-path" : s->mem_prealloc ? "-mem-prealloc" : NULL;
    const char *backend = memory_backend_setting(s);

    if (s->plan->node_memory && (option || backend)) {
        return error_set(err, ERROR_USER,
                         "%s%s and -numa node,memdev=%s: use only one of them for the RAM",
                         option ? option : "-machine memory-backend=", option ? "" : backend,
                         (const char *)s->plan->node_memory->pdata[0]);
    }
    backend = backend || !s->plan->node_memory ? backend : s->plan->node_memory->pdata[0];
    *needed = option || ((s->dump_guest_core || s->mem_merge) && !backend && t->default_ram_id);
    if (option && backend) {
        return error_set(
            err, ERROR_USER,
            "%s and -machine memory-backend=%s: use only one of them; memory back ends have "
            "the properties mem-path and prealloc",
            option, backend);
    }
    if (option && !t->default_ram_id) {
        return error_set(err, ERROR_USER, "%s: machine %s has no RAM", option, t->name);
    }
    return true;
}

/* Add the memory back end of -mem-path, -mem-prealloc, dump-guest-core= and mem-merge=, as -object
 * would, and use it as the RAM of the board. */
static bool apply_memory_options(Session *s, GError **err)
{
    const PlanMachineType *t = machine_type(s);
    struct json_object *o;
    PlanHostPart *part;
    bool needed;

    if (!t) {
        return true; /* an unknown machine is reported later */
    }
    if (!needs_memory_backend(s, t, &needed, err)) {
        return false;
    }
    if (!needed) {
        return true;
    }
    s->plan->ram_size = s->plan->ram_size ? s->plan->ram_size : t->default_ram;
    o = json_object_new_object();
    json_object_object_add(
        o, "qom-type",
        json_object_new_string(s->mem_path ? "memory-backend-file" : "memory-backend-ram"));
    json_object_object_add(o, "id", json_object_new_string(t->default_ram_id));
    json_object_object_add(o, "size", json_object_new_uint64(s->plan->ram_size));
    json_object_object_add(o, "prealloc", json_object_new_boolean(s->mem_prealloc));
    if (s->mem_path) {
        json_object_object_add(o, "mem-path", json_object_new_string(s->mem_path));
    }
    part = plan_host_part_parse("object", json_object_to_json_string(o), err);
    json_object_put(o);
    if (!part || !plan_machine_add_host(s->plan, part, err)) {
        plan_host_part_free(part);
        return false;
    }
    plan_machine_set(s->plan, "memory-backend", t->default_ram_id);
    return true;
}

/* Add the serial port and monitor that QEMU creates without -serial and -monitor. */
static void add_defaults(Session *s)
{
    if (s->serials->len > 0 || s->nodefaults) {
        return;
    }
    if (s->nographic) {
        g_ptr_array_add(s->serials, g_strdup(s->have_monitor ? "stdio" : "mon:stdio"));
    } else {
        g_ptr_array_add(s->serials, g_strdup("null"));
    }
}

/* Labels of the command line replace those of description files. */
static void take_labels(Session *s)
{
    char *const given[] = { s->name, s->uuid, s->rtc };
    char **const plan[] = { &s->plan->name, &s->plan->uuid, &s->plan->rtc };

    for (size_t i = 0; i < G_N_ELEMENTS(given); i++) {
        if (given[i]) {
            g_free(*plan[i]);
            *plan[i] = g_strdup(given[i]);
        }
    }
}

/* Set the serial ports from -serial, from the description, or to the defaults of QEMU, in this
 * order. */
static void take_serials(Session *s)
{
    if (s->serials->len == 0 && s->plan->serials) {
        for (guint i = 0; i < s->plan->serials->len; i++) {
            g_ptr_array_add(s->serials, g_strdup(s->plan->serials->pdata[i]));
        }
    } else {
        add_defaults(s);
    }
    g_clear_pointer(&s->plan->serials, g_ptr_array_unref);
    s->plan->serials = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < s->serials->len; i++) {
        g_ptr_array_add(s->plan->serials, g_strdup(s->serials->pdata[i]));
    }
}

bool session_complete(Session *s, GError **err)
{
    take_labels(s);
    take_serials(s);
    return grow_load_policy(s, err) && plan_resolve_policy(s->plan, s->catalog, s->policy, err) &&
           boot_resolve(s, err) && boot_open(s, err);
}

static const char *type_name(const void *table, size_t i)
{
    return ((const PlanCatalog *)table)->types[i]->name;
}

static void warn_of_globals(const Session *s)
{
    for (guint i = 0; i < s->plan->globals->len; i++) {
        const PlanGlobal *g = s->plan->globals->pdata[i];

        if (!g->used) {
            g_autofree char *hint =
                suggest_hint_of(g->type, type_name, s->catalog, s->catalog->n_types);

            message("%s: warning: -global %s.%s=%s has no effect: there is no type '%s'%s",
                    s->program, g->type, g->prop, g->value, g->type, hint);
        }
    }
}

/* With -preconfig, set-numa-node may complete the nodes, and x-exit-preconfig stores them. */
static bool session_apply_numa(Session *s, GError **err)
{
    const PlanMachineType *t = machine_type(s);

    return !t || (s->preconfig ? numa_check(s, t, err) : numa_apply(s, t, err));
}

static bool session_resolve(Session *s, GError **err)
{
    if (!disks_add_devices(s, err) || (s->machine_configs->len && !apply_config_files(s, err))) {
        return false;
    }
    for (guint i = 0; i < s->sets->len; i++) {
        if (!apply_set(s, s->sets->pdata[i], err)) {
            return false;
        }
    }
    if (!disks_apply_snapshot(s, err) || !session_apply_numa(s, err) ||
        !apply_memory_options(s, err) || !take_backend_size(s, err)) {
        return false;
    }
    migration_note_given(s);
    if (s->show) {
        return show(s, err);
    }
    if (!session_complete(s, err)) {
        return false;
    }
    warn_of_globals(s);
    grow_warn(s);
    return true;
}

/* --- consoles and monitors --- */

Chardev *session_chardev(Session *s, const char *id, const char *text, bool *created, GError **err)
{
    Chardev *c;

    *created = !g_str_has_prefix(text, "chardev:");
    if (!*created) {
        c = chardev_find(s->m, text + 8);
        if (!c) {
            error_set(err, ERROR_USER, "character device '%s' does not exist: add -chardev",
                      text + 8);
        }
        return c;
    }
    return chardev_new(s->m, id, text, err);
}

static Chardev *make_chardev(Session *s, const char *id, const char *text, GError **err)
{
    bool created;

    return session_chardev(s, id, text, &created, err);
}

static bool session_add_monitor(Session *s, const MonitorOption *o, unsigned n, GError **err)
{
    g_autofree char *id = g_strdup_printf("compat_monitor%u", n);
    Chardev *c;

    if (!o->by_id && strcmp(o->chardev, "none") == 0) {
        return true;
    }
    c = o->by_id ? chardev_find(s->m, o->chardev) : make_chardev(s, id, o->chardev, err);
    if (!c && o->by_id) {
        error_set(err, ERROR_USER, "-mon chardev=%s: there is no character device with this id",
                  o->chardev);
    }
    return c && monitor_open(s->m, c, o->control, o->pretty, err);
}

/* Create the back end of serial port @n. Boards find it as "serialN", which is its id, or an alias
 * if -chardev created it. "mon:" connects a monitor to the back end as well. */
static bool add_serial(Session *s, const char *text, unsigned n, GError **err)
{
    g_autofree char *id = g_strdup_printf("serial%u", n);
    Chardev *c;

    if (strcmp(text, "none") == 0) {
        return true;
    }
    c = make_chardev(s, id, text, err);
    if (!c || !chardev_set_alias(c, id, err)) {
        g_prefix_error(err, "-serial %s: ", text);
        return false;
    }
    if (g_str_has_prefix(text, "mon:")) {
        return monitor_open(s->m, c, false, false, err);
    }
    return true;
}

/* With -nographic, a monitor uses the terminal if nothing else does. Options for other serial ports
 * do not change that; those for monitors, and -nodefaults, do. */
static bool open_terminal_monitor(Session *s, GError **err)
{
    bool used = s->monitors->len || chardev_stdio_taken(s->m) || s->m->background ||
                (s->qtest_chardev && g_str_has_prefix(s->qtest_chardev, "stdio"));

    for (guint i = 0; i < s->serials->len; i++) {
        used = used || g_str_has_prefix(s->serials->pdata[i], "mon:");
    }
    return !s->nographic || s->nodefaults || used ||
           session_add_monitor(s, &(MonitorOption){ .chardev = (char *)"stdio" }, 0, err);
}

static bool open_chardevs(Session *s, GError **err)
{
    if (!host_chardevs_create(s, err)) {
        return false;
    }
    for (guint i = 0; i < s->monitors->len; i++) {
        if (!session_add_monitor(s, s->monitors->pdata[i], i, err)) {
            return false;
        }
    }
    for (guint i = 0; i < s->serials->len; i++) {
        if (!add_serial(s, s->serials->pdata[i], i, err)) {
            return false;
        }
    }
    return open_terminal_monitor(s, err);
}

static bool open_qtest(Session *s, GError **err)
{
    Chardev *c;

    if (!s->qtest_chardev) {
        return true;
    }
    c = make_chardev(s, "qtest", s->qtest_chardev, err);
    if (!c) {
        return false;
    }
    s->qtest = qtest_new(s->m, NULL, NULL);
    return (!s->qtest_log || qtest_log_to(s->qtest, s->qtest_log, err)) &&
           qtest_serve(s->qtest, c, err);
}

/* --- start --- */

/* Accelerators that -accel accepts. The last ones require hardware virtualization, which no build
 * has. */
static const struct Accel {
    const char *name;
    AccelKind kind;
} accels[] = {
    { "tcg", ACCEL_TCG },   { "interp", ACCEL_INTERP }, { "qtest", ACCEL_QTEST },
    { "kvm", ACCEL_NONE },  { "xen", ACCEL_NONE },      { "hvf", ACCEL_NONE },
    { "nvmm", ACCEL_NONE }, { "whpx", ACCEL_NONE },
};

static const struct Accel *accel_find(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(accels); i++) {
        if (strcmp(accels[i].name, name) == 0) {
            return &accels[i];
        }
    }
    return NULL;
}

AccelKind session_accel(const Session *s, GError **err)
{
    g_auto(GStrv) parts = g_strsplit(s->accel ? s->accel : "tcg", ",", 2);
    g_auto(GStrv) names = g_strsplit(parts[0] ? parts[0] : "", ":", 0);
    AccelKind kind = ACCEL_NONE;

    for (size_t i = 0; names[i]; i++) {
        const struct Accel *a = accel_find(names[i]);

        if (!a) {
            kind = ACCEL_NONE;
            break;
        }
        kind = kind == ACCEL_NONE ? a->kind : kind;
    }
    if (kind == ACCEL_NONE) {
        error_set(err, ERROR_USER, "-accel %s: use tcg, interp or qtest", parts[0] ? parts[0] : "");
    }
    return kind;
}

static bool choose_accel(Session *s, GError **err)
{
    AccelKind kind = session_accel(s, err);

    s->m->translate = kind == ACCEL_TCG;
    if (kind == ACCEL_QTEST) {
        s->m->qtest = true;
        clocks_set_stepped(s->m->clocks);
    }
    return kind != ACCEL_NONE && icount_choose(s, kind == ACCEL_QTEST, err);
}

static void startup_warn_netdev(void *opaque, const char *id)
{
    message("%s: warning: netdev %s has no peer: no device uses it",
            ((const Session *)opaque)->program, id);
}

bool session_start_machine(Session *s, GError **err)
{
    if (!migration_start_machine(s, err)) {
        return false;
    }
    if (s->built) {
        net_visit_unused(s->m, startup_warn_netdev, s);
    }
    if (s->mode == MODE_DONE) {
        return true;
    }
    if (!session_gdb_check(s, err)) {
        return false;
    }
    if (s->confine && !process_confine(s, err)) {
        return false;
    }
    return runstate_start(s, err) && migration_await(s, err);
}

static bool check_process_options(const Session *s, GError **err)
{
    if (s->preconfig && s->daemonize) {
        return error_set(err, ERROR_USER,
                         "-preconfig and -daemonize exclude each other: the parent process would "
                         "wait for a machine that waits for QMP");
    }
    return true;
}

/* Create an empty machine with its hooks, and acquire its lock. */
static void create_machine(Session *s, bool dry_run)
{
    s->m = machine_new();
    s->m->dry_run = dry_run;
    s->m->background = s->daemonize;
    s->m->boot = s->boot;
    s->m->boot_options = &s->boot_options;
    machine_lock(s->m);
    runstate_fill_hooks(s);
    build_fill_host(s);
    migration_create(s);
    clocks_attach(s->m->clocks);
}

/* Move the descriptors of -add-fd to their sets. A descriptor may be given for several sets; the
 * inherited ones are closed after the last one. */
static bool adopt_fdsets(Session *s, GError **err)
{
    for (guint i = 0; i < s->fdsets->len; i++) {
        const FdsetOption *o = s->fdsets->pdata[i];
        int fd = fcntl(o->fd, F_DUPFD_CLOEXEC, 0);

        if (fd < 0) {
            return error_set_errno(err, errno, "-add-fd fd=%d", o->fd);
        }
        if (!monitor_add_fdset(s->m, o->set, fd, o->opaque, err)) {
            close(fd);
            g_prefix_error(err, "-add-fd fd=%d: ", o->fd);
            return false;
        }
    }
    for (guint i = 0; i < s->fdsets->len; i++) {
        close(((const FdsetOption *)s->fdsets->pdata[i])->fd);
    }
    return true;
}

/* Create everything that the devices of the machine require. */
static bool create_host_parts(Session *s, GError **err)
{
    return choose_accel(s, err) && open_chardevs(s, err) && host_parts_create(s, err) &&
           session_semihosting_open(s, err) && session_gdb_open(s, err) &&
           session_vnc_start(s, err);
}

bool session_check(Session *s, GError **err)
{
    bool ok = check_process_options(s, err) && (!s->log_items || log_set(s->log_items, err));

    if (!ok) {
        return false;
    }
    create_machine(s, true);
    return create_host_parts(s, err) && migration_start_machine(s, err) &&
           session_gdb_check(s, err) && process_check_confine(s, err) && migration_await(s, err) &&
           open_qtest(s, err);
}

bool session_start(Session *s, GError **err)
{
    if (!check_process_options(s, err)) {
        return false;
    }
    log_set_prefix(s->msg_timestamp, s->msg_guest_name ? s->name : NULL);
    if ((s->log_file && !log_to_file(s->log_file, err)) ||
        (s->trace_file && !trace_to_file(s->trace_file, err)) ||
        (s->trace_events && !trace_events_from(s->trace_events, err)) ||
        (s->log_items && !log_set(s->log_items, err)) ||
        (s->daemonize && !process_daemonize(s, err)) ||
        (s->process_name && !process_set_name(s->process_name, err)) ||
        (s->mem_lock && !process_lock_memory(err)) ||
        (s->exit_with_parent && !process_follow_parent(err)) || !signals_start(s, err) ||
        (s->pidfile && !process_write_pidfile(s, err))) {
        return false;
    }
    create_machine(s, false);
    if (!adopt_fdsets(s, err) || !create_host_parts(s, err)) {
        return false;
    }
    if (!s->preconfig && !session_start_machine(s, err)) {
        return false;
    }
    return s->mode == MODE_DONE || open_qtest(s, err);
}

/* Convert the message to one line of valid UTF-8, because it can quote any bytes of the command
 * line. Replace the typographic quotes in messages of GLib, which the terminal may not support. */
static void session_tidy_error(GError *err)
{
    g_autofree char *valid = g_utf8_make_valid(err->message, -1);
    GString *text = g_string_new(valid);

    g_string_replace(text, "\u201c", "'", 0);
    g_string_replace(text, "\u201d", "'", 0);
    for (char *p = text->str; *p; p++) {
        *p = g_ascii_iscntrl(*p) ? '?' : *p;
    }
    g_free(err->message);
    err->message = g_string_free(text, FALSE);
}

bool session_prepare(Session *s, int argc, char **argv, GError **err)
{
    GError *why = NULL;

    if (options_parse(s, argc, argv, &why) && (s->mode == MODE_DONE || session_resolve(s, &why))) {
        return true;
    }
    session_tidy_error(why);
    g_propagate_error(err, why);
    return false;
}

int session_run(Session *s, int argc, char **argv)
{
    g_autoptr(GError) err = NULL;
    bool ok = session_prepare(s, argc, argv, &err);

    s->confine = true;
    if (ok && s->mode == MODE_RUN) {
        ok = session_start(s, &err);
    }
    if (!ok) {
        log_set_prefix(s->msg_timestamp, s->msg_guest_name ? s->name : NULL);
        message("%s: %s", s->program, err->message);
        return 1;
    }
    if (s->mode == MODE_RUN) {
        process_ready(s);
        main_loop(s);
    }
    process_remove_pidfile(s);
    return s->exit_status;
}
