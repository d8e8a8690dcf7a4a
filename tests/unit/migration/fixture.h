/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small machines that can be migrated: some RAM, CPUs with one register, and widgets with a
 * register and a timer. Two machines in one process share the default main context, so that a
 * complete migration runs in one thread.
 */
#ifndef TESTS_MIGRATION_FIXTURE_H
#define TESTS_MIGRATION_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hw/core/board.h"
#include "hw/core/clock.h"
#include "migration/internal.h"
#include "tests/lib/wait.h"
#include "util/error.h"

/* --- types --- */

typedef struct Widget {
    Device dev;
    uint32_t value;
    uint8_t bytes[8];
    Timer timer;
    unsigned fired;
    char *backend;
    uint32_t size;
} Widget;

static const VmField widget_fields[] = {
    VM_U32(Widget, value, .min = 0, .max = 0xffff),
    VM_BYTES(Widget, bytes),
    VM_TIMER(Widget, timer),
};
static const VmState widget_state = { .name = "widget",
                                      .version = 2,
                                      .fields = LIST(widget_fields) };

static void widget_tick(void *dev)
{
    ((Widget *)dev)->fired++;
}

static bool widget_realize(void *dev, GError **err)
{
    timer_setup(&((Widget *)dev)->timer, widget_tick, dev);
    return true;
}

static void widget_unrealize(void *dev)
{
    timer_cancel(&((Widget *)dev)->timer);
}

static const PlanProp widget_props[] = {
    PROP_U32(Widget, size, "size", 4, 1, 64, "how large"),
    PROP_BACKEND(Widget, backend, "drive", "block", "its disk"),
};
static const DeviceType widget_type = {
    .name = "widget",
    .size = sizeof(Widget),
    .props = LIST(widget_props),
    .vmstate = &widget_state,
    .realize = widget_realize,
    .unrealize = widget_unrealize,
};
static const DeviceType stuck_type = { .name = "stuck",
                                       .size = sizeof(Device),
                                       .no_state = "unmigratable: it is stuck" };
static const DeviceType *const widget_entry = &widget_type, *const stuck_entry = &stuck_type;
const DeviceType *const *const device_type_entries[] = { &widget_entry, &stuck_entry, NULL };
const size_t n_device_types = 2;

typedef struct FakeCpu {
    Cpu cpu;
    uint64_t pc;
} FakeCpu;

static const VmField cpu_fields[] = { VM_U64(FakeCpu, pc) };
static const VmState cpu_state = { .name = "cpu", .version = 1, .fields = LIST(cpu_fields) };

static void cpu_nothing(Cpu *cpu)
{
}

static void cpu_destroy(Cpu *cpu)
{
    g_free(cpu);
}

static const CpuType fake_cpu = { .name = "fake",
                                  .vmstate = &cpu_state,
                                  .destroy = cpu_destroy,
                                  .flush_writes = cpu_nothing,
                                  .post_load_arm = cpu_nothing };
const CpuType *const cpu_types[] = { &fake_cpu, NULL };

/* --- the catalogue --- */

static const PlanType widget_plan = { .name = "widget",
                                      .props = LIST(widget_props),
                                      .plugs_into = PLAN_BUS_SYSTEM,
                                      .user_creatable = true };
static const PlanType stuck_plan = { .name = "stuck",
                                     .plugs_into = PLAN_BUS_SYSTEM,
                                     .user_creatable = true };
static const PlanType *const plan_types[] = { &widget_plan, &stuck_plan };
static const PlanMachineType plan_box = { .name = "box-1",
                                          .alias = "box",
                                          .is_default = true,
                                          .default_cpu = "fake",
                                          .default_ram_id = "box.ram",
                                          .max_cpus = 8,
                                          .default_ram = 1 << 20 };
static const PlanMachineType *const plan_machines[] = { &plan_box };
static const PlanCatalog catalog = { plan_types, 2, plan_machines, 1, NULL, 0 };

/* --- a machine --- */

typedef struct Box {
    Machine *m;
    Migration *mig;
    PlanMachine *plan; /* NULL until the machine is built */
    PlanMachine *own;  /* the description of the command line, for MigrationOffer.own */
    MigrationOffer offer;
    unsigned discards, takes, releases;
    bool refuse_take;
    uint64_t disk_size;     /* bytes of each disk */
    const char *large_disk; /* id of a disk that is twice as large, or NULL */
    GString *events;
} Box;

static inline Widget *box_widget(Box *b, const char *id)
{
    return (Widget *)device_find_id(b->m, id);
}

static bool box_build(Box *b, GError **err)
{
    b->m->type_name = plan_box.name;
    b->m->has_guest = true;
    if (!machine_ram_new(b->m, "box.ram", b->plan->ram_size, err)) {
        return false;
    }
    for (unsigned i = 0; i < b->plan->cpus; i++) {
        FakeCpu *cpu = g_new0(FakeCpu, 1);

        cpu->cpu = (Cpu){ .type = &fake_cpu, .machine = b->m, .index = i };
        g_ptr_array_add(b->m->cpus, cpu);
    }
    for (unsigned i = 0; i < b->plan->devices->len; i++) {
        PlanDevice *d = g_ptr_array_index(b->plan->devices, i);
        Device *dev = device_new(b->m, device_type_find(d->type), d, err);
        g_autofree char *bus = g_steal_pointer(&d->bus);
        bool ok = dev && device_realize(dev, d, NULL, err);

        d->bus = g_steal_pointer(&bus);
        if (!ok) {
            return false;
        }
    }
    return true;
}

