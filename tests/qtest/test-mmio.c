/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-mmio slots and loader devices of the complete emulator: the slot of each device, the
 * registers at their addresses, a request with its interrupt, older machine versions, and memory
 * that a reset loads again.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "libqtest.h"
#include "tests/lib/wait.h"

#define RAM_AT  0x80000000ull
#define SLOT(n) (0x10001000ull + (n)*0x1000ull)

enum { R_MAGIC = 0, R_VERSION = 4, R_DEVICE_ID = 8, R_STATUS = 0x70 };
enum { ID_NET = 1, ID_BLK = 2, ID_CONSOLE = 3, ID_RNG = 4 };

static void check_slots(QTest *q, const unsigned ids[8])
{
    for (unsigned i = 0; i < 8; i++) {
        g_assert_cmphex(qtest_read(q, SLOT(i) + R_MAGIC, 4), ==, 0x74726976);
        g_assert_cmpuint(qtest_read(q, SLOT(i) + R_DEVICE_ID, 4), ==, ids[i]);
    }
}

static char *plic_path(QTest *q)
{
    struct json_object *list =
        qmp_return(q, "{'execute':'qom-list','arguments':{'path':'/machine/unattached'}}");
    char *path = NULL;

    for (size_t i = 0; i < json_object_array_length(list) && !path; i++) {
        struct json_object *o = json_object_array_get_idx(list, i);
        const char *type = json_object_get_string(json_object_object_get(o, "type"));

        if (strcmp(type, "child<riscv.sifive.plic>") == 0) {
            path = g_strdup_printf("/machine/unattached/%s",
                                   json_object_get_string(json_object_object_get(o, "name")));
        }
    }
    json_object_put(list);
    return path;
}

/* Devices without a bus fill the free slots from the last one down, as in QEMU. */
static void test_order(void)
{
    QTest *q = qtest_start("-M virt -device virtio-rng-device -device virtio-serial-device,id=s "
                           "-device virtio-net-device,bus=virtio-mmio-bus.6 "
                           "-device virtio-blk-device,bus=virtio-mmio-bus.0,drive=d "
                           "-blockdev null-co,node-name=d,size=1M -device virtconsole,bus=s.0 "
                           "-device virtio-rng-pci");
    g_autofree char *text = NULL;

    check_slots(q, (unsigned[]){ ID_BLK, 0, 0, 0, 0, ID_CONSOLE, ID_NET, ID_RNG });
    text = hmp(q, "info pci-slots");
    g_assert_nonnull(strstr(text, "free     1, 2, 3, 4\r\n") ? text
                     : strstr(text, "free     1, 2, 3, 4\n") ? text
                                                             : NULL);
    g_assert_nonnull(strstr(text, "virtio-mmio-bus.5  virtio-serial-device 's'"));
    g_clear_pointer(&text, g_free);
    text = hmp(q, "info pci");
    g_assert_null(strstr(text, "mmio"));
    qtest_end(q);
}

/* The registers of version 1 by default. */
static void test_version(void)
{
    QTest *q = qtest_start("-M virt -device virtio-rng-device");

    g_assert_cmpuint(qtest_read(q, SLOT(7) + R_VERSION, 4), ==, 1);
    g_assert_cmpuint(qtest_read(q, SLOT(0) + R_VERSION, 4), ==, 1);
    qtest_end(q);
    q = qtest_start("-M virt -device virtio-rng-device -global virtio-mmio.force-legacy=false");
    g_assert_cmpuint(qtest_read(q, SLOT(7) + R_VERSION, 4), ==, 2);
    g_assert_cmpuint(qtest_read(q, SLOT(0) + R_VERSION, 4), ==, 2);
    qtest_end(q);
}

