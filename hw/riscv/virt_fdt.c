/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device tree of the `virt` board.
 *
 * References: Devicetree Specification 0.4; Linux Documentation/devicetree/bindings (riscv,aplic,
 * riscv,imsics, host-generic-pci). Nodes are created in the order of their phandles; libfdt inserts
 * a new node before the existing siblings.
 */
#include "hw/riscv/virt.h"

#include <libfdt.h>

#include "hw/pci-host/ecam.h"
#include "util/error.h"

enum {
    IRQ_LEVEL_HIGH = 4,
    TREE_SIZE = 64 << 10,
    HART_SIZE = 4 << 10, /* of the nodes and references of a hart */
    MAX_CELLS = 4 * VIRT_MAX_HARTS
};

typedef struct Fdt {
    void *blob;
    const VirtConfig *c;
    uint32_t next_phandle;
    uint32_t cpu_intc[VIRT_MAX_HARTS];
    uint32_t irqchip[VIRT_MAX_SOCKETS], irq_cells; /* the controllers for wired interrupts */
    uint32_t imsic_m, imsic_s, test;
} Fdt;

/* Cells that are collected for one property. */
typedef struct Cells {
    uint32_t v[MAX_CELLS];
    unsigned n;
} Cells;

static void fdt_put_cell(Cells *c, uint32_t v)
{
    g_assert(c->n < MAX_CELLS);
    c->v[c->n++] = cpu_to_fdt32(v);
}

static void cell64(Cells *c, uint64_t v)
{
    fdt_put_cell(c, v >> 32);
    fdt_put_cell(c, v);
}

/* The blob is created here with enough space: an error of libfdt is a bug of the emulator. */
static int fdt_writer_ok(int r)
{
    g_assert_cmpint(r, >=, 0);
    return r;
}

static int fdt_add_node(Fdt *f, const char *parent, const char *name)
{
    return fdt_writer_ok(
        fdt_add_subnode(f->blob, fdt_writer_ok(fdt_path_offset(f->blob, parent)), name));
}

static int fdt_add_device(Fdt *f, const char *name, uint64_t base)
{
    g_autofree char *unit = g_strdup_printf("%s@%" G_GINT64_MODIFIER "x", name, base);

    return fdt_add_node(f, "/soc", unit);
}

static void prop_cells(Fdt *f, int node, const char *name, const Cells *c)
{
    fdt_writer_ok(fdt_setprop(f->blob, node, name, c->v, c->n * 4));
}

static void prop_u32(Fdt *f, int node, const char *name, uint32_t v)
{
    fdt_writer_ok(fdt_setprop_u32(f->blob, node, name, v));
}

static void prop_flag(Fdt *f, int node, const char *name)
{
    fdt_writer_ok(fdt_setprop(f->blob, node, name, NULL, 0));
}

static void prop_string(Fdt *f, int node, const char *name, const char *v)
{
    fdt_writer_ok(fdt_setprop_string(f->blob, node, name, v));
}

/* Set a list of strings. The literal contains the separating NULs. */
#define prop_strings(f, node, name, literal)                                                       \
    fdt_writer_ok(fdt_setprop((f)->blob, node, name, literal, sizeof(literal)))

static void prop_reg(Fdt *f, int node, uint64_t base, uint64_t size)
{
    Cells c = { .n = 0 };

    cell64(&c, base);
    cell64(&c, size);
    prop_cells(f, node, "reg", &c);
}

static uint32_t new_phandle(Fdt *f, int node)
{
    prop_u32(f, node, "phandle", f->next_phandle);
    return f->next_phandle++;
}

static void prop_interrupt_of(Fdt *f, int node, unsigned socket, unsigned irq)
{
    Cells c = { .n = 0 };

    fdt_put_cell(&c, irq);
    if (f->irq_cells == 2)
        fdt_put_cell(&c, IRQ_LEVEL_HIGH);
    prop_u32(f, node, "interrupt-parent", f->irqchip[socket]);
    prop_cells(f, node, "interrupts", &c);
}