static const PlanMachine *hook_description(void *opaque)
{
    return ((Box *)opaque)->plan;
}

static uint64_t part_size(void *opaque, const char *kind, const char *id)
{
    Box *b = opaque;

    return g_strcmp0(b->large_disk, id) == 0 ? 2 * b->disk_size : b->disk_size;
}

static void hook_offer(void *opaque, MigrationOffer *out)
{
    Box *b = opaque;

    *out = b->offer;
    out->own = b->own;
    out->part_size = part_size;
    out->opaque = b;
}

static bool hook_build(void *opaque, const PlanMachine *wanted, GError **err)
{
    Box *b = opaque;

    b->plan = plan_machine_copy(wanted);
    return box_build(b, err);
}

static void hook_discard(void *opaque)
{
    Box *b = opaque;

    b->discards++;
    machine_clear(b->m);
    machine_renew(b->m);
    b->m->has_guest = false;
    plan_machine_free(b->plan);
    b->plan = NULL;
}

static bool hook_take(void *opaque, GError **err)
{
    Box *b = opaque;

    b->takes++;
    if (b->refuse_take) {
        g_set_error(err, BACKPLANE_ERROR, ERROR_HOST, "the disk is locked");
    }
    return !b->refuse_take;
}

static bool hook_release(void *opaque, GError **err)
{
    ((Box *)opaque)->releases++;
    return true;
}

static void box_note(Box *b, const char *text)
{
    g_string_append_printf(b->events, "%s ", text);
}

static void hook_event(void *opaque, const Event *event)
{
    const char *status = event_str(event, "status");

    box_note(opaque, status ? status : event->name);
}

static void hook_run_state(void *opaque, RunState from, RunState to)
{
    if ((from == RUN_RUNNING) != (to == RUN_RUNNING)) {
        box_note(opaque, to == RUN_RUNNING ? "RESUME" : "STOP");
    }
}

static Box *box_empty(void)
{
    static const MigrationHooks hooks = {
        .catalog = &catalog,
        .description = hook_description,
        .offer = hook_offer,
        .build = hook_build,
        .discard = hook_discard,
        .disks_release = hook_release,
        .disks_take = hook_take,
    };
    Box *b = g_new0(Box, 1);
    MigrationHooks own = hooks;

    own.opaque = b;
    b->events = g_string_new("");
    b->m = machine_new();
    machine_lock(b->m);
    b->m->hooks = (MachineHooks){ .opaque = b, .event = hook_event, .run_state = hook_run_state };
    b->own = plan_machine_new();
    b->mig = migration_new(b->m, &own);
    return b;
}

/* Build a machine: 1 MiB, two CPUs, and the devices given as -device texts (NULL-terminated). */
static inline Box *box_new(const char *const *devices)
{
    g_autoptr(GError) err = NULL;
    Box *b = box_empty();

    b->plan = plan_machine_new();
    b->plan->cpus = 2;
    for (; devices && *devices; devices++) {
        g_ptr_array_add(b->plan->devices, plan_device_parse(*devices, &err));
        g_assert_no_error(err);
    }
    plan_resolve(b->plan, &catalog, &err);
    g_assert_no_error(err);
    box_build(b, &err);
    g_assert_no_error(err);
    return b;
}

static inline void box_free(Box *b)
{
    if (machine_running(b->m)) {
        machine_set_state(b->m, RUN_PAUSED);
    }
    migration_free(b->mig);
    machine_free(b->m);
    if (b->plan) {
        plan_machine_free(b->plan);
    }
    plan_machine_free(b->own);
    g_string_free(b->events, TRUE);
    g_free(b);
}

/* Iterate the main context until the status is one of two. */
static inline void wait_status(Box *b, const char *one, const char *two)
{
    WAIT_MAIN(g_str_equal(migration_status(b->mig), one) ||
                  g_str_equal(migration_status(b->mig), two),
              20);
}

static inline void main_loop_turns(unsigned n)
{
    while (n--) {
        g_main_context_iteration(NULL, FALSE);
    }
}

static char temp_folder[64];

static inline void temp_remove(void)
{
    g_autoptr(GDir) dir = g_dir_open(temp_folder, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(temp_folder, name, NULL);

        remove(path);
    }
    rmdir(temp_folder);
}

/* Return the path of a file in a directory of this program, which is removed when the program
 * ends. */
static inline char *temp_path(const char *name)
{
    if (!*temp_folder) {
        g_strlcpy(temp_folder, "/tmp/backplane-test-XXXXXX", sizeof(temp_folder));
        g_assert_nonnull(g_mkdtemp(temp_folder));
        atexit(temp_remove);
    }
    return g_strdup_printf("%s/%s", temp_folder, name);
}

#endif
