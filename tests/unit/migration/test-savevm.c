/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device sections: names, order, and rejection on load.
 */
#include "fixture.h"
#include "tests/lib/ok.h"

static const char *const devices[] = { "widget,id=w0", "widget,id=w1", NULL };

static bool on_configuration(void *opaque, const char *machine, GError **err)
{
    return true;
}

static bool on_full(void *opaque, const StreamSection *s, const uint8_t *data, size_t len,
                    GError **err)
{
    g_ptr_array_add(opaque, g_memdup2(s, sizeof(*s)));
    g_ptr_array_add(opaque, g_bytes_new(data, len));
    return true;
}

static bool on_end(void *opaque, GError **err)
{
    return true;
}

static const StreamHandler handler = { on_configuration, on_full, NULL, NULL, on_end };

/* Section headers and bytes, alternating. */
static GPtrArray *save(Box *b, char **digest_text)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    g_autoptr(GError) err = NULL;
    GChecksum *digest = g_checksum_new(G_CHECKSUM_SHA256);
    GPtrArray *sections = g_ptr_array_new();
    StreamReader *r = stream_reader_new(&handler, sections);
    ByteWriter w = { out };
    uint32_t id = 5;

    stream_put_header(&w, "box-1");
    savevm_save(b->m, RUN_PAUSED, &w, &id, digest, NULL);
    stream_put_end(&w, NULL);
    stream_reader_feed(r, out->data, out->len, &err);
    g_assert_no_error(err);
    g_assert_cmpuint(id, ==, 5 + sections->len / 2);
    if (digest_text) {
        *digest_text = g_strdup(g_checksum_get_string(digest));
    }
    g_checksum_free(digest);
    stream_reader_free(r);
    return sections;
}

static void free_sections(GPtrArray *sections)
{
    for (unsigned i = 0; i < sections->len; i += 2) {
        g_free(sections->pdata[i]);
        g_bytes_unref(sections->pdata[i + 1]);
    }
    g_ptr_array_unref(sections);
}

static bool load_one(Loadvm *l, GPtrArray *sections, unsigned i, GError **err)
{
    gsize len;
    const uint8_t *data = g_bytes_get_data(sections->pdata[i + 1], &len);

    return loadvm_section(l, sections->pdata[i], data, len, err);
}

static void test_order_and_round_trip(void)
{
    Box *a = box_new(devices), *b = box_new(devices);
    g_autofree char *digest_a = NULL, *digest_b = NULL;
    g_autoptr(GError) err = NULL;
    g_autoptr(GString) names = g_string_new("");
    GPtrArray *sections, *again;
    Loadvm *l;

    box_widget(a, "w1")->value = 77;
    ((FakeCpu *)g_ptr_array_index(a->m->cpus, 0))->pc = 42;
    timer_arm_at(&box_widget(a, "w0")->timer, 1234567);
    sections = save(a, &digest_a);
    for (unsigned i = 0; i < sections->len; i += 2) {
        const StreamSection *s = sections->pdata[i];

        g_string_append_printf(names, "%s %u;", s->name, s->instance);
    }
    g_assert_cmpstr(names->str, ==, "clock 0;cpu 0;cpu 1;w0/widget 0;w1/widget 0;globalstate 0;");
    l = loadvm_new(b->m);
    for (unsigned i = 0; i < sections->len; i += 2) {
        load_one(l, sections, i, &err);
        g_assert_no_error(err);
    }
    loadvm_finish(l, &err);
    g_assert_no_error(err);
    g_assert_cmpint(loadvm_run_state(l), ==, RUN_PAUSED);
    g_assert_cmpuint(box_widget(b, "w1")->value, ==, 77);
    g_assert_cmpint(box_widget(b, "w0")->timer.deadline, ==, 1234567);
    g_assert_false(timer_armed(&box_widget(b, "w1")->timer));
    loadvm_free(l);
    again = save(b, &digest_b);
    g_assert_cmpstr(digest_a, ==, digest_b);
    free_sections(again);
    free_sections(sections);
    box_free(a);
    box_free(b);
}

static void refused(Box *b, const char *name, uint32_t version, const char *data, size_t len,
                    const char *why)
{
    StreamSection s = { STREAM_FULL, 1, 0, version, "" };
    g_autoptr(GError) err = NULL;
    Loadvm *l = loadvm_new(b->m);

    g_strlcpy(s.name, name, sizeof(s.name));
    g_assert_false(loadvm_section(l, &s, (const uint8_t *)data, len, &err));
    g_assert_nonnull(strstr(err->message, name));
    g_assert_nonnull(strstr(err->message, why));
    loadvm_free(l);
}

