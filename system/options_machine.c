/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options that describe the machine: -machine, -accel, -cpu, -m and -smp.
 */
#include "options_internal.h"

#include <string.h>

#include "plan/policy.h"

/* Store a key of -machine that has the effect of another option. */
static bool machine_key(Session *s, const char *key, const char *value)
{
    const struct {
        const char *key;
        char **field;
    } keys[] = {
        { "accel", &s->accel },           { "kernel", &s->kernel }, { "initrd", &s->initrd },
        { "append", &s->append },         { "dtb", &s->dtb },       { "firmware", &s->bios },
        { "pci-policy", &s->pci_policy },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (strcmp(keys[i].key, key) == 0) {
            return option_set_string(keys[i].field, value);
        }
    }
    return false;
}

/* Keys of -machine with the values on and off that every machine accepts. */
static const struct MachineSwitch {
    const char *key;
    size_t field;       /* char * in the Session: "on" or "off"; 0: not stored */
    const char *absent; /* what "on" requires and no machine has; NULL: both values are accepted */
} machine_switches[] = {
    { "usb", 0, "a built-in USB controller (use -device qemu-xhci)" },
    { "acpi", 0, "ACPI tables" },
    { "graphics", 0, NULL },
    { "dump-guest-core", offsetof(Session, dump_guest_core), NULL },
    { "mem-merge", offsetof(Session, mem_merge), NULL },
};

static const struct MachineSwitch *machine_switch_find(const char *key)
{
    for (size_t i = 0; i < G_N_ELEMENTS(machine_switches); i++) {
        if (strcmp(machine_switches[i].key, key) == 0) {
            return &machine_switches[i];
        }
    }
    return NULL;
}

static bool machine_switch_take(Session *s, const struct MachineSwitch *key, const char *text,
                                GError **err)
{
    const PlanProp prop = { .name = key->key, .kind = PLAN_PROP_BOOL };
    PlanValue value;

    if (!plan_value_parse(&prop, text, &value, err)) {
        g_prefix_error(err, "-machine: ");
        return false;
    }
    if (value.b && key->absent) {
        return error_set(err, ERROR_USER, "-machine %s=%s: no machine has %s; accepted is off",
                         key->key, text, key->absent);
    }
    if (key->field) {
        option_set_string((char **)(void *)((char *)s + key->field), value.b ? "on" : "off");
    }
    return true;
}

/* Properties of QEMU's machines that require what no CPU type has. The value 0 is accepted. */
static bool machine_refuse_absent(const PlanSetting *p, bool *taken, GError **err)
{
    *taken = strcmp(p->name, "aia-guests") == 0;
    return !*taken || strcmp(p->text, "0") == 0 ||
           error_set(err, ERROR_USER,
                     "-machine aia-guests=%s: guest interrupt files require the hypervisor "
                     "extension, which no CPU type has; accepted is 0",
                     p->text);
}

/* Remove the keys that are not properties of the machine from the description, and store them. */
static bool take_machine_keys(Session *s, GError **err)
{
    for (guint i = s->plan->settings->len; i-- > 0;) {
        PlanSetting *p = s->plan->settings->pdata[i];
        const struct MachineSwitch *key = machine_switch_find(p->name);
        bool absent;

        if (!machine_refuse_absent(p, &absent, err)) {
            return false;
        }
        if (key && !machine_switch_take(s, key, p->text, err)) {
            return false;
        }
        if (absent || key || machine_key(s, p->name, p->text)) {
            g_ptr_array_remove_index(s->plan->settings, i);
        }
    }
    return true;
}

static char *machine_policies(void)
{
    GString *out = g_string_new("Policies of -machine pci-policy=NAME, or the path of a file:\n");

    for (size_t i = 0; plan_policy_name(i); i++) {
        g_string_append_printf(out, "  %s\n", plan_policy_name(i));
    }
    return g_string_free(out, FALSE);
}

static char *machine_help(const Session *s, const PlanMachineType *t)
{
    g_autofree char *text = plan_help_machine(s->catalog, t);

    return g_strconcat(
        text,
        "  pci-policy=<str>             - policy that places devices; help lists the "
        "policies\n",
        NULL);
}

