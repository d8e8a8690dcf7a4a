/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hooks of the migration: describing, offering, building and discarding the machine.
 *
 * With -incoming and no option about the guest, no machine is built until a stream describes one.
 * If the command line describes the guest, the machine is built immediately, as management software
 * expects, and the description in the stream must be equal.
 */
#include "internal.h"

#include <string.h>

#include "accel/accel.h"
#include "block/block.h"
#include "debug/semihost.h"
#include "migration/migration.h"
#include "monitor/monitor.h"
#include "util/log.h"

/* --- the machine --- */

static const PlanMachine *session_describe(void *opaque)
{
    Session *s = opaque;

    return s->built ? s->plan : NULL;
}

static uint64_t part_size(void *opaque, const char *kind, const char *id)
{
    BlockNode *n = strcmp(kind, "block") == 0 ? block_find(((Session *)opaque)->m, id) : NULL;

    return n ? block_size(n) : 0;
}

static void session_offer(void *opaque, MigrationOffer *out)
{
    Session *s = opaque;

    *out = (MigrationOffer){
        .own = s->own ? s->own : s->plan,
        .machine = s->machine_given ? s->plan->type : NULL,
        .fixed = s->guest_given,
        .paused = s->stopped,
        .boot = s->boot,
        .append = s->given_boot->append,
        .uuid = (s->own ? s->own : s->plan)->uuid,
        .part_size = part_size,
        .opaque = s,
    };
}

/* Build the machine of the stream. Its description is resolved again, because a copy has no index,
 * which contains the properties of the board's own devices (-global and compatibility rows). */
static bool session_build(Session *s, GError **err)
{
    s->built = true;
    if (!plan_resolve(s->plan, s->catalog, err) || !build_machine(s, err)) {
        return false;
    }
    session_semihosting_start(s);
    return s->m->qtest || accel_start(s->m, err);
}

/* Labels of this command line replace those of the stream. */
static void take_identity(Session *s, PlanMachine *to, const PlanMachine *wanted)
{
    char **const ours[] = { &to->name, &to->uuid, &to->rtc };
    char *const theirs[] = { wanted->name, wanted->uuid, wanted->rtc };

    for (size_t i = 0; i < G_N_ELEMENTS(ours); i++) {
        if (!*ours[i]) {
            *ours[i] = g_strdup(theirs[i]);
        }
    }
    s->host.name = to->name;
    s->host.uuid = to->uuid;
}

/* Set s->plan to the guest section of the stream with the host parts of the command line. */
static void take_description(Session *s, const PlanMachine *wanted)
{
    PlanMachine *whole = plan_machine_copy(wanted), *own = plan_machine_copy(s->plan);

    g_ptr_array_set_free_func(own->host, NULL); /* moved to the new description */
    for (guint i = 0; i < own->host->len; i++) {
        PlanHostPart *part = own->host->pdata[i];

        if (!plan_machine_add_host(whole, part, NULL)) {
            plan_host_part_free(part); /* not reached: a stream contains no host parts */
        }
    }
    whole->serials = g_steal_pointer(&own->serials);
    g_clear_pointer(&whole->name, g_free);
    g_clear_pointer(&whole->uuid, g_free);
    g_clear_pointer(&whole->rtc, g_free);
    whole->name = g_steal_pointer(&own->name);
    whole->uuid = g_steal_pointer(&own->uuid);
    whole->rtc = g_steal_pointer(&own->rtc);
    plan_machine_free(own);
    s->own = s->plan;
    s->plan = whole;
}

static bool hook_build(void *opaque, const PlanMachine *wanted, GError **err)
{
    Session *s = opaque;

    if (s->built) {
        take_identity(s, s->plan, wanted);
        machine_reset(s->m, RESET_COLD);
        return true;
    }
    take_description(s, wanted);
    take_identity(s, s->plan, wanted);
    return session_build(s, err);
}

/* Warn that the stream contains no boot images. Versions before the boot section did not send the
 * images that a reset loads. */
static void warn_no_images(const Session *s)
{
    if (s->m->has_guest && !s->m->qtest) {
        g_printerr("%s: warning: the stream has no boot images: a reset loads the files of -bios, "
                   "-kernel, -initrd and -dtb and the text of -append of this command line\n",
                   s->program);
    }
}

