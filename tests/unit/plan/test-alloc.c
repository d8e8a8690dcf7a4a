/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address allocator: address types, pools, requests, refusals, views and transactions.
 */
#include <string.h>

#include "plan/address_types.h"
#include "plan/description.h"

/* An address type of the caller: IPv4 addresses. The documentation contains the same example. */
static const PlanAddrType ipv4 = {
    .name = "ipv4",
    .n_dims = 4,
    .dim = { { "a", "", PLAN_NOTATION_DECIMAL, 8, 0, 0 },
             { "b", ".", PLAN_NOTATION_DECIMAL, 8, 0, 0 },
             { "c", ".", PLAN_NOTATION_DECIMAL, 8, 0, 0 },
             { "d", ".", PLAN_NOTATION_DECIMAL, 8, 0, 0 } },
};

static void assert_refused(bool ok, GError *err, const char *message)
{
    g_assert_false(ok);
    g_assert_error(err, PLAN_ERROR, PLAN_ERROR_INVALID);
    g_assert_cmpstr(err->message, ==, message);
    g_error_free(err);
}

#define REFUSED(call, message)                                                                     \
    do {                                                                                           \
        GError *err = NULL;                                                                        \
        bool ok_ = (call);                                                                         \
        assert_refused(ok_, err, message);                                                         \
    } while (0)

static PlanAlloc *new_set(const PlanAddrType *type, unsigned views, const char *const *pools)
{
    g_autoptr(GError) err = NULL;
    PlanAlloc *a = plan_alloc_new(type, views, NULL, 0, &err);

    g_assert_no_error(err);
    for (; *pools; pools++) {
        PlanAddrRange range;

        plan_range_parse(type, *pools, &range, &err);
        g_assert_no_error(err);
        plan_alloc_add_pool(a, &range, views, 0, NULL, &err);
        g_assert_no_error(err);
    }
    return a;
}

#define SET(type, views, ...) new_set(type, views, (const char *const[]){ __VA_ARGS__, NULL })

/* Reserve any address of @range for @owner. */
static bool reserve(PlanAlloc *a, const char *range, unsigned views, unsigned options,
                    const char *owner, GError **err)
{
    PlanRequest r;

    plan_request_init(&r, plan_alloc_type(a));
    plan_range_parse(plan_alloc_type(a), range, &r.range, err);
    if (err && *err) {
        return false;
    }
    r.views = views;
    r.options = options;
    return plan_alloc_reserve(a, &r, owner, NULL, err);
}

static void assert_reserves(PlanAlloc *a, const char *range, unsigned views, unsigned options,
                            const char *owner)
{
    bool ok = reserve(a, range, views, options, owner, NULL);

    g_assert_true(ok);
}

static void assert_at(const PlanAlloc *a, const char *owner, const char *text)
{
    g_autofree char *have = NULL;
    uint64_t addr;

    if (plan_alloc_find(a, owner, &addr, NULL, NULL)) {
        have = plan_address_format(plan_alloc_type(a), addr);
    }
    g_assert_cmpstr(have, ==, text);
}

static void assert_reserved(PlanAlloc *a, const char *range, const char *owner, const char *text)
{
    g_autoptr(GError) err = NULL;

    reserve(a, range, PLAN_LIVE, 0, owner, &err);
    g_assert_no_error(err);
    assert_at(a, owner, text);
}

/* --- address types --- */

