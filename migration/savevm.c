/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Save and load the objects of a machine by their saved-state tables (interface: savevm.h).
 */
#include "migration/savevm.h"

#include <string.h>

#include "hw/core/clock.h"
#include "hw/core/state.h"
#include "util/error.h"

/* State of the machine itself, which is saved in the sections "clock" and "globalstate". */
typedef struct MachineState {
    Machine *machine;
    int64_t virtual_ns;
    uint8_t run_state[32];
} MachineState;

typedef struct Item {
    char *name;
    uint32_t instance;
    unsigned rank; /* order in the stream */
    const VmState *vm;
    void *obj;
    Device *dev; /* NULL: not a device */
    bool loaded;
} Item;

typedef struct Walk {
    GPtrArray *items;    /* Item* */
    GHashTable *by_name; /* "name instance" -> Item* */
    MachineState state;
} Walk;

struct Loadvm {
    Machine *machine;
    Walk walk;
};

enum { RANK_CLOCK, RANK_BRIDGE, RANK_CPU = 1000, RANK_DEVICE, RANK_LAST };

/* --- the machine's own objects --- */

static bool clock_post_load(void *obj, GError **err)
{
    MachineState *s = obj;

    clocks_set_virtual(s->machine->clocks, s->virtual_ns);
    return true;
}

static int savevm_find_run_state(const uint8_t *text, size_t size)
{
    if (!memchr(text, 0, size)) {
        return -1;
    }
    for (int i = 0; i < RUN_STATES; i++) {
        if (g_str_equal(run_state_name(i), (const char *)text)) {
            return i;
        }
    }
    return -1;
}

static bool savevm_state_check(void *obj, GError **err)
{
    MachineState *s = obj;
    int state = savevm_find_run_state(s->run_state, sizeof(s->run_state));

    if (state < 0 || state == RUN_INMIGRATE || state == RUN_FINISH_MIGRATE) {
        return error_set(err, ERROR_GUEST, "the text is not the name of a state to continue in");
    }
    return true;
}

static const VmField clock_fields[] = {
    VM_I64(MachineState, virtual_ns, .min = 0, .max = INT64_MAX / 2),
};
static const VmState clock_state = {
    .name = "clock", .version = 1, .fields = LIST(clock_fields), .post_load = clock_post_load
};
static const VmField globalstate_fields[] = { VM_BYTES(MachineState, run_state) };
static const VmState globalstate = { .name = "globalstate",
                                     .version = 1,
                                     .fields = LIST(globalstate_fields),
                                     .check = savevm_state_check };

const VmState *savevm_table(const char *name)
{
    static const VmState *const tables[] = { &clock_state, &globalstate };

    for (size_t i = 0; i < G_N_ELEMENTS(tables); i++) {
        if (g_str_equal(tables[i]->name, name)) {
            return tables[i];
        }
    }
    return NULL;
}

/* --- the walk --- */

static void item_free(gpointer p)
{
    Item *i = p;

    g_free(i->name);
    g_free(i);
}

/* Return the name of the section of a device, for g_free(). Places and types are printable. A place
 * that contains ids may exceed the length of a section name; its SHA-256 is used instead. */
static char *savevm_section_name(const char *place, const char *type)
{
    g_autofree char *full = g_strdup_printf("%s/%s", place, type);
    g_autofree char *sum = NULL;

    if (strlen(full) <= STREAM_MAX_NAME) {
        return g_steal_pointer(&full);
    }
    sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, full, -1);
    return g_strdup_printf("%.40s/%.60s", sum, type);
}

static void savevm_add_item(Walk *w, char *name, unsigned rank, const VmState *vm, void *obj,
                            Device *dev)
{
    Item *item = g_new0(Item, 1);
    char *key = g_strdup_printf("%s 0", name);

    *item = (Item){ .name = name, .rank = rank, .vm = vm, .obj = obj, .dev = dev };
    while (g_hash_table_contains(w->by_name, key)) {
        g_free(key);
        key = g_strdup_printf("%s %u", name, ++item->instance);
    }
    g_hash_table_insert(w->by_name, key, item);
    g_ptr_array_add(w->items, item);
}

/* Return the number of bridges above a device. The number of buses is limited, so the result is
 * less than RANK_CPU - RANK_BRIDGE. */
static unsigned bridge_depth(const Device *dev)
{
    unsigned depth = 0;

    for (; dev->bus && dev->bus->owner; depth++) {
        dev = dev->bus->owner;
    }
    return depth;
}

static bool savevm_add_device(void *opaque, Device *dev)
{
    Walk *w = opaque;

    if (dev->type->vmstate) {
        unsigned rank = dev->child_bus ? RANK_BRIDGE + bridge_depth(dev) : RANK_DEVICE;

        savevm_add_item(w, savevm_section_name(dev->plan_id, dev->type->name), rank,
                        dev->type->vmstate, dev, dev);
    }
    return true;
}

static gint by_rank(gconstpointer a, gconstpointer b)
{
    const Item *x = *(Item *const *)a, *y = *(Item *const *)b;

    if (x->rank != y->rank) {
        return x->rank < y->rank ? -1 : 1;
    }
    return strcmp(x->name, y->name); /* the sort is stable, so instances keep their order */
}