static void prop_interrupt(Fdt *f, int node, unsigned irq)
{
    prop_interrupt_of(f, node, 0, irq);
}

/* State the NUMA node of a device, if the machine has nodes. */
static void prop_numa_node(Fdt *f, int node, unsigned id)
{
    if (f->c->numa)
        prop_u32(f, node, "numa-node-id", id);
}

/* Set interrupts-extended to two inputs of the harts [from, end); second 0: to one input. */
static void prop_hart_inputs(Fdt *f, int node, unsigned from, unsigned end, uint32_t first,
                             uint32_t second)
{
    Cells c = { .n = 0 };

    for (unsigned i = from; i < end; i++) {
        fdt_put_cell(&c, f->cpu_intc[i]);
        fdt_put_cell(&c, first);
        if (second) {
            fdt_put_cell(&c, f->cpu_intc[i]);
            fdt_put_cell(&c, second);
        }
    }
    prop_cells(f, node, "interrupts-extended", &c);
}

/* The controller of a socket: the inputs of its harts, and its node. */
static void prop_socket_inputs(Fdt *f, int node, unsigned socket, uint32_t first, uint32_t second)
{
    const VirtSocket *s = &f->c->sockets[socket];

    prop_hart_inputs(f, node, s->first, s->first + s->harts, first, second);
}

static void prop_controller(Fdt *f, int node, uint32_t irq_cells)
{
    prop_u32(f, node, "#interrupt-cells", irq_cells);
    prop_flag(f, node, "interrupt-controller");
}

/* --- CPUs and memory --- */

static uint32_t add_cpu(Fdt *f, unsigned socket, unsigned i, Cpu *cpu)
{
    g_autofree char *name = g_strdup_printf("cpu@%x", i);
    g_autofree char *path = g_strdup_printf("/cpus/%s", name);
    int node = fdt_add_node(f, "/cpus", name);
    uint32_t phandle = new_phandle(f, node);

    if (cpu->type->fdt_props)
        cpu->type->fdt_props(cpu, f->blob, node);
    node = fdt_writer_ok(fdt_path_offset(f->blob, path));
    prop_string(f, node, "compatible", "riscv");
    prop_string(f, node, "status", "okay");
    prop_u32(f, node, "reg", i);
    prop_string(f, node, "device_type", "cpu");
    prop_numa_node(f, node, socket);
    node = fdt_add_node(f, path, "interrupt-controller");
    f->cpu_intc[i] = new_phandle(f, node);
    prop_string(f, node, "compatible", "riscv,cpu-intc");
    prop_controller(f, node, 1);
    return phandle;
}

/* Add the harts of a socket, which is a cluster. */
static void add_cluster(Fdt *f, unsigned socket, GPtrArray *cpus)
{
    const VirtSocket *s = &f->c->sockets[socket];
    g_autofree char *name = g_strdup_printf("cluster%u", socket);
    g_autofree char *path = g_strdup_printf("/cpus/cpu-map/%s", name);
    uint32_t phandle[VIRT_MAX_HARTS];

    fdt_add_node(f, "/cpus/cpu-map", name);
    for (unsigned i = s->harts; i-- > 0;)
        phandle[i] = add_cpu(f, socket, s->first + i, g_ptr_array_index(cpus, s->first + i));
    for (unsigned i = s->harts; i-- > 0;) {
        g_autofree char *core = g_strdup_printf("core%u", i);

        prop_u32(f, fdt_add_node(f, path, core), "cpu", phandle[i]);
    }
}

static void fdt_add_cpus(Fdt *f, GPtrArray *cpus)
{
    int node = fdt_add_node(f, "/", "cpus");

    prop_u32(f, node, "timebase-frequency", VIRT_TIMEBASE);
    prop_u32(f, node, "#size-cells", 0);
    prop_u32(f, node, "#address-cells", 1);
    fdt_add_node(f, "/cpus", "cpu-map");
    for (unsigned i = f->c->n_sockets; i-- > 0;)
        add_cluster(f, i, cpus);
}