static const struct {
    const char *type, *text, *canonical, *bad, *message;
} type_rows[] = {
    { "pci", "0x1f.7", "0000:00:1f.7", "00:20.0",
      "'00:20.0' is not an address of type 'pci': expected domain:bus:slot.function, with slot "
      "from 00 to 1f" },
    { "pci", "1f", "0000:00:1f.0", "1f.8",
      "'1f.8' is not an address of type 'pci': expected domain:bus:slot.function, with function "
      "from 0 to 7" },
    { "pci", "ffff:ff:1f.7", "ffff:ff:1f.7", "10000:00:00.0",
      "'10000:00:00.0' is not an address of type 'pci': expected domain:bus:slot.function, with "
      "domain from 0000 to ffff" },
    { "pci-controller", "pci.3", "pci.3", "pci.65536",
      "'pci.65536' is not an address of type 'pci-controller': expected pci.controller, with "
      "controller from 0 to 65535" },
    { "virtio-serial", "0.30", "0.30", "0.512",
      "'0.512' is not an address of type 'virtio-serial': expected controller.port, with port "
      "from 0 to 511" },
    { "scsi", "1:0:255:16383", "1:0:255:16383", "1:0:3",
      "'1:0:3' is not an address of type 'scsi': expected controller:bus:target:unit, with unit "
      "from 0 to 16383" },
    { "ide", "0:1:1", "0:1:1", "0:1:2",
      "'0:1:2' is not an address of type 'ide': expected controller:bus:unit, with unit from 0 to "
      "1" },
    { "usb", "1-2.3.4", "1-2.3.4", "1-2.0.3",
      "usb address 1-2.0.3 must have a port path whose ports count from 1" },
    { "virtio-mmio", "virtio-mmio-bus.5", "virtio-mmio-bus.5", "virtio-mmio-bus.",
      "'virtio-mmio-bus.' is not an address of type 'virtio-mmio': expected virtio-mmio-bus.slot, "
      "with slot from 0 to 65535" },
    { "disk", "sdaa", "sdaa", "sd1",
      "'sd1' is not an address of type 'disk': expected sdindex, with index from a to mwlqkwv" },
    { "disk", "sdmwlqkwv", "sdmwlqkwv", "sdmwlqkww",
      "'sdmwlqkww' is not an address of type 'disk': expected sdindex, with index from a to "
      "mwlqkwv" },
};

static void test_types(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(type_rows); i++) {
        const PlanAddrType *t = plan_address_type(type_rows[i].type);
        g_autofree char *text = NULL;
        uint64_t addr = 1, again;

        g_assert_true(plan_address_type_check(t, NULL));
        g_assert_true(plan_address_parse(t, type_rows[i].text, &addr, NULL));
        text = plan_address_format(t, addr);
        g_assert_cmpstr(text, ==, type_rows[i].canonical);
        g_assert_true(plan_address_parse(t, text, &again, NULL));
        g_assert_cmpuint(addr, ==, again);
        REFUSED(plan_address_parse(t, type_rows[i].bad, &again, &err), type_rows[i].message);
        g_assert_cmpuint(addr, ==, again);
    }
    for (size_t i = 0; plan_address_type_name(i); i++) {
        g_assert_nonnull(plan_address_type(plan_address_type_name(i)));
    }
    g_assert_null(plan_address_type("none"));
}

/* Each number has one name and each name one number. */
static void test_disk_names(void)
{
    const PlanAddrType *t = plan_address_type("disk");
    static const char *const names[] = { "sda", "sdz", "sdaa", "sdaz", "sdba", "sdzz", "sdaaa" };
    static const unsigned numbers[] = { 0, 25, 26, 51, 52, 701, 702 };
    char last[16] = "";

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *text = plan_address_format(t, numbers[i]);

        g_assert_cmpstr(text, ==, names[i]);
    }
    for (uint64_t n = 0; n < 20000; n++) {
        g_autofree char *text = plan_address_format(t, n);
        uint64_t addr = 0;

        g_assert_true(strlen(text) > strlen(last) ||
                      (strlen(text) == strlen(last) && strcmp(text, last) > 0));
        g_strlcpy(last, text, sizeof(last));
        g_assert_true(plan_address_parse(t, text, &addr, NULL));
        g_assert_cmpuint(addr, ==, n);
    }
}

static void test_type_refusals(void)
{
    PlanAddrType t = ipv4;

    t.dim[2].before = "7";
    REFUSED(
        plan_address_type_check(&t, &err),
        "the text '7' before dimension c of address type 'ipv4' cannot be distinguished from the "
        "value in front");
    t = ipv4;
    t.dim[1].width = 33;
    REFUSED(plan_address_type_check(&t, &err),
            "dimension 1 (b) of address type 'ipv4' needs a name, a width of 1 to 32 bits, a "
            "notation, and at most 16 digits");
    for (unsigned i = 0; i < 4; i++) {
        t.dim[i].width = 16;
    }
    REFUSED(plan_address_type_check(&t, &err),
            "address type 'ipv4' has 64 bits, 0 of them inside a group: at most 63 and 8 are "
            "possible");
    t = ipv4;
    t.dim[1].flags = PLAN_DIM_HIDE_ZERO;
    REFUSED(plan_address_type_check(&t, &err),
            "dimension b of address type 'ipv4' has flags 0x4 that contradict those of its "
            "neighbours");
    t.n_dims = 9;
    REFUSED(plan_address_type_check(&t, &err),
            "an address type needs a name and 1 to 8 dimensions; a group needs a name and fewer "
            "dimensions");
}

