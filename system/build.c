/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Creating devices from a complete description, at the start and for device_add.
 */
#include "options_internal.h"

#include <string.h>

#include "accel/accel.h"
#include "hw/pci/slot.h"
#include "migration/migration.h"
#include "monitor/monitor.h"
#include "plan/grow.h"

const BoardType *build_board(const Session *s)
{
    for (const BoardType *const *b = board_types; *b; b++) {
        if (g_strcmp0((*b)->plan.name, s->plan->type) == 0) {
            return *b;
        }
    }
    return NULL;
}

/* Store the values that the device has chosen. A migration must preserve them for the guest. */
static void write_back(PlanDevice *d, const Device *dev)
{
    for (size_t i = 0; i < d->t->n_props; i++) {
        const PlanProp *p = &d->t->props[i];
        g_autofree char *text =
            p->flags & PLAN_PROP_DECIDED ? device_prop_text(dev, p->name) : NULL;

        if (text) {
            plan_device_decide(d, p->name, text);
        }
    }
}

static Device *build_plug(Session *s, PlanDevice *d, GError **err)
{
    const DeviceType *type = device_type_find(d->t->name);
    Device *dev = device_new(s->m, type, d, err);

    if (!dev || !device_realize(dev, d, NULL, err)) {
        return NULL;
    }
    write_back(d, dev);
    g_hash_table_insert(s->planned, dev, d);
    return dev;
}

/* Create the devices in @left whose bus exists, and keep the others in it. Set *progress if a
 * device was created. */
static bool build_pass(Session *s, GPtrArray *left, bool *progress, GError **err)
{
    guint kept = 0;

    for (guint i = 0; i < left->len; i++) {
        PlanDevice *d = left->pdata[i];

        if (d->bus && !bus_find(s->m, d->bus)) {
            left->pdata[kept++] = d; /* its bus is provided by a later device */
            continue;
        }
        if (!build_plug(s, d, err)) {
            return false;
        }
        *progress = true;
    }
    g_ptr_array_set_size(left, (gint)kept);
    return true;
}

static bool build_all_devices(Session *s, GError **err)
{
    g_autoptr(GPtrArray) left = g_ptr_array_new();
    bool progress = true;

    for (guint i = 0; i < s->plan->devices->len; i++) {
        g_ptr_array_add(left, s->plan->devices->pdata[i]);
    }
    while (left->len > 0 && progress) {
        progress = false;
        if (!build_pass(s, left, &progress, err)) {
            return false;
        }
    }
    if (left->len > 0) {
        PlanDevice *d = left->pdata[0];

        return error_set(err, ERROR_USER,
                         "device '%s' cannot be plugged: machine %s has no bus '%s'",
                         plan_device_name(d), s->plan->type, d->bus);
    }
    return true;
}

bool build_boot(Session *s, bool remember, GError **err)
{
    const BoardType *board = build_board(s);
    const PlanValue *dumpdtb = plan_machine_get(s->plan, "dumpdtb");
    BoardBoot boot = { s->m->boot, s->plan->append, dumpdtb ? dumpdtb->s : NULL, s->plan->rtc,
                       remember };

    if (board->boot && !board->boot(s->m, &boot, err)) {
        return false;
    }
    if (boot.dumpdtb) {
        s->mode = MODE_DONE;
    }
    return true;
}

bool build_machine(Session *s, GError **err)
{
    const BoardType *board = build_board(s);

    s->m->type_name = board->plan.name;
    s->m->board_type = board;
    return board->build(s->m, s->plan, err) && build_all_devices(s, err);
}

/* --- functions for monitors --- */

static Session *session_of(Machine *m)
{
    return (Session *)((const char *)monitor_host(m) - offsetof(Session, host));
}

static const PlanMachine *get_description(Machine *m)
{
    return session_of(m)->plan;
}

static const PlanCatalog *get_catalog(Machine *m)
{
    return session_of(m)->catalog;
}

static bool plug_allowed(Machine *m, GError **err)
{
    if (m->migrating > 0 || m->state == RUN_INMIGRATE) {
        return error_set(err, ERROR_USER, "devices cannot be added or removed during a migration");
    }
    return true;
}

Device *build_add_device(Session *s, PlanDevice *d, GError **err)
{
    Device *dev;

    if (!plan_add_device(s->plan, s->catalog, d, true, err)) {
        plan_device_free(d);
        return NULL;
    }
    dev = build_plug(s, d, err);
    if (!dev) {
        plan_remove_device(s->plan, d);
    }
    return dev;
}

static Device *build_device_add(Machine *m, PlanDevice *d, GError **err)
{
    Session *s = session_of(m);
    Device *dev;

    if (!plug_allowed(m, err)) {
        plan_device_free(d);
        return NULL;
    }
    if (!grow_applies(s, d)) {
        return build_add_device(s, d, err);
    }
    dev = grow_device_add(s, d, err);
    plan_device_free(d);
    return dev;
}

