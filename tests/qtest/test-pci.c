/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI through the emulator: a walk over the bus, BAR sizing and moving, MSI-X and MSI as memory
 * writes to RAM, masked and pending, INTx at the interrupt controller, DMA.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "libqtest.h"

#define RAM_AT  0x80000000ull
#define BAR0    0x40000000ull
#define BAR1    0x40100000ull
#define TICK_NS 1000000

enum { CMD_MEM = 2, CMD_MASTER = 4, CMD_NO_INTX = 0x400 };
enum { TICKER_CTRL = 4, TICKER_STATUS = 8 };

static void test_walk(void)
{
    QTest *q = qtest_start("-M virt -device ticker,addr=04.0 -device edu,addr=0x6");
    unsigned present = 0;

    for (unsigned slot = 0; slot < 32; slot++) {
        present += (pci_read(q, 0, slot, 0, 0, 4) & 0xffff) != 0xffff;
        for (unsigned fn = 1; fn < 8; fn++) {
            g_assert_cmphex(pci_read(q, 0, slot, fn, 0, 4), ==, 0xffffffff);
        }
    }
    g_assert_cmpuint(present, ==, 3);
    g_assert_cmphex(pci_read(q, 0, 4, 0, 0, 4), ==, 0x71c41234);
    g_assert_cmphex(pci_read(q, 0, 6, 0, 0, 4), ==, 0x11e81234);
    g_assert_cmpuint(pci_find_cap(q, 0, 4, 0, 0x11), !=, 0);
    g_assert_cmpuint(pci_find_cap(q, 0, 6, 0, 0x05), !=, 0);
    qtest_end(q);
}

static void test_bars(void)
{
    QTest *q = qtest_start("-M virt -device ticker,addr=04.0");

    g_assert_cmphex(pci_place_bar(q, 0, 4, 0, 0, BAR0), ==, 4096);
    g_assert_cmphex(qtest_read(q, BAR0, 4), ==, 0xffffffff); /* memory decoding is off */
    pci_write(q, 0, 4, 0, 4, 2, CMD_MEM);
    g_assert_cmphex(qtest_read(q, BAR0, 4), ==, 0x7469636b);
    pci_write(q, 0, 4, 0, 0x10, 4, (uint32_t)BAR0 + 0x10000); /* move while decoding is on */
    g_assert_cmphex(qtest_read(q, BAR0, 4), ==, 0xffffffff);
    g_assert_cmphex(qtest_read(q, BAR0 + 0x10000, 4), ==, 0x7469636b);
    pci_write(q, 0, 4, 0, 4, 2, 0);
    g_assert_cmphex(qtest_read(q, BAR0 + 0x10000, 4), ==, 0xffffffff);
    qtest_end(q);
}

static void ticker_start(QTest *q, unsigned command)
{
    pci_place_bar(q, 0, 4, 0, 0, BAR0);
    pci_place_bar(q, 0, 4, 0, 1, BAR1);
    pci_write(q, 0, 4, 0, 4, 2, command);
    qtest_write(q, BAR0 + TICKER_CTRL, 4, 3); /* run with interrupt */
}

static void test_msix(void)
{
    QTest *q = qtest_start("-M virt -device ticker,addr=04.0");
    unsigned cap;

    ticker_start(q, CMD_MEM | CMD_MASTER);
    cap = pci_find_cap(q, 0, 4, 0, 0x11);
    qtest_write(q, BAR1, 4, RAM_AT + 0x100);
    qtest_write(q, BAR1 + 4, 4, 0);
    qtest_write(q, BAR1 + 8, 4, 0xcafe);
    g_assert_cmphex(qtest_read(q, BAR1 + 12, 4) & 1, ==, 1); /* masked by reset */
    pci_write(q, 0, 4, 0, cap + 2, 2, 0x8000);
    qtest_clock_step(q, TICK_NS);
    g_assert_cmphex(qtest_read(q, RAM_AT + 0x100, 4), ==, 0); /* masked: pending instead */
    qtest_write(q, BAR1 + 12, 4, 0);
    g_assert_cmphex(qtest_read(q, RAM_AT + 0x100, 4), ==, 0xcafe); /* delivered on unmask */
    qtest_write(q, RAM_AT + 0x100, 4, 0);
    qtest_write(q, BAR0 + TICKER_STATUS, 4, 1);
    qtest_clock_step(q, TICK_NS);
    g_assert_cmphex(qtest_read(q, RAM_AT + 0x100, 4), ==, 0xcafe);
    qtest_write(q, RAM_AT + 0x100, 4, 0);
    pci_write(q, 0, 4, 0, 4, 2, CMD_MEM); /* no message without bus mastering */
    qtest_write(q, BAR0 + TICKER_STATUS, 4, 1);
    qtest_clock_step(q, TICK_NS);
    g_assert_cmphex(qtest_read(q, RAM_AT + 0x100, 4), ==, 0);
    qtest_end(q);
}

