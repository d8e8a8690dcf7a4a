/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Editing a resolved description. Changes are made in a copy, which replaces the description after
 * it has been resolved.
 */
#include "plan/edit.h"
#include "plan/internal.h"

static PlanDevice *edit_find(const PlanMachine *m, const char *name, GError **err)
{
    PlanDevice *d = name ? plan_find_device(m, name) : NULL;
    g_autofree char *quoted = d ? NULL : plan_quote(name ? name : "");

    if (!d) {
        plan_fail(err, "the machine has no device %s", quoted);
    }
    return d;
}

/* Remove the setting of a property, so that it has its default. */
static void edit_unset(PlanDevice *d, const char *property)
{
    PlanSetting *s = plan_setting_find(d->settings, property);

    if (s) {
        g_ptr_array_remove(d->settings, s);
    }
}

/* Return the device of a copy of @m that corresponds to @d. */
static PlanDevice *edit_twin(const PlanMachine *m, const PlanDevice *d, PlanMachine *copy)
{
    for (guint i = 0; i < m->devices->len; i++) {
        if (m->devices->pdata[i] == d) {
            return copy->devices->pdata[i];
        }
    }
    return NULL;
}

/* Resolve the changed copy. On success it replaces @m. The copy is freed. */
static bool edit_commit(PlanMachine *m, const PlanCatalog *c, PlanMachine *copy, GError **err)
{
    bool ok = plan_resolve(copy, c, err);

    if (ok) {
        PlanMachine old = *m;

        *m = *copy;
        *copy = old;
    }
    plan_machine_free(copy);
    return ok;
}

bool plan_edit_set(PlanMachine *m, const PlanCatalog *c, const char *name, const char *property,
                   const char *text, GError **err)
{
    PlanDevice *d = edit_find(m, name, err), *twin;
    PlanMachine *copy;

    if (!d) {
        return false;
    }
    copy = plan_machine_copy(m);
    twin = edit_twin(m, d, copy);
    if (text) {
        plan_device_set(twin, property, text);
    } else {
        edit_unset(twin, property);
    }
    return edit_commit(m, c, copy, err);
}

/* Set bus and address from "ADDR", "BUS/ADDR" or "BUS/". @rule: of the present bus, or NULL. */
static bool edit_place(PlanDevice *d, const PlanBusRule *rule, const char *place, GError **err)
{
    const char *slash = strrchr(place, '/'), *addr = slash ? slash + 1 : place;

    if (slash) {
        g_free(d->bus);
        d->bus = g_strndup(place, (size_t)(slash - place));
    }
    d->has_addr = *addr != '\0';
    d->full_addr = false;
    d->dynamic = !d->has_addr;
    if (d->t->role != PLAN_PCI_NONE) {
        return !d->has_addr || plan_addr_parse(addr, &d->addr, &d->full_addr, err);
    }
    d->has_addr = false;
    if (rule && rule->addr == PLAN_ADDR_SINGLE && !*addr) {
        return true;
    }
    if (rule && rule->addr == PLAN_ADDR_SCSI) {
        return plan_scsi_set_address(d, addr, err);
    }
    if (!rule || rule->addr != PLAN_ADDR_NUMBER) {
        g_autofree char *label = plan_device_label(d);

        return plan_fail(err, "%s has no address that could be changed", label);
    }
    if (*addr) {
        plan_device_set(d, rule->number_prop, addr);
    } else {
        edit_unset(d, rule->number_prop);
    }
    return true;
}

static PlanMachine *args_bare(const PlanMachine *m, const PlanCatalog *c, GError **err);

/* Remove the settings of capabilities that follow from the present bus of a device, so that its
 * next bus decides about them. */
static bool edit_forget_derived(const PlanMachine *m, const PlanCatalog *c, const PlanDevice *d,
                                PlanDevice *twin, GError **err)
{
    g_autoptr(PlanMachine) bare = args_bare(m, c, err);
    const PlanDevice *plain = bare ? edit_twin(m, d, bare) : NULL;

    for (size_t i = 0; plain && i < d->t->n_props; i++) {
        const PlanProp *p = &d->t->props[i];
        const PlanSetting *s = plan_setting_find(d->settings, p->name);
        const PlanSetting *derived = plan_setting_find(plain->settings, p->name);

        if (p->kind == PLAN_PROP_CAP && s && derived &&
            plan_value_equal(&s->value, &derived->value)) {
            edit_unset(twin, p->name);
        }
    }
    return plain != NULL;
}