static bool hook_boot(void *opaque, const PlanMachine *wanted, BootImages *images, GError **err)
{
    Session *s = opaque;

    if (images) {
        boot_use(s, wanted, images);
    } else {
        warn_no_images(s);
        plan_set_boot(s->plan, s->given_boot);
    }
    return build_boot(s, true, err);
}

static int hook_digests(void *opaque, GError **err)
{
    return boot_digests(opaque, false, err);
}

/* Capabilities of the stream replace those of the description. */
static void update_device(gpointer key, gpointer value, gpointer opaque)
{
    const Device *dev = key;
    PlanDevice *d = value;

    for (guint i = 0; i < d->settings->len; i++) {
        PlanSetting *set = d->settings->pdata[i];
        const PlanProp *p = plan_find_prop(d->t->props, d->t->n_props, set->name);
        g_autofree char *text = NULL, *planned = NULL;

        if (!p || p->kind != PLAN_PROP_CAP) {
            continue;
        }
        text = device_prop_text(dev, set->name);
        planned = plan_value_format(p, &set->value);
        if (text && g_strcmp0(text, planned) != 0) {
            plan_value_clear(&set->value);
            plan_value_parse(p, text, &set->value, NULL);
            g_free(set->text);
            set->text = g_steal_pointer(&text);
        }
    }
}

static void hook_loaded(void *opaque)
{
    Session *s = opaque;

    g_hash_table_foreach(s->planned, update_device, NULL);
    semihost_reset(s->semihost); /* a snapshot contains no calls and no handles */
}

static void hook_discard(void *opaque)
{
    Session *s = opaque;
    g_autoptr(GError) err = NULL;

    accel_stop(s->m);
    g_hash_table_remove_all(s->planned);
    machine_clear(s->m);
    machine_renew(s->m);
    s->built = false;
    if (s->own) {
        plan_machine_free(s->plan);
        s->plan = s->own;
        s->own = NULL;
    }
    boot_forget(s);
    s->host.name = s->plan->name;
    s->host.uuid = s->plan->uuid;
    if (s->guest_given && !session_build(s, &err)) {
        message("%s: the machine cannot be created again after a failed load: %s", s->program,
                err->message);
        s->built = false;
    }
}

/* A source that can be read again, or that a client named, leaves the decision to the client. */
static void hook_load_failed(void *opaque, const char *why, bool final)
{
    Session *s = opaque;

    message("%s: load of migration failed: %s", s->program, why);
    if (final) {
        machine_request(s->m, SHUTDOWN_HOST_ERROR, 1);
    }
}

/* --- at the start --- */

void migration_note_given(Session *s)
{
    s->machine_given = s->plan->type != NULL;
    s->guest_given = s->plan->devices->len > 0 || s->plan->settings->len > 0 || s->plan->cpu ||
                     s->plan->cpus || s->plan->ram_size || s->plan->n_nodes;
}

static int session_take_fd(void *opaque, const char *name, bool write)
{
    Machine *m = ((Session *)opaque)->m;
    int fd = monitor_dup_fdset(m, name, write);

    return fd >= 0 ? fd : monitor_take_fd(m, name);
}

static bool may_leave(void *opaque, GError **err)
{
    return block_may_hand_over(((Session *)opaque)->m, err);
}

static bool disks_take(void *opaque, GError **err)
{
    return block_activate_all(((Session *)opaque)->m, err);
}

static bool disks_release(void *opaque, GError **err)
{
    return block_inactivate_all(((Session *)opaque)->m, err);
}

void migration_create(Session *s)
{
    MigrationHooks hooks = {
        .opaque = s,
        .catalog = s->catalog,
        .description = session_describe,
        .offer = session_offer,
        .build = hook_build,
        .boot_digests = hook_digests,
        .boot = hook_boot,
        .loaded = hook_loaded,
        .discard = hook_discard,
        .load_failed = hook_load_failed,
        .take_fd = session_take_fd,
        .may_leave = may_leave,
        .disks_release = disks_release,
        .disks_take = disks_take,
    };

    if (s->incoming) {
        machine_set_state(s->m, RUN_INMIGRATE); /* back ends are opened but not locked */
    }
    s->migration = migration_new(s->m, &hooks);
}

bool migration_start_machine(Session *s, GError **err)
{
    if (!s->incoming || s->guest_given) {
        s->built = true;
        return build_machine(s, err) && build_boot(s, s->incoming != NULL, err);
    }
    return true;
}

bool migration_await(Session *s, GError **err)
{
    return !s->incoming || migration_incoming(s->migration, s->incoming, false, err);
}
