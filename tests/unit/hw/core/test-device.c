/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices: life cycle and undoing each failed step, the tree, buses, pins, the guard.
 */
#define FAKE_TYPES_OWN
#include "fake-types.h"

#include <string.h>
#include "tests/lib/ok.h"

typedef struct Dev {
    Device dev;
    uint32_t size;
    char *label;
    bool fail;
    Bus bus;
} Dev;

static int live, attached, ready, deleted;

static bool kind_attach(Device *dev, const PlanDevice *plan, GError **err)
{
    attached++;
    return true;
}

static void kind_ready(Device *dev)
{
    ready++;
}

static void kind_detach(Device *dev)
{
    attached--;
    bus_fini(&((Dev *)dev)->bus);
}

static const DeviceKind kind = {
    .name = "fake", .attach = kind_attach, .ready = kind_ready, .detach = kind_detach
};

static bool dev_realize(void *dev, GError **err)
{
    Dev *d = dev;

    if (d->fail) {
        g_set_error(err, G_FILE_ERROR, 0, "requested failure");
        return false;
    }
    live++;
    return true;
}

static void dev_finalize(void *dev)
{
    live -= ((Dev *)dev)->dev.realized;
}

static bool brings_bus(void *dev, GError **err)
{
    Dev *d = dev;

    d->dev.child_bus = &d->bus;
    return dev_realize(dev, err) &&
           bus_init(&d->bus, d->dev.machine, PLAN_BUS_PCI, d->dev.id, dev, err);
}

static const PlanProp props[] = {
    PROP_U32(Dev, size, "size", 16, 1, 64, "how big"),
    PROP_STR(Dev, label, "label", "a name"),
    PROP_BOOL(Dev, fail, "fail", false, "fail to realize"),
};
static const DeviceType leaf = { .name = "leaf",
                                 .kind = &kind,
                                 .size = sizeof(Dev),
                                 .props = LIST(props),
                                 .realize = dev_realize,
                                 .finalize = dev_finalize };
static const DeviceType bridge = { .name = "bridge",
                                   .alias = "br",
                                   .kind = &kind,
                                   .size = sizeof(Dev),
                                   .props = LIST(props),
                                   .realize = brings_bus,
                                   .finalize = dev_finalize };
DEVICE_TYPE(leaf);
DEVICE_TYPE(bridge);
const DeviceType *const *const device_type_entries[] = { &leaf_entry, &bridge_entry, NULL };
const size_t n_device_types = 2;

static void on_event(void *opaque, const Event *event)
{
    g_assert_cmpstr(event->name, ==, "DEVICE_DELETED");
    deleted++;
}

static Machine *machine(void)
{
    Machine *m = machine_new();

    machine_lock(m);
    m->hooks.event = on_event;
    live = attached = ready = deleted = 0;
    return m;
}

static Device *plug(Machine *m, const char *text, GError **err)
{
    g_autoptr(PlanDevice) plan = plan_device_parse(text, err);
    Device *dev;

    if (!plan) {
        return NULL;
    }
    dev = device_new(m, device_type_find(plan->type), plan, err);
    return dev && device_realize(dev, plan, NULL, err) ? dev : NULL;
}

static void test_life(void)
{
    Machine *m = machine();
    Device *dev = plug(m, "leaf,id=a,size=20,label=x", NULL), *anon = plug(m, "leaf", NULL);
    g_autofree char *size = device_prop_text(dev, "size"), *label = device_prop_text(dev, "label");

    g_assert_cmpstr(dev->path, ==, "/machine/peripheral/a");
    g_assert_cmpstr(anon->path, ==, "/machine/peripheral-anon/device[0]");
    g_assert_true(device_find_id(m, "a") == dev);
    g_assert_true(device_find_path(m, "/machine/peripheral/a") == dev);
    g_assert_true(device_find_path(m, "a") == dev);
    g_assert_null(device_find_path(m, "/machine/nothing/a"));
    g_assert_cmpstr(size, ==, "20");
    g_assert_cmpstr(label, ==, "x");
    device_unplug(dev);
    g_assert_cmpint(live, ==, 1);
    g_assert_cmpint(deleted, ==, 1);
    g_assert_null(device_find_id(m, "a"));
    machine_free(m);
    g_assert_cmpint(live, ==, 0);
    g_assert_cmpint(attached, ==, 0);
}

static void test_refusals(void)
{
    static const struct {
        const char *line, *says;
    } rows[] = {
        { "leaf,id=b,fail=on", "requested failure" },
        { "leaf,id=b,size=65", "size" },
        { "leaf,id=a", "'a' already" },
        { "leaf,id=b,bus=none", "no bus named 'none'" },
    };
    Machine *m = machine();

    ASSERT_OK(plug(m, "leaf,id=a", &failure));
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) err = NULL;

        g_assert_null(plug(m, rows[i].line, &err));
        g_assert_nonnull(strstr(err->message, rows[i].says));
        g_assert_cmpint(attached, ==, 1);
        g_assert_cmpint(live, ==, 1);
        g_assert_null(device_find_id(m, "b"));
    }
    machine_free(m);
}

static void test_bus(void)
{
    Machine *m = machine();
    Device *br = plug(m, "br,id=b1", NULL);

    ASSERT_OK(plug(m, "leaf,id=a,bus=b1", &failure));
    ASSERT_OK(plug(m, "br,id=b2,bus=b1", &failure));
    ASSERT_OK(plug(m, "leaf,id=c,bus=b2", &failure));
    g_assert_cmpuint(br->child_bus->members->len, ==, 2);
    device_unplug(br);
    g_assert_cmpint(live, ==, 0);
    g_assert_cmpint(deleted, ==, 4);
    g_assert_null(bus_find(m, "b1"));
    g_assert_null(bus_find(m, "b2"));
    machine_free(m);
}

static void test_pins_and_guard(void)
{
    Machine *m = machine();
    Device *dev = plug(m, "leaf,id=a", NULL);

    g_assert_true(device_enter(dev));
    g_assert_false(device_enter(dev));
    device_leave(dev);
    device_pin_any(dev);
    device_unplug(dev);
    g_assert_cmpint(live, ==, 1);
    g_assert_cmpint(deleted, ==, 0);
    g_assert_false(device_enter(dev));
    device_unplug(dev);
    device_unpin_any(dev);
    g_assert_cmpint(live, ==, 0);
    g_assert_cmpint(deleted, ==, 1);
    machine_free(m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/device/life", test_life);
    g_test_add_func("/device/refusals", test_refusals);
    g_test_add_func("/device/bus", test_bus);
    g_test_add_func("/device/pins-and-guard", test_pins_and_guard);
    return g_test_run();
}
