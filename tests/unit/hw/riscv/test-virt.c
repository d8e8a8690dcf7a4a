/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virt board, built from a description with harts that do not run: the memory map, the boot ROM
 * and its images, reset, and the messages for files and sizes that do not fit.
 */
#include <glib/gstdio.h>

#include "../fixture.h"
#include "chardev/chardev.h"
#include "hw/riscv/virt.h"

#define MiB (1ull << 20)
#define RAM 0x80000000ull

static void set_enum(PlanMachine *p, const char *name, uint64_t v)
{
    PlanSetting *s = g_new0(PlanSetting, 1);

    s->name = g_strdup(name);
    s->value = (PlanValue){ .kind = PLAN_PROP_ENUM, .u = v };
    s->resolved = true;
    g_ptr_array_add(p->settings, s);
}

static Machine *board(uint64_t ram, VirtAia aia)
{
    Machine *m = machine_new();
    g_autoptr(PlanMachine) p = plan_machine_new();
    g_autoptr(GError) err = NULL;

    machine_lock(m);
    clocks_set_stepped(m->clocks);
    p->cpu = g_strdup("fake");
    p->ram_size = ram;
    p->cpus = 1;
    set_enum(p, "aia", aia);
    m->board_type = &virt_board;
    g_assert_true(virt_board.build(m, p, &err));
    g_assert_no_error(err);
    return m;
}

static char *temp_file(const void *data, gsize len)
{
    char *path = g_strdup("/tmp/backplane-virt-XXXXXX");

    close(g_mkstemp(path));
    g_assert_true(g_file_set_contents(path, data, len, NULL));
    return path;
}

static void test_map(void)
{
    static const VirtAia all[] = { VIRT_AIA_NONE, VIRT_AIA_APLIC, VIRT_AIA_APLIC_IMSIC };

    for (unsigned i = 0; i < G_N_ELEMENTS(all); i++) {
        Machine *m = board(128 * MiB, all[i]);

        g_assert_cmphex(guest_read32(m, 0x10008000), ==, 0x74726976);
        g_assert_cmphex(guest_read(m, 0x10000005, 1), ==, 0x60);
        guest_write(m, RAM + 128 * MiB - 8, 8, 0x1234);
        g_assert_cmphex(guest_read(m, RAM + 128 * MiB - 8, 8), ==, 0x1234);
        g_assert_cmphex(guest_read(m, RAM + 128 * MiB, 8), ==, 0);
        g_assert_cmphex(guest_read32(m, 0x500000), ==, 0); /* unmapped */
        g_assert_cmphex(guest_read32(m, 0xd000000), ==,
                        all[i] == VIRT_AIA_NONE    ? 0
                        : all[i] == VIRT_AIA_APLIC ? 0x80000000
                                                   : 0x80000004);
        machine_free(m);
    }
}

static void test_uart_interrupt(void)
{
    Machine *m = board(128 * MiB, VIRT_AIA_NONE);

    guest_write32(m, 0xc000000 + 10 * 4, 1);
    guest_write32(m, 0xc002080, 1 << 10);
    guest_write(m, 0x10000001, 1, 2);
    g_assert_true(fixture_input(m, 0, 9));
    g_assert_cmpuint(guest_read32(m, 0xc201004), ==, 10);
    machine_reset(m, RESET_COLD);
    g_assert_false(fixture_input(m, 0, 9));
    machine_free(m);
}

static void plug(Machine *m, const char *type, const char *id, const char *bus, unsigned slot,
                 unsigned fn)
{
    PlanDevice *d = plan_device_new(type);
    g_autoptr(GError) err = NULL;
    Device *dev;

    d->id = g_strdup(id);
    d->bus = g_strdup(bus);
    d->has_addr = true;
    d->addr = (PlanPciAddr){ .slot = slot, .fn = fn };
    dev = device_new(m, device_type_find(type), d, &err);
    g_assert_no_error(err);
    g_assert_true(device_realize(dev, d, NULL, &err));
    g_assert_no_error(err);
    plan_device_free(d);
}

