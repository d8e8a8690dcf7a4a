/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands about the machine as a whole: what it is, whether it runs, start, stop, reset, quit.
 */
#include "internal.h"

#include <string.h>

#include <unistd.h>

#include "hw/core/board.h"
#include "util/outfile.h"

static void put(struct json_object *o, const char *key, const char *value)
{
    json_object_object_add(o, key, json_object_new_string(value));
}

static void put_bool(struct json_object *o, const char *key, bool value)
{
    json_object_object_add(o, key, json_object_new_boolean(value));
}

static void put_int(struct json_object *o, const char *key, int64_t value)
{
    json_object_object_add(o, key, json_object_new_int64(value));
}

static struct json_object *query_version(Machine *m, struct json_object *args, GError **err)
{
    g_auto(GStrv) parts = g_strsplit(BACKPLANE_VERSION, ".", 3);
    struct json_object *o = json_object_new_object(), *v = json_object_new_object();

    put_int(v, "micro", g_ascii_strtoll(parts[2], NULL, 10));
    put_int(v, "minor", g_ascii_strtoll(parts[1], NULL, 10));
    put_int(v, "major", g_ascii_strtoll(parts[0], NULL, 10));
    json_object_object_add(o, "qemu", v);
    put(o, "package", "Backplane");
    return o;
}

static struct json_object *query_status(Machine *m, struct json_object *args, GError **err)
{
    struct json_object *o = json_object_new_object();

    put(o, "status", run_state_name(m->state));
    put_bool(o, "running", machine_running(m));
    return o;
}

static struct json_object *query_target(Machine *m, struct json_object *args, GError **err)
{
    struct json_object *o = json_object_new_object();

    put(o, "arch", "riscv64");
    return o;
}

static struct json_object *query_kvm(Machine *m, struct json_object *args, GError **err)
{
    struct json_object *o = json_object_new_object();

    put_bool(o, "enabled", false);
    put_bool(o, "present", false);
    return o;
}

static struct json_object *query_name(Machine *m, struct json_object *args, GError **err)
{
    struct json_object *o = json_object_new_object();

    if (monitor_host(m)->name) {
        put(o, "name", monitor_host(m)->name);
    }
    return o;
}

static struct json_object *query_uuid(Machine *m, struct json_object *args, GError **err)
{
    const char *uuid = monitor_host(m)->uuid;
    struct json_object *o = json_object_new_object();

    put(o, "UUID", uuid ? uuid : "00000000-0000-0000-0000-000000000000");
    return o;
}

static struct json_object *describe_machine(const PlanMachineType *p)
{
    struct json_object *o = json_object_new_object();

    put(o, "name", p->name);
    if (p->alias) {
        put(o, "alias", p->alias);
    }
    if (p->is_default) {
        put_bool(o, "is-default", true);
    }
    put_int(o, "cpu-max", p->max_cpus ? p->max_cpus : 1);
    put_bool(o, "hotpluggable-cpus", false);
    put_bool(o, "numa-mem-supported", false);
    put_bool(o, "deprecated", false);
    put_bool(o, "acpi", false);
    if (p->default_cpu) {
        put(o, "default-cpu-type", p->default_cpu);
    }
    if (p->default_ram_id) {
        put(o, "default-ram-id", p->default_ram_id);
    }
    return o;
}

static struct json_object *query_machines(Machine *m, struct json_object *args, GError **err)
{
    struct json_object *list = json_object_new_array();

    for (const BoardType *const *b = board_types; *b; b++) {
        json_object_array_add(list, describe_machine(&(*b)->plan));
    }
    return list;
}

static struct json_object *query_current(Machine *m, struct json_object *args, GError **err)
{
    struct json_object *o = json_object_new_object();

    put_bool(o, "wakeup-suspend-support", false);
    return o;
}

static struct json_object *query_cpus(Machine *m, struct json_object *args, GError **err)
{
    struct json_object *list = json_object_new_array();