static void add_memory(Fdt *f)
{
    for (unsigned i = f->c->n_sockets; i-- > 0;) {
        const VirtSocket *s = &f->c->sockets[i];
        g_autofree char *name = g_strdup_printf("memory@%" G_GINT64_MODIFIER "x", s->ram_base);
        int node = fdt_add_node(f, "/", name);

        prop_reg(f, node, s->ram_base, s->ram_size);
        prop_string(f, node, "device_type", "memory");
        prop_numa_node(f, node, i);
    }
}

/* The distances between the nodes, as triples of two nodes and their distance. */
static void add_distance_map(Fdt *f)
{
    unsigned n = f->c->n_sockets;
    Cells c = { .n = 0 };
    int node;

    if (!f->c->numa || !f->c->sockets[0].distance[0])
        return;
    for (unsigned i = 0; i < n; i++) {
        for (unsigned j = 0; j < n; j++) {
            fdt_put_cell(&c, i);
            fdt_put_cell(&c, j);
            fdt_put_cell(&c, f->c->sockets[i].distance[j]);
        }
    }
    node = fdt_add_node(f, "/", "distance-map");
    prop_string(f, node, "compatible", "numa-distance-map-v1");
    prop_cells(f, node, "distance-matrix", &c);
}

/* --- interrupt controllers and timers --- */

static void add_clint(Fdt *f, unsigned socket)
{
    uint64_t base = virt_map[VIRT_CLINT].base + (uint64_t)socket * VIRT_CLINT_STRIDE;
    int node = fdt_add_device(f, "clint", base);

    prop_strings(f, node, "compatible", "sifive,clint0\0riscv,clint0");
    prop_reg(f, node, base, virt_map[VIRT_CLINT].size);
    prop_socket_inputs(f, node, socket, 3, 7);
    prop_numa_node(f, node, socket);
}

static void add_swi(Fdt *f, unsigned socket, const char *name, const char *compatible,
                    uint64_t base, uint32_t input)
{
    int node = fdt_add_device(f, name, base);

    prop_string(f, node, "compatible", compatible);
    prop_reg(f, node, base, 0x4000);
    prop_socket_inputs(f, node, socket, input, 0);
    prop_controller(f, node, 0);
    prop_numa_node(f, node, socket);
}

static void add_mtimer(Fdt *f, unsigned socket, uint64_t base, uint64_t mtime_size)
{
    int node = fdt_add_device(f, "mtimer", base);
    Cells c = { .n = 0 };

    prop_string(f, node, "compatible", "riscv,aclint-mtimer");
    cell64(&c, base + 0x7ff8);
    cell64(&c, mtime_size);
    cell64(&c, base);
    cell64(&c, 0x7ff8);
    prop_cells(f, node, "reg", &c);
    prop_socket_inputs(f, node, socket, 7, 0);
    prop_numa_node(f, node, socket);
}

static void add_timers(Fdt *f, unsigned socket)
{
    uint64_t clint = virt_map[VIRT_CLINT].base, sswi = virt_map[VIRT_ACLINT_SSWI].base;
    uint64_t base = clint + (uint64_t)socket * VIRT_CLINT_STRIDE;

    if (!f->c->aclint) {
        add_clint(f, socket);
    } else if (f->c->aia == VIRT_AIA_APLIC_IMSIC) {
        add_mtimer(f, socket, clint + (uint64_t)socket * VIRT_MTIMER_STRIDE, 8);
    } else {
        add_swi(f, socket, "mswi", "riscv,aclint-mswi", base, 3);
        add_mtimer(f, socket, base + 0x4000, 0x4008);
        add_swi(f, socket, "sswi", "riscv,aclint-sswi", sswi + (uint64_t)socket * VIRT_SSWI_STRIDE,
                1);
    }
}