/* One qom-list-get returns several objects with their values. It fails if one path is unknown. */
static void test_list_get(void)
{
    QTest *q = qtest_start("-M virt -device edu,id=e -object rng-builtin,id=r");
    struct json_object *list = qmp_return(
        q,
        "{'execute':'qom-list-get','arguments':{'paths':['/machine/peripheral/e','/objects/r']}}");
    const char *text = json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN);
    g_autofree char *none = qmp_error_class(
        q, "{'execute':'qom-list-get','arguments':{'paths':['/machine','/nowhere']}}");
    g_autofree char *odd =
        qmp_error_class(q, "{'execute':'qom-list-get','arguments':{'paths':[{}]}}");

    g_assert_cmpuint(json_object_array_length(list), ==, 2);
    g_assert_nonnull(strstr(text, "\"name\":\"type\",\"type\":\"string\",\"value\":\"edu\""));
    g_assert_nonnull(strstr(text, "\"value\":\"rng-builtin\""));
    g_assert_nonnull(strstr(text, "\"name\":\"msi\""));
    json_object_put(list);
    g_assert_cmpstr(none, ==, "DeviceNotFound");
    g_assert_cmpstr(odd, ==, "GenericError");
    qtest_end(q);
}

static char *path_of(QTest *q, const char *type)
{
    struct json_object *list =
        qmp_return(q, "{'execute':'qom-list','arguments':{'path':'/machine/unattached'}}");
    g_autofree char *want = g_strdup_printf("child<%s>", type);
    char *path = NULL;

    for (size_t i = 0; i < json_object_array_length(list) && !path; i++) {
        struct json_object *o = json_object_array_get_idx(list, i);

        if (strcmp(json_object_get_string(json_object_object_get(o, "type")), want) == 0) {
            path = g_strdup_printf("/machine/unattached/%s",
                                   json_object_get_string(json_object_object_get(o, "name")));
        }
    }
    json_object_put(list);
    return path;
}

/* Slot 4, pin A: line (4 + 0) % 4 of the host, at inputs 32 to 35 of the PLIC. */
static void test_intx(void)
{
    QTest *q = qtest_start("-M virt,aia=none -device ticker,addr=04.0,msix=off");
    g_autofree char *plic = path_of(q, "riscv.sifive.plic");

    g_assert_nonnull(plic);
    qtest_ok(q, "irq_intercept_in %s", plic);
    ticker_start(q, CMD_MEM);
    g_assert_false(qtest_irq(q, 32));
    qtest_clock_step(q, TICK_NS);
    g_assert_true(qtest_irq(q, 32));
    g_assert_cmphex(pci_read(q, 0, 4, 0, 6, 2) & 8, ==, 8); /* Interrupt Status */
    pci_write(q, 0, 4, 0, 4, 2, CMD_MEM | CMD_NO_INTX);
    g_assert_false(qtest_irq(q, 32));
    g_assert_cmphex(pci_read(q, 0, 4, 0, 6, 2) & 8, ==, 8);
    pci_write(q, 0, 4, 0, 4, 2, CMD_MEM);
    g_assert_true(qtest_irq(q, 32));
    qtest_write(q, BAR0 + TICKER_CTRL, 4, 0);
    g_assert_false(qtest_irq(q, 32));
    qtest_end(q);
}