static void test_pci(void)
{
    Machine *m = board(128 * MiB, VIRT_AIA_NONE);

    g_assert_cmphex(guest_read32(m, 0x30000000), ==, 0xffffffff);
    plug(m, "gpex-root", NULL, "pcie.0", 0, 0);
    g_assert_cmphex(guest_read32(m, 0x30000000), ==, 0x00081b36);
    g_assert_cmphex(guest_read32(m, 0x30000008), ==, 0x06000000);
    g_assert_cmphex(guest_read32(m, 0x30008000), ==, 0xffffffff);
    g_assert_cmphex(guest_read(m, 0x30000002, 2), ==, 0x0008);
    g_assert_cmphex(guest_read32(m, 0x3ffffffc), ==, 0xffffffff);
    g_assert_cmphex(guest_read32(m, 0x40000000), ==, 0xffffffff); /* the windows: all ones */
    g_assert_cmphex(guest_read32(m, 0x7ffffffc), ==, 0xffffffff);
    g_assert_cmphex(guest_read32(m, 0x3000000), ==, 0xffffffff);
    g_assert_cmphex(guest_read(m, 0x3000000 + 0xffff, 1), ==, 0xff);
    g_assert_cmphex(guest_read(m, 0x400000000, 8), ==, UINT64_MAX);
    g_assert_cmphex(guest_read(m, 0x7fffffff8, 8), ==, UINT64_MAX);
    g_assert_cmphex(guest_read(m, 0x800000000, 8), ==, 0); /* beyond */
    machine_reset(m, RESET_HOT);
    g_assert_cmphex(guest_read32(m, 0x30000000), ==, 0x00081b36);
    machine_free(m);
}

/* Lines of the host bridge are connected to inputs 32 to 35. */
static void test_intx(void)
{
    Machine *m = board(128 * MiB, VIRT_AIA_NONE);
    Virt *v = (Virt *)m->board;

    for (unsigned i = 0; i < 4; i++) {
        sysdev_irq_set((SysDevice *)v->pci_host, i, true);
        g_assert_cmphex(guest_read32(m, 0xc001004), ==, (1u << (i + 1)) - 1);
    }
    machine_free(m);
}

/* NULL: none of that role. */
static BootImages *images_of(const char *fw, const char *kernel, const char *initrd,
                             const char *dtb)
{
    const char *const paths[BOOT_ROLES] = { fw, kernel, initrd, dtb };
    BootImages *images = boot_images_new();

    for (BootRole role = 0; role < BOOT_ROLES; role++) {
        if (paths[role])
            g_assert_true(boot_images_open(images, role, paths[role], NULL));
    }
    return images;
}

static void test_boot(void)
{
    Machine *m = board(128 * MiB, VIRT_AIA_APLIC_IMSIC);
    g_autofree char *fw = temp_file("firmware", 8), *kernel = temp_file("kernel", 6);
    g_autofree char *initrd = temp_file("initrd", 6);
    BoardBoot boot = { .images = images_of(fw, kernel, initrd, NULL), .append = "a=b" };
    g_autoptr(GError) err = NULL;
    uint64_t fdt, start = 0;
    char text[8];
    const void *p;
    int node;

    g_assert_true(virt_board.boot(m, &boot, &err));
    g_assert_no_error(err);
    g_assert_cmphex(guest_read32(m, 0x1000), ==, 0x297);
    g_assert_cmphex(guest_read(m, 0x1018, 8), ==, RAM);
    fdt = guest_read(m, 0x1020, 8);
    g_assert_cmphex(guest_read(m, 0x1028, 8), ==, 0x4942534f);
    g_assert_cmphex(guest_read(m, 0x1038, 8), ==, RAM + 2 * MiB);
    guest_write32(m, 0x1000, 0); /* ROM */
    g_assert_cmphex(guest_read32(m, 0x1000), ==, 0x297);
    mem_set(&m->memory, RAM, 0xff, 4 * MiB);
    machine_reset(m, RESET_HOT);
    g_assert_cmphex(fixture_cpu(m, 0)->pc, ==, 0x1000);
    mem_read_buf(&m->memory, RAM, text, 8);
    g_assert_cmpmem(text, 8, "firmware", 8);
    mem_read_buf(&m->memory, RAM + 2 * MiB, text, 6);
    g_assert_cmpmem(text, 6, "kernel", 6);
    p = mem_ram_ptr(&m->memory, fdt, 64, NULL, NULL);
    g_assert_cmpint(fdt_check_full(p, fdt_totalsize(p)), ==, 0);
    node = fdt_path_offset(p, "/chosen");
    g_assert_cmpstr(fdt_getprop(p, node, "bootargs", NULL), ==, "a=b");
    start = fdt64_ld(fdt_getprop(p, node, "linux,initrd-start", NULL));
    mem_read_buf(&m->memory, start, text, 6);
    g_assert_cmpmem(text, 6, "initrd", 6);
    g_remove(fw);
    g_remove(kernel);
    g_remove(initrd);
    boot_images_free((BootImages *)boot.images);
    machine_free(m);
}

