/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nvme-ns: namespaces as devices of a controller, plugged and unplugged while the driver runs.
 */
#include <errno.h>

#include "nvme-driver.h"

#define DRIVE "{'id':'d0','format':'raw','file':{'driver':'null-co','size':1048576}}"
#define SECOND                                                                                     \
    "{'id':'d1','format':'raw','rerror':'stop','file':{'driver':'null-co','size':2097152}}"

/* --- a disk that answers late, or fails --- */

static struct {
    bool hold;
    int result;
    GPtrArray *held;
} ns_disk;
static BlockDriver ns_driver;

static void ns_disk_submit(BlockNode *n, BlockRequest *req)
{
    if (ns_disk.hold) {
        g_ptr_array_add(ns_disk.held, req);
    } else {
        block_complete_any(req, ns_disk.result);
    }
}

static void ns_disk_release(void)
{
    ns_disk.hold = false;
    for (guint i = 0; i < ns_disk.held->len; i++) {
        block_complete_any(g_ptr_array_index(ns_disk.held, i), ns_disk.result);
    }
    g_ptr_array_set_size(ns_disk.held, 0);
}

/* --- a controller with a second namespace --- */

static Device *ns_plug(NvmeDrv *v, const char *settings, GError **err)
{
    g_autofree char *text = g_strdup_printf("nvme-ns,%s", settings);
    g_autoptr(PlanDevice) plan = plan_device_parse(text, err);
    Device *dev = device_new(v->f.m, device_type_find("nvme-ns"), plan, err);

    return dev && device_realize(dev, plan, NULL, err) ? dev : NULL;
}

static Device *ns_plugged(NvmeDrv *v, const char *settings)
{
    g_autoptr(GError) err = NULL;
    Device *dev = ns_plug(v, settings, &err);

    g_assert_no_error(err);
    return dev;
}

static void ns_refused(NvmeDrv *v, const char *settings, const char *words)
{
    g_autoptr(GError) err = NULL;

    g_assert_null(ns_plug(v, settings, &err));
    g_assert_nonnull(strstr(err->message, words));
}

static void ns_init(NvmeDrv *v)
{
    struct json_object *second = json_tokener_parse(SECOND);

    nvme_init(v, DRIVE, "drive=d0,serial=s");
    g_assert_nonnull(block_drive_new(v->f.m, second, false, NULL));
    json_object_put(second);
    ns_disk.hold = false;
    ns_disk.result = 0;
    ns_disk.held = g_ptr_array_new();
    ns_driver = block_raw;
    ns_driver.submit = ns_disk_submit;
    block_find(v->f.m, "d1")->drv = &ns_driver;
}

static void ns_fini(NvmeDrv *v)
{
    g_ptr_array_unref(ns_disk.held);
    nvme_fini(v);
}

static void ns_offer_reads(NvmeDrv *v, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        nvme_offer(v, 1, (NvmeCommand){ .opcode = NVME_IO_READ, .nsid = 2, .prp1 = NVME_DATA });
    }
    nvme_kick(v, 1);
}

#define GONE (NVME_INVALID_NAMESPACE | NVME_DNR)

/* --- the tests --- */

static void test_ns_refused(void)
{
    static const struct {
        const char *settings, *words;
    } rows[] = {
        { "bus=dut", "'drive' is required" },
        { "bus=dut,drive=nix", "no drive or block node named 'nix'" },
        { "bus=dut,drive=d1,nsid=1", "nsid=1 of 'dut' is already used by dut" },
        { "bus=dut,drive=d1,uuid=1234", "uuid must be a UUID" },
        { "bus=dut,drive=d1,logical_block_size=1000", "logical_block_size" },
        { "bus=dut,drive=d0", "d0" },
        { "bus=pcie.0,drive=d1", "'pcie.0' is not the bus of an nvme controller" },
    };
    NvmeDrv v;

    ns_init(&v);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        ns_refused(&v, rows[i].settings, rows[i].words);
    }
    ns_fini(&v);
}

/* Return the number of the changed namespace that the event and the log page report. */
static unsigned ns_changed(NvmeDrv *v)
{
    g_assert_cmpint(nvme_wait(v, 0), ==, NVME_SUCCESS);
    g_assert_cmphex(v->result, ==, 2 | NVME_LOG_CHANGED_NAMESPACES << 16);
    g_assert_cmphex(NVME_ADMIN(v, NVME_ADMIN_GET_LOG, .nsid = UINT32_MAX,
                               .cdw10 = 127 << 16 | NVME_LOG_CHANGED_NAMESPACES),
                    ==, NVME_SUCCESS);
    return nvme_data(v)[0];
}

static void ns_await_change(NvmeDrv *v)
{
    nvme_offer(v, 0, (NvmeCommand){ .opcode = NVME_ADMIN_ASYNC_EVENT });
    nvme_kick(v, 0);
}

