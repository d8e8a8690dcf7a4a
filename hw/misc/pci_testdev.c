/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci-testdev: counts writes, for measuring how fast accesses reach a device
 * (registers: docs/specs/pci-testdev.md).
 *
 * Each of the two BARs offers the same three tests. A guest writes a test's number to byte 0, reads
 * the test's header (where to write, how wide, which value), writes there, and reads the count.
 */
#include <string.h>

#include "hw/pci/pci.h"

enum {
    N_TESTS = 3,
    NAME_LEN = 32,
    MEM_SIZE = 4096,
    IO_SIZE = 256,
    HOT_AT = 2048,
    IO_HOT_AT = 128,
    MAGIC = 0xfa,
    HEADER_COUNT = 12
};

/* What the guest reads at the start of a BAR. */
typedef struct TestHeader {
    uint8_t test, width, pad[2];
    uint32_t offset, data, count;
    char name[NAME_LEN];
} TestHeader;
G_STATIC_ASSERT(offsetof(TestHeader, count) == HEADER_COUNT);

typedef struct TestBar {
    uint8_t current; /* the test chosen; N_TESTS: none */
    uint32_t count;
} TestBar;

typedef struct TestDev {
    PCIDevice pci;
    uint64_t membar;
    TestBar bars[2]; /* memory, I/O */
} TestDev;

/* The tests: where they are written, and whether only MAGIC counts. The two that name an
 * eventfd count the same way here: nothing is bypassed. */
static const struct {
    const char *name;
    uint32_t at;
    bool match;
} tests[N_TESTS] = { { "no-eventfd", 0, false },
                     { "wildcard-eventfd", 4, false },
                     { "datamatch-eventfd", 8, true } };

static uint32_t hot_offset(bool io, unsigned test)
{
    return (io ? IO_HOT_AT : HOT_AT) + tests[test].at;
}

static void fill_header(const TestDev *t, bool io, TestHeader *h)
{
    const TestBar *bar = &t->bars[io];

    memset(h, 0, sizeof(*h));
    h->test = bar->current;
    if (bar->current < N_TESTS) {
        h->width = 1;
        h->offset = hot_offset(io, bar->current);
        h->data = MAGIC;
        h->count = bar->count;
        g_snprintf(h->name, sizeof(h->name), "%s-%s", io ? "portio" : "mmio",
                   tests[bar->current].name);
    }
}

static uint64_t bar_read(TestDev *t, bool io, uint64_t at, unsigned size)
{
    TestHeader h;
    uint64_t value = 0;

    fill_header(t, io, &h);
    if (at < sizeof(h)) {
        memcpy(&value, (uint8_t *)&h + at, MIN(size, sizeof(h) - at));
    }
    return value;
}

static void bar_write(TestDev *t, bool io, uint64_t at, uint64_t value)
{
    TestBar *bar = &t->bars[io];

    if (at == 0) {
        *bar = (TestBar){ .current = value < N_TESTS ? value : N_TESTS };
    } else if (bar->current < N_TESTS && at == hot_offset(io, bar->current) &&
               (!tests[bar->current].match || (value & 0xff) == MAGIC)) {
        bar->count++;
    }
}

static uint64_t mem_bar_read(void *dev, uint64_t at, unsigned size)
{
    return bar_read(dev, false, at, size);
}

static void mem_bar_write(void *dev, uint64_t at, uint64_t value, unsigned size)
{
    bar_write(dev, false, at, value);
}

static uint64_t io_bar_read(void *dev, uint64_t at, unsigned size)
{
    return bar_read(dev, true, at, size);
}

static void io_bar_write(void *dev, uint64_t at, uint64_t value, unsigned size)
{
    bar_write(dev, true, at, value);
}

static void testdev_reset(void *dev, ResetKind kind)
{
    TestDev *t = dev;

    t->bars[0] = t->bars[1] = (TestBar){ .current = N_TESTS };
}

static const MemOps mem_bar_ops = { .read = mem_bar_read, .write = mem_bar_write };
static const MemOps io_bar_ops = { .read = io_bar_read, .write = io_bar_write };
static const PCIBarDesc testdev_bars[] = {
    { .index = 0, .kind = PCI_BAR_MEM32, .size = MEM_SIZE, .ops = &mem_bar_ops },
    { .index = 1, .kind = PCI_BAR_IO, .size = IO_SIZE, .ops = &io_bar_ops },
    { .index = 2,
      .kind = PCI_BAR_MEM64,
      .prefetch = true,
      .size_prop = "membar",
      .may_lack = true },
};
static const PCICapDesc testdev_caps[] = { PCI_CAP_VPD };
static const PlanProp testdev_props[] = {
    PROP_SIZE(TestDev, membar, "membar", 0, 0, 1ull << 40, "size of an extra memory BAR; 0: none"),
};
static const VmField bar_fields[] = { VM_U8(TestBar, current, .max = N_TESTS),
                                      VM_U32(TestBar, count) };
static const VmState bar_state = { .name = "pci-testdev/bar",
                                   .version = 1,
                                   .fields = LIST(bar_fields) };
static const VmField testdev_fields[] = { VM_PCI(TestDev, pci),
                                          VM_STRUCT_ARRAY(TestDev, bars, &bar_state) };
static const VmState testdev_state = { .name = "pci-testdev",
                                       .version = 1,
                                       .fields = LIST(testdev_fields) };

static const PCIDeviceType pci_testdev = {
    .base = { .name = "pci-testdev",
              .doc = "counts accesses, for tests and measurements",
              .kind = &pci_device_kind,
              .size = sizeof(TestDev),
              .props = LIST(testdev_props),
              .vmstate = &testdev_state,
              .hotpluggable = true,
              .reset = testdev_reset },
    .vendor = 0x1b36,
    .device = 0x0005,
    .class_code = 0x00ff00,
    .slots = PLAN_SLOT_CONVENTIONAL,
    .bars = LIST(testdev_bars),
    .caps = LIST(testdev_caps),
};
PCI_DEVICE_TYPE(pci_testdev);