bool plan_edit_move(PlanMachine *m, const PlanCatalog *c, const char *name, const char *place,
                    GError **err)
{
    PlanDevice *d = edit_find(m, name, err), *twin;
    PlanMachine *copy;
    g_autofree char *label = d ? plan_device_label(d) : NULL;

    if (!d) {
        return false;
    }
    if (d->implicit) {
        return plan_fail(err, "%s is created by the board and cannot be moved", label);
    }
    if (!d->id && d->brings && d->brings->n_devices) {
        return plan_fail(err,
                         "%s needs an id before it can be moved, because the name of its bus "
                         "contains its address",
                         label);
    }
    copy = plan_machine_copy(m);
    twin = edit_twin(m, d, copy);
    if (!edit_forget_derived(m, c, d, twin, err) ||
        !edit_place(twin, d->on ? d->on->rule : NULL, place, err)) {
        plan_machine_free(copy);
        return false;
    }
    return edit_commit(m, c, copy, err);
}

bool plan_edit_remove(PlanMachine *m, const char *name, GError **err)
{
    PlanDevice *d = edit_find(m, name, err);
    g_autofree char *label = d ? plan_device_label(d) : NULL, *other = NULL;

    if (!d) {
        return false;
    }
    if (d->implicit) {
        return plan_fail(err, "%s is created by the board and cannot be removed", label);
    }
    for (guint i = 0; d->brings && i < m->devices->len; i++) {
        const PlanDevice *on_it = m->devices->pdata[i];

        if (on_it->on == d->brings) {
            other = plan_device_label(on_it);
            return plan_fail(err, "%s cannot be removed: %s is on its bus", label, other);
        }
    }
    plan_remove_device(m, d);
    return true;
}

bool plan_edit_set_dynamic(PlanMachine *m, const char *name, bool dynamic, GError **err)
{
    PlanDevice *only = name ? edit_find(m, name, err) : NULL;

    if (name && !only) {
        return false;
    }
    if (only && (only->implicit || !only->on)) {
        g_autofree char *label = plan_device_label(only);

        return plan_fail(err, "%s has an address that the board determines", label);
    }
    for (guint i = 0; i < m->devices->len; i++) {
        PlanDevice *d = m->devices->pdata[i];

        if (only ? d == only : !d->implicit && d->on) {
            d->dynamic = dynamic;
        }
    }
    return true;
}

/* --- command lines --- */

typedef struct ArgsWriter {
    const PlanMachine *m;
    PlanMachine *bare; /* copy of m with the default of each capability */
    PlanTarget target;
    GPtrArray *args;
} ArgsWriter;

static void args_add(ArgsWriter *w, const char *option, const char *value)
{
    g_ptr_array_add(w->args, g_strdup(option));
    g_ptr_array_add(w->args, g_strdup(value));
}

/* Append ",name=value" with commas of the value doubled. */
static void args_append(GString *out, const char *name, const char *value)
{
    g_auto(GStrv) parts = g_strsplit(value, ",", -1);
    g_autofree char *quoted = g_strjoinv(",,", parts);

    g_string_append_printf(out, "%s%s=%s", out->len ? "," : "", name, quoted);
}

/* Return true if a setting has the default of the machine version, including -global. */
static bool args_is_default(const PlanMachine *m, const char *type, const PlanProp *p,
                            const PlanSetting *s)
{
    GHashTable *of_type = type ? g_hash_table_lookup(m->index->defaults, type) : NULL;
    const char *text = NULL;
    PlanValue def;
    bool same;

    if (of_type) {
        text = g_hash_table_lookup(of_type, p->name);
    } else if (!type) {
        text = plan_compat_value(m->index->catalog, m->index->machine, NULL, p->name);
    }
    if (!text) {
        plan_value_default(p, &def);
    } else if (!plan_value_parse(p, text, &def, NULL)) {
        return false;
    }
    same = plan_value_equal(&def, &s->value);
    plan_value_clear(&def);
    return same;
}