static void test_ranges(void)
{
    const PlanAddrType *t = plan_address_type("pci");
    static const struct {
        const char *text, *canonical;
    } rows[] = {
        { "{0..0}:{0..31}.{0..7}", NULL },
        { "0:*:{1..1f}.*", "0000:*:{01..1f}.*" },
        { "{0..0}:{0..1f}.{0..7}", "0000:00:*.*" },
        { "5", "0000:00:05.0" },
        { "{5..4}", NULL },
        { "{5..", NULL },
        { "**", NULL },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = NULL;
        PlanAddrRange range;
        bool ok = plan_range_parse(t, rows[i].text, &range, NULL);

        g_assert_cmpint(ok, ==, rows[i].canonical != NULL);
        if (ok) {
            text = plan_range_format(t, &range);
            g_assert_cmpstr(text, ==, rows[i].canonical);
        }
    }
}

static void test_controllers(void)
{
    const PlanAddrType *t;
    PlanAddrRange range;

    for (size_t i = 0; plan_controller_model(i); i++) {
        g_autoptr(GError) err = NULL;
        g_autoptr(PlanAlloc) a = NULL;

        plan_controller_pool(plan_controller_model(i), 3, &t, &range, &err);
        g_assert_no_error(err);
        a = plan_alloc_new(t, PLAN_LIVE, NULL, 0, &err);
        g_assert_cmpuint(plan_alloc_add_pool(a, &range, PLAN_LIVE, 0, NULL, &err), ==, 1);
        g_assert_no_error(err);
    }
    REFUSED(plan_controller_pool("lsi53c895b", 0, NULL, NULL, &err),
            "unknown controller model 'lsi53c895b' (did you mean 'lsi53c895a'?)");
    REFUSED(plan_controller_pool("virtio-scsi-pci", 65536, NULL, NULL, &err),
            "'65536:0:{0..255}:*' is not an address of type 'scsi': expected "
            "controller:bus:target:unit, with controller from 0 to 65535");
}

/* --- requests --- */

static void test_reserve(void)
{
    g_autoptr(PlanAlloc) a = SET(plan_address_type("pci"), PLAN_LIVE, "0:0:{1..1f}.*", "0:1:0.*");
    uint64_t addr = 0;

    assert_reserved(a, "*:*:*.*", "first", "0000:00:01.0");
    assert_reserved(a, "0:0:5.1", "exact", "0000:00:05.1");
    assert_reserved(a, "*:*:{5..6}.0", "range", "0000:00:05.0");
    assert_reserved(a, "0:1:*.*", "bus", "0000:01:00.0");
    REFUSED(reserve(a, "5.1", PLAN_LIVE, 0, "second", &err),
            "pci address 0000:00:05.1 is already used by 'exact'; nearest free addresses: "
            "0000:00:04.7, "
            "0000:00:05.2");
    REFUSED(reserve(a, "0.0", PLAN_LIVE, 0, "second", &err),
            "pci address 0000:00:00.0 is not in a pool; nearest free address: 0000:00:01.1");
    REFUSED(reserve(a, "*:{2..3}:*.*", PLAN_LIVE, 0, "second", &err),
            "no free pci address matches *:{02..03}:*.*; free addresses: 252");
    REFUSED(reserve(a, "*:*:*.*", PLAN_LIVE, 0, "exact", &err),
            "'exact' already holds pci address 0000:00:05.1");
    REFUSED(reserve(a, "*:*:*.*", PLAN_LIVE, 0, "", &err),
            "the owner of pci addresses needs a name of 1 to 255 bytes");
    g_assert_cmpuint(plan_alloc_count_free(a, PLAN_LIVE), ==, 252);
    g_assert_cmpuint(plan_alloc_count_held(a, PLAN_LIVE, 0, UINT64_MAX), ==, 4);
    g_assert_true(plan_alloc_next_held(a, PLAN_LIVE, &addr));
    g_assert_cmpuint(addr, ==, 8);
    g_assert_cmpstr(plan_alloc_owner(a, addr, PLAN_LIVE), ==, "first");
    addr++;
    g_assert_true(plan_alloc_next_held(a, PLAN_LIVE, &addr));
    g_assert_cmpuint(addr, ==, 0x28);
    addr = 0x28;
    g_assert_true(plan_alloc_next_free(a, PLAN_LIVE, &addr));
    g_assert_cmpuint(addr, ==, 0x2a);
    addr = 0x108;
    g_assert_false(plan_alloc_next_free(a, PLAN_LIVE, &addr));
    g_assert_true(plan_alloc_release(a, "exact", PLAN_LIVE, NULL, NULL));
    g_assert_true(plan_alloc_is_free(a, 0x29, PLAN_LIVE));
    REFUSED(plan_alloc_release(a, "exact", PLAN_LIVE, NULL, &err), "'exact' holds no pci address");
}