/* The driver learns of a namespace that is plugged, and of its removal. */
static void test_ns_plug(void)
{
    static const uint8_t uuid[] = { 0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x33, 0x33,
                                    0x44, 0x44, 0x55, 0x55, 0x55, 0x55, 0x55, 0x5f };
    static const uint8_t eui64[] = { 0, 0, 0, 0, 0, 0, 0x12, 0x34 };
    NvmeDrv v;
    Device *dev;
    uint8_t *p;

    ns_init(&v);
    p = nvme_data(&v);
    g_assert_cmphex(
        NVME_ADMIN(&v, NVME_ADMIN_SET_FEATURES, .cdw10 = NVME_FEATURE_EVENTS, .cdw11 = 0x100), ==,
        NVME_SUCCESS);
    g_assert_cmphex(NVME_IO_NS(&v, NVME_IO_READ, 2), ==, NVME_INVALID_FIELD | NVME_DNR);
    ns_await_change(&v);
    dev = ns_plugged(&v, "bus=dut,drive=d1,eui64=0x1234,logical_block_size=4096,"
                         "physical_block_size=4096,"
                         "uuid=11111111-2222-3333-4444-55555555555f");
    g_assert_cmpuint(ns_changed(&v), ==, 2);
    g_assert_cmphex(NVME_ADMIN(&v, NVME_ADMIN_IDENTIFY, .cdw10 = 2), ==, NVME_SUCCESS);
    g_assert_cmpuint(p[0] << 8 | p[4], ==, 0x102);
    g_assert_cmpuint(p[8], ==, 0);
    g_assert_cmphex(NVME_ADMIN(&v, NVME_ADMIN_IDENTIFY, .nsid = 2), ==, NVME_SUCCESS);
    g_assert_cmpuint(p[0] | p[1] << 8, ==, 512);
    g_assert_cmpmem(p + 120, 8, eui64, sizeof(eui64));
    g_assert_cmphex(NVME_ADMIN(&v, NVME_ADMIN_IDENTIFY, .cdw10 = 3, .nsid = 2), ==, NVME_SUCCESS);
    g_assert_cmphex(p[0] << 8 | p[1], ==, 0x108);
    g_assert_cmpmem(p + 4, 8, eui64, sizeof(eui64));
    g_assert_cmphex(p[12] << 8 | p[13], ==, 0x310);
    g_assert_cmpmem(p + 16, 16, uuid, sizeof(uuid));
    g_assert_cmphex(NVME_IO_NS(&v, NVME_IO_READ, 2, .cdw10 = 511), ==, NVME_SUCCESS);
    g_assert_cmphex(NVME_IO_NS(&v, NVME_IO_READ, 2, .cdw10 = 512), ==,
                    NVME_LBA_OUT_OF_RANGE | NVME_DNR);
    g_assert_cmphex(NVME_IO_NS(&v, NVME_IO_FLUSH, UINT32_MAX), ==, NVME_SUCCESS);
    ns_await_change(&v);
    device_unplug(dev);
    g_assert_cmpuint(ns_changed(&v), ==, 2);
    g_assert_cmphex(NVME_IO_NS(&v, NVME_IO_READ, 2), ==, NVME_INVALID_FIELD | NVME_DNR);
    ns_plugged(&v, "bus=dut,drive=d1,nsid=256");
    g_assert_cmphex(NVME_IO_NS(&v, NVME_IO_READ, 256), ==, NVME_SUCCESS);
    ns_fini(&v);
}

/* Requests in flight complete when the namespace is unplugged. */
static void test_ns_in_flight(void)
{
    NvmeDrv v;
    Device *dev;

    ns_init(&v);
    dev = ns_plugged(&v, "bus=dut,drive=d1");
    ns_disk.hold = true;
    ns_offer_reads(&v, 3);
    g_assert_cmpuint(ns_disk.held->len, ==, 3);
    ns_disk_release();
    device_unplug(dev);
    g_assert_cmpuint(nvme_dut(&v)->in_flight, ==, 0);
    for (unsigned i = 0; i < 3; i++) {
        g_assert_cmphex(nvme_wait(&v, 1), ==, NVME_SUCCESS);
    }
    g_assert_cmphex(NVME_IO(&v, NVME_IO_READ), ==, NVME_SUCCESS); /* of the other namespace */
    ns_fini(&v);
}

/* Requests that stopped the machine end when the namespace is unplugged. */
static void test_ns_kept(void)
{
    NvmeDrv v;
    Device *dev;

    ns_init(&v);
    dev = ns_plugged(&v, "bus=dut,drive=d1");
    ns_disk.result = -EIO;
    ns_offer_reads(&v, 2);
    nvme_settle();
    g_assert_cmpint(v.f.m->state, ==, RUN_IO_ERROR);
    device_unplug(dev);
    machine_set_state(v.f.m, RUN_RUNNING);
    for (unsigned i = 0; i < 2; i++) {
        g_assert_cmphex(nvme_wait(&v, 1), ==, GONE);
    }
    ns_fini(&v);
}

/* A controller removes its namespaces with itself. The counters of a namespace are reset with
 * power. */
static void test_ns_controller(void)
{
    const NvmeNs *ns;
    NvmeDrv v;
    Device *dev;

    ns_init(&v);
    dev = ns_plugged(&v, "bus=dut,drive=d1");
    g_assert_cmpstr(dev->plan_id, ==, "0000:00:04.0/2");
    ns = nvme_ns_find(nvme_dut(&v), 2);
    g_assert_cmphex(NVME_IO_NS(&v, NVME_IO_READ, 2), ==, NVME_SUCCESS);
    g_assert_cmpuint(ns->reads, ==, 1);
    device_reset_tree(dev, RESET_FUNCTION);
    g_assert_cmpuint(ns->reads, ==, 1);
    device_reset_tree(dev, RESET_COLD);
    g_assert_cmpuint(ns->reads, ==, 0);
    ns_offer_reads(&v, 2);
    device_unplug(&v.d->dev);
    g_assert_false(block_in_flight(block_find(v.f.m, "d1")));
    ns_fini(&v);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/nvme-ns/refused", test_ns_refused);
    g_test_add_func("/nvme-ns/plug", test_ns_plug);
    g_test_add_func("/nvme-ns/in-flight", test_ns_in_flight);
    g_test_add_func("/nvme-ns/kept", test_ns_kept);
    g_test_add_func("/nvme-ns/controller", test_ns_controller);
    return g_test_run();
}
