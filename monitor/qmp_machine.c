/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands about the machine: identification, description, run state, reset and quit.
 */
#include "internal.h"
#include "qmp-commands.h"

#include <string.h>
#include <unistd.h>

#include "hw/core/board.h"
#include "hw/core/power_button.h"
#include "util/outfile.h"

/* The answer of query-uuid without -uuid. */
static const char machine_no_uuid[] = "00000000-0000-0000-0000-000000000000";

G_STATIC_ASSERT((int)PANIC_SHUTDOWN == QMP_PANIC_ACTION_SHUTDOWN &&
                (int)PANIC_NONE == QMP_PANIC_ACTION_NONE);

/* Version of QEMU whose commands and options this emulator follows. Debian 12 contains it. */
#define QMP_FOLLOWS "7.2.0"

struct json_object *qmp_query_version(Machine *m, GError **err)
{
    g_auto(GStrv) parts = g_strsplit(QMP_FOLLOWS, ".", 3);
    QmpVersionTriple triple = { .major = g_ascii_strtoll(parts[0], NULL, 10),
                                .minor = g_ascii_strtoll(parts[1], NULL, 10),
                                .micro = g_ascii_strtoll(parts[2], NULL, 10) };
    QmpVersionInfo info = { .qemu = qmp_make_version_triple(&triple),
                            .package = "Backplane " BACKPLANE_VERSION };

    return qmp_make_version_info(&info);
}

struct json_object *qmp_query_status(Machine *m, GError **err)
{
    QmpStatusInfo info = { .status = run_state_name(m->state), .running = machine_running(m) };

    return qmp_make_status_info(&info);
}

struct json_object *qmp_query_target(Machine *m, GError **err)
{
    return qmp_make_target_info(&(QmpTargetInfo){ .arch = "riscv64" });
}

struct json_object *qmp_query_kvm(Machine *m, GError **err)
{
    return qmp_make_kvm_info(&(QmpKvmInfo){ .enabled = false, .present = false });
}

struct json_object *qmp_query_name(Machine *m, GError **err)
{
    return qmp_make_name_info(&(QmpNameInfo){ .name = monitor_host(m)->name });
}

struct json_object *qmp_query_uuid(Machine *m, GError **err)
{
    const char *uuid = monitor_host(m)->uuid;

    return qmp_make_uuid_info(&(QmpUuidInfo){ .UUID = uuid ? uuid : machine_no_uuid });
}

struct json_object *qmp_query_machines(Machine *m, GError **err)
{
    struct json_object *list = json_object_new_array();

    for (const BoardType *const *b = board_types; *b; b++) {
        const PlanMachineType *p = &(*b)->plan;
        QmpMachineInfo info = { .name = p->name,
                                .alias = p->alias,
                                .is_default = p->is_default,
                                .cpu_max = p->max_cpus ? p->max_cpus : 1,
                                .default_cpu_type = p->default_cpu,
                                .default_ram_id = p->default_ram_id };

        json_object_array_add(list, qmp_make_machine_info(&info));
    }
    return list;
}

struct json_object *qmp_query_current_machine(Machine *m, GError **err)
{
    return qmp_make_current_machine_params(&(QmpCurrentMachineParams){ 0 });
}

/* Return the id of the thread that executes a CPU; before it started, of the process. */
static int machine_cpu_thread(Cpu *cpu)
{
    int thread = g_atomic_int_get(&cpu->thread_id);

    return thread ? thread : getpid();
}

static struct json_object *machine_cpu_json(Machine *m, Cpu *cpu)
{
    const PlanMachine *d = monitor_host(m)->description(m);
    QmpCpuInstanceProperties props = { .has_node_id = d && d->n_nodes,
                                       .node_id = d ? plan_node_of_cpu(d, cpu->index) : 0,
                                       .has_core_id = true,
                                       .core_id = cpu->index };
    g_autofree char *path = monitor_cpu_path(cpu);
    QmpCpuInfoFast info = { .cpu_index = cpu->index,
                            .props = qmp_make_cpu_instance_properties(&props),
                            .qom_path = path,
                            .thread_id = machine_cpu_thread(cpu),
                            .target = "riscv64",
                            .has_x_retired = cpu->type->retired != NULL,
                            .x_retired = cpu->type->retired ? cpu->type->retired(cpu) : 0,
                            .x_device_accesses = (int64_t)cpu->device_accesses,
                            .x_device_ns = cpu->device_ns };

    return qmp_make_cpu_info_fast(&info);
}

struct json_object *qmp_query_cpus_fast(Machine *m, GError **err)
{
    struct json_object *list = json_object_new_array();