static void walk_init(Walk *w, Machine *m)
{
    w->items = g_ptr_array_new_with_free_func(item_free);
    w->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    memset(&w->state, 0, sizeof(w->state));
    w->state.machine = m;
    savevm_add_item(w, g_strdup("clock"), RANK_CLOCK, &clock_state, &w->state, NULL);
    for (unsigned i = 0; i < m->cpus->len; i++) {
        Cpu *cpu = g_ptr_array_index(m->cpus, i);

        savevm_add_item(w, g_strdup("cpu"), RANK_CPU, cpu->type->vmstate, cpu, NULL);
    }
    device_visit(m->root, savevm_add_device, w);
    savevm_add_item(w, g_strdup("globalstate"), RANK_LAST, &globalstate, &w->state, NULL);
    g_ptr_array_sort(w->items, by_rank);
}

static void walk_clear(Walk *w)
{
    g_hash_table_unref(w->by_name);
    g_ptr_array_unref(w->items);
}

/* --- reasons against saving --- */

static const char *reason_against(Device *dev)
{
    const DeviceType *t = dev->type;

    if (t->vmstate) {
        return t->vmstate->blocked ? t->vmstate->blocked(dev) : NULL;
    }
    if (t->no_state) {
        return t->no_state;
    }
    /* Every PCI device has state: its configuration space. */
    return t->kind && g_str_equal(t->kind->name, "pci-device") ? "its type has no saved state"
                                                               : NULL;
}

static bool collect_reasons(void *opaque, Device *dev)
{
    const char *why = reason_against(dev);
    struct json_object *list = opaque;

    if (why) {
        g_autofree char *text =
            g_strdup_printf("%s (%s): %s", device_name(dev), dev->type->name, why);

        json_object_array_add(list, json_object_new_string(text));
    }
    return true;
}

struct json_object *savevm_blockers(Machine *m)
{
    struct json_object *list = json_object_new_array();

    device_visit(m->root, collect_reasons, list);
    return list;
}

bool savevm_possible(Machine *m, GError **err)
{
    struct json_object *list = savevm_blockers(m);
    size_t n = json_object_array_length(list);
    g_autoptr(GString) text = g_string_new("the state of these devices cannot be saved: ");

    for (size_t i = 0; i < n; i++) {
        g_string_append_printf(text, "%s%s", i ? "; " : "",
                               json_object_get_string(json_object_array_get_idx(list, i)));
    }
    json_object_put(list);
    if (n) {
        error_set(err, ERROR_USER, "%s", text->str);
    }
    return n == 0;
}

/* --- saving --- */

void digest_section(GChecksum *digest, const StreamSection *s, const void *data, size_t len)
{
    g_autoptr(GByteArray) head = g_byte_array_new();
    ByteWriter w = { head };

    put_bytes(&w, s->name, strlen(s->name) + 1);
    put_be32(&w, s->instance);
    put_be32(&w, s->version);
    put_be32(&w, len);
    g_checksum_update(digest, head->data, head->len);
    g_checksum_update(digest, data, len);
}

static struct json_object *describe_fields(const VmDescription *d);

static struct json_object *describe_field(const VmFieldInfo *f)
{
    struct json_object *o = json_object_new_object(), *sub;

    json_object_object_add(o, "name", json_object_new_string(f->name));
    if (f->indexed) {
        json_object_object_add(o, "index", json_object_new_int64(f->index));
    } else if (f->array_len) {
        json_object_object_add(o, "array_len", json_object_new_int64(f->array_len));
    }
    json_object_object_add(o, "type", json_object_new_string(f->type));
    if (f->sub) {
        sub = json_object_new_object();
        json_object_object_add(sub, "vmsd_name", json_object_new_string(f->sub->name));
        json_object_object_add(sub, "version", json_object_new_int64(f->sub->version));
        json_object_object_add(sub, "fields", describe_fields(f->sub));
        json_object_object_add(o, "struct", sub);
    }
    json_object_object_add(o, "size", json_object_new_uint64(f->size));
    return o;
}

static struct json_object *describe_fields(const VmDescription *d)
{
    struct json_object *list = json_object_new_array();

    for (guint i = 0; i < d->fields->len; i++) {
        json_object_array_add(list, describe_field(&g_array_index(d->fields, VmFieldInfo, i)));
    }
    return list;
}

/* The first field of each section is its length. */
static struct json_object *describe_item(const Item *item)
{
    static const VmFieldInfo length = { .name = "length", .type = "uint32", .size = 4 };
    g_autoptr(VmDescription) d = vm_describe(item->vm, item->obj);
    struct json_object *o = json_object_new_object();

    g_array_prepend_val(d->fields, length);
    json_object_object_add(o, "name", json_object_new_string(item->name));
    json_object_object_add(o, "instance_id", json_object_new_int64(item->instance));
    json_object_object_add(o, "vmsd_name", json_object_new_string(d->name));
    json_object_object_add(o, "version", json_object_new_int64(d->version));
    json_object_object_add(o, "fields", describe_fields(d));
    return o;
}

