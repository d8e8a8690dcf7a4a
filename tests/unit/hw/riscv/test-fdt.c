/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device tree compared with QEMU's: every node and property of one must be in the other with
 * the same value, or be in the list of differences with its reason, and every entry of the list is
 * used. Also what booting adds, and hostile user trees.
 */
#include "../fixture.h"

#include <glib/gstdio.h>

#include "hw/riscv/virt.h"

typedef struct Difference {
    const char *path, *prop; /* glob patterns; prop NULL: the complete node and everything below
                              * it */
    unsigned trees;          /* the references: bits of TREE_* */
    const char *reason;
} Difference;

enum {
    TREE_NONE = 1,
    TREE_ACLINT = 2,
    TREE_AIA = 4,
    TREE_AIAAC = 8,
    TREE_ALL = 15,
    TREE_AIAS = 12
};

static const Difference differences[] = {
    { "/pmu", NULL, TREE_ALL, "added by the CPU type; the CPUs of this test have no counters" },
    { "/soc/gpio@10060000", NULL, TREE_ALL, "QEMU's machine has no power button" },
    { "/gpio-keys", NULL, TREE_ALL, "QEMU's machine has no power button" },
    { "/chosen", "rng-seed", TREE_ALL, "added when booting, random" },
    { "/cpus/cpu@*", "riscv,isa", TREE_ALL, "the CPU type's word, not the board's" },
    { "/soc/imsics@*", "#msi-cells", TREE_AIAS, "required by the binding, missing in 7.2" },
    { "/soc/aplic@*", "#address-cells", TREE_AIAS,
      "interrupt-map parents need it (Devicetree Specification 2.4.3)" },
    { "/soc/aplic@c000000", "riscv,delegation", TREE_AIAS,
      "the ratified binding's name of riscv,delegate" },
};

typedef struct Comparison {
    const void *a, *b;   /* Check that everything in a is also in b. */
    const char *missing; /* the description of something that b does not have */
    unsigned tree;
    bool *used;
    unsigned wrong;
} Comparison;

static bool explained(Comparison *c, const char *path, const char *prop)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(differences); i++) {
        const Difference *d = &differences[i];
        bool node =
            g_pattern_match_simple(d->path, path) || (!d->prop && g_str_has_prefix(path, d->path));

        if (!(d->trees & c->tree) || !node)
            continue;
        if (!d->prop || (prop && g_pattern_match_simple(d->prop, prop))) {
            c->used[i] = true;
            return true;
        }
    }
    return false;
}

static void differs(Comparison *c, const char *path, const char *prop, const char *how)
{
    if (explained(c, path, prop))
        return;
    g_test_message("%s %s: %s", path, prop ? prop : "(node)", how);
    c->wrong++;
}

static void compare_node(Comparison *c, int a, const char *path)
{
    int b = fdt_path_offset(c->b, path), at, child;

    if (b < 0) {
        differs(c, path, NULL, c->missing);
        return;
    }
    fdt_for_each_property_offset(at, c->a, a)
    {
        const char *name;
        int la, lb = 0;
        const void *va = fdt_getprop_by_offset(c->a, at, &name, &la);
        const void *vb = fdt_getprop(c->b, b, name, &lb);

        if (!vb)
            differs(c, path, name, c->missing);
        else if (la != lb || memcmp(va, vb, la) != 0)
            differs(c, path, name, "another value");
    }
    fdt_for_each_subnode(child, c->a, a)
    {
        g_autofree char *sub =
            g_strdup_printf("%s/%s", path[1] ? path : "", fdt_get_name(c->a, child, NULL));

        compare_node(c, child, sub);
    }
}

static void *reference(const char *name)
{
    g_autofree char *file = g_strdup_printf("virt-%s.dtb", name);
    g_autofree char *path = g_test_build_filename(G_TEST_BUILT, file, NULL);
    char *data;
    gsize len;

    if (!g_file_get_contents(path, &data, &len, NULL))
        return NULL;
    g_assert_cmpint(fdt_check_full(data, len), ==, 0);
    return data;
}

/* Build the tree of a machine without NUMA nodes. */
static void *build_tree(VirtConfig *c, GPtrArray *cpus, size_t room)
{
    virt_set_one_socket(c);
    return virt_fdt_build(c, cpus, room);
}

static void compare(const char *name, unsigned tree, VirtAia aia, bool aclint, bool *used)
{
    Machine *m = fixture_new(2);
    VirtConfig config = { aia, aclint, 2, 512 << 20, .boot_devices = true };
    g_autofree void *ours = build_tree(&config, m->cpus, 4096);
    g_autofree void *theirs = reference(name);
    Comparison c = { ours, theirs, "not in the reference", tree, used, 0 };

    g_assert_nonnull(theirs);
    compare_node(&c, 0, "/");
    c = (Comparison){ theirs, ours, "only in the reference", tree, used, c.wrong };
    compare_node(&c, 0, "/");
    g_assert_cmpuint(c.wrong, ==, 0);
    machine_free(m);
}

