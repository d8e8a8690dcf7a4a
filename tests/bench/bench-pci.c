/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cost of the PCI core, measured in process among N functions: enabling decode, toggling it, config
 * reads, reset, plugging, and memory; then a full segment that is enumerated, sized and programmed.
 * The program prints figures and does not fail on any. Times are CPU time. Arguments: the values of
 * N, at least 30 (default 30 300 3000 10000); or "writes", to measure only single writes.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/unit/hw/pci/pci-fixture.h"

typedef struct Leaf {
    PCIDevice pci;
    uint32_t reg;
} Leaf;

typedef struct Port {
    PCIBridge br;
} Port;

static const RegDesc regs[] = { REG32(Leaf, reg, 0, .rw = ~0u) };
static const PCIBarDesc bars[] = {
    { .index = 0, .kind = PCI_BAR_MEM32, .size = 0x1000, .regs = LIST(regs) },
};
static const PCICapDesc caps[] = { PCI_CAP_PM_D3, PCI_CAP_MSI(1, true, false), PCI_CAP_ENDPOINT };
static const PCIDeviceType leaf_type = {
    .base = { .name = "leaf", .kind = &pci_device_kind, .size = sizeof(Leaf) },
    .vendor = 0x1234,
    .bars = LIST(bars),
    .caps = LIST(caps),
    .n_irqs = 1,
};
static const PCIDeviceType port_type = {
    .base = { .name = "port", .kind = &pci_device_kind, .size = sizeof(Port) },
    .role = PLAN_PCI_ROOT_PORT,
};

enum { PER_BUS = 256, FEW = 30 /* number of functions that are read repeatedly */ };

/* Return the CPU time of this process, which does not depend on other processes. */
static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static size_t heap(void)
{
    return mallinfo2().uordblks;
}

/* Add ports to the root bus, one for each 256 functions, with consecutive bus numbers. */
static void add_port(Fixture *f, unsigned bus)
{
    uint8_t devfn = bus - 1;
    g_autofree char *id = g_strdup_printf("p%u", bus);
    PCIBridge *br =
        (PCIBridge *)plug_function(f, &port_type, "pcie.0", id, devfn, "multifunction=on");
    uint32_t base = 0x4000 + (bus - 1) * 0x10; /* 1 MiB each */

    br->ari_forwarding = true;
    config_write(f, devfn, PCI_PRIMARY_BUS, 4, bus << 8 | bus << 16);
    config_write(f, devfn, PCI_MEMORY_BASE, 4, base << 16 | base);
    config_write(f, devfn, PCI_COMMAND, 2, 7);
}

static void add_functions(Fixture *f, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned bus = 1 + i / PER_BUS;
        g_autofree char *name = g_strdup_printf("p%u", bus);

        if (i % PER_BUS == 0) {
            add_port(f, bus);
        }
        plug_function(f, &leaf_type, name, NULL, i % PER_BUS, "multifunction=on");
    }
}

static uint64_t fn_reg(unsigned i, uint32_t reg)
{
    return ecam_address(1 + i / PER_BUS, i % PER_BUS, reg);
}