static void add_plic(Fdt *f, unsigned socket)
{
    uint64_t base = virt_map[VIRT_PLIC].base + (uint64_t)socket * VIRT_PLIC_STRIDE;
    int node = fdt_add_device(f, "plic", base);

    f->irqchip[socket] = new_phandle(f, node);
    f->irq_cells = 1;
    prop_strings(f, node, "compatible", "sifive,plic-1.0.0\0riscv,plic0");
    prop_controller(f, node, 1);
    prop_u32(f, node, "#address-cells", 0);
    prop_socket_inputs(f, node, socket, 11, 9);
    prop_reg(f, node, base, virt_map[VIRT_PLIC].size);
    prop_u32(f, node, "riscv,ndev", VIRT_N_SOURCES);
    prop_numa_node(f, node, socket);
}

/* Return the number of bits of the numbers below `n`. */
static uint32_t fdt_index_bits(unsigned n)
{
    uint32_t bits = 0;

    while (1u << bits < n)
        bits++;
    return bits;
}

/* The files of all sockets are one controller, with a group of pages for each socket. */
static void prop_imsic_groups(Fdt *f, int node, uint64_t base)
{
    unsigned most = 0;
    Cells c = { .n = 0 };

    for (unsigned i = 0; i < f->c->n_sockets; i++) {
        cell64(&c, base + ((uint64_t)i << VIRT_IMSIC_GROUP_SHIFT));
        cell64(&c, (uint64_t)f->c->sockets[i].harts * 0x1000);
        most = MAX(most, f->c->sockets[i].harts);
    }
    prop_cells(f, node, "reg", &c);
    if (f->c->n_sockets == 1)
        return;
    prop_u32(f, node, "riscv,hart-index-bits", fdt_index_bits(most));
    prop_u32(f, node, "riscv,group-index-bits", fdt_index_bits(f->c->n_sockets));
    prop_u32(f, node, "riscv,group-index-shift", VIRT_IMSIC_GROUP_SHIFT);
}

static uint32_t add_imsic(Fdt *f, uint64_t base, uint32_t input)
{
    int node = fdt_add_device(f, "imsics", base);
    uint32_t phandle = new_phandle(f, node);

    prop_string(f, node, "compatible", "riscv,imsics");
    prop_controller(f, node, 0);
    prop_flag(f, node, "msi-controller");
    prop_u32(f, node, "#msi-cells", 0);
    prop_hart_inputs(f, node, 0, f->c->harts, input, 0);
    prop_imsic_groups(f, node, base);
    prop_u32(f, node, "riscv,num-ids", VIRT_IMSIC_IDS);
    prop_u32(f, node, "riscv,ipi-id", 1);
    return phandle;
}

static int add_aplic(Fdt *f, unsigned socket, VirtRegion where, uint32_t imsic, uint32_t input)
{
    uint64_t base = virt_map[where].base + (uint64_t)socket * VIRT_APLIC_STRIDE;
    int node = fdt_add_device(f, "aplic", base);

    prop_string(f, node, "compatible", "riscv,aplic");
    prop_controller(f, node, 2);
    prop_u32(f, node, "#address-cells", 0);
    if (f->c->aia == VIRT_AIA_APLIC_IMSIC)
        prop_u32(f, node, "msi-parent", imsic);
    else
        prop_socket_inputs(f, node, socket, input, 0);
    prop_reg(f, node, base, virt_map[where].size);
    prop_u32(f, node, "riscv,num-sources", VIRT_N_SOURCES);
    prop_numa_node(f, node, socket);
    return node;
}

static void add_imsics(Fdt *f)
{
    f->imsic_m = add_imsic(f, virt_map[VIRT_IMSIC_M].base, 11);
    f->imsic_s = add_imsic(f, virt_map[VIRT_IMSIC_S].base, 9);
}