/* Entropy for 64 bytes through a ring of version 2, and the input of the PLIC. */
static void test_request(void)
{
    QTest *q = qtest_start("-M virt,aia=none -global virtio-mmio.force-legacy=false "
                           "-device virtio-rng-device,bus=virtio-mmio-bus.2");
    const uint64_t s = SLOT(2), desc = RAM_AT, avail = RAM_AT + 0x1000, used = RAM_AT + 0x2000;
    g_autofree char *plic = plic_path(q);
    uint8_t bytes[64], none[64] = { 0 };

    qtest_ok(q, "irq_intercept_in %s", plic);
    qtest_write(q, s + 0x70, 4, 3);
    qtest_write(q, s + 0x24, 4, 1);
    qtest_write(q, s + 0x20, 4, 1); /* VIRTIO_F_VERSION_1 */
    qtest_write(q, s + 0x70, 4, 11);
    g_assert_cmphex(qtest_read(q, s + R_STATUS, 4), ==, 11);
    qtest_write(q, s + 0x30, 4, 0);
    qtest_write(q, s + 0x38, 4, 8);
    qtest_write(q, s + 0x80, 4, desc);
    qtest_write(q, s + 0x90, 4, avail);
    qtest_write(q, s + 0xa0, 4, used);
    qtest_write(q, s + 0x44, 4, 1);
    qtest_write(q, s + 0x70, 4, 15);
    qtest_write(q, desc, 8, RAM_AT + 0x3000);
    qtest_write(q, desc + 8, 4, sizeof(bytes));
    qtest_write(q, desc + 12, 4, 2); /* VRING_DESC_F_WRITE */
    qtest_write(q, avail + 2, 2, 1);
    g_assert_false(qtest_irq(q, 3));
    qtest_write(q, s + 0x50, 4, 0);
    WAIT_UNTIL (qtest_read(q, used + 2, 2) == 1, 10) {
    }
    g_assert_cmpuint(qtest_read(q, used + 8, 4), ==, sizeof(bytes));
    qtest_memread(q, RAM_AT + 0x3000, bytes, sizeof(bytes));
    g_assert_cmpint(memcmp(bytes, none, sizeof(bytes)), !=, 0);
    g_assert_true(qtest_irq(q, 3));
    qtest_write(q, s + 0x64, 4, 1);
    g_assert_cmphex(qtest_read(q, s + 0x60, 4), ==, 0);
    g_assert_false(qtest_irq(q, 3));
    qtest_end(q);
}

static void refuse(const char *args, const char *word)
{
    g_autofree char *all = g_strdup_printf("-display none -bios none -accel qtest %s", args);
    g_autofree char *err = NULL;

    g_assert_cmpint(qtest_run(all, NULL, &err), ==, 1);
    if (!strstr(err, word)) {
        g_error("%s: '%s' does not contain '%s'", args, err, word);
    }
}

static void test_bus_messages(void)
{
    GString *nine = g_string_new("-M virt");
    QTest *q;
    g_autofree char *class = NULL;

    for (unsigned i = 0; i < 9; i++) {
        g_string_append(nine, " -device virtio-rng-device");
    }
    refuse(nine->str, "each of the 8 virtio-mmio buses of machine virt-0.3 holds a device");
    refuse("-M virt -device virtio-rng-device,bus=virtio-mmio-bus.8", "virtio-mmio-bus.8");
    refuse("-M virt -device virtio-rng-device,id=a,bus=virtio-mmio-bus.3 "
           "-device virtio-rng-device,bus=virtio-mmio-bus.3",
           "bus 'virtio-mmio-bus.3' is already used by device 'a' (virtio-rng-device)");
    refuse("-M virt -device virtio-rng-pci,bus=virtio-mmio-bus.3", "a virtio MMIO slot");
    refuse("-M virt -device virtio-rng-device,bus=pcie.0",
           "bus 'pcie.0' is a PCI Express root bus");
    refuse("-M virt-0.1 -device virtio-rng-device", "machine virt-0.1 has no virtio-mmio bus");
    refuse("-M none -device virtio-rng-device", "machine none has no virtio-mmio bus");
    g_string_free(nine, TRUE);
    q = qtest_start("-M virt");
    class = qmp_error_class(q, "{'execute':'device_add','arguments':"
                               "{'driver':'virtio-rng-device','id':'r'}}");
    g_assert_cmpstr(class, !=, "");
    qtest_end(q);
}

/* Older versions of the machine have the slots without buses. */
static void test_old_machine(void)
{
    QTest *q = qtest_start("-M virt-0.1");

    check_slots(q, (unsigned[]){ 0, 0, 0, 0, 0, 0, 0, 0 });
    qtest_end(q);
}

static char *folder;

static bool saved(QTest *q)
{
    struct json_object *o = qmp_return(q, "{'execute':'query-migrate'}");
    bool done =
        g_strcmp0(json_object_get_string(json_object_object_get(o, "status")), "completed") == 0;

    json_object_put(o);
    return done;
}

/* The target of a migration has the register layout of the source without an option for it. */
static void test_migrated_layout(void)
{
    g_autofree char *path = g_build_filename(folder, "stream", NULL);
    g_autofree char *args = g_strdup_printf("-incoming file:%s", path);
    QTest *q = qtest_start("-M virt -m 4 -device virtio-rng-device "
                           "-global virtio-mmio.force-legacy=false");

    json_object_put(qmp_return(q, "{'execute':'migrate','arguments':{'uri':'file:%s'}}", path));
    WAIT_UNTIL (saved(q), 10) {
    }
    qtest_end(q);
    q = qtest_start(args);
    WAIT_UNTIL (qtest_read(q, SLOT(7) + R_DEVICE_ID, 4) == ID_RNG, 10) {
    }
    g_assert_cmpuint(qtest_read(q, SLOT(7) + R_VERSION, 4), ==, 2);
    qtest_end(q);
    g_unlink(path);
}