static void test_pools(void)
{
    const PlanAddrType *t = plan_address_type("scsi");
    g_autoptr(PlanAlloc) a = plan_alloc_new(t, PLAN_LIVE, NULL, 0, NULL);
    PlanAddrRange range;
    uint32_t lsi, second;
    uint64_t flags;
    int marker;
    void *opaque;

    plan_controller_pool("lsi53c895a", 0, NULL, &range, NULL);
    lsi = plan_alloc_add_pool(a, &range, PLAN_LIVE, 6, &marker, NULL);
    g_assert_true(plan_alloc_get_pool(a, lsi, NULL, NULL, &flags, &opaque));
    g_assert_cmpuint(flags, ==, 6);
    g_assert_true(opaque == &marker);
    REFUSED(plan_alloc_add_pool(a, &range, PLAN_LIVE, 0, NULL, &err),
            "the scsi addresses 0:0:{0..6}:0 overlap pool 1, which has 0:0:{0..6}:0");
    for (unsigned i = 0; i < 7; i++) {
        char name[16];

        g_snprintf(name, sizeof(name), "disk%u", i);
        assert_reserves(a, "*:*:*:*", PLAN_LIVE, 0, name);
    }
    REFUSED(reserve(a, "*:*:*:*", PLAN_LIVE, 0, "disk7", &err),
            "no free scsi address matches *:*:*:*; free addresses: 0");
    plan_controller_pool("lsi53c895a", 1, NULL, &range, NULL);
    second = plan_alloc_add_pool(a, &range, PLAN_LIVE, 0, NULL, NULL);
    assert_reserved(a, "*:*:*:*", "disk7", "1:0:0:0");
    REFUSED(plan_alloc_remove_pool(a, second, &err),
            "scsi address 1:0:0:0 of pool 2 is already used by 'disk7'");
    plan_alloc_release(a, "disk7", PLAN_LIVE, NULL, NULL);
    g_assert_true(plan_alloc_remove_pool(a, second, NULL));
    REFUSED(plan_alloc_remove_pool(a, second, &err), "the set of scsi addresses has no pool 2");
    g_assert_cmpuint(plan_alloc_count_free(a, PLAN_LIVE), ==, 0);
    range.lo[2] = 9;
    REFUSED(plan_alloc_add_pool(a, &range, PLAN_LIVE, 0, NULL, &err),
            "the range 9 to 6 of target in address type 'scsi' must ascend and end at 65535 or "
            "below");
    plan_range_all(t, &range);
    range.hi[3] = 0;
    REFUSED(plan_alloc_add_pool(a, &range, PLAN_LIVE, 0, NULL, &err),
            "the scsi addresses *:*:*:0 consist of more than 65536 separate ranges in order 0");
}

static bool filter_slot(uint32_t pool, uint64_t flags, void *opaque, void *data)
{
    return pool == *(uint32_t *)data;
}

static void test_flags(void)
{
    g_autoptr(PlanAlloc) a = plan_alloc_new(plan_address_type("pci"), PLAN_LIVE, NULL, 0, NULL);
    PlanAddrRange range;
    PlanRequest r;
    uint64_t addr;
    uint32_t wanted = 3;

    for (unsigned bus = 0; bus < 4; bus++) {
        plan_controller_pool(bus ? "pcie-root-port" : "pcie-root", bus, NULL, &range, NULL);
        plan_alloc_add_pool(a, &range, PLAN_LIVE, bus ? 3 : 1, NULL, NULL);
    }
    plan_request_init(&r, plan_address_type("pci"));
    r.flags = 2;
    g_assert_true(plan_alloc_first(a, &r, &addr));
    g_assert_cmpuint(addr, ==, 0x100);
    r.filter = filter_slot;
    r.filter_data = &wanted;
    g_assert_true(plan_alloc_first(a, &r, &addr));
    g_assert_cmpuint(addr, ==, 0x200);
    plan_request_exactly(&r, plan_address_type("pci"), 0x18);
    REFUSED(plan_alloc_reserve(a, &r, "x", NULL, &err),
            "pci address 0000:00:03.0 is in pool 1, which does not match the request (its flags "
            "are 0x1); nearest free addresses: 0000:00:02.7, 0000:00:03.1");
}