/* Add the APLICs of a socket. The M-level domain delegates all sources to the S-level domain. The
 * delegation property has two names: the ratified one, and the earlier one for older firmware. */
static void add_aplics(Fdt *f, unsigned socket)
{
    uint32_t m = f->next_phandle++, child = f->next_phandle++;
    Cells delegate = { .n = 0 };
    int node;

    f->irqchip[socket] = child;
    f->irq_cells = 2;
    fdt_put_cell(&delegate, child);
    fdt_put_cell(&delegate, 1);
    fdt_put_cell(&delegate, VIRT_N_SOURCES);
    node = add_aplic(f, socket, VIRT_APLIC_M, f->imsic_m, 11);
    prop_u32(f, node, "phandle", m);
    prop_u32(f, node, "riscv,children", child);
    prop_cells(f, node, "riscv,delegate", &delegate);
    prop_cells(f, node, "riscv,delegation", &delegate);
    node = add_aplic(f, socket, VIRT_APLIC_S, f->imsic_s, 9);
    prop_u32(f, node, "phandle", child);
}

/* Sockets are added in the order of their nodes in the tree, from the last to the first. */
static void add_controllers(Fdt *f)
{
    for (unsigned i = f->c->n_sockets; i-- > 0;)
        add_timers(f, i);
    if (f->c->aia == VIRT_AIA_APLIC_IMSIC)
        add_imsics(f);
    for (unsigned i = f->c->n_sockets; i-- > 0;) {
        if (f->c->aia == VIRT_AIA_NONE)
            add_plic(f, i);
        else
            add_aplics(f, i);
    }
}

/* --- devices --- */

static void add_virtio(Fdt *f)
{
    for (unsigned i = 0; i < VIRT_N_VIRTIO; i++) {
        uint64_t base = virt_map[VIRT_VIRTIO].base + i * virt_map[VIRT_VIRTIO].size;
        int node = fdt_add_device(f, "virtio_mmio", base);

        prop_string(f, node, "compatible", "virtio,mmio");
        prop_reg(f, node, base, virt_map[VIRT_VIRTIO].size);
        prop_interrupt_of(f, node, virt_virtio_socket(f->c), VIRT_IRQ_VIRTIO + i);
    }
}

static void pci_range(Cells *c, uint32_t space, uint64_t bus, uint64_t cpu, uint64_t size)
{
    fdt_put_cell(c, space);
    cell64(c, bus);
    cell64(c, cpu);
    cell64(c, size);
}

/* INTx pin p of slot s is connected to input (s + p) mod 4: the mapping repeats every four slots.
 */
static void prop_interrupt_map(Fdt *f, int node)
{
    static const uint32_t mask[] = { 0x1800, 0, 0, 7 };
    Cells map = { .n = 0 }, m = { .n = 0 };

    for (unsigned slot = 0; slot < 4; slot++) {
        for (unsigned pin = 0; pin < 4; pin++) {
            fdt_put_cell(&map, slot << 11);
            cell64(&map, 0);
            fdt_put_cell(&map, pin + 1);
            fdt_put_cell(&map, f->irqchip[virt_pci_socket(f->c)]);
            fdt_put_cell(&map, VIRT_IRQ_PCIE + (slot + pin) % 4);
            if (f->irq_cells == 2)
                fdt_put_cell(&map, IRQ_LEVEL_HIGH);
        }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(mask); i++)
        fdt_put_cell(&m, mask[i]);
    prop_cells(f, node, "interrupt-map", &map);
    prop_cells(f, node, "interrupt-map-mask", &m);
}

/* The root with bus numbers [first, end) and its parts of the windows (see hw/pci-host/ecam.h). */
/* Linux rejects two host bridges with the same domain in a device tree. Each root therefore has a
 * separate domain there, although all roots share the ECAM of the segment. */