/* --- loader devices --- */

static char *loader_file(const char *name, const void *bytes, size_t len)
{
    char *path = g_build_filename(folder, name, NULL);

    g_assert_true(g_file_set_contents(path, bytes, (gssize)len, NULL));
    return path;
}

static void test_loader(void)
{
    g_autofree char *path = loader_file("raw", "backplane", 9);
    g_autofree char *args =
        g_strdup_printf("-M virt -bios none -device loader,file=%s,addr=0x80100000 "
                        "-device loader,addr=0x80200000,data=0x1122334455667788,data-len=8 "
                        "-device loader,addr=0x80200010,data=0x112233,data-len=3,data-be=on "
                        "-device loader,addr=0x80100001,data=0x41,data-len=1,id=patch",
                        path);
    QTest *q = qtest_start(args);

    for (unsigned i = 0; i < 2; i++) {
        char text[10] = { 0 };

        qtest_memread(q, 0x80100000, text, 9);
        g_assert_cmpstr(text, ==, "bAckplane");
        g_assert_cmphex(qtest_read(q, 0x80200000, 8), ==, 0x1122334455667788);
        g_assert_cmphex(qtest_read(q, 0x80200010, 4), ==, 0x332211);
        qtest_write(q, 0x80100000, 8, 0);
        qtest_write(q, 0x80200000, 8, 0);
        qtest_write(q, 0x80200010, 8, 0);
        json_object_put(qmp_return(q, "{'execute':'system_reset'}"));
        json_object_put(qmp_event(q, "RESET"));
    }
    g_unlink(path);
    qtest_end(q);
}

static void test_loader_messages(void)
{
    g_autofree char *path = loader_file("page", "backplane", 9);
    g_autofree char *hex = loader_file("hex", ":10010000214601360121470136007EFE09D2190140\n", 44);
    const struct {
        const char *args, *word;
    } bad[] = {
        { "-device loader", "one of these is required" },
        { "-device loader,addr=0x80000000", "one of these is required" },
        { "-device loader,addr=0x80000000,data=1", "data= requires data-len=" },
        { "-device loader,addr=0x80000000,data=1,data-len=9", "data-len" },
        { "-device loader,addr=0x80000000,data=0x100,data-len=1", "does not fit" },
        { "-device loader,addr=0x10000000,data=1,data-len=4", "are not in RAM" },
        { "-device loader,addr=0x87ffffff,data=1,data-len=2", "are not in RAM" },
        { "-device loader,addr=0xffffffffffffffff,data=1,data-len=2", "are not in RAM" },
        { "-device loader,addr=0x80000000,cpu-num=1", "the CPUs 0 to 0" },
        { "-device loader,addr=0x80000000,bus=pcie.0", "on no bus" },
        { "-device loader,file=/nonexistent,addr=0x80000000", "/nonexistent" },
        { "-device loader,file=%s,addr=0x80000000,data-len=1", "excludes" },
        { "-device loader,file=%s", "does not fit" },
        { "-device loader,file=%s,addr=0xfffffffffffffff0", "does not fit" },
        { "-device loader,file=%s,addr=0x80000000 -device loader,file=%s,addr=0x80000008",
          "where loader image 0" },
        { "-M none -device loader,file=%s,addr=0x80000000", "machine 'none' has no" },
        { "-device loader,file=%s -device loader,file=%s -device loader,file=%s "
          "-device loader,file=%s -device loader,file=%s",
          "at most 4" },
    };
    g_autofree char *converted = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        GString *args = g_string_new(bad[i].args);

        g_string_replace(args, "%s", path, 0);
        refuse(args->str, bad[i].word);
        g_string_free(args, TRUE);
    }
    converted = g_strdup_printf("-device loader,addr=0x80000000,file=%s", hex);
    refuse(converted, "Intel HEX");
    g_unlink(path);
    g_unlink(hex);
}

int main(int argc, char **argv)
{
    int rc;

    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("bp-mmio-XXXXXX", NULL);
    g_test_add_func("/mmio/order", test_order);
    g_test_add_func("/mmio/version", test_version);
    g_test_add_func("/mmio/request", test_request);
    g_test_add_func("/mmio/bus-messages", test_bus_messages);
    g_test_add_func("/mmio/old-machine", test_old_machine);
    g_test_add_func("/mmio/migrated-layout", test_migrated_layout);
    g_test_add_func("/loader/memory", test_loader);
    g_test_add_func("/loader/messages", test_loader_messages);
    rc = g_test_run();
    g_rmdir(folder);
    g_free(folder);
    return rc;
}