static bool build_device_del(Machine *m, Device *dev, GError **err)
{
    if (!plug_allowed(m, err)) {
        return false;
    }
    if (!dev->type->hotpluggable || !dev->bus) {
        return error_set(err, ERROR_USER,
                         "device '%s' of type %s cannot be unplugged while the machine exists",
                         device_name(dev), dev->type->name);
    }
    /* no guest has run yet that could agree */
    if (m->state == RUN_PRELAUNCH || dev->type->kind != &pci_device_kind) {
        device_unplug(dev);
        return true;
    }
    return pci_unplug_request((PCIDevice *)dev, 0, err);
}

static bool host_add(Machine *m, const char *kind, struct json_object *options, GError **err)
{
    return host_part_add(session_of(m), kind, options, err);
}

static bool host_del(Machine *m, const char *kind, const char *id, GError **err)
{
    return host_part_del(session_of(m), kind, id, err);
}

static bool build_drive_add(Machine *m, const char *text, GError **err)
{
    return disks_drive_add(session_of(m), text, err);
}

static bool build_dump_machine(Machine *m, const char *path, GError **err)
{
    return boot_dump_machine(session_of(m), path, err);
}

static bool digests(Machine *m, GError **err)
{
    return boot_digests(session_of(m), true, err) >= 0;
}

static bool do_cont(Machine *m, GError **err)
{
    if (monitor_dump_active(m)) {
        return error_set(err, ERROR_USER,
                         "the guest cannot continue: dump-guest-memory is in "
                         "progress");
    }
    if (m->state != RUN_INMIGRATE && !migration_may_run(migration_of(m), err)) {
        return false;
    }
    switch (m->state) {
    case RUN_PRELAUNCH:
    case RUN_PAUSED:
    case RUN_DEBUG:
    case RUN_IO_ERROR:
    case RUN_GUEST_PANICKED:
    case RUN_WATCHDOG:
    case RUN_POSTMIGRATE:
        machine_set_state(m, RUN_RUNNING);
        return true;
    case RUN_RUNNING:
        return true;
    case RUN_INMIGRATE:
        session_of(m)->stopped = false; /* run after the stream is loaded */
        return true;
    default:
        return error_set(
            err, ERROR_USER, "the guest cannot continue in state %s: %s", run_state_name(m->state),
            m->state == RUN_FINISH_MIGRATE ? "a migration is finishing" : "use system_reset first");
    }
}

static void do_stop(Machine *m)
{
    if (machine_running(m)) {
        machine_set_state(m, RUN_PAUSED);
    }
}

static bool build_gdbserver(Machine *m, const char *device, GError **err)
{
    return session_gdb_set(session_of(m), device, err);
}

/* set-numa-node: the argument is refused, and not stored, if it contradicts another one. */
static bool build_numa_node(Machine *m, struct json_object *options, GError **err)
{
    Session *s = session_of(m);

    g_ptr_array_add(s->numa, json_object_get(options));
    if (numa_check(s, plan_find_machine(s->catalog, s->plan->type), err)) {
        return true;
    }
    g_ptr_array_remove_index(s->numa, s->numa->len - 1);
    return false;
}

static bool build_complete_numa(Session *s, GError **err)
{
    return !s->numa->len || (numa_apply(s, plan_find_machine(s->catalog, s->plan->type), err) &&
                             plan_resolve_policy(s->plan, s->catalog, s->policy, err));
}

/* End the process after a failure, because a machine that exists in part cannot be completed. */
static bool build_exit_preconfig(Machine *m, GError **err)
{
    Session *s = session_of(m);

    __atomic_store_n(&s->host.preconfig, false, __ATOMIC_RELAXED);
    if (!build_complete_numa(s, err) || !session_start_machine(s, err)) {
        machine_request(m, SHUTDOWN_HOST_ERROR, 1);
        return false;
    }
    if (s->mode == MODE_DONE) {
        machine_request(m, SHUTDOWN_HOST_QMP_QUIT, 0);
    }
    return true;
}

static struct json_object *build_command_line_options(Machine *m, const char *option, GError **err)
{
    return options_qmp(session_of(m), option, err);
}

static GuestActions *build_actions(Machine *m)
{
    return &session_of(m)->actions;
}

void build_fill_host(Session *s)
{
    s->host = (MonitorHost){
        .name = s->plan->name,
        .uuid = s->plan->uuid,
        .preconfig = s->preconfig,
        .exit_preconfig = build_exit_preconfig,
        .description = get_description,
        .catalog = get_catalog,
        .device_add = build_device_add,
        .device_del = build_device_del,
        .dump_machine = build_dump_machine,
        .boot_digests = digests,
        .host_add = host_add,
        .host_del = host_del,
        .drive_add = build_drive_add,
        .cont = do_cont,
        .stop = do_stop,
        .gdbserver = build_gdbserver,
        .command_line_options = build_command_line_options,
        .actions = build_actions,
        .numa_node = build_numa_node,
    };
    s->m->host = &s->host;
}