static void test_edu(void)
{
    QTest *q = qtest_start("-M virt -device edu,addr=05.0");
    uint8_t text[64], back[64] = { 0 };
    unsigned msi;

    g_assert_cmphex(pci_place_bar(q, 0, 5, 0, 0, BAR0), ==, 1 << 20);
    pci_write(q, 0, 5, 0, 4, 2, CMD_MEM | CMD_MASTER);
    msi = pci_find_cap(q, 0, 5, 0, 0x05);
    pci_write(q, 0, 5, 0, msi + 4, 4, RAM_AT + 0x200);
    pci_write(q, 0, 5, 0, msi + 8, 4, 0);
    pci_write(q, 0, 5, 0, msi + 12, 2, 0x1234);
    pci_write(q, 0, 5, 0, msi + 2, 2, 1);
    qtest_write(q, BAR0 + 0x20, 4, 0x80); /* interrupt when the factorial is done */
    qtest_write(q, BAR0 + 8, 4, 6);
    qtest_clock_step(q, 1000000000);
    g_assert_cmpuint(qtest_read(q, BAR0 + 8, 4), ==, 720);
    g_assert_cmphex(qtest_read(q, RAM_AT + 0x200, 4), ==, 0x1234);
    for (unsigned i = 0; i < sizeof(text); i++) {
        text[i] = (uint8_t)(i ^ 0x5a);
    }
    /* DMA: RAM is above the default 28-bit mask, so remove this restriction */
    qtest_end(q);
    q = qtest_start("-M virt -device edu,addr=05.0,dma_mask=0xffffffff");
    pci_place_bar(q, 0, 5, 0, 0, BAR0);
    pci_write(q, 0, 5, 0, 4, 2, CMD_MEM | CMD_MASTER);
    qtest_memwrite(q, RAM_AT + 0x1000, text, sizeof(text));
    qtest_write(q, BAR0 + 0x80, 8, RAM_AT + 0x1000);
    qtest_write(q, BAR0 + 0x88, 8, 0x40000);
    qtest_write(q, BAR0 + 0x90, 8, sizeof(text));
    qtest_write(q, BAR0 + 0x98, 8, 1);
    qtest_clock_step(q, 1000000000);
    qtest_write(q, BAR0 + 0x80, 8, 0x40000);
    qtest_write(q, BAR0 + 0x88, 8, RAM_AT + 0x2000);
    qtest_write(q, BAR0 + 0x90, 8, sizeof(text));
    qtest_write(q, BAR0 + 0x98, 8, 3);
    qtest_clock_step(q, 1000000000);
    qtest_memread(q, RAM_AT + 0x2000, back, sizeof(back));
    g_assert_cmpmem(text, sizeof(text), back, sizeof(back));
    qtest_end(q);
}

/* The user controls capabilities: off, or at an offset. An impossible request is rejected with a
 * one-line message. */
static void test_capabilities(void)
{
    QTest *q = qtest_start("-M virt -device ticker,addr=04.0,msix=0x98");
    g_autofree char *out = NULL, *err = NULL;

    g_assert_cmphex(pci_find_cap(q, 0, 4, 0, 0x11), ==, 0x98);
    qtest_end(q);
    q = qtest_start("-M virt -device ticker,addr=04.0,msix=off");
    g_assert_cmphex(pci_find_cap(q, 0, 4, 0, 0x11), ==, 0);
    qtest_end(q);
    g_assert_cmpint(qtest_run("-M virt -accel qtest -device ticker,msix=0x99", &out, &err), ==, 1);
    g_assert_nonnull(strchr(err, '\n'));
    g_assert_cmpstr(strchr(err, '\n'), ==, "\n");
}

static void test_query(void)
{
    QTest *q = qtest_start("-M virt -device ticker,id=t,addr=04.0");
    struct json_object *config, *caps, *list;
    const char *text;

    pci_place_bar(q, 0, 4, 0, 0, BAR0);
    pci_write(q, 0, 4, 0, 4, 2, CMD_MEM);
    list = qmp_return(q, "{'execute':'query-pci'}");
    text = json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN);
    g_assert_nonnull(strstr(text, "\"qdev_id\":\"t\""));
    g_assert_nonnull(strstr(text, "\"address\":1073741824,\"size\":4096"));
    json_object_put(list);
    config = qmp_return(q, "{'execute':'query-pci-config','arguments':{'device':'t'}}");
    g_assert_true(g_str_has_prefix(json_object_get_string(json_object_object_get(config, "config")),
                                   "3412c471"));
    caps = json_object_object_get(config, "capabilities");
    g_assert_cmpuint(json_object_array_length(caps), ==, 3);
    json_object_put(config);
    config = qmp_return(q, "{'execute':'query-pci-config','arguments':{'slot':4}}");
    json_object_put(config);
    g_autofree char *missing =
        qmp_error_class(q, "{'execute':'query-pci-config','arguments':{'slot':9}}");

    g_assert_cmpstr(missing, ==, "DeviceNotFound");
    g_autofree char *info = hmp(q, "info pci");

    g_assert_nonnull(strstr(info, "Bus  0, device   4, function 0:"));
    qtest_end(q);
}