bool opt_machine(Session *s, const char *arg, GError **err)
{
    g_auto(GStrv) words = g_strsplit(arg, ",", 3);
    const PlanMachineType *t = words[0] ? plan_find_machine(s->catalog, words[0]) : NULL;

    if (option_wants_help(arg)) {
        return option_print(s, plan_help_machines(s->catalog));
    }
    if (t && words[1] && option_wants_help(words[1])) {
        return option_print(s, machine_help(s, t));
    }
    if (!plan_machine_parse(s->plan, arg, err) || !take_machine_keys(s, err)) {
        return false;
    }
    return !s->pci_policy || !option_wants_help(s->pci_policy) ||
           option_print(s, machine_policies());
}

bool opt_machine_config(Session *s, const char *arg, GError **err)
{
    g_ptr_array_add(s->machine_configs, g_strdup(arg));
    return true;
}

bool opt_accel(Session *s, const char *arg, GError **err)
{
    if (option_wants_help(arg)) {
        return option_print(s, g_strdup("Accelerators:\n"
                                        "tcg     translator on x86-64 hosts, interpreter on others "
                                        "(default)\n"
                                        "interp  interpreter\n"
                                        "qtest   CPUs do not run, and the clock is stepped\n"));
    }
    return option_set_string(&s->accel, g_str_has_prefix(arg, "accel=") ? arg + 6 : arg);
}

static char *cpu_help(const CpuType *only)
{
    GString *out = g_string_new(only ? NULL : "CPU types:\n");

    for (const CpuType *const *t = cpu_types; *t; t++) {
        if (only && *t != only) {
            continue;
        }
        g_string_append_printf(out, "%s%s\n", (*t)->name, only ? " features:" : "");
        for (size_t i = 0; i < (*t)->n_props; i++) {
            const PlanProp *p = &(*t)->props[i];
            bool fixed = p->same_as || (p->flags & PLAN_PROP_FIXED) || p->def == UINT64_MAX;

            g_string_append_printf(out, "  %-12s %s", p->name, p->doc);
            if (p->kind != PLAN_PROP_BOOL && !fixed) {
                g_string_append_printf(out, " (default %" G_GUINT64_FORMAT ")", p->def);
            } else if (!fixed) {
                g_string_append_printf(out, " (default %s)", p->def ? "on" : "off");
            }
            g_string_append_c(out, '\n');
        }
    }
    return g_string_free(out, FALSE);
}

bool opt_cpu(Session *s, const char *arg, GError **err)
{
    g_auto(GStrv) words = g_strsplit(arg, ",", 2);
    const CpuType *type =
        words[0] && words[1] && option_has_help(words[1]) ? cpu_type_find(words[0]) : NULL;

    if (type || option_wants_help(arg)) {
        return option_print(s, cpu_help(type));
    }
    return option_set_string(&s->plan->cpu, arg);
}

/* --- -m and -smp --- */

enum { MIB_BITS = 20 };

/* Parse a size. A number without a suffix is in MiB. */
static bool parse_mib(const char *key, const char *text, uint64_t *bytes, GError **err)
{
    const PlanProp size = { .name = key, .kind = PLAN_PROP_SIZE };
    size_t len = strlen(text);
    g_autofree char *full =
        g_strdup_printf("%s%s", text, len && g_ascii_isdigit(text[len - 1]) ? "M" : "");
    PlanValue value = { 0 };
    bool ok = plan_value_parse(&size, full, &value, err);

    if (ok) {
        *bytes = value.u;
    } else {
        g_prefix_error(err, "-m: ");
    }
    return ok;
}

/* Reject slots and maxmem of -m that require hot-plugged memory, which does not exist. */
static bool check_plugging(const char *arg, const char *slots, uint64_t size, uint64_t maxmem,
                           GError **err)
{
    bool ok = (!slots || strcmp(slots, "0") == 0) && maxmem == size;

    return ok || error_set(err, ERROR_USER,
                           "-m %s: memory cannot be plugged into this machine: omit slots= and "
                           "maxmem=, or use slots=0 and maxmem equal to size",
                           arg);
}