/* Append the settings that differ from the defaults. @bare: the settings with the default of each
 * capability; NULL for the machine. */
static bool args_settings(ArgsWriter *w, const char *type, const GPtrArray *settings,
                          const GPtrArray *bare, const PlanProp *props, size_t n, GString *out,
                          GError **err)
{
    for (guint i = 0; i < settings->len; i++) {
        const PlanSetting *s = settings->pdata[i];
        const PlanProp *p = plan_find_prop(props, n, s->name);
        const PlanSetting *def =
            p && bare && p->kind == PLAN_PROP_CAP ? plan_setting_find(bare, p->name) : NULL;
        g_autofree char *text = p && s->resolved ? plan_value_format(p, &s->value) : NULL;

        if (!text ||
            (def ? plan_value_equal(&def->value, &s->value) : args_is_default(w->m, type, p, s))) {
            continue;
        }
        if (w->target == PLAN_FOR_QEMU && p->kind == PLAN_PROP_CAP) {
            return plan_fail(err, "%s=%s of type %s has no equivalent in QEMU", p->name, text,
                             type);
        }
        args_append(out, p->name, text);
    }
    return true;
}

static bool args_device(ArgsWriter *w, guint i, GError **err)
{
    const PlanDevice *d = w->m->devices->pdata[i], *bare = w->bare->devices->pdata[i];
    g_autoptr(GString) out = g_string_new(d->type);
    g_autofree char *label = plan_device_label(d);

    if (d->implicit) {
        return true;
    }
    if (d->id) {
        args_append(out, "id", d->id);
    }
    if (d->on && w->target == PLAN_FOR_QEMU && strchr(d->on->name, '/')) {
        return plan_fail(err, "%s is on bus '%s' of a device without an id, which QEMU cannot name",
                         label, d->on->name);
    }
    if (d->on || d->bus) {
        args_append(out, "bus", d->on ? d->on->name : d->bus);
    }
    if (d->has_addr) {
        g_autofree char *addr = plan_addr_format(&d->addr, false);

        args_append(out, "addr", addr);
    }
    if (!args_settings(w, d->t->name, d->settings, bare->settings, d->t->props, d->t->n_props, out,
                       err)) {
        g_prefix_error(err, "%s: ", label);
        return false;
    }
    args_add(w, "-device", out->str);
    return true;
}

/* Return the argument of -name, or "" if the machine has no name. */
static GString *args_name(const PlanMachine *m)
{
    GString *out = g_string_new(NULL);

    if (m->name) {
        args_append(out, "guest", m->name);
    }
    return out;
}

/* Return true if the machine type is one of QEMU. */
static bool args_is_qemu(const PlanMachine *m)
{
    return g_strcmp0(m->index->catalog->program, "qemu") == 0;
}

const char *plan_target_machine(const PlanMachine *m, PlanTarget target)
{
    const PlanMachineType *t = m->index->machine;

    return args_is_qemu(m) == (target == PLAN_FOR_QEMU) || !t->alias ? t->name : t->alias;
}

/* Return the CPU for -cpu, or NULL to leave it to the target. */
static const char *args_cpu(const ArgsWriter *w)
{
    const PlanMachine *m = w->m;
    bool own = args_is_qemu(m) == (w->target == PLAN_FOR_QEMU);

    return own && !(args_is_qemu(m) && g_strcmp0(m->cpu, m->index->machine->default_cpu) == 0)
               ? m->cpu
               : NULL;
}