static void save_item(const Item *item, ByteWriter *w, uint32_t id, GChecksum *digest)
{
    StreamSection s = { STREAM_FULL, id, item->instance, item->vm->version, "" };
    size_t at;

    g_strlcpy(s.name, item->name, sizeof(s.name));
    at = stream_begin_full(w, &s);
    vm_save(item->vm, item->obj, w);
    digest_section(digest, &s, w->out->data + at + 4, w->out->len - at - 4);
    stream_end_full(w, &s, at);
}

void savevm_save(Machine *m, RunState state, ByteWriter *w, uint32_t *next_id, GChecksum *digest,
                 struct json_object *devices)
{
    Walk walk;

    walk_init(&walk, m);
    walk.state.virtual_ns = clock_now_any(m, CLOCK_KIND_VIRTUAL);
    /* Breakpoints are not saved: a machine that a debugger stopped is paused at the target. */
    state = state == RUN_DEBUG ? RUN_PAUSED : state;
    g_strlcpy((char *)walk.state.run_state, run_state_name(state), sizeof(walk.state.run_state));
    for (unsigned i = 0; i < walk.items->len; i++) {
        const Item *item = g_ptr_array_index(walk.items, i);

        save_item(item, w, (*next_id)++, digest);
        if (devices) {
            json_object_array_add(devices, describe_item(item));
        }
    }
    walk_clear(&walk);
}

/* BOTH_ENDS: loading an object requires about twice the time of saving it. */
SavevmCost savevm_estimate(Machine *m)
{
    enum { SAMPLE = 64, BOTH_ENDS = 3 };
    g_autoptr(GByteArray) out = g_byte_array_new();
    GChecksum *digest = g_checksum_new(G_CHECKSUM_SHA256);
    ByteWriter w = { out };
    SavevmCost cost;
    unsigned step, n = 0;
    int64_t start;
    Walk walk;

    walk_init(&walk, m);
    cost.devices = walk.items->len;
    step = MAX(1, walk.items->len / SAMPLE);
    start = g_get_monotonic_time();
    for (unsigned i = 0; i < walk.items->len; i += step, n++) {
        save_item(g_ptr_array_index(walk.items, i), &w, i, digest);
    }
    cost.ns = (g_get_monotonic_time() - start) * 1000 * cost.devices / n * BOTH_ENDS;
    cost.bytes = (uint64_t)out->len * cost.devices / n;
    walk_clear(&walk);
    g_checksum_free(digest);
    return cost;
}

/* --- loading --- */

Loadvm *loadvm_new(Machine *m)
{
    Loadvm *l = g_new0(Loadvm, 1);

    l->machine = m;
    walk_init(&l->walk, m);
    return l;
}

void loadvm_free(Loadvm *l)
{
    if (l) {
        walk_clear(&l->walk);
        g_free(l);
    }
}

bool loadvm_section(Loadvm *l, const StreamSection *s, const uint8_t *data, size_t len,
                    GError **err)
{
    g_autofree char *key = g_strdup_printf("%s %u", s->name, s->instance);
    Item *item = g_hash_table_lookup(l->walk.by_name, key);
    ByteReader r;

    if (!item) {
        return error_set(err, ERROR_GUEST,
                         "section %s: this machine has no section of this name and instance", key);
    }
    if (item->loaded) {
        return error_set(err, ERROR_GUEST, "section %s occurs twice", key);
    }
    reader_init(&r, data, len);
    if (!vm_load(item->vm, item->obj, s->version, &r, item->name, err)) {
        return false;
    }
    if (!reader_ok(&r) || reader_left(&r)) {
        return error_set(err, ERROR_GUEST,
                         "section %s: its record of %zu bytes is %s than its fields", key, len,
                         reader_ok(&r) ? "longer" : "shorter");
    }
    item->loaded = true;
    return true;
}

static bool check_complete(const Loadvm *l, GError **err)
{
    g_autoptr(GString) list = g_string_new("");

    for (unsigned i = 0; i < l->walk.items->len; i++) {
        const Item *item = g_ptr_array_index(l->walk.items, i);

        if (!item->loaded) {
            g_string_append_printf(list, "%s%s %u", list->len ? ", " : "", item->name,
                                   item->instance);
        }
    }
    if (list->len) {
        error_set(err, ERROR_GUEST, "the stream lacks these sections: %s", list->str);
    }
    return list->len == 0;
}

bool loadvm_finish(Loadvm *l, GError **err)
{
    if (!check_complete(l, err)) {
        return false;
    }
    for (unsigned i = 0; i < l->walk.items->len; i++) {
        const Item *item = g_ptr_array_index(l->walk.items, i);

        vm_arm_timers(item->vm, item->obj);
    }
    for (unsigned i = 0; i < l->machine->cpus->len; i++) {
        Cpu *cpu = g_ptr_array_index(l->machine->cpus, i);

        cpu->type->post_load_arm(cpu);
    }
    return true;
}

RunState loadvm_run_state(const Loadvm *l)
{
    const MachineState *s = &l->walk.state;

    return savevm_find_run_state(s->run_state, sizeof(s->run_state));
}
