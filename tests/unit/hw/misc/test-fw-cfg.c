/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fw_cfg: items, the directory, DMA in one and in several turns, files of the command line, saved
 * state. tests/differential/boot/fw-cfg compares the items with QEMU.
 */
#include "../fixture.h"

#include "hw/misc/fw_cfg.h"
#include "tests/lib/wait.h"

#define BASE 0x10100000ull
#define RAM  0x80000000ull
enum { RAM_SIZE = 4 << 20, BIG = 3 << 20 };

typedef struct Rig {
    Machine *m;
    Device *dev;
    MemRegion ram;
} Rig;

/* A machine with a file "opt/a" of these contents; NULL: none. */
static void rig_init(Rig *r, const char *string)
{
    RamBlock *block;

    *r = (Rig){ .m = fixture_new(1) };
    block = machine_ram_new(r->m, "ram", RAM_SIZE, NULL);
    mem_init_ram(&r->ram, "ram", block, 0, RAM_SIZE);
    mem_map(&r->m->memory, RAM, &r->ram, 0, 0);
    if (string)
        g_assert_true(fw_cfg_file_new(r->m, "opt/a", NULL, string, NULL));
    r->dev = fixture_device(r->m, FW_CFG_TYPE, NULL, BASE);
}

static void rig_free(Rig *r)
{
    mem_fini(&r->ram);
    machine_clear(r->m);
    fw_cfg_files_free(r->m);
    machine_free(r->m);
}

static void choose(Rig *r, uint16_t key)
{
    guest_write(r->m, BASE + 8, 2, GUINT16_SWAP_LE_BE(key));
}

static void read_item(Rig *r, uint8_t *to, unsigned len)
{
    for (unsigned i = 0; i < len; i++)
        to[i] = guest_read(r->m, BASE, 1);
}

/* Write a descriptor at RAM and start it. Returns the control word. */
static uint32_t dma(Rig *r, uint32_t control, uint32_t len, uint64_t to)
{
    guest_write32(r->m, RAM, GUINT32_SWAP_LE_BE(control));
    guest_write32(r->m, RAM + 4, GUINT32_SWAP_LE_BE(len));
    guest_write(r->m, RAM + 8, 8, GUINT64_SWAP_LE_BE(to));
    guest_write(r->m, BASE + 16, 8, GUINT64_SWAP_LE_BE(RAM));
    return GUINT32_SWAP_LE_BE(guest_read32(r->m, RAM));
}

static void test_items(void)
{
    Rig r;
    uint8_t bytes[8];

    rig_init(&r, "hello");
    fw_cfg_set_number(r.dev, FW_CFG_NB_CPUS, 3, 2);
    choose(&r, FW_CFG_SIGNATURE);
    g_assert_cmphex(guest_read32(r.m, BASE), ==, 0x554d4551);
    g_assert_cmphex(guest_read32(r.m, BASE), ==, 0); /* the end */
    choose(&r, FW_CFG_NB_CPUS);
    g_assert_cmphex(guest_read(r.m, BASE, 8), ==, 3);
    choose(&r, 0x4000 | FW_CFG_NB_CPUS); /* the write channel selects the same item */
    g_assert_cmphex(guest_read(r.m, BASE, 2), ==, 3);
    choose(&r, 0x3fff);
    read_item(&r, bytes, 8);
    g_assert_cmpmem(bytes, 8, "\0\0\0\0\0\0\0\0", 8);
    g_assert_cmphex(guest_read(r.m, BASE + 16, 8), ==, 0x47464320554d4551);
    random_accesses(r.m, BASE, FW_CFG_MMIO_SIZE, 3000);
    rig_free(&r);
}

static void test_directory(void)
{
    Rig r;
    uint8_t dir[4 + 2 * 64], text[5];

    rig_init(&r, "hello");
    fw_cfg_set_bootorder(r.dev, "/disk", 6);
    choose(&r, FW_CFG_FILE_DIR);
    read_item(&r, dir, sizeof(dir));
    g_assert_cmpmem(dir, 12, "\0\0\0\2\0\0\0\6\0\x20\0\0", 12);
    g_assert_cmpstr((char *)dir + 12, ==, "bootorder");
    g_assert_cmpmem(dir + 68, 8, "\0\0\0\5\0\x21\0\0", 8);
    g_assert_cmpstr((char *)dir + 76, ==, "opt/a");
    choose(&r, 0x21);
    read_item(&r, text, 5);
    g_assert_cmpmem(text, 5, "hello", 5);
    rig_free(&r);
}