static void test_refusals(void)
{
    static const char good[] = "\0\0\0\1abcdefgh\0\0\0\0\0\0\0\1";
    Box *b = box_new(devices);
    char state[32] = "running";

    refused(b, "w9/widget", 2, good, 20, "no section of this name");
    refused(b, "w0/widget", 3, good, 20, "version 3");
    refused(b, "w0/widget", 2, good, 19, "");
    refused(b, "w0/widget", 2, good, 21, "longer");
    refused(b, "w0/widget", 2, "\0\1\0\0abcdefgh\0\0\0\0\0\0\0\1", 20, "value");
    refused(b, "clock", 1, "\x80\0\0\0\0\0\0\0", 8, "virtual_ns");
    refused(b, "globalstate", 1, "inmigrate\0xxxxxxxxxxxxxxxxxxxxxxx", 32, "state");
    refused(b, "globalstate", 1, "finish-migrate\0xxxxxxxxxxxxxxxxx", 32, "state");
    refused(b, "globalstate", 1, "flying\0xxxxxxxxxxxxxxxxxxxxxxxxxx", 32, "state");
    memset(state, 'x', sizeof(state));
    refused(b, "globalstate", 1, state, 32, "state");
    box_free(b);
}

static void test_twice_and_missing(void)
{
    Box *b = box_new(devices);
    g_autoptr(GError) err = NULL;
    GPtrArray *sections = save(b, NULL);
    Loadvm *l = loadvm_new(b->m);

    ASSERT_OK(load_one(l, sections, 0, &failure));
    g_assert_false(load_one(l, sections, 0, &err));
    g_assert_nonnull(strstr(err->message, "clock 0 occurs twice"));
    g_clear_error(&err);
    g_assert_false(loadvm_finish(l, &err));
    g_assert_nonnull(strstr(err->message, "w0/widget 0, w1/widget 0"));
    loadvm_free(l);
    free_sections(sections);
    box_free(b);
}

static void test_long_names(void)
{
    g_autofree char *id = g_strnfill(125, 'i'), *text = g_strdup_printf("widget,id=%s", id);
    const char *const long_named[] = { text, NULL };
    Box *b = box_new(long_named);
    GPtrArray *sections = save(b, NULL);
    bool found = false;

    for (unsigned i = 0; i < sections->len; i += 2) {
        const StreamSection *s = sections->pdata[i];

        g_assert_cmpuint(strlen(s->name), <=, STREAM_MAX_NAME);
        found |= g_str_has_suffix(s->name, "/widget");
    }
    g_assert_true(found);
    free_sections(sections);
    box_free(b);
}

/* Bridges are loaded first, in order of their distance from the root, with any names. */
static void test_bridges_first(void)
{
    static const char *const four[] = { "widget,id=w0", "widget,id=w1", "widget,id=w2",
                                        "widget,id=w3", NULL };
    Box *b = box_new(four);
    Device *leaf = &box_widget(b, "w0")->dev, *far = &box_widget(b, "w1")->dev;
    Device *near = &box_widget(b, "w2")->dev;
    g_autoptr(GString) names = g_string_new("");
    Device *board = &box_widget(b, "w3")->dev;
    Bus root = { 0 }, near_bus = { 0 }, far_bus = { 0 };
    GPtrArray *sections;

    ASSERT_OK(bus_init(&root, b->m, PLAN_BUS_SYSTEM, "root", NULL, &failure));
    ASSERT_OK(bus_init(&near_bus, b->m, PLAN_BUS_SYSTEM, "near", near, &failure));
    ASSERT_OK(bus_init(&far_bus, b->m, PLAN_BUS_SYSTEM, "far", far, &failure));
    board->child_bus = near->bus = &root;
    near->child_bus = far->bus = &near_bus;
    far->child_bus = leaf->bus = &far_bus;
    sections = save(b, NULL);
    for (unsigned i = 0; i < sections->len; i += 2) {
        g_string_append_printf(names, "%s ", ((StreamSection *)sections->pdata[i])->name);
    }
    g_assert_cmpstr(names->str, ==,
                    "clock w2/widget w3/widget w1/widget cpu cpu w0/widget globalstate ");
    free_sections(sections);
    board->child_bus = near->child_bus = far->child_bus = NULL;
    near->bus = far->bus = leaf->bus = NULL;
    bus_fini(&far_bus);
    bus_fini(&near_bus);
    bus_fini(&root);
    box_free(b);
}

/* --- devices of other types --- */

static const char *busy(void *obj)
{
    return ((Widget *)obj)->value ? "it is busy" : NULL;
}