static void test_group(void)
{
    g_autoptr(PlanAlloc) a = SET(plan_address_type("pci"), PLAN_LIVE, "0:0:{1..3}.*");
    bool group_free = true;

    assert_reserves(a, "*:*:*.0", PLAN_LIVE, PLAN_RESERVE_GROUP, "nic");
    assert_at(a, "nic", "0000:00:01.0");
    g_assert_cmpuint(plan_alloc_count_free(a, PLAN_LIVE), ==, 16);
    g_assert_cmpuint(plan_alloc_count_held(a, PLAN_LIVE, 0, 0xff), ==, 1);
    REFUSED(reserve(a, "1.1", PLAN_LIVE, 0, "other", &err),
            "pci address 0000:00:01.1 is unavailable, because 'nic' holds 0000:00:01.0 of the same "
            "slot; nearest free address: 0000:00:02.0");
    assert_reserves(a, "1.*", PLAN_LIVE, PLAN_RESERVE_JOIN, "vf");
    assert_at(a, "vf", "0000:00:01.1");
    assert_reserved(a, "*:*:*.*", "other", "0000:00:02.0");
    REFUSED(reserve(a, "2.1", PLAN_LIVE, PLAN_RESERVE_GROUP, "alone", &err),
            "pci address 0000:00:02.1 is unavailable, because 'other' holds 0000:00:02.0 of the "
            "same slot; nearest free address: 0000:00:02.2");
    REFUSED(reserve(a, "*:*:*.1", PLAN_LIVE, PLAN_RESERVE_JOIN, "vf2", &err),
            "a request for pci addresses that joins a slot must name one slot");
    g_assert_true(plan_alloc_release(a, "nic", PLAN_LIVE, &group_free, NULL));
    g_assert_false(group_free);
    g_assert_false(plan_alloc_is_free(a, 8, PLAN_LIVE));
    g_assert_true(plan_alloc_release(a, "vf", PLAN_LIVE, &group_free, NULL));
    g_assert_true(group_free);
    g_assert_true(plan_alloc_is_free(a, 8, PLAN_LIVE));
    g_assert_cmpuint(plan_alloc_count_free(a, PLAN_LIVE), ==, 23);
}

static void test_orders(void)
{
    /* Function first, then the slot in descending order, then the bus. */
    static const PlanAllocOrder order = { { 3, 2, 1, 0 }, 1 << 2 };
    static const PlanAllocOrder bad = { { 3, 2, 2, 0 }, 0 };
    const PlanAddrType *t = plan_address_type("pci");
    g_autoptr(PlanAlloc) a = plan_alloc_new(t, PLAN_LIVE, &order, 1, NULL);
    PlanAddrRange range;
    PlanRequest r;
    uint64_t addr = 0;

    plan_range_parse(t, "0:{0..1}:{0..1f}.*", &range, NULL);
    g_assert_cmpuint(plan_alloc_add_pool(a, &range, PLAN_LIVE, 0, NULL, NULL), ==, 1);
    plan_request_init(&r, t);
    r.order = 1;
    g_assert_true(plan_alloc_reserve(a, &r, "a", &addr, NULL));
    g_assert_cmphex(addr, ==, 0xf8);
    g_assert_true(plan_alloc_reserve(a, &r, "b", &addr, NULL));
    g_assert_cmphex(addr, ==, 0x1f8);
    g_assert_true(plan_alloc_reserve(a, &r, "c", &addr, NULL));
    g_assert_cmphex(addr, ==, 0xf0);
    r.has_after = true;
    r.after = 0x108;
    g_assert_true(plan_alloc_first(a, &r, &addr));
    g_assert_cmphex(addr, ==, 0);
    r.after = 0;
    g_assert_true(plan_alloc_first(a, &r, &addr));
    g_assert_cmphex(addr, ==, 0x100);
    r.after = 0x100;
    g_assert_true(plan_alloc_first(a, &r, &addr));
    g_assert_cmphex(addr, ==, 0xf9);
    REFUSED(plan_alloc_new(t, PLAN_LIVE, &bad, 1, &err) != NULL,
            "an order of address type 'pci' must contain each of its 4 dimensions once");
}