static void test_dma(void)
{
    Rig r;

    rig_init(&r, "hello");
    g_assert_cmphex(dma(&r, 0x21u << 16 | 8 | 2, 4, RAM + 0x100), ==, 0);
    g_assert_cmphex(guest_read32(r.m, RAM + 0x100), ==, 0x6c6c6568); /* "hell" */
    guest_write(r.m, RAM + 0x100, 8, UINT64_MAX);
    g_assert_cmphex(dma(&r, 2, 4, RAM + 0x100), ==, 0); /* the rest, then zeroes */
    g_assert_cmphex(guest_read(r.m, RAM + 0x100, 8), ==, 0xffffffff0000006f);
    g_assert_cmphex(dma(&r, 0x21u << 16 | 8, 0, 0), ==, 0);
    g_assert_cmphex(dma(&r, 4, 1, 0), ==, 0); /* skip */
    g_assert_cmphex(dma(&r, 2, 1, RAM + 0x100), ==, 0);
    g_assert_cmphex(guest_read(r.m, RAM + 0x100, 1), ==, 'e');
    g_assert_cmphex(dma(&r, 0x21u << 16 | 8 | 16, 1, RAM), ==, 1); /* write */
    g_assert_cmphex(dma(&r, 2, 8, 0x1000), ==, 1);                 /* no memory */
    g_assert_cmphex(dma(&r, 2, 0, RAM), ==, 0);
    guest_write(r.m, BASE + 16, 4, 0); /* in two halves */
    guest_write32(r.m, RAM, GUINT32_SWAP_LE_BE(0x21u << 16 | 8u));
    guest_write(r.m, BASE + 20, 4, GUINT32_SWAP_LE_BE((uint32_t)RAM));
    g_assert_cmphex(guest_read32(r.m, RAM), ==, 0);
    rig_free(&r);
}

/* A long transfer continues on the main loop, also after a load. */
static void test_long_dma(void)
{
    Rig r;
    g_autofree uint8_t *data = g_malloc(BIG);
    const uint32_t control = (uint32_t)FW_CFG_KERNEL_DATA << 16 | 8 | 2;

    for (unsigned i = 0; i < BIG; i++)
        data[i] = (uint8_t)(i * 7 + i / 1000);
    rig_init(&r, NULL);
    fw_cfg_set(r.dev, FW_CFG_KERNEL_DATA, data, BIG);
    g_assert_cmphex(dma(&r, control, BIG, RAM + 0x1000), ==, control);
    check_state_round_trip(r.dev);
    machine_set_state(r.m, RUN_RUNNING);
    WAIT_MAIN(guest_read32(r.m, RAM) == 0, 20);
    machine_set_state(r.m, RUN_PAUSED);
    for (unsigned i = 0; i < BIG; i += 997)
        g_assert_cmphex(guest_read(r.m, RAM + 0x1000 + i, 1), ==, data[i]);
    g_assert_cmphex(dma(&r, control, BIG, RAM + 0x1000), ==, control);
    machine_reset(r.m, RESET_COLD); /* ends it */
    g_assert_cmphex(guest_read32(r.m, RAM), !=, 0);
    rig_free(&r);
}

static void test_files_refused(void)
{
    static const char long_name[] = "opt/0123456789012345678901234567890123456789012345678901";
    static const char *const rows[][4] = {
        { "opt/a", NULL, NULL, "one of file= and string=" },
        { "opt/a", "/dev/null", "x", "one of file= and string=" },
        { "", NULL, "x", "1 to 55 bytes" },
        { long_name, NULL, "x", "1 to 55 bytes" },
        { "bootorder", NULL, "x", "the machine provides this file" },
        { "opt/b", NULL, "x", "exists already" },
        { "opt/c", "/nonexistent/x", NULL, "/nonexistent/x" },
        { "opt/c", "/dev/zero", NULL, "not a regular file" },
    };
    Machine *m = fixture_new(1);
    unsigned n = 1;

    g_assert_true(fw_cfg_file_new(m, "opt/b", NULL, "", NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) err = NULL;

        g_assert_false(fw_cfg_file_new(m, rows[i][0], rows[i][1], rows[i][2], &err));
        g_assert_nonnull(strstr(err->message, rows[i][3]));
    }
    for (bool ok = true; ok; n += ok) {
        g_autofree char *name = g_strdup_printf("opt/%u", n);

        ok = fw_cfg_file_new(m, name, NULL, "x", NULL);
    }
    g_assert_cmpuint(n, ==, FW_CFG_FILES - 1);
    fw_cfg_files_free(m);
    machine_free(m);
}