static void add_pci_root(Fdt *f, unsigned domain, unsigned first, unsigned end)
{
    const VirtMap *ecam = &virt_map[VIRT_PCIE_ECAM], *pio = &virt_map[VIRT_PCIE_PIO];
    const VirtMap *mmio = &virt_map[VIRT_PCIE_MMIO];
    EcamRange io = ecam_slice((EcamRange){ pio->base, pio->size }, first, end, ECAM_ALIGN_IO);
    EcamRange low = ecam_slice((EcamRange){ mmio->base, mmio->size }, first, end, ECAM_ALIGN_MEM);
    EcamRange high = ecam_slice((EcamRange){ virt_mmio64_base(f->c), VIRT_PCIE_MMIO64_SIZE }, first,
                                end, ECAM_ALIGN_MEM);
    uint64_t base = ecam->base + ((uint64_t)first << 20);
    int node = fdt_add_device(f, "pci", base);
    Cells ranges = { .n = 0 }, buses = { .n = 0 };

    if (io.size)
        pci_range(&ranges, 0x01000000, io.base - pio->base, io.base, io.size);
    pci_range(&ranges, 0x02000000, low.base, low.base, low.size);
    pci_range(&ranges, 0x03000000, high.base, high.base, high.size);
    fdt_put_cell(&buses, first);
    fdt_put_cell(&buses, end - 1);
    prop_u32(f, node, "#address-cells", 3);
    prop_u32(f, node, "#interrupt-cells", 1);
    prop_u32(f, node, "#size-cells", 2);
    prop_string(f, node, "compatible", "pci-host-ecam-generic");
    prop_string(f, node, "device_type", "pci");
    prop_u32(f, node, "linux,pci-domain", domain);
    prop_cells(f, node, "bus-range", &buses);
    prop_flag(f, node, "dma-coherent");
    if (f->c->aia == VIRT_AIA_APLIC_IMSIC)
        prop_u32(f, node, "msi-parent", f->imsic_s);
    prop_reg(f, node, base, (uint64_t)(end - first) << 20);
    prop_cells(f, node, "ranges", &ranges);
    if (f->c->root_node[first])
        prop_numa_node(f, node, f->c->root_node[first] - 1);
    prop_interrupt_map(f, node);
}

static void add_pci(Fdt *f)
{
    unsigned end = 256;

    for (unsigned i = f->c->n_roots; i-- > 0;) {
        add_pci_root(f, i + 1, f->c->roots[i], end);
        end = f->c->roots[i];
    }
    add_pci_root(f, 0, 0, end);
}

static void add_syscon(Fdt *f, const char *name, const char *compatible, uint32_t value)
{
    int node = fdt_add_node(f, "/", name);

    prop_string(f, node, "compatible", compatible);
    prop_u32(f, node, "regmap", f->test);
    prop_u32(f, node, "offset", 0);
    prop_u32(f, node, "value", value);
}

static void add_test(Fdt *f)
{
    int node = fdt_add_device(f, "test", virt_map[VIRT_TEST].base);

    prop_strings(f, node, "compatible", "sifive,test1\0sifive,test0\0syscon");
    prop_reg(f, node, virt_map[VIRT_TEST].base, virt_map[VIRT_TEST].size);
    f->test = new_phandle(f, node);
    add_syscon(f, "reboot", "syscon-reboot", 0x7777);
    add_syscon(f, "poweroff", "syscon-poweroff", 0x5555);
}

static void add_uart_and_rtc(Fdt *f)
{
    int node = fdt_add_device(f, "serial", virt_map[VIRT_UART].base);

    prop_string(f, node, "compatible", "ns16550a");
    prop_reg(f, node, virt_map[VIRT_UART].base, virt_map[VIRT_UART].size);
    prop_u32(f, node, "clock-frequency", VIRT_UART_CLOCK);
    prop_interrupt(f, node, VIRT_IRQ_UART);
    node = fdt_add_device(f, "rtc", virt_map[VIRT_RTC].base);
    prop_string(f, node, "compatible", "google,goldfish-rtc");
    prop_reg(f, node, virt_map[VIRT_RTC].base, virt_map[VIRT_RTC].size);
    prop_interrupt(f, node, VIRT_IRQ_RTC);
}