static void test_blocks(void)
{
    static const PlanAllocOrder slots = { { 0, 1, 3, 2 }, 0 };
    const PlanAddrType *t = plan_address_type("pci");
    g_autoptr(PlanAlloc) a = plan_alloc_new(t, PLAN_LIVE, &slots, 1, NULL);
    PlanAddrRange range;
    PlanRequest r;
    uint64_t addr, count;

    plan_range_parse(t, "0:0:{1..1f}.*", &range, NULL);
    plan_alloc_add_pool(a, &range, PLAN_LIVE, 0, NULL, NULL);
    assert_reserved(a, "3.0", "x", "0000:00:03.0");
    plan_request_init(&r, t);
    r.order = 1;
    r.count = 4;
    r.align = 2;
    g_assert_true(plan_alloc_reserve(a, &r, "block", &addr, NULL));
    g_assert_cmphex(addr, ==, 0x20);
    for (unsigned slot = 4; slot < 8; slot++) {
        g_assert_cmpstr(plan_alloc_owner(a, slot * 8, PLAN_LIVE), ==, "block");
        g_assert_null(plan_alloc_owner(a, slot * 8 + 1, PLAN_LIVE));
    }
    r.order = 0;
    r.count = 8;
    r.align = 1;
    g_assert_true(plan_alloc_reserve(a, &r, "slot", &addr, NULL));
    g_assert_cmphex(addr, ==, 0x08);
    g_assert_true(plan_alloc_find(a, "slot", &addr, &count, NULL));
    g_assert_cmpuint(count, ==, 8);
    r.count = 9;
    REFUSED(plan_alloc_reserve(a, &r, "more", NULL, &err),
            "no free pci block of 9 addresses matches *:*:*.*; free addresses: 235");
    g_assert_true(plan_alloc_release(a, "block", PLAN_LIVE, NULL, NULL));
    g_assert_cmpuint(plan_alloc_count_free(a, PLAN_LIVE), ==, 239);
}

/* --- two views --- */

static void test_views(void)
{
    g_autoptr(PlanAlloc) a = SET(plan_address_type("pci"), PLAN_BOTH, "0:0:{1..3}.0");
    unsigned views;

    assert_reserves(a, "*:*:*.*", PLAN_LIVE, 0, "live");
    assert_at(a, "live", "0000:00:01.0");
    assert_reserves(a, "*:*:*.*", PLAN_PERSISTENT, 0, "stored");
    assert_at(a, "stored", "0000:00:02.0"); /* although 01.0 is free there */
    assert_reserves(a, "*:*:*.*", PLAN_BOTH, 0, "both");
    assert_at(a, "both", "0000:00:03.0");
    REFUSED(reserve(a, "*:*:*.*", PLAN_BOTH, 0, "more", &err),
            "no free pci address matches *:*:*.*; free addresses in both views: 0");
    REFUSED(reserve(a, "2.0", PLAN_PERSISTENT, 0, "live", &err),
            "'live' holds pci address 0000:00:01.0 in the live view and cannot have another one in "
            "the persistent view");
    assert_reserves(a, "*:*:*.*", PLAN_PERSISTENT, 0, "live");
    assert_at(a, "live", "0000:00:01.0");
    REFUSED(reserve(a, "*:*:*.*", PLAN_PERSISTENT, 0, "live", &err),
            "'live' already holds pci address 0000:00:01.0 in both views");
    g_assert_true(plan_alloc_release(a, "live", PLAN_LIVE, NULL, NULL));
    g_assert_true(plan_alloc_find(a, "live", NULL, NULL, &views));
    g_assert_cmpuint(views, ==, PLAN_PERSISTENT);
    assert_reserves(a, "1.0", PLAN_LIVE, 0, "guest");
    REFUSED(reserve(a, "*:*:*.*", PLAN_LIVE, 0, "live", &err),
            "pci address 0000:00:01.0 is already used by 'guest' in the live view; nearest free "
            "address: "
            "0000:00:02.0");
}