    for (guint i = 0; i < m->cpus->len; i++) {
        Cpu *cpu = m->cpus->pdata[i];
        struct json_object *o = json_object_new_object(), *props = json_object_new_object();
        int thread;

        put_int(o, "cpu-index", cpu->index);
        put_int(props, "core-id", cpu->index);
        json_object_object_add(o, "props", props);
        put(o, "qom-path", cpu->device ? cpu->device->path : "/machine/unattached");
        thread = g_atomic_int_get(&cpu->thread_id);
        put_int(o, "thread-id", thread ? thread : getpid());
        put(o, "target", "riscv64");
        if (cpu->type->retired) {
            put_int(o, "x-retired", cpu->type->retired(cpu));
        }
        put_int(o, "x-device-accesses", (int64_t)cpu->device_accesses);
        put_int(o, "x-device-ns", cpu->device_ns);
        json_object_array_add(list, o);
    }
    return list;
}

static struct json_object *query_cpu_definitions(Machine *m, struct json_object *args, GError **err)
{
    struct json_object *list = json_object_new_array();

    for (const CpuType *const *t = cpu_types; *t; t++) {
        struct json_object *o = json_object_new_object();

        put(o, "name", (*t)->name);
        put(o, "typename", (*t)->name);
        put_bool(o, "static", false);
        put_bool(o, "deprecated", false);
        json_object_array_add(list, o);
    }
    return list;
}

static struct json_object *query_hotpluggable(Machine *m, struct json_object *args, GError **err)
{
    qmp_set_error(err, QMP_GENERIC_ERROR, "The machine '%s' has no hot-pluggable CPUs",
                  m->type_name ? m->type_name : "none");
    return NULL;
}

static struct json_object *empty_list(Machine *m, struct json_object *args, GError **err)
{
    return json_object_new_array();
}

static struct json_object *query_memory(Machine *m, struct json_object *args, GError **err)
{
    const PlanMachine *d = monitor_host(m)->description(m);
    struct json_object *o = json_object_new_object();

    put_int(o, "base-memory", d ? (int64_t)d->ram_size : 0);
    return o;
}

static const PlanMachine *description(Machine *m, GError **err)
{
    const PlanMachine *d = monitor_host(m)->description(m);

    if (!d) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "there is no machine yet");
    }
    return d;
}

static struct json_object *query_description(Machine *m, struct json_object *args, GError **err)
{
    const PlanMachine *d = description(m, err);
    struct json_object *guest_only = json_object_object_get(args, "guest-only");

    if (d && !monitor_host(m)->boot_digests(m, err)) {
        return NULL;
    }
    return d ? plan_to_json(d, monitor_host(m)->catalog(m), json_object_get_boolean(guest_only))
             : NULL;
}

static struct json_object *dump_machine(Machine *m, struct json_object *args, GError **err)
{
    const char *path = json_object_get_string(json_object_object_get(args, "filename"));

    return monitor_host(m)->dump_machine(m, path, err) ? json_object_new_object() : NULL;
}

static struct json_object *query_slots(Machine *m, struct json_object *args, GError **err)
{
    const PlanMachine *d = description(m, err);

    return d ? plan_slots_to_json(d, monitor_host(m)->catalog(m)) : NULL;
}

static char *topology(Machine *m, GError **err)
{
    const PlanMachine *d = description(m, err);

    return d ? plan_topology_svg(d, monitor_host(m)->catalog(m)) : NULL;
}

static struct json_object *query_topology(Machine *m, struct json_object *args, GError **err)
{
    g_autofree char *svg = topology(m, err);

    return svg ? json_object_new_string(svg) : NULL;
}

static struct json_object *run_stop(Machine *m, struct json_object *args, GError **err)
{
    monitor_host(m)->stop(m);
    return NULL;
}

static struct json_object *run_cont(Machine *m, struct json_object *args, GError **err)
{
    monitor_host(m)->cont(m, err);
    return NULL;
}

static struct json_object *run_quit(Machine *m, struct json_object *args, GError **err)
{
    machine_request(m, SHUTDOWN_HOST_QMP_QUIT, 0);
    return NULL;
}

static struct json_object *exit_preconfig(Machine *m, struct json_object *args, GError **err)
{
    if (!monitor_in_preconfig(m)) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "x-exit-preconfig: the machine is built: only --preconfig has it wait");
        return NULL;
    }
    monitor_host(m)->exit_preconfig(m, err);
    return NULL;
}

static struct json_object *run_reset(Machine *m, struct json_object *args, GError **err)
{
    machine_request(m, SHUTDOWN_HOST_QMP_SYSTEM_RESET, 0);
    return NULL;
}