/* Return the error of savevm_possible() for a machine whose first widget has another type; "" if
 * the machine can be saved. */
static char *possible(Box *b, const DeviceType *type)
{
    Device *dev = &box_widget(b, "w0")->dev;
    const DeviceType *own = dev->type;
    GError *err = NULL;
    char *text;

    dev->type = type;
    text = g_strdup(savevm_possible(b->m, &err) ? "" : err->message);
    dev->type = own;
    g_clear_error(&err);
    return text;
}

static void check_possible(Box *b, const DeviceType *type, const char *want)
{
    g_autofree char *text = possible(b, type);

    g_assert_true(g_str_has_suffix(text, want) && !*text == !*want);
}

static void test_blockers(void)
{
    static const DeviceKind pci = { .name = "pci-device" }, other = { .name = "other" };
    const VmState asks = { .name = "asks", .version = 1, .blocked = busy };
    DeviceType t = widget_type;
    Box *b = box_new(devices), *empty = box_empty();

    check_possible(b, &t, "");
    ASSERT_OK(savevm_possible(empty->m, &failure));
    t.vmstate = &asks;
    check_possible(b, &t, "");
    box_widget(b, "w0")->value = 1;
    check_possible(b, &t, "cannot be saved: w0 (widget): it is busy");
    t.vmstate = NULL;
    check_possible(b, &t, ""); /* nothing to save */
    t.kind = &other;
    check_possible(b, &t, "");
    t.kind = &pci;
    check_possible(b, &t, "w0 (widget): its type has no saved state");
    t.no_state = "unmigratable: a reason";
    check_possible(b, &t, "w0 (widget): unmigratable: a reason");
    box_free(b);
    box_free(empty);
}

static void save_record(void *field, ByteWriter *w)
{
}

/* Load a record without checking that the reader had enough bytes. */
static bool load_record(void *field, ByteReader *r, const char *path, GError **err)
{
    get_be32(r);
    return true;
}

/* If the load function of a record does not report that the record was too short,
 * loadvm_section() reports it. */
static void test_careless_record(void)
{
    static const VmOps ops = { .type = "careless", .save = save_record, .load = load_record };
    static const VmField fields[] = { VM_RECORD(Widget, value, uint32_t, &ops) };
    static const VmState state = { .name = "careless", .version = 1, .fields = LIST(fields) };
    StreamSection s = { STREAM_FULL, 1, 0, 1, "w0/widget" };
    DeviceType t = widget_type;
    Box *b = box_new(devices);
    Device *dev = &box_widget(b, "w0")->dev;
    g_autoptr(GError) err = NULL;
    Loadvm *l;

    t.vmstate = &state;
    dev->type = &t;
    l = loadvm_new(b->m);
    dev->type = &widget_type;
    g_assert_false(loadvm_section(l, &s, (const uint8_t *)"\0\0\0", 3, &err));
    g_assert_cmpstr(err->message, ==,
                    "section w0/widget 0: its record of 3 bytes is shorter than its fields");
    ASSERT_OK(loadvm_section(l, &s, (const uint8_t *)"\0\0\0\0", 4, &failure));
    loadvm_free(l);
    box_free(b);
}

/* The cost of the devices is estimated, and is part of the expected downtime. */
static void test_estimate(void)
{
    static const char *const three[] = { "widget,id=a", "widget,id=b", "widget,id=c", NULL };
    Box *b = box_new(three);
    SavevmCost cost = savevm_estimate(b->m);

    g_assert_cmpuint(cost.devices, ==, 3 + 2 + 2); /* CPUs, clock and globalstate */
    g_assert_cmpuint(cost.bytes, >, 3 * 20);
    g_assert_cmpint(cost.ns, >=, 0);
    b->mig->stats.devices = (SavevmCost){ 3000, 1000000, 400 * 1000000 };
    b->mig->stats.bandwidth = 10000000;
    g_assert_cmpint((int)migration_expected_downtime(&b->mig->stats, 2000000), ==, 700);
    box_free(b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/migration/savevm/order-and-round-trip", test_order_and_round_trip);
    g_test_add_func("/migration/savevm/refusals", test_refusals);
    g_test_add_func("/migration/savevm/twice-and-missing", test_twice_and_missing);
    g_test_add_func("/migration/savevm/long-names", test_long_names);
    g_test_add_func("/migration/savevm/bridges-first", test_bridges_first);
    g_test_add_func("/migration/savevm/blockers", test_blockers);
    g_test_add_func("/migration/savevm/careless-record", test_careless_record);
    g_test_add_func("/migration/savevm/estimate", test_estimate);
    return g_test_run();
}