static void test_pool_views(void)
{
    g_autoptr(PlanAlloc) a = plan_alloc_new(plan_address_type("pci"), PLAN_BOTH, NULL, 0, NULL);
    PlanAddrRange range;
    uint32_t pool;

    plan_controller_pool("pcie-root-port", 1, NULL, &range, NULL);
    pool = plan_alloc_add_pool(a, &range, PLAN_LIVE, 0, NULL, NULL);
    assert_reserves(a, "*:*:*.*", PLAN_LIVE, PLAN_RESERVE_GROUP, "nic");
    REFUSED(reserve(a, "*:*:*.*", PLAN_PERSISTENT, 0, "nic", &err),
            "pci address 0000:01:00.0 is not in a pool in the persistent view; no other address is "
            "free");
    g_assert_true(plan_alloc_set_pool_views(a, pool, PLAN_BOTH, NULL));
    g_assert_cmpuint(plan_alloc_count_free(a, PLAN_PERSISTENT), ==, 8);
    g_assert_cmpuint(plan_alloc_count_free(a, PLAN_BOTH), ==, 0);
    assert_reserves(a, "*:*:*.*", PLAN_PERSISTENT, PLAN_RESERVE_GROUP, "nic");
    REFUSED(plan_alloc_set_pool_views(a, pool, PLAN_PERSISTENT, &err),
            "pci address 0000:01:00.0 of pool 1 is already used by 'nic' in the live view");
    g_assert_true(plan_alloc_release(a, "nic", PLAN_LIVE, NULL, NULL));
    g_assert_true(plan_alloc_set_pool_views(a, pool, PLAN_PERSISTENT, NULL));
    g_assert_cmpuint(plan_alloc_count_free(a, PLAN_LIVE), ==, 0);
}

/* The steps of a history. Two devices are attached to a bus with two slots. */
static const struct {
    const char *owner;
    unsigned views; /* 0: detach from both */
} steps[] = {
    { "a", PLAN_LIVE }, { "a", PLAN_PERSISTENT }, { "a", PLAN_BOTH }, { "a", 0 },
    { "b", PLAN_LIVE }, { "b", PLAN_PERSISTENT }, { "b", PLAN_BOTH }, { "b", 0 },
};

/* Each address that an owner holds in either view. */
static void assert_one_address(const PlanAlloc *a, const char *owner)
{
    uint64_t found = UINT64_MAX, where = UINT64_MAX;
    unsigned views = 0, have = 0;

    for (unsigned view = PLAN_LIVE; view <= PLAN_PERSISTENT; view++) {
        for (uint64_t addr = 0; plan_alloc_next_held(a, view, &addr); addr++) {
            if (strcmp(plan_alloc_owner(a, addr, view), owner) == 0) {
                g_assert_true(found == UINT64_MAX || found == addr);
                found = addr;
                views |= view;
            }
        }
    }
    plan_alloc_find(a, owner, &where, NULL, &have);
    g_assert_cmpuint(where, ==, found);
    g_assert_cmpuint(have, ==, views);
}

static void run_history(const unsigned *history, unsigned depth)
{
    g_autoptr(PlanAlloc) a = SET(plan_address_type("pci"), PLAN_BOTH, "0:0:{1..2}.0");
    uint64_t before[2], addr;
    unsigned held[2], views;

    for (unsigned i = 0; i < depth; i++) {
        const char *owner = steps[history[i]].owner;
        unsigned o = owner[0] == 'b';

        views = steps[history[i]].views;
        held[o] = 0;
        plan_alloc_find(a, owner, &before[o], NULL, &held[o]);
        if (!views) {
            g_assert_cmpint(plan_alloc_release(a, owner, PLAN_BOTH, NULL, NULL), ==, held[o] != 0);
            g_assert_false(plan_alloc_find(a, owner, NULL, NULL, NULL));
        } else if (reserve(a, "*:*:*.*", views, 0, owner, NULL)) {
            g_assert_cmpuint(held[o] & views, ==, 0);
            g_assert_true(plan_alloc_find(a, owner, &addr, NULL, NULL));
            g_assert_true(!held[o] || addr == before[o]);
        }
        assert_one_address(a, "a");
        assert_one_address(a, "b");
    }
}

/* All histories of two devices up to 6 steps, except those that differ only in the names of the
 * devices: 8^6 / 2. */
static void test_histories(void)
{
    unsigned history[6], depth = 6;

    for (unsigned n = 0; n < 1u << 3 * depth; n++) {
        for (unsigned i = 0; i < depth; i++) {
            history[i] = n >> 3 * i & 7;
        }
        if (history[0] < 4) {
            run_history(history, depth);
        }
    }
}

/* --- transactions --- */