/* An incoming machine: RAM belongs to the stream until a reset. */
static void test_remember(void)
{
    Machine *m = board(128 * MiB, VIRT_AIA_NONE);
    g_autofree char *fw = temp_file("firmware", 8);
    BoardBoot boot = { .images = images_of(fw, NULL, NULL, NULL), .remember = true };
    char text[8];

    mem_set(&m->memory, RAM, 0x55, 4096);
    g_assert_true(virt_board.boot(m, &boot, NULL));
    g_assert_cmphex(guest_read(m, RAM, 8), ==, 0x5555555555555555);
    g_assert_cmphex(guest_read32(m, 0x1000), ==, 0);
    machine_reset(m, RESET_HOT);
    mem_read_buf(&m->memory, RAM, text, 8);
    g_assert_cmpmem(text, 8, "firmware", 8);
    g_remove(fw);
    boot_images_free((BootImages *)boot.images);
    machine_free(m);
}

static void refuse(uint64_t ram, BoardBoot boot, const char *word)
{
    Machine *m = board(ram, VIRT_AIA_NONE);
    g_autoptr(GError) err = NULL;

    g_assert_false(virt_board.boot(m, &boot, &err));
    g_assert_nonnull(err);
    g_assert_null(strchr(err->message, '\n'));
    if (!strstr(err->message, word))
        g_error("'%s' does not contain '%s'", err->message, word);
    boot_images_free((BootImages *)boot.images);
    machine_free(m);
}

static void test_refusals(void)
{
    g_autofree uint8_t *big = g_malloc0(6 * MiB);
    g_autofree char *file = temp_file(big, 6 * MiB), *junk = temp_file("junk", 4);

    refuse(4096, (BoardBoot){ .images = images_of(NULL, NULL, NULL, NULL) }, "device tree");
    refuse(4 * MiB, (BoardBoot){ .images = images_of(file, NULL, NULL, NULL) }, "does not fit");
    refuse(8 * MiB, (BoardBoot){ .images = images_of(junk, file, NULL, NULL) }, "does not fit");
    refuse(8 * MiB, (BoardBoot){ .images = images_of(junk, junk, file, NULL) }, "initrd");
    refuse(128 * MiB, (BoardBoot){ .images = images_of(junk, NULL, NULL, junk) }, "device tree");
    refuse(128 * MiB,
           (BoardBoot){ .images = images_of(junk, NULL, NULL, NULL), .dumpdtb = "/nowhere/x" },
           "dumpdtb=/nowhere/x");
    refuse(128 * MiB, (BoardBoot){ .images = images_of(junk, NULL, NULL, NULL), .append = "x" },
           "-kernel");
    refuse(128 * MiB,
           (BoardBoot){ .images = images_of(junk, NULL, NULL, NULL), .rtc = "base=never" },
           "-rtc base=never");
    refuse(128 * MiB, (BoardBoot){ .images = images_of(junk, NULL, junk, NULL) }, "-kernel");
    g_remove(file);
    g_remove(junk);
}

static void test_bios_none(void)
{
    Machine *m = board(128 * MiB, VIRT_AIA_NONE);
    g_autofree char *kernel = temp_file("kernel", 6), *dtb = NULL;
    BoardBoot boot = { .images = images_of(NULL, kernel, NULL, NULL) };

    dtb = g_strdup_printf("%s.dtb", kernel);
    boot.dumpdtb = dtb;
    g_assert_true(virt_board.boot(m, &boot, NULL));
    g_assert_cmphex(guest_read(m, 0x1018, 8), ==, RAM);
    g_assert_cmphex(guest_read(m, 0x1038, 8), ==, 0);
    g_assert_true(g_file_test(dtb, G_FILE_TEST_IS_REGULAR));
    g_remove(kernel);
    g_remove(dtb);
    boot_images_free((BootImages *)boot.images);
    machine_free(m);
}

static void test_none(void)
{
    Machine *m = machine_new();

    machine_lock(m);
    g_assert_true(none_board.build(m, NULL, NULL));
    g_assert_null(none_board.boot);
    machine_free(m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virt/map", test_map);
    g_test_add_func("/virt/uart-interrupt", test_uart_interrupt);
    g_test_add_func("/virt/pci", test_pci);
    g_test_add_func("/virt/intx", test_intx);
    g_test_add_func("/virt/boot", test_boot);
    g_test_add_func("/virt/remember", test_remember);
    g_test_add_func("/virt/refusals", test_refusals);
    g_test_add_func("/virt/bios-none", test_bios_none);
    g_test_add_func("/virt/none", test_none);
    return g_test_run();
}