/* The times of -boot become files, unless -fw_cfg provides one of the same name. */
static void test_boot_files(void)
{
    const BootOptions absent = { .splash_time = BOOT_TIME_ABSENT,
                                 .reboot_timeout = BOOT_TIME_ABSENT };
    const BootOptions given = { .splash_time = 0x1234, .reboot_timeout = UINT64_MAX };
    g_autoptr(GError) err = NULL;
    Machine *m = fixture_new(1);

    m->boot_options = &absent;
    g_assert_true(fw_cfg_boot_files_new(m, NULL));
    g_assert_null(fw_cfg_files(m));
    m->boot_options = &given;
    g_assert_true(fw_cfg_boot_files_new(m, NULL));
    g_assert_cmpuint(fw_cfg_files(m)->len, ==, 2);
    const FwCfgFile *fail = fw_cfg_files(m)->pdata[0], *menu = fw_cfg_files(m)->pdata[1];
    g_assert_cmpstr(fail->name, ==, "etc/boot-fail-wait");
    g_assert_cmpmem(fail->data, fail->len, "\xff\xff\xff\xff", 4);
    g_assert_cmpstr(menu->name, ==, "etc/boot-menu-wait");
    g_assert_cmpmem(menu->data, menu->len, "\x34\x12", 2);
    g_assert_false(fw_cfg_boot_files_new(m, &err));
    g_assert_nonnull(strstr(err->message, "etc/boot-menu-wait"));
    fw_cfg_files_free(m);
    machine_free(m);
}

/* A target with other files refuses the stream; mutated streams load or are refused. */
static void test_saved(void)
{
    static const char *const others[] = { NULL, "hallo" };
    g_autoptr(GByteArray) record = g_byte_array_new();
    ByteWriter w = { record };
    unsigned refused = 0;
    ByteReader in;
    Rig a;

    rig_init(&a, "hello");
    fw_cfg_set_bootorder(a.dev, "/x", 3);
    check_state_round_trip(a.dev);
    vm_save(a.dev->type->vmstate, a.dev, &w);
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
        g_autoptr(GError) err = NULL;
        Rig b;

        rig_init(&b, others[i]);
        reader_init(&in, record->data, record->len);
        g_assert_false(vm_load(b.dev->type->vmstate, b.dev, 1, &in, "fw_cfg", &err));
        g_assert_nonnull(strstr(err->message, "-fw_cfg"));
        rig_free(&b);
    }
    for (unsigned i = 0; i < 3000; i++) {
        g_autofree uint8_t *copy = g_memdup2(record->data, record->len);
        uint32_t len = i % 3 ? record->len : (uint32_t)g_test_rand_int() % record->len;

        copy[(uint32_t)g_test_rand_int() % record->len] = (uint8_t)g_test_rand_int();
        reader_init(&in, copy, len);
        if (!vm_load(a.dev->type->vmstate, a.dev, 1, &in, "fw_cfg", NULL)) {
            refused++;
            machine_reset(a.m, RESET_COLD);
        }
        guest_read(a.m, BASE, 8);
    }
    g_assert_cmpuint(refused, >, 1500);
    rig_free(&a);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fw-cfg/items", test_items);
    g_test_add_func("/fw-cfg/directory", test_directory);
    g_test_add_func("/fw-cfg/dma", test_dma);
    g_test_add_func("/fw-cfg/long-dma", test_long_dma);
    g_test_add_func("/fw-cfg/files-refused", test_files_refused);
    g_test_add_func("/fw-cfg/boot-files", test_boot_files);
    g_test_add_func("/fw-cfg/saved", test_saved);
    return g_test_run();
}