/* Unplug with a guest that does not respond, with one that responds, and by force. */
static void test_unplug(void)
{
    QTest *q =
        qtest_start("-M virt -device pcie-root-port,id=p0,addr=1 -device ticker,id=t,bus=p0");
    struct json_object *jobs;
    uint8_t exp = pci_find_cap(q, 0, 1, 0, 0x10);

    pci_write(q, 0, 1, 0, exp + 0x18, 2, 0x01c0); /* power on, indicator on */
    json_object_put(qmp_return(q, "{'execute':'unplug-request','arguments':"
                                  "{'id':'t','timeout':100}}"));
    g_assert_cmphex(pci_read(q, 0, 1, 0, exp + 0x1a, 2) & 1, ==, 1); /* attention button */
    qtest_clock_step(q, 100000000);
    json_object_put(qmp_event(q, "DEVICE_UNPLUG_GUEST_ERROR"));
    jobs = qmp_return(q, "{'execute':'query-unplug-jobs'}");
    g_assert_nonnull(strstr(json_object_to_json_string(jobs), "timed-out"));
    json_object_put(jobs);
    json_object_put(qmp_return(q, "{'execute':'device_del','arguments':{'id':'t'}}"));
    pci_write(q, 0, 1, 0, exp + 0x18, 2, 0x07c0); /* the guest powers the slot off */
    json_object_put(qmp_event(q, "DEVICE_DELETED"));
    json_object_put(qmp_return(q, "{'execute':'device_add','arguments':"
                                  "{'driver':'ticker','id':'t2','bus':'p0'}}"));
    json_object_put(qmp_return(q, "{'execute':'unplug-force','arguments':{'id':'t2'}}"));
    json_object_put(qmp_event(q, "DEVICE_DELETED"));
    qtest_end(q);
}

/* Unplug behind a conventional bridge. One without a controller is rejected with alternatives. */
static void test_unplug_shpc(void)
{
    QTest *q = qtest_start("-M virt -device pci-bridge,id=b,addr=1 -device edu,id=e,bus=b,addr=3 "
                           "-device pci-bridge,id=o,addr=2,shpc=off -device edu,id=f,bus=o "
                           "-device edu,id=g,addr=5");
    static const char *const without[] = { "f", "g" };
    struct json_object *slots = qmp_return(q, "{'execute':'query-pci-slots'}");
    const char *text = json_object_to_json_string_ext(slots, JSON_C_TO_STRING_PLAIN);
    g_autofree char *jobs = NULL, *zero = NULL;
    uint8_t pos = pci_find_cap(q, 0, 1, 0, 0x0c);

    g_assert_nonnull(strstr(text, "\"hotplug\":true"));
    json_object_put(slots);
    for (size_t i = 0; i < G_N_ELEMENTS(without); i++) {
        g_autofree char *refused =
            qmp_error_class(q, "{'execute':'device_del','arguments':{'id':'%s'}}", without[i]);

        g_assert_cmpstr(refused, ==, "GenericError");
    }
    json_object_put(qmp_return(q, "{'execute':'device_del','arguments':{'id':'e'}}"));
    pci_write(q, 0, 1, 0, pos + 2, 1, 0x14 / 4); /* Command, through DWORD Data */
    pci_write(q, 0, 1, 0, pos + 4, 2, 0x308);    /* the indicator of slot 3 blinks */
    jobs = hmp(q, "info unplug");
    g_assert_cmpstr(jobs, ==, "e: accepted (port b, slot 3)\r\n");
    pci_write(q, 0, 1, 0, pos + 4, 2, 0x30f); /* the indicator is off again */
    json_object_put(qmp_event(q, "DEVICE_DELETED"));
    zero = qmp_error_class(q, "{'execute':'device_add','arguments':"
                              "{'driver':'edu','bus':'b','addr':'0'}}");
    g_assert_cmpstr(zero, ==, "GenericError");
    json_object_put(qmp_return(q, "{'execute':'device_add','arguments':"
                                  "{'driver':'edu','id':'e2','bus':'b'}}"));
    json_object_put(qmp_return(q, "{'execute':'unplug-force','arguments':{'id':'e2'}}"));
    json_object_put(qmp_event(q, "DEVICE_DELETED"));
    qtest_end(q);
}