/* Enumerate as firmware does: find, size, place, enable. Returns the number of functions found. */
static unsigned enumerate(Fixture *f, unsigned n)
{
    unsigned found = 0;

    for (unsigned i = 0; i < n; i++) {
        if (guest_read(f, fn_reg(i, 0), 2) != 0x1234) {
            continue;
        }
        found++;
        guest_write(f, fn_reg(i, PCI_BASE_ADDRESS_0), 4, 0xffffffff);
        g_assert_cmphex(guest_read(f, fn_reg(i, PCI_BASE_ADDRESS_0), 4), ==, 0xfffff000);
        guest_write(f, fn_reg(i, PCI_BASE_ADDRESS_0), 4, MMIO + i * 0x1000ull);
        guest_write(f, fn_reg(i, PCI_COMMAND), 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    }
    return found;
}

static double toggle_us(Fixture *f, unsigned i, unsigned rounds)
{
    double start = now_us();

    for (unsigned k = 0; k < rounds; k++) {
        guest_write(f, fn_reg(i, PCI_COMMAND), 2, k & 1 ? PCI_COMMAND_MEMORY : 0);
    }
    return (now_us() - start) / rounds;
}

static double read_once(Fixture *f, unsigned n, unsigned step, bool config)
{
    enum { ROUNDS = 50000 };
    double start = now_us();

    for (unsigned k = 0; k < ROUNDS; k++) {
        unsigned i = k * 7919u % n * step;

        guest_read(f, config ? fn_reg(i, 0) : MMIO + i * 0x1000ull, 4);
    }
    return (now_us() - start) * 1000 / ROUNDS;
}

/* Read the config space of `n` functions, `step` apart, in an order that defeats prefetching; the
 * best of five runs. Few functions show the cost of the data structures, many that of the
 * caches. */
static double read_ns(Fixture *f, unsigned n, unsigned step, bool config)
{
    double best = read_once(f, n, step, config);

    for (int i = 1; i < 5; i++) {
        best = MIN(best, read_once(f, n, step, config));
    }
    return best;
}

static void plug_and_unplug(Fixture *f, unsigned n, double *in, double *out)
{
    enum { ROUNDS = 200 };
    unsigned last = n - 1;
    g_autofree char *name = g_strdup_printf("p%u", 1 + last / PER_BUS);
    double start;

    *in = *out = 0;
    for (unsigned k = 0; k < ROUNDS; k++) {
        PCIBus *bus = (PCIBus *)bus_find(f->m, name);

        start = now_us();
        device_unplug(&pci_bus_find(bus, last % PER_BUS)->dev);
        *out += now_us() - start;
        start = now_us();
        plug_function(f, &leaf_type, name, NULL, last % PER_BUS, "multifunction=on");
        *in += now_us() - start;
    }
    *in /= ROUNDS;
    *out /= ROUNDS;
}

static void measure(unsigned n)
{
    size_t before;
    double start, build, decode, reset, in, out;
    Fixture f;
    unsigned found;

    fixture_init(&f);
    before = heap();
    start = now_us();
    add_functions(&f, n);
    build = now_us() - start;
    before = heap() - before;
    start = now_us();
    found = enumerate(&f, n);
    decode = now_us() - start;
    g_assert_cmpuint(found, ==, n);
    printf("%6u  %8.1f  %7zu  %9.2f  %9.2f  %6.0f %6.0f  %6.0f %6.0f", n, build / 1000, before / n,
           decode / n, toggle_us(&f, 0, 2000), read_ns(&f, FEW, n / FEW, true),
           read_ns(&f, n, 1, true), read_ns(&f, FEW, n / FEW, false), read_ns(&f, n, 1, false));
    plug_and_unplug(&f, n, &in, &out);
    start = now_us();
    machine_reset(f.m, RESET_HOT);
    reset = now_us() - start;
    printf("  %8.1f  %8.1f  %8.2f\n", in, out, reset / 1000);
    fixture_fini(&f);
}

/* 255 buses of 256 functions behind 255 ports on bus 0. This uses every number of a segment. */
static void full_segment(void)
{
    enum { N = 255 * PER_BUS };
    size_t before = heap();
    double start = now_us(), built, done;
    Fixture f;
    unsigned found;

    fixture_init(&f);
    add_functions(&f, N);
    built = now_us();
    found = enumerate(&f, N);
    done = now_us();
    printf("full segment: %u functions behind 255 ports: built in %.2f s, enumerated, sized and "
           "programmed in %.2f s (%.2f us each), %.0f MiB (%.1f KiB a function)\n",
           found + 255, (built - start) / 1e6, (done - built) / 1e6, (done - built) / found,
           (heap() - before) / 1048576.0, (heap() - before) / 1024.0 / found);
    fixture_fini(&f);
}

/* --- one write --- */

enum { WRITE_ROUNDS = 200000, WRITE_RUNS = 5 };

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Nanoseconds of one write that alternates between two values; the median of five runs. */
static double write_ns(PCIDevice *d, uint32_t reg, unsigned len, uint32_t even, uint32_t odd)
{
    double runs[WRITE_RUNS];

    for (int run = 0; run < WRITE_RUNS; run++) {
        double start = now_us();

        for (unsigned k = 0; k < WRITE_ROUNDS; k++) {
            pci_device_config_write(d, reg, len, k & 1 ? odd : even);
        }
        runs[run] = (now_us() - start) * 1000 / WRITE_ROUNDS;
    }
    qsort(runs, WRITE_RUNS, sizeof(runs[0]), by_value);
    return runs[WRITE_RUNS / 2];
}

static double bar_write_ns(Fixture *f)
{
    double runs[WRITE_RUNS];

    for (int run = 0; run < WRITE_RUNS; run++) {
        double start = now_us();

        for (unsigned k = 0; k < WRITE_ROUNDS; k++) {
            guest_write(f, MMIO, 4, k);
        }
        runs[run] = (now_us() - start) * 1000 / WRITE_ROUNDS;
    }
    qsort(runs, WRITE_RUNS, sizeof(runs[0]), by_value);
    return runs[WRITE_RUNS / 2];
}

/* Writes to each class of register of one function whose BAR is mapped. */
static void measure_writes(void)
{
    Fixture f;
    PCIDevice *d, *port;
    uint8_t msi, pm;

    fixture_init(&f);
    add_functions(&f, 1);
    enumerate(&f, 1);
    d = pci_bus_find((PCIBus *)bus_find(f.m, "p1"), 0);
    port = &((PCIBus *)bus_find(f.m, "p1"))->bridge->pci;
    msi = pci_find_capability(d, PCI_CAP_ID_MSI);
    pm = pci_find_capability(d, PCI_CAP_ID_PM);
    printf(
        "one write, ns: Interrupt Line %.0f, Command without effect %.0f, Command bus master %.0f, "
        "Command memory %.0f, BAR %.0f, window %.0f, MSI address %.0f, MSI enable %.0f, "
        "PMCSR unchanged %.0f, unallocated %.0f, BAR register %.0f\n",
        write_ns(d, PCI_INTERRUPT_LINE, 1, 1, 2), write_ns(d, PCI_COMMAND, 2, 6, 6),
        write_ns(d, PCI_COMMAND, 2, 2, 6), write_ns(d, PCI_COMMAND, 2, 4, 6),
        write_ns(d, PCI_BASE_ADDRESS_0, 4, MMIO + 0x1000, MMIO),
        write_ns(port, PCI_MEMORY_LIMIT, 2, 0x4010, 0x4000), write_ns(d, msi + 4, 4, RAM, RAM + 4),
        write_ns(d, msi + 2, 2, 1, 0), write_ns(d, pm + 4, 2, 0, 0), write_ns(d, 0xf0, 4, 1, 2),
        bar_write_ns(&f));
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    static const char *const defaults[] = { "", "30", "300", "3000", "10000" };
    const char *const *list = argc > 1 ? (const char *const *)argv : defaults;
    int n = argc > 1 ? argc : (int)G_N_ELEMENTS(defaults);

    if (argc > 1 && g_str_equal(argv[1], "writes")) {
        measure_writes();
        return 0;
    }
    printf(
        "                                                  config ns       MMIO ns\n"
        "     N  build ms  bytes/N  us/enable  us/toggle  of %2d of all  of %2d of all   plug us  "
        "unplug us  reset ms\n",
        FEW, FEW);
    for (int i = 1; i < n; i++) {
        measure(MAX(FEW, strtoul(list[i], NULL, 0)));
    }
    measure_writes();
    full_segment();
    return 0;
}