/* Parse the argument of -m: "512", "1G" or "size=1G,slots=0,maxmem=1G". */
bool opt_memory(Session *s, const char *arg, GError **err)
{
    struct json_object *o = plan_options_parse(arg, "size", err);
    g_autofree char *size = o ? option_take_key(o, "size") : NULL;
    g_autofree char *slots = o ? option_take_key(o, "slots") : NULL;
    g_autofree char *maxmem = o ? option_take_key(o, "maxmem") : NULL;
    uint64_t bytes = 0, max = 0;

    if (!o) {
        return false;
    }
    json_object_put(o);
    if (!size) {
        return error_set(err, ERROR_USER, "-m %s: property 'size' is required: size=SIZE", arg);
    }
    if (!parse_mib("size", size, &bytes, err) ||
        (maxmem && !parse_mib("maxmem", maxmem, &max, err))) {
        return false;
    }
    if (bytes == 0) {
        return error_set(err, ERROR_USER, "-m %s: the size of RAM must not be 0", arg);
    }
    s->plan->ram_size = bytes;
    return check_plugging(arg, slots, bytes, maxmem ? max : bytes, err);
}

bool opt_smp(Session *s, const char *arg, GError **err)
{
    return smp_parse(arg, &s->plan->cpus, err);
}

bool opt_numa(Session *s, const char *arg, GError **err)
{
    struct json_object *o = numa_parse(arg, err);

    if (!o) {
        g_prefix_error(err, "-numa %s: ", arg);
        return false;
    }
    g_ptr_array_add(s->numa, o);
    return true;
}

/* --- keys --- */

static const char *const tcg_threads[] = { "single", "multi", NULL };

const PlanProp accel_keys[] = {
    { .name = "accel", .kind = PLAN_PROP_STRING, .doc = "tcg, interp or qtest" },
    { .name = "thread",
      .kind = PLAN_PROP_ENUM,
      .choices = tcg_threads,
      .doc = "accepted without effect: each CPU has its own thread" },
};
const size_t n_accel_keys = G_N_ELEMENTS(accel_keys);

const PlanProp memory_keys[] = {
    { .name = "size", .kind = PLAN_PROP_STRING, .doc = "size of RAM" },
    { .name = "slots", .kind = PLAN_PROP_STRING, .doc = "only 0" },
    { .name = "maxmem", .kind = PLAN_PROP_STRING, .doc = "only the value of size" },
};
const size_t n_memory_keys = G_N_ELEMENTS(memory_keys);

#define COUNT(n, text)                                                                             \
    {                                                                                              \
        .name = (n), .kind = PLAN_PROP_STRING, .doc = (text)                                       \
    }
const PlanProp smp_keys[] = {
    COUNT("cpus", "number of CPUs"), COUNT("maxcpus", "limit of the number of CPUs"),
    COUNT("sockets", "sockets"),     COUNT("dies", "per socket"),
    COUNT("clusters", "per die"),    COUNT("cores", "per cluster"),
    COUNT("threads", "per core"),
};
const size_t n_smp_keys = G_N_ELEMENTS(smp_keys);

static const char *const numa_types[] = { "node", "dist", "cpu", NULL };

#define NUMA_KEY(n, text)                                                                          \
    {                                                                                              \
        .name = (n), .kind = PLAN_PROP_STRING, .doc = (text)                                       \
    }
const PlanProp numa_keys[] = {
    { .name = "type",
      .kind = PLAN_PROP_ENUM,
      .choices = numa_types,
      .doc = "node, a distance (dist) or the node of a CPU (cpu)" },
    NUMA_KEY("nodeid", "node: its number; by default the next one"),
    NUMA_KEY("cpus", "node: a CPU or a range of CPUs; may be repeated"),
    NUMA_KEY("memdev", "node: id of the -object that its memory comes from"),
    NUMA_KEY("mem", "node: size of its memory, instead of memdev= of all nodes"),
    NUMA_KEY("initiator", "node: rejected, because it requires ACPI"),
    NUMA_KEY("src", "dist: the node of the CPU"),
    NUMA_KEY("dst", "dist: the node of the memory"),
    NUMA_KEY("val", "dist: the distance, from 10 to 255"),
    NUMA_KEY("node-id", "cpu: number of a node"),
    NUMA_KEY("core-id", "cpu: the CPU; by default all CPUs"),
    NUMA_KEY("socket-id", "cpu: rejected, use core-id"),
    NUMA_KEY("die-id", "cpu: rejected, use core-id"),
    NUMA_KEY("cluster-id", "cpu: rejected, use core-id"),
    NUMA_KEY("thread-id", "cpu: rejected, use core-id"),
};
const size_t n_numa_keys = G_N_ELEMENTS(numa_keys);