static void test_compare(void)
{
    bool used[G_N_ELEMENTS(differences)] = { false };
    g_autofree void *probe = reference("none");

    if (!probe) {
        g_test_skip("no dtc when this was configured (Debian package device-tree-compiler)");
        return;
    }
    compare("none", TREE_NONE, VIRT_AIA_NONE, false, used);
    compare("aclint", TREE_ACLINT, VIRT_AIA_NONE, true, used);
    compare("aia", TREE_AIA, VIRT_AIA_APLIC_IMSIC, false, used);
    compare("aiaac", TREE_AIAAC, VIRT_AIA_APLIC_IMSIC, true, used);
    for (unsigned i = 0; i < G_N_ELEMENTS(differences); i++) {
        if (!used[i])
            g_test_message("unused: %s %s", differences[i].path, differences[i].prop);
        g_assert_true(used[i]);
    }
}

/* aia=aplic has no reference: the controllers use direct delivery. */
static void test_aplic_direct(void)
{
    Machine *m = fixture_new(1);
    VirtConfig config = { VIRT_AIA_APLIC, false, 1, 128 << 20 };
    g_autofree void *fdt = build_tree(&config, m->cpus, 0);
    int node = fdt_path_offset(fdt, "/soc/aplic@d000000"), len;

    g_assert_cmpint(node, >, 0);
    g_assert_null(fdt_getprop(fdt, node, "msi-parent", NULL));
    g_assert_nonnull(fdt_getprop(fdt, node, "interrupts-extended", &len));
    g_assert_cmpint(len, ==, 8);
    g_assert_cmpint(fdt_path_offset(fdt, "/soc/imsics@28000000"), <, 0);
    node = fdt_path_offset(fdt, "/soc/pci@30000000");
    g_assert_null(fdt_getprop(fdt, node, "msi-parent", NULL));
    machine_free(m);
}

static void test_mmio64(void)
{
    VirtConfig c = { .ram_size = 128 << 20 };

    g_assert_cmphex(virt_mmio64_base(&c), ==, 0x400000000);
    c.ram_size = 0x400000000 - 0x80000000;
    g_assert_cmphex(virt_mmio64_base(&c), ==, 0x400000000);
    c.ram_size += 4096;
    g_assert_cmphex(virt_mmio64_base(&c), ==, 0x800000000);
}

static unsigned node_of(const void *fdt, const char *path)
{
    const fdt32_t *id = fdt_getprop(fdt, fdt_path_offset(fdt, path), "numa-node-id", NULL);

    return id ? fdt32_ld(id) : UINT_MAX;
}

/* Two NUMA nodes with one and two harts, and an extra PCI root that belongs to the second. */
static void test_nodes(void)
{
    Machine *m = fixture_new(3);
    VirtConfig config = { VIRT_AIA_APLIC_IMSIC, false, 3, 96 << 20, { 0x40, 0x80 }, 2 };
    g_autofree void *fdt = NULL;
    const fdt64_t *reg;
    int len;

    config.n_sockets = 2;
    config.numa = true;
    config.sockets[0] = (VirtSocket){ 0, 1, 0x80000000, 32 << 20, { 10, 15 } };
    config.sockets[1] = (VirtSocket){ 1, 2, 0x82000000, 64 << 20, { 15, 10 } };
    config.root_node[0x80] = 2;
    fdt = virt_fdt_build(&config, m->cpus, 0);
    g_assert_cmpuint(node_of(fdt, "/cpus/cpu@0"), ==, 0);
    g_assert_cmpuint(node_of(fdt, "/cpus/cpu@2"), ==, 1);
    g_assert_cmpuint(node_of(fdt, "/memory@82000000"), ==, 1);
    g_assert_cmpuint(node_of(fdt, "/soc/aplic@d008000"), ==, 1);
    g_assert_cmpuint(node_of(fdt, "/soc/clint@2010000"), ==, 1);
    g_assert_cmpuint(node_of(fdt, "/soc/pci@38000000"), ==, 1);
    g_assert_cmpuint(node_of(fdt, "/soc/pci@34000000"), ==, UINT_MAX);
    g_assert_cmpuint(node_of(fdt, "/soc/pci@30000000"), ==, UINT_MAX);
    reg = fdt_getprop(fdt, fdt_path_offset(fdt, "/soc/imsics@28000000"), "reg", &len);
    g_assert_cmpint(len, ==, 32);
    g_assert_cmphex(fdt64_ld(&reg[2]), ==, 0x29000000);
    g_assert_cmphex(fdt64_ld(&reg[3]), ==, 0x2000);
    fdt_getprop(fdt, fdt_path_offset(fdt, "/distance-map"), "distance-matrix", &len);
    g_assert_cmpint(len, ==, 4 * 3 * 4);
    machine_free(m);
}