    for (guint i = 0; i < m->cpus->len; i++) {
        json_object_array_add(list, machine_cpu_json(m, m->cpus->pdata[i]));
    }
    return list;
}

struct json_object *qmp_query_cpu_definitions(Machine *m, GError **err)
{
    struct json_object *list = json_object_new_array();

    for (const CpuType *const *t = cpu_types; *t; t++) {
        QmpCpuDefinitionInfo info = { .name = (*t)->name, .typename = (*t)->name };

        json_object_array_add(list, qmp_make_cpu_definition_info(&info));
    }
    return list;
}

struct json_object *qmp_query_hotpluggable_cpus(Machine *m, GError **err)
{
    qmp_set_error(err, QMP_GENERIC_ERROR, "The machine '%s' has no hot-pluggable CPUs",
                  m->type_name ? m->type_name : "none");
    return NULL;
}

struct json_object *qmp_query_memory_devices(Machine *m, GError **err)
{
    return json_object_new_array();
}

struct json_object *qmp_query_memory_size_summary(Machine *m, GError **err)
{
    const PlanMachine *d = monitor_host(m)->description(m);

    return qmp_make_memory_info(&(QmpMemoryInfo){ .base_memory = d ? (int64_t)d->ram_size : 0 });
}

static const PlanMachine *machine_description(Machine *m, GError **err)
{
    const PlanMachine *d = monitor_host(m)->description(m);

    if (!d) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "no machine exists yet; x-exit-preconfig creates it");
    }
    return d;
}

struct json_object *
qmp_query_machine_description(Machine *m, const QmpQueryMachineDescriptionArgs *args, GError **err)
{
    const PlanMachine *d = machine_description(m, err);

    if (d && !monitor_host(m)->boot_digests(m, err)) {
        return NULL;
    }
    return d ? plan_to_json(d, monitor_host(m)->catalog(m), args->guest_only) : NULL;
}

bool qmp_dump_machine(Machine *m, const QmpDumpMachineArgs *args, GError **err)
{
    return monitor_host(m)->dump_machine(m, args->filename, err);
}

struct json_object *qmp_query_pci_slots(Machine *m, GError **err)
{
    const PlanMachine *d = machine_description(m, err);

    return d ? plan_slots_to_json(d, monitor_host(m)->catalog(m)) : NULL;
}

static char *machine_topology(Machine *m, GError **err)
{
    const PlanMachine *d = machine_description(m, err);

    return d ? plan_topology_svg(d, monitor_host(m)->catalog(m)) : NULL;
}

struct json_object *qmp_query_topology(Machine *m, GError **err)
{
    g_autofree char *svg = machine_topology(m, err);

    return svg ? json_object_new_string(svg) : NULL;
}

bool qmp_stop(Machine *m, GError **err)
{
    monitor_host(m)->stop(m);
    return true;
}

bool qmp_cont(Machine *m, GError **err)
{
    return monitor_host(m)->cont(m, err);
}

bool qmp_quit(Machine *m, GError **err)
{
    machine_request(m, SHUTDOWN_HOST_QMP_QUIT, 0);
    return true;
}

bool qmp_inject_nmi(Machine *m, GError **err)
{
    qmp_set_error(err, QMP_GENERIC_ERROR, "The machine '%s' has no non-maskable interrupt",
                  m->type_name ? m->type_name : "none");
    return false;
}

bool qmp_set_action(Machine *m, const QmpSetActionArgs *args, GError **err)
{
    GuestActions *a = monitor_host(m)->actions(m);

    if (args->has_reboot) {
        a->reboot_shuts_down = args->reboot == QMP_REBOOT_ACTION_SHUTDOWN;
    }
    if (args->has_shutdown) {
        a->shutdown_pauses = args->shutdown == QMP_SHUTDOWN_ACTION_PAUSE;
    }
    if (args->has_panic) {
        a->panic = args->panic;
    }
    if (args->has_watchdog) {
        a->watchdog = args->watchdog;
    }
    return true;
}

bool qmp_watchdog_set_action(Machine *m, const QmpWatchdogSetActionArgs *args, GError **err)
{
    monitor_host(m)->actions(m)->watchdog = args->action;
    return true;
}

bool qmp_x_exit_preconfig(Machine *m, GError **err)
{
    if (!monitor_in_preconfig(m)) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "x-exit-preconfig: the machine exists already; the command is accepted only "
                      "after --preconfig");
        return false;
    }
    return monitor_host(m)->exit_preconfig(m, err);
}

bool qmp_system_reset(Machine *m, GError **err)
{
    machine_request(m, SHUTDOWN_HOST_QMP_SYSTEM_RESET, 0);
    return true;
}

bool qmp_system_powerdown(Machine *m, GError **err)
{
    return power_button_press(m, err);
}

/* --- human monitor --- */