static void fdt_add_flash(Fdt *f)
{
    uint64_t base = virt_map[VIRT_FLASH].base, bank = virt_map[VIRT_FLASH].size / VIRT_N_FLASH;
    int node = fdt_add_node(f, "/", "flash@20000000");
    Cells reg = { .n = 0 };

    for (unsigned i = 0; i < VIRT_N_FLASH; i++) {
        cell64(&reg, base + i * bank);
        cell64(&reg, bank);
    }
    prop_u32(f, node, "bank-width", 4);
    prop_cells(f, node, "reg", &reg);
    prop_string(f, node, "compatible", "cfi-flash");
}

/* The power button: a key on pin 0 of a GPIO controller. */
static void fdt_add_power_button(Fdt *f)
{
    enum { KEY_POWER_CODE = 116, ACTIVE_HIGH = 0 };
    int node = fdt_add_device(f, "gpio", virt_map[VIRT_GPIO].base);
    uint32_t gpio = new_phandle(f, node);
    Cells pin = { .n = 0 };

    prop_strings(f, node, "compatible", "sifive,fu540-c000-gpio\0sifive,gpio0");
    prop_reg(f, node, virt_map[VIRT_GPIO].base, virt_map[VIRT_GPIO].size);
    prop_interrupt(f, node, VIRT_IRQ_GPIO);
    prop_flag(f, node, "gpio-controller");
    prop_u32(f, node, "#gpio-cells", 2);
    prop_u32(f, node, "ngpios", 1);
    prop_controller(f, node, 2);
    fdt_add_node(f, "/", "gpio-keys");
    node = fdt_add_node(f, "/gpio-keys", "poweroff");
    fdt_put_cell(&pin, gpio);
    fdt_put_cell(&pin, 0);
    fdt_put_cell(&pin, ACTIVE_HIGH);
    prop_cells(f, node, "gpios", &pin);
    prop_u32(f, node, "linux,code", KEY_POWER_CODE);
    prop_string(f, node, "label", "GPIO Key Poweroff");
    node = fdt_writer_ok(fdt_path_offset(f->blob, "/gpio-keys"));
    prop_string(f, node, "compatible", "gpio-keys");
}

static void fdt_add_fw_cfg(Fdt *f)
{
    int node = fdt_add_node(f, "/", "fw-cfg@10100000");

    prop_flag(f, node, "dma-coherent");
    prop_reg(f, node, virt_map[VIRT_FW_CFG].base, virt_map[VIRT_FW_CFG].size);
    prop_string(f, node, "compatible", "qemu,fw-cfg-mmio");
}

static void add_platform_bus(Fdt *f)
{
    const VirtMap *map = &virt_map[VIRT_PLATFORM_BUS];
    int node = fdt_add_node(f, "/", "platform-bus@4000000");
    Cells ranges = { .n = 0 };

    fdt_put_cell(&ranges, 0);
    cell64(&ranges, map->base);
    fdt_put_cell(&ranges, map->size);
    prop_strings(f, node, "compatible", "qemu,platform\0simple-bus");
    prop_u32(f, node, "#size-cells", 1);
    prop_u32(f, node, "#address-cells", 1);
    prop_cells(f, node, "ranges", &ranges);
    prop_u32(f, node, "interrupt-parent", f->irqchip[0]);
}

static void add_root(Fdt *f)
{
    int node = fdt_writer_ok(fdt_path_offset(f->blob, "/"));

    prop_string(f, node, "model", "riscv-virtio,qemu");
    prop_string(f, node, "compatible", "riscv-virtio");
    prop_u32(f, node, "#size-cells", 2);
    prop_u32(f, node, "#address-cells", 2);
    node = fdt_add_node(f, "/", "soc");
    prop_flag(f, node, "ranges");
    prop_string(f, node, "compatible", "simple-bus");
    prop_u32(f, node, "#size-cells", 2);
    prop_u32(f, node, "#address-cells", 2);
}