/* Create a listener that never accepts or sends; its path is in *out. Return the descriptor. */
static int silent_target(struct sockaddr_un *out)
{
    g_autofree char *folder = g_dir_make_tmp("bp-XXXXXX", NULL);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    g_snprintf(out->sun_path, sizeof(out->sun_path), "%s/s", folder);
    g_assert_cmpint(bind(fd, (struct sockaddr *)out, sizeof(*out)), ==, 0);
    g_assert_cmpint(listen(fd, 1), ==, 0);
    return fd;
}

/* During a migration a request is rejected, and a device that the guest ejects stays until the
 * end. */
static void test_unplug_migrating(void)
{
    QTest *q = qtest_start("-M virt -device pcie-root-port,id=p0,addr=1 -device ticker,id=t,bus=p0 "
                           "-device pcie-root-port,id=p1,addr=2 -device ticker,id=t1,bus=p1");
    uint8_t exp = pci_find_cap(q, 0, 1, 0, 0x10);
    struct sockaddr_un target;
    int fd = silent_target(&target);
    g_autofree char *folder = g_path_get_dirname(target.sun_path), *refused = NULL, *jobs = NULL;

    json_object_put(qmp_return(q, "{'execute':'device_del','arguments':{'id':'t'}}"));
    json_object_put(
        qmp_return(q, "{'execute':'migrate','arguments':{'uri':'unix:%s'}}", target.sun_path));
    refused = qmp_error_class(q, "{'execute':'device_del','arguments':{'id':'t1'}}");
    g_assert_cmpstr(refused, ==, "GenericError");
    pci_write(q, 0, 1, 0, exp + 0x18, 2, 0x07c0); /* the guest powers the slot off */
    jobs = hmp(q, "info unplug");
    g_assert_nonnull(strstr(jobs, "powered-off"));
    json_object_put(qmp_return(q, "{'execute':'migrate_cancel'}"));
    json_object_put(qmp_event(q, "DEVICE_DELETED"));
    qtest_end(q);
    close(fd);
    g_unlink(target.sun_path);
    g_rmdir(folder);
}

/* --- following the suggestions of error messages --- */

/* Return 32 options "-device first -device virtio-rng-pci ... -device last". */
static char *many_devices(const char *first, const char *last)
{
    GString *args = g_string_new("-M virt ");

    for (unsigned i = 1; i <= 32; i++) {
        g_string_append_printf(args, "-device virtio-rng-pci%s ",
                               i == 1    ? first
                               : i == 32 ? last
                                         : "");
    }
    return g_string_free(args, FALSE);
}

/* The 32nd endpoint is accepted at the function that the message names, or on one of the buses that
 * the message lists. */
static void test_full_root_bus(void)
{
    g_autofree char *plain = many_devices("", ""), *err = NULL, *more = NULL;
    g_autofree char *shared = many_devices(",addr=01.0,multifunction=on", ",addr=01.1");
    g_autofree char *bus = many_devices(",addr=01.0,multifunction=on", ",bus=more");
    g_autofree char *port = g_strconcat(bus, "-device pcie-root-port,id=more,addr=01.1", NULL);
    QTest *q;

    g_assert_cmpint(qtest_run(plain, NULL, &err), ==, 1);
    g_assert_nonnull(strstr(err, "(-device option 32): bus 'pcie.0' has no free slot: addr=01.1"));
    g_assert_nonnull(strstr(err, "device 'virtio-rng-pci' (-device option 1) with "
                                 "addr=01.0,multifunction=on; for more devices, a "
                                 "'pcie-root-port' or a 'pxb-pcie' with bus_nr=128 there"));
    q = qtest_start(shared);
    g_assert_cmphex(pci_read(q, 0, 1, 1, 0, 2), ==, 0x1af4);
    qtest_end(q);
    more = g_strconcat(bus, "-device pxb-pcie,id=more,bus_nr=128,addr=01.1", NULL);
    q = qtest_start(more);
    g_assert_cmphex(pci_read(q, 128, 0, 0, 0, 2), ==, 0x1af4);
    qtest_end(q);
    q = qtest_start(port);
    pci_write(q, 0, 1, 1, 0x18, 4, 0x010100);
    g_assert_cmphex(pci_read(q, 1, 0, 0, 0, 2), ==, 0x1af4);
    qtest_end(q);
}