/* Extra PCI roots: bus numbers, ECAM and windows are divided without overlap and without a gap. */
static void test_roots(void)
{
    Machine *m = fixture_new(1);
    VirtConfig config = { VIRT_AIA_APLIC_IMSIC, false, 1, 128 << 20, { 0x40, 0x80 }, 2 };
    g_autofree void *fdt = build_tree(&config, m->cpus, 0);
    static const struct {
        const char *path;
        unsigned first, last;
        uint64_t io, low, high;
    } want[] = {
        { "/soc/pci@30000000", 0, 0x3f, 0x3000000, 0x40000000, 0x400000000 },
        { "/soc/pci@34000000", 0x40, 0x7f, 0x3004000, 0x50000000, 0x500000000 },
        { "/soc/pci@38000000", 0x80, 0xff, 0x3008000, 0x60000000, 0x600000000 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(want); i++) {
        int node = fdt_path_offset(fdt, want[i].path), len;
        const fdt32_t *buses = fdt_getprop(fdt, node, "bus-range", NULL);
        const fdt64_t *reg = fdt_getprop(fdt, node, "reg", NULL);
        const fdt32_t *ranges = fdt_getprop(fdt, node, "ranges", &len);

        g_assert_cmpuint(fdt32_ld(&buses[0]), ==, want[i].first);
        g_assert_cmpuint(fdt32_ld(&buses[1]), ==, want[i].last);
        g_assert_cmphex(fdt64_ld(&reg[0]), ==, 0x30000000 + (want[i].first << 20));
        g_assert_cmphex(fdt64_ld(&reg[1]), ==, (want[i].last + 1 - want[i].first) << 20);
        g_assert_cmpint(len, ==, 3 * 7 * 4);
        g_assert_cmphex(fdt32_ld(&ranges[4]), ==, want[i].io);
        g_assert_cmphex(fdt32_ld(&ranges[7 + 4]), ==, want[i].low);
        g_assert_cmphex((uint64_t)fdt32_ld(&ranges[14 + 3]) << 32 | fdt32_ld(&ranges[14 + 4]), ==,
                        want[i].high);
    }
    machine_free(m);
}

static void test_chosen(void)
{
    Machine *m = fixture_new(1);
    VirtConfig config = { VIRT_AIA_APLIC_IMSIC, false, 1, 128 << 20 };
    g_autofree void *fdt = build_tree(&config, m->cpus, 4096);
    VirtFdtBoot boot = { "console=ttyS0", 0x84000000, 0x84001000, NULL };
    int node, len;

    g_assert_true(virt_fdt_set_boot(fdt, &boot, NULL));
    node = fdt_path_offset(fdt, "/chosen");
    g_assert_cmpstr(fdt_getprop(fdt, node, "bootargs", NULL), ==, "console=ttyS0");
    g_assert_nonnull(fdt_getprop(fdt, node, "linux,initrd-start", &len));
    g_assert_cmpint(len, ==, 8);
    g_assert_cmpint(fdt_check_full(fdt, fdt_totalsize(fdt)), ==, 0);
    machine_free(m);
}

static char *write_temp(const void *data, gsize len)
{
    char *path = g_strdup("/tmp/backplane-fdt-XXXXXX");

    close(g_mkstemp(path));
    g_assert_true(g_file_set_contents(path, data, len, NULL));
    return path;
}

/* Every truncation and single-byte change of a valid tree: loaded or rejected, and no other
 * effect. */
static void test_hostile_dtb(void)
{
    Machine *m = fixture_new(1);
    VirtConfig config = { VIRT_AIA_NONE, false, 1, 128 << 20 };
    g_autofree uint8_t *fdt = build_tree(&config, m->cpus, 0);
    VirtFdtBoot boot = { "x", 0, 0, NULL };
    unsigned refused = 0;

    fdt_pack(fdt);
    for (unsigned i = 0; i < 400; i++) {
        uint32_t size = fdt_totalsize(fdt);
        g_autofree uint8_t *copy = g_memdup2(fdt, size);
        g_autoptr(BootImages) images = boot_images_new();
        g_autofree char *path = NULL;
        g_autofree void *loaded = NULL;
        g_autoptr(GError) err = NULL;

        copy[(uint32_t)g_test_rand_int() % (i % 2 ? size : 40)] = g_test_rand_int();
        path = write_temp(copy, i % 4 == 0 ? (uint32_t)g_test_rand_int() % size : size);
        if (!boot_images_open(images, BOOT_DTB, path, NULL)) { /* empty */
            refused++;
            continue;
        }
        loaded = virt_fdt_load(&images->image[BOOT_DTB], 4096, &err);
        g_assert_true((loaded != NULL) == (err == NULL));
        refused += !loaded;
        if (loaded)
            virt_fdt_set_boot(loaded, &boot, NULL);
        g_remove(path);
    }
    g_assert_cmpuint(refused, >, 90);
    machine_free(m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fdt/compare", test_compare);
    g_test_add_func("/fdt/aplic-direct", test_aplic_direct);
    g_test_add_func("/fdt/mmio64", test_mmio64);
    g_test_add_func("/fdt/roots", test_roots);
    g_test_add_func("/fdt/chosen", test_chosen);
    g_test_add_func("/fdt/hostile-dtb", test_hostile_dtb);
    g_test_add_func("/fdt/nodes", test_nodes);
    return g_test_run();
}