void *virt_fdt_build(const VirtConfig *c, GPtrArray *cpus, size_t room)
{
    size_t size = TREE_SIZE + (size_t)c->harts * HART_SIZE + room;
    Fdt f = { .blob = g_malloc0(size), .c = c, .next_phandle = 1 };
    int node;

    fdt_writer_ok(fdt_create_empty_tree(f.blob, size));
    add_root(&f);
    fdt_add_cpus(&f, cpus);
    add_memory(&f);
    add_distance_map(&f);
    add_controllers(&f);
    add_platform_bus(&f);
    add_virtio(&f);
    add_pci(&f);
    add_test(&f);
    add_uart_and_rtc(&f);
    if (c->boot_devices) {
        fdt_add_flash(&f);
        fdt_add_fw_cfg(&f);
        /* Linux's driver of the GPIO controller makes its interrupts children of those of the
         * parent, and dereferences NULL if the parent sends them as messages. */
        if (c->aia != VIRT_AIA_APLIC_IMSIC) {
            fdt_add_power_button(&f);
        }
    }
    if (c->harts) {
        Cpu *first = g_ptr_array_index(cpus, 0);

        if (first->type->fdt_machine)
            first->type->fdt_machine(first, f.blob);
    }
    node = fdt_add_node(&f, "/", "chosen");
    prop_string(&f, node, "stdout-path", "/soc/serial@10000000");
    return f.blob;
}

/* --- properties that booting adds --- */

static bool set_chosen(void *fdt, int node, const VirtFdtBoot *b)
{
    int r = 0;

    if (b->append)
        r |= fdt_setprop_string(fdt, node, "bootargs", b->append);
    if (b->initrd_end > b->initrd_start) {
        r |= fdt_setprop_u64(fdt, node, "linux,initrd-start", b->initrd_start);
        r |= fdt_setprop_u64(fdt, node, "linux,initrd-end", b->initrd_end);
    }
    if (b->seed)
        r |= fdt_setprop(fdt, node, "rng-seed", b->seed, 32);
    return r == 0;
}

bool virt_fdt_set_boot(void *fdt, const VirtFdtBoot *b, GError **err)
{
    int node = fdt_path_offset(fdt, "/chosen");

    if (node < 0)
        node = fdt_add_subnode(fdt, 0, "chosen");
    if (node >= 0 && set_chosen(fdt, node, b))
        return true;
    return error_set(
        err, ERROR_USER,
        "/chosen properties cannot be added to the device tree: it is malformed or full");
}

static void *fdt_error(const BootImage *image, GError **err, const char *what)
{
    g_autofree char *label = boot_image_label(BOOT_DTB, image);

    error_set(err, ERROR_USER, "%s %s", label, what);
    return NULL;
}

void *virt_fdt_load(const BootImage *image, size_t room, GError **err)
{
    enum { MAX_SIZE = 1 << 20 };
    g_autofree uint8_t *data = NULL;
    g_autofree void *blob = NULL;

    if (image->size > MAX_SIZE)
        return fdt_error(image, err, "is larger than 1 MiB");
    data = g_malloc(image->size);
    if (!boot_image_read(image, data, image->size, 0))
        return fdt_error(image, err, "cannot be read");
    if (image->size < sizeof(struct fdt_header) || fdt_check_full(data, image->size) < 0)
        return fdt_error(image, err, "is truncated or no flattened device tree (dtc makes one)");
    blob = g_malloc0(image->size + room);
    if (fdt_open_into(data, blob, (int)(image->size + room)) != 0)
        return fdt_error(image, err, "cannot be expanded to hold the boot arguments");
    return g_steal_pointer(&blob);
}