static bool args_machine(ArgsWriter *w, GError **err)
{
    const PlanMachine *m = w->m;
    const PlanMachineType *t = m->index->machine;
    g_autoptr(GString) out = g_string_new(plan_target_machine(m, w->target));
    g_autofree char *cpus = g_strdup_printf("%u", m->cpus);
    g_autofree char *ram = g_strdup_printf("%" G_GUINT64_FORMAT "k", m->ram_size >> 10);
    g_autoptr(GString) name = args_name(m);
    const struct {
        const char *option, *value;
    } rows[] = {
        { "-cpu", args_cpu(w) }, { "-smp", cpus },
        { "-m", ram },           { "-name", name->len ? name->str : NULL },
        { "-uuid", m->uuid },    { "-rtc", m->rtc },
    };

    if (!args_settings(w, NULL, m->settings, NULL, t->props, t->n_props, out, err)) {
        return false;
    }
    args_add(w, "-machine", out->str);
    if (args_is_qemu(m) && w->target == PLAN_FOR_QEMU) {
        g_ptr_array_add(w->args, g_strdup("-nodefaults")); /* only the devices of the description */
    }
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].value) {
            args_add(w, rows[i].option, rows[i].value);
        }
    }
    plan_nodes_to_args(m, w->args);
    for (guint i = 0; i < m->globals->len; i++) {
        const PlanGlobal *g = m->globals->pdata[i];
        g_autoptr(GString) global = g_string_new(NULL);

        args_append(global, "driver", g->type);
        args_append(global, "property", g->prop);
        args_append(global, "value", g->value);
        args_add(w, "-global", global->str);
    }
    return true;
}

static bool args_boot(ArgsWriter *w, GError **err)
{
    static const struct {
        const char *role, *option;
    } rows[] = {
        { "firmware", "-bios" }, { "kernel", "-kernel" }, { "initrd", "-initrd" }, { "dtb", "-dtb" }
    };
    const PlanMachine *m = w->m;

    for (size_t i = 0; m->has_boot && i < G_N_ELEMENTS(rows); i++) {
        const PlanBootImage *image = plan_find_boot(m, rows[i].role);

        if (image && !image->path) {
            return plan_fail(err, "the boot image '%s' has no file on this host", rows[i].role);
        }
        if (image || (i == 0 && g_strcmp0(m->index->catalog->arch, "x86_64") != 0)) {
            args_add(w, rows[i].option, image ? image->path : "none");
        }
    }
    if (m->append) {
        args_add(w, "-append", m->append);
    }
    for (guint i = 0; m->serials && i < m->serials->len; i++) {
        args_add(w, "-serial", m->serials->pdata[i]);
    }
    return true;
}

/* Append an option as KEY=VALUE; members of objects as KEY.MEMBER=VALUE, elements of a list as
 * KEY.0=VALUE or, for the keys that may be repeated, as KEY=VALUE. */
static void args_append_json(GString *out, const char *key, struct json_object *value)
{
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, member)
        {
            g_autofree char *path = *key ? g_strconcat(key, ".", name, NULL) : g_strdup(name);

            args_append_json(out, path, member);
        }
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            g_autofree char *path =
                plan_key_is_list(key) ? g_strdup(key) : g_strdup_printf("%s.%zu", key, i);

            args_append_json(out, path, json_object_array_get_idx(value, i));
        }
    } else if (json_object_is_type(value, json_type_boolean)) {
        args_append(out, key, json_object_get_boolean(value) ? "on" : "off");
    } else if (value) {
        args_append(out, key, json_object_get_string(value));
    }
}

static void args_host(ArgsWriter *w)
{
    for (guint i = 0; i < w->m->host->len; i++) {
        const PlanHostPart *part = w->m->host->pdata[i];
        g_autofree char *option = g_strconcat("-", part->kind, NULL);
        g_autoptr(GString) out = g_string_new(NULL);

        if (strcmp(part->kind, "drive") == 0) {
            args_append(out, "if", "none"); /* the device is an option of its own */
        }
        args_append_json(out, "", part->options);
        args_add(w, option, out->str);
    }
}

/* Return the machine with the default of each capability, resolved; NULL with @err set. */
static PlanMachine *args_bare(const PlanMachine *m, const PlanCatalog *c, GError **err)
{
    g_autoptr(PlanMachine) bare = plan_machine_copy(m);

    for (guint i = 0; i < bare->devices->len; i++) {
        PlanDevice *d = bare->devices->pdata[i];

        for (size_t k = 0; k < d->t->n_props; k++) {
            if (d->t->props[k].kind == PLAN_PROP_CAP) {
                edit_unset(d, d->t->props[k].name);
            }
        }
    }
    return plan_resolve(bare, c, err) ? g_steal_pointer(&bare) : NULL;
}

