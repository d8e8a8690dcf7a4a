/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The qtest protocol through the emulator: the memory map that clients assume, malformed input,
 * pipelining, the stepped clock, and the end of the process.
 */
#include <string.h>

#include "libqtest.h"

#define RAM_AT 0x80000000ull

static void test_memory_map(void)
{
    QTest *q = qtest_start("-M virt,aclint=on,aia=aplic-imsic");
    uint8_t bytes[16], back[16];

    for (unsigned i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(17 * i);
    }
    g_assert_cmphex(qtest_read(q, 0x10008000, 4), ==, 0x74726976); /* virtio-mmio magic */
    g_assert_cmphex(qtest_read(q, 0x10008004, 4), ==, 1);
    g_assert_cmphex(qtest_read(q, 0x10008008, 4), ==, 0); /* empty */
    qtest_write(q, 0x10008028, 4, 0x1000);
    qtest_memwrite(q, RAM_AT + 0x12345, bytes, sizeof(bytes));
    qtest_memread(q, RAM_AT + 0x12345, back, sizeof(back));
    g_assert_cmpmem(bytes, sizeof(bytes), back, sizeof(back));
    g_assert_cmphex(qtest_read(q, 0x30000000, 4), ==, 0x00081b36); /* host bridge */
    g_assert_cmphex(qtest_read(q, 0x30000000 + (31 << 15), 4), ==, 0xffffffff);
    g_assert_cmphex(qtest_read(q, 0x40000000, 4), ==, 0xffffffff); /* PCI window, no device */
    g_assert_cmphex(qtest_read(q, 0x60000000000, 4), ==, 0);       /* unmapped */
    g_assert_cmphex(qtest_read(q, 0x30000000, 8), ==, qtest_read(q, 0x30000004, 4) << 32 | 0x81b36);
    qtest_end(q);
}

static void test_malformed(void)
{
    static const char noise[] = "\n \nreadl\nreadl zero\n\xff\xfe\x01\nwrite 1 2\nread 0 "
                                "99999999999999999999\nclock_step -1\nirq_intercept_in \n";
    QTest *q = qtest_start("-M virt");

    qtest_send(q, noise, sizeof(noise) - 1);
    for (unsigned i = 0; i < 9; i++) {
        g_autofree char *line = qtest_receive(q);

        g_assert_true(g_str_has_prefix(line, "FAIL ") || g_str_has_prefix(line, "ERR "));
    }
    qtest_ok(q, "endianness");
    qtest_end(q);
}

static void test_pipelined(void)
{
    g_autoptr(GString) all = g_string_new(NULL);
    QTest *q = qtest_start("-M virt");

    for (unsigned i = 0; i < 5000; i++) {
        g_string_append_printf(all, "writel 0x%x %u\nreadl 0x%x\n", 0x80000000 + 4 * i, i,
                               0x80000000 + 4 * i);
    }
    qtest_send(q, all->str, all->len);
    for (unsigned i = 0; i < 5000; i++) {
        g_autofree char *ok = qtest_receive(q), *value = qtest_receive(q);

        g_assert_cmpstr(ok, ==, "OK");
        g_assert_cmpuint(g_ascii_strtoull(value + 3, NULL, 16), ==, i);
    }
    qtest_end(q);
}

static void test_clock(void)
{
    QTest *q = qtest_start("-M virt");

    g_assert_cmpint(qtest_clock_step(q, 1000), ==, 1000);
    g_assert_cmpint(qtest_clock_step(q, 1), ==, 1001);
    g_autofree char *back = qtest_ask(q, "clock_set 5");

    g_assert_true(g_str_has_prefix(back, "FAIL"));
    qtest_ok(q, "clock_set 1000000");
    g_assert_cmpint(qtest_clock_step(q, 1), ==, 1000001);
    qtest_end(q);
}

/* system_reset restores power-on values. RAM may keep its contents. */
static void test_reset(void)
{
    QTest *q = qtest_start("-M virt");
    struct json_object *event;

    pci_write(q, 0, 0, 0, 4, 2, 6);
    g_assert_cmphex(pci_read(q, 0, 0, 0, 4, 2), ==, 6);
    json_object_put(qmp_return(q, "{'execute':'system_reset'}"));
    event = qmp_event(q, "RESET");
    g_assert_nonnull(strstr(json_object_to_json_string(event), "host-qmp-system-reset"));
    json_object_put(event);
    g_assert_cmphex(pci_read(q, 0, 0, 0, 4, 2), ==, 0);
    qtest_end(q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/protocol/memory-map", test_memory_map);
    g_test_add_func("/protocol/malformed", test_malformed);
    g_test_add_func("/protocol/pipelined", test_pipelined);
    g_test_add_func("/protocol/clock", test_clock);
    g_test_add_func("/protocol/reset", test_reset);
    return g_test_run();
}