static void test_transaction(void)
{
    g_autoptr(PlanAlloc) a = SET(plan_address_type("pci"), PLAN_BOTH, "0:0:{1..3}.*");
    PlanAddrRange range;
    uint32_t pool;

    assert_reserves(a, "1.0", PLAN_BOTH, PLAN_RESERVE_GROUP, "nic");
    REFUSED(plan_alloc_commit(a, &err), "no transaction of the set of pci addresses is open");
    g_assert_true(plan_alloc_begin(a, NULL));
    REFUSED(plan_alloc_begin(a, &err), "a transaction of the set of pci addresses is open");
    plan_controller_pool("pcie-root-port", 1, NULL, &range, NULL);
    pool = plan_alloc_add_pool(a, &range, PLAN_LIVE, 0, NULL, NULL);
    g_assert_true(plan_alloc_set_pool_views(a, pool, PLAN_BOTH, NULL));
    g_assert_true(plan_alloc_release(a, "nic", PLAN_BOTH, NULL, NULL));
    assert_reserves(a, "1.1", PLAN_LIVE, 0, "other");
    assert_reserves(a, "0:1:0.0", PLAN_BOTH, 0, "behind");
    g_assert_true(plan_alloc_remove_pool(a, 1, NULL) == false);
    g_assert_true(plan_alloc_rollback(a, NULL));
    assert_at(a, "nic", "0000:00:01.0");
    assert_at(a, "other", NULL);
    assert_at(a, "behind", NULL);
    g_assert_false(plan_alloc_is_free(a, 9, PLAN_LIVE));
    g_assert_cmpuint(plan_alloc_count_free(a, PLAN_BOTH), ==, 16);
    g_assert_false(plan_alloc_get_pool(a, pool, NULL, NULL, NULL, NULL));
    g_assert_true(plan_alloc_begin(a, NULL));
    assert_reserves(a, "*:*:*.*", PLAN_BOTH, 0, "kept");
    g_assert_true(plan_alloc_commit(a, NULL));
    assert_at(a, "kept", "0000:00:02.0");
    g_assert_true(plan_alloc_begin(a, NULL)); /* freed with the set */
    g_assert_true(plan_alloc_release(a, "kept", PLAN_BOTH, NULL, NULL));
}

static void test_bad_requests(void)
{
    g_autoptr(PlanAlloc) a = SET(plan_address_type("ide"), PLAN_LIVE, "0:{0..1}:{0..1}");
    PlanRequest r;

    plan_request_init(&r, plan_address_type("ide"));
    r.options = PLAN_RESERVE_GROUP;
    REFUSED(plan_alloc_reserve(a, &r, "x", NULL, &err),
            "options 0x1 of a request for ide addresses require a type with groups, one address, "
            "and one of the options");
    r.options = 0;
    r.views = PLAN_BOTH;
    REFUSED(plan_alloc_reserve(a, &r, "x", NULL, &err),
            "a request for ide addresses needs views of 0x1 and an order below 1, not 0x3 and 0");
    r.views = PLAN_LIVE;
    r.count = 0;
    REFUSED(plan_alloc_reserve(a, &r, "x", NULL, &err),
            "a block of ide addresses has 1 to 65536 addresses and an alignment of at most as "
            "much");
    r.count = 1;
    r.size = 8;
    g_assert_false(plan_alloc_reserve(a, &r, "x", NULL, NULL));
    g_assert_cmpuint(plan_alloc_count_free(a, PLAN_LIVE), ==, 4);
}

/* A router is reserved before other owners receive addresses. */
static void test_ipv4(void)
{
    g_autoptr(PlanAlloc) a = SET(&ipv4, PLAN_LIVE, "192.168.7.{1..254}");

    assert_reserved(a, "192.168.7.1", "router", "192.168.7.1");
    assert_reserved(a, "*.*.*.*", "guest", "192.168.7.2");
    REFUSED(
        reserve(a, "192.168.7.1", PLAN_LIVE, 0, "other", &err),
        "ipv4 address 192.168.7.1 is already used by 'router'; nearest free address: 192.168.7.3");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/alloc/types", test_types);
    g_test_add_func("/alloc/disk-names", test_disk_names);
    g_test_add_func("/alloc/type-refusals", test_type_refusals);
    g_test_add_func("/alloc/ranges", test_ranges);
    g_test_add_func("/alloc/controllers", test_controllers);
    g_test_add_func("/alloc/reserve", test_reserve);
    g_test_add_func("/alloc/pools", test_pools);
    g_test_add_func("/alloc/flags", test_flags);
    g_test_add_func("/alloc/group", test_group);
    g_test_add_func("/alloc/orders", test_orders);
    g_test_add_func("/alloc/blocks", test_blocks);
    g_test_add_func("/alloc/views", test_views);
    g_test_add_func("/alloc/pool-views", test_pool_views);
    g_test_add_func("/alloc/histories", test_histories);
    g_test_add_func("/alloc/transaction", test_transaction);
    g_test_add_func("/alloc/bad-requests", test_bad_requests);
    g_test_add_func("/alloc/ipv4", test_ipv4);
    return g_test_run();
}