static const QmpCommand commands[] = {
    { "query-version", query_version },
    { "query-status", query_status },
    { "query-target", query_target },
    { "query-kvm", query_kvm },
    { "query-name", query_name },
    { "query-uuid", query_uuid },
    { "query-machines", query_machines },
    { "query-current-machine", query_current },
    { "query-cpus-fast", query_cpus },
    { "query-cpu-definitions", query_cpu_definitions },
    { "query-hotpluggable-cpus", query_hotpluggable },
    { "query-memory-devices", empty_list },
    { "query-memory-size-summary", query_memory },
    { "query-machine-description", query_description },
    { "dump-machine", dump_machine },
    { "query-pci-slots", query_slots },
    { "query-topology", query_topology },
    { "stop", run_stop },
    { "cont", run_cont },
    { "system_reset", run_reset },
    { "x-exit-preconfig", exit_preconfig },
    { "quit", run_quit },
};

/* --- human monitor --- */

static void hmp_version(Machine *m, const char *args, GString *out)
{
    g_string_append(out, BACKPLANE_VERSION " (Backplane)\n");
}

static void hmp_status(Machine *m, const char *args, GString *out)
{
    g_string_append_printf(out, "VM status: %s", machine_running(m) ? "running" : "paused");
    if (!machine_running(m) && m->state != RUN_PAUSED) {
        g_string_append_printf(out, " (%s)", run_state_name(m->state));
    }
    g_string_append_c(out, '\n');
}

static void hmp_name(Machine *m, const char *args, GString *out)
{
    if (monitor_host(m)->name) {
        g_string_append_printf(out, "%s\n", monitor_host(m)->name);
    }
}

static void hmp_uuid(Machine *m, const char *args, GString *out)
{
    const char *uuid = monitor_host(m)->uuid;

    g_string_append_printf(out, "%s\n", uuid ? uuid : "00000000-0000-0000-0000-000000000000");
}

static void hmp_kvm(Machine *m, const char *args, GString *out)
{
    g_string_append(out, "kvm support: not compiled\n");
}

static void hmp_cpus(Machine *m, const char *args, GString *out)
{
    for (guint i = 0; i < m->cpus->len; i++) {
        g_string_append_printf(out, "%c CPU #%u: thread_id=%d\n", i ? ' ' : '*', i, getpid());
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

static void hmp_slots(Machine *m, const char *args, GString *out)
{
    const PlanMachine *d = monitor_host(m)->description(m);
    g_autofree char *text = d ? plan_slots_to_text(d, monitor_host(m)->catalog(m)) : NULL;

    g_string_append(out, text ? text : "");
}

static void hmp_dump_machine(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;

    if (!*args) {
        g_string_append(out, "Error: dump-machine needs the name of the file to write\n");
    } else if (!monitor_host(m)->dump_machine(m, args, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static void hmp_topology(Machine *m, const char *args, GString *out)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *svg = topology(m, &err);

    if (!*args) {
        g_string_append(out, "Error: topology needs the name of the file to write\n");
    } else if (!svg || !out_file_write(args, svg, strlen(svg), &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static const HmpCommand hmp_commands[] = {
    { "info version", "", "show the version", hmp_version },
    { "info status", "", "show whether the guest runs", hmp_status },
    { "info name", "", "show the name of the machine", hmp_name },
    { "info uuid", "", "show the UUID of the machine", hmp_uuid },
    { "info kvm", "", "show whether KVM is used", hmp_kvm },
    { "info cpus", "", "show the CPUs", hmp_cpus },
    { "info pci-slots", "", "show each bus: slots, what fits, who holds them", hmp_slots },
    { "dump-machine", "file", "write the machine's description for -machine-config",
      hmp_dump_machine },
    { "topology", "file", "draw the PCI topology as a picture (SVG)", hmp_topology },
    { "stop", "", "stop the guest", hmp_stop },
    { "s", "", "stop the guest", hmp_stop },
    { "cont", "", "let the guest run", hmp_cont },
    { "c", "", "let the guest run", hmp_cont },
    { "system_reset", "", "reset the machine", hmp_reset },
    { "quit", "", "end the emulator", hmp_quit },
    { "q", "", "end the emulator", hmp_quit },
};

const CommandTable machine_table = { commands, G_N_ELEMENTS(commands), hmp_commands,
                                     G_N_ELEMENTS(hmp_commands) };