/* Without bus=, a running machine lists the buses that accept the device now. Each of them accepts
 * the device. */
static void test_running_buses(void)
{
    QTest *q = qtest_start("-M virt -device pcie-root-port,id=p0 -device pcie-root-port,id=p1 "
                           "-device pcie-root-port,id=off,hotplug=off -device ticker,bus=p0 "
                           "-device pci-bridge,id=b");
    g_autofree char *text = hmp(q, "device_add ticker"), *held = hmp(q, "device_add ticker,bus=p0");
    g_autofree char *none = NULL;

    g_assert_nonnull(strstr(text, "free buses that accept the device now: 'p1', 'b'"));
    g_assert_nonnull(strstr(held, "free buses that accept the device now: 'p1', 'b'"));
    json_object_put(qmp_return(q, "{'execute':'device_add','arguments':{'driver':'ticker','bus':"
                                  "'b'}}"));
    json_object_put(qmp_return(q, "{'execute':'device_add','arguments':{'driver':'ticker','bus':"
                                  "'p1'}}"));
    none = hmp(q, "device_add virtio-rng-pci");
    g_assert_nonnull(strstr(none, "accept the device now: 'b'"));
    qtest_end(q);
    q = qtest_start("-M virt -device pcie-root-port,id=p0 -device ticker,bus=p0");
    g_free(none);
    none = hmp(q, "device_add virtio-rng-pci");
    g_assert_nonnull(strstr(none, "start the machine with a free 'pcie-root-port'"));
    qtest_end(q);
}

/* --- the layout of capabilities --- */

static void check_layout(const char *machine, const char *prop, unsigned msix, unsigned below,
                         bool express)
{
    g_autofree char *args =
        g_strdup_printf("-M %s -device virtio-rng-pci,addr=4%s -device pcie-root-port,id=p,addr=1 "
                        "-device virtio-rng-pci,bus=p%s",
                        machine, prop, prop);
    QTest *q = qtest_start(args);

    g_assert_cmphex(pci_find_cap(q, 0, 4, 0, 0x11), ==, msix);
    g_assert_true((pci_find_cap(q, 0, 4, 0, 0x10) != 0) == express);
    g_assert_true((pci_find_cap(q, 0, 4, 0, 0x01) != 0) == express);
    pci_write(q, 0, 1, 0, 0x18, 4, 0x010100);
    g_assert_cmphex(pci_find_cap(q, 1, 0, 0, 0x11), ==, below);
    g_assert_cmphex(pci_find_cap(q, 1, 0, 0, 0x10), !=, 0);
    qtest_end(q);
}

/* From virt-0.2 on, the layout is that of QEMU. A capability is moved if its offset is in use. */
static void test_qemu_layout(void)
{
    check_layout("virt", "", 0x98, 0xdc, false);
    check_layout("virt-0.1", "", 0x40, 0x40, true);
    check_layout("virt-0.1", ",qemu-layout=on", 0x98, 0xdc, false);
    check_layout("virt", ",qemu-layout=off", 0x40, 0x40, true);
    check_layout("virt", ",express=on", 0xdc, 0xdc, true);
    check_layout("virt", ",disable-modern=on,disable-legacy=off", 0x40, 0x84, false);
    check_layout("virt", ",msix=0xf0", 0xf0, 0xf0, false);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/walk", test_walk);
    g_test_add_func("/pci/bars", test_bars);
    g_test_add_func("/pci/msix", test_msix);
    g_test_add_func("/pci/intx", test_intx);
    g_test_add_func("/pci/edu", test_edu);
    g_test_add_func("/pci/capabilities", test_capabilities);
    g_test_add_func("/pci/query", test_query);
    g_test_add_func("/pci/unplug", test_unplug);
    g_test_add_func("/pci/unplug-shpc", test_unplug_shpc);
    g_test_add_func("/pci/unplug-migrating", test_unplug_migrating);
    g_test_add_func("/pci/list-get", test_list_get);
    g_test_add_func("/pci/qemu-layout", test_qemu_layout);
    g_test_add_func("/pci/full-root-bus", test_full_root_bus);
    g_test_add_func("/pci/running-buses", test_running_buses);
    return g_test_run();
}