static void hmp_info_version(Machine *m, const char *args, GString *out)
{
    g_string_append(out, BACKPLANE_VERSION " (Backplane)\n");
}

static void hmp_info_status(Machine *m, const char *args, GString *out)
{
    g_string_append_printf(out, "VM status: %s", machine_running(m) ? "running" : "paused");
    if (!machine_running(m) && m->state != RUN_PAUSED) {
        g_string_append_printf(out, " (%s)", run_state_name(m->state));
    }
    g_string_append_c(out, '\n');
}

static void hmp_info_name(Machine *m, const char *args, GString *out)
{
    if (monitor_host(m)->name) {
        g_string_append_printf(out, "%s\n", monitor_host(m)->name);
    }
}

static void hmp_info_uuid(Machine *m, const char *args, GString *out)
{
    const char *uuid = monitor_host(m)->uuid;

    g_string_append_printf(out, "%s\n", uuid ? uuid : machine_no_uuid);
}

static void hmp_info_kvm(Machine *m, const char *args, GString *out)
{
    g_string_append(out, "kvm support: not compiled\n");
}

static void hmp_info_cpus(Machine *m, const char *args, GString *out)
{
    for (guint i = 0; i < m->cpus->len; i++) {
        g_string_append_printf(out, "%c CPU #%u: thread_id=%d\n", i ? ' ' : '*', i,
                               machine_cpu_thread(m->cpus->pdata[i]));
    }
}

static void hmp_stop(Machine *m, const char *args, GString *out)
{
    monitor_host(m)->stop(m);
}

static void hmp_cont(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;

    if (!monitor_host(m)->cont(m, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static void hmp_reset(Machine *m, const char *args, GString *out)
{
    machine_request(m, SHUTDOWN_HOST_QMP_SYSTEM_RESET, 0);
}

static void hmp_quit(Machine *m, const char *args, GString *out)
{
    machine_request(m, SHUTDOWN_HOST_QMP_QUIT, 0);
}

static void hmp_info_pci_slots(Machine *m, const char *args, GString *out)
{
    const PlanMachine *d = monitor_host(m)->description(m);
    g_autofree char *text = d ? plan_slots_to_text(d, monitor_host(m)->catalog(m)) : NULL;

    g_string_append(out, text ? text : "");
}

static void hmp_dump_machine(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;

    if (!*args) {
        g_string_append(out, "Error: dump-machine: the name of the file to write is required\n");
    } else if (!monitor_host(m)->dump_machine(m, args, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static void hmp_topology(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *svg = machine_topology(m, &err);

    if (!*args) {
        g_string_append(out, "Error: topology: the name of the file to write is required\n");
    } else if (!svg || !out_file_write(args, svg, strlen(svg), &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static void hmp_powerdown(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;

    if (!power_button_press(m, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static void hmp_watchdog_action(Machine *m, const char *args, GString *out)
{
    static const char *const names[] = {
        [QMP_WATCHDOG_ACTION_RESET] = "reset",       [QMP_WATCHDOG_ACTION_SHUTDOWN] = "shutdown",
        [QMP_WATCHDOG_ACTION_POWEROFF] = "poweroff", [QMP_WATCHDOG_ACTION_PAUSE] = "pause",
        [QMP_WATCHDOG_ACTION_DEBUG] = "debug",       [QMP_WATCHDOG_ACTION_NONE] = "none"
    };

    for (uint32_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(names[i], args) == 0) {
            monitor_host(m)->actions(m)->watchdog = i;
            return;
        }
    }
    g_string_append_printf(out,
                           "Error: watchdog_action '%s': use reset, shutdown, poweroff, pause, "
                           "debug or none\n",
                           args);
}

static const HmpCommand hmp_commands[] = {
    { "info version", "", NULL, hmp_info_version },
    { "info status", "", NULL, hmp_info_status },
    { "info name", "", NULL, hmp_info_name },
    { "info uuid", "", NULL, hmp_info_uuid },
    { "info kvm", "", NULL, hmp_info_kvm },
    { "info cpus", "", NULL, hmp_info_cpus },
    { "info pci-slots", "", NULL, hmp_info_pci_slots },
    { "dump-machine", "file", NULL, hmp_dump_machine },
    { "topology", "file", NULL, hmp_topology },
    { "stop|s", "", NULL, hmp_stop },
    { "cont|c", "", NULL, hmp_cont },
    { "system_reset", "", NULL, hmp_reset },
    { "system_powerdown", "", NULL, hmp_powerdown },
    { "watchdog_action", "ACTION", NULL, hmp_watchdog_action },
    { "quit|q", "", NULL, hmp_quit },
};

const HmpTable machine_table = { LIST(hmp_commands) };