char **plan_command_line(const PlanMachine *m, const PlanCatalog *c, PlanTarget target,
                         GError **err)
{
    g_autoptr(PlanMachine) bare = NULL;
    g_autoptr(GPtrArray) args = g_ptr_array_new_with_free_func(g_free);
    ArgsWriter w = { m, NULL, target, args };

    if (!m->index) {
        plan_fail(err, "the description has not been resolved");
        return NULL;
    }
    w.bare = bare = args_bare(m, c, err);
    if (!bare || !args_machine(&w, err) || !args_boot(&w, err)) {
        return NULL;
    }
    args_host(&w);
    /* Devices on buses that are not managed follow the devices that provide these buses. */
    for (unsigned pass = 0; pass < 2; pass++) {
        for (guint i = 0; i < m->devices->len; i++) {
            const PlanDevice *d = m->devices->pdata[i];

            if ((d->t->plugs_into == PLAN_BUS_OTHER) == pass && !args_device(&w, i, err)) {
                return NULL;
            }
        }
    }
    g_ptr_array_add(args, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&args), FALSE);
}

/* --- explanations --- */

static void explain_add(struct json_object *o, const char *key, const char *text)
{
    json_object_object_add(o, key, text ? json_object_new_string(text) : NULL);
}

/* Return the slots below the slot of @d, each with the reason why it was not chosen. */
static struct json_object *explain_lower(const PlanDevice *d)
{
    struct json_object *list = json_object_new_array();
    unsigned first, last;

    plan_bus_slots(d->on, &first, &last);
    for (unsigned slot = 0; slot < d->addr.slot; slot++) {
        struct json_object *o = json_object_new_object();
        g_autofree char *text = g_strdup_printf("%02x", slot);
        const PlanDevice *holder = NULL;

        for (unsigned fn = 0; d->on->slot[slot] && fn < 8 && !holder; fn++) {
            holder = d->on->slot[slot][fn];
        }
        explain_add(o, "slot", text);
        if (slot < first) {
            explain_add(o, "reason", "reserved-for-hotplug-controller");
        } else if (holder) {
            explain_add(o, "reason", "held");
            explain_add(o, "device", plan_device_name(holder));
        } else {
            explain_add(o, "reason", "free");
        }
        json_object_array_add(list, o);
    }
    return list;
}

/* Return the names of the buses that accept a device of the type. */
static struct json_object *explain_buses(const PlanIndex *x, const PlanType *t)
{
    struct json_object *list = json_object_new_array();

    for (guint i = 0; i < x->bus_order->len; i++) {
        const PlanBusNode *node = x->bus_order->pdata[i];

        if (plan_bus_accepts(x, node, t)) {
            json_object_array_add(list, json_object_new_string(node->name));
        }
    }
    return list;
}

struct json_object *plan_explain(const PlanMachine *m, const char *name, GError **err)
{
    const PlanDevice *d = edit_find(m, name, err);
    struct json_object *o;

    if (!d) {
        return NULL;
    }
    o = json_object_new_object();
    explain_add(o, "device", plan_device_name(d));
    explain_add(o, "type", d->type);
    explain_add(o, "chosen-by", d->implicit ? "board" : d->dynamic ? "planner" : "user");
    if (d->on) {
        g_autofree char *unused = plan_free_slots(d->on);

        explain_add(o, "bus", d->on->name);
        explain_add(o, "bus-type", d->on->rule->name);
        explain_add(o, "address", strrchr(d->place, '/') + 1);
        if (d->on->rule->addr == PLAN_ADDR_PCI) {
            explain_add(o, "rule", "lowest-free-slot");
            json_object_object_add(o, "lower", explain_lower(d));
            explain_add(o, "free", unused);
        }
        json_object_object_add(o, "buses-with-room", explain_buses(m->index, d->t));
        json_object_object_add(
            o, "hotpluggable",
            json_object_new_boolean(d->t->hotpluggable && plan_bus_hotplug(d->on)));
    }
    return o;
}
