/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci-testdev: counts writes, for measuring how fast accesses reach a device
 * (registers: docs/specs/pci-testdev.md).
 *
 * The memory BAR and the I/O BAR have the same three tests. A guest writes the number of a test to
 * byte 0, reads the test's header (where to write, how wide, which value), writes there, and reads
 * the count.
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

/* Header that the guest reads at the start of a BAR. */
typedef struct TestHeader {
    uint8_t test, width, pad[2];
    uint32_t offset, data, count;
    char name[NAME_LEN];
} TestHeader;
G_STATIC_ASSERT(offsetof(TestHeader, count) == HEADER_COUNT);

typedef struct TestBar {
    uint8_t current; /* the selected test; N_TESTS: none */
    uint32_t count;
} TestBar;

typedef struct TestDev {
    PCIDevice pci;
    uint64_t membar;
    TestBar bars[2]; /* memory, I/O */
} TestDev;

/* The tests: the address of the writes, and whether only MAGIC counts. The two tests that name an
 * eventfd count like the first, because no access bypasses the device. */
static const struct {
    const char *name;
    uint32_t at;
    bool match;
} testdev_tests[N_TESTS] = { { "no-eventfd", 0, false },
                             { "wildcard-eventfd", 4, false },
                             { "datamatch-eventfd", 8, true } };

static uint32_t testdev_hot_offset(bool io, unsigned test)
{
    return (io ? IO_HOT_AT : HOT_AT) + testdev_tests[test].at;
}

static void testdev_header(const TestDev *t, bool io, TestHeader *h)
{
    const TestBar *bar = &t->bars[io];

    memset(h, 0, sizeof(*h));
    h->test = bar->current;
    if (bar->current < N_TESTS) {
        h->width = 1;
        h->offset = testdev_hot_offset(io, bar->current);
        h->data = MAGIC;
        h->count = bar->count;
        g_snprintf(h->name, sizeof(h->name), "%s-%s", io ? "portio" : "mmio",
                   testdev_tests[bar->current].name);
    }
}

static bool testdev_is_io(const RegDesc *r);

static uint64_t testdev_read(void *dev, const RegDesc *r)
{
    TestHeader h;
    uint64_t value = 0;

    testdev_header(dev, testdev_is_io(r), &h);
    memcpy(&value, (uint8_t *)&h + r->offset, r->width);
    return value;
}

static uint32_t testdev_select_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    TestDev *t = dev;

    t->bars[testdev_is_io(r)] = (TestBar){ .current = new < N_TESTS ? new : N_TESTS };
    return 0;
}

static uint32_t testdev_hot_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    bool io = testdev_is_io(r);
    TestBar *bar = &((TestDev *)dev)->bars[io];

    if (bar->current < N_TESTS && r->offset == testdev_hot_offset(io, bar->current) &&
        (!testdev_tests[bar->current].match || new == MAGIC)) {
        bar->count++;
    }
    return 0;
}

#define HEADER(n, off, w, ...) REG_ROW(n, off, w, .read = testdev_read, __VA_ARGS__)
#define HOT(off)               REG_ROW("hot", off, 1, .wrote = testdev_hot_wrote, .doc = "counts writes")
#define TESTDEV_ROWS(hot)                                                                          \
    HEADER("test", 0, 1, .wrote = testdev_select_wrote, .doc = "number of the test; 3: none"),     \
        HEADER("width", 1, 1, .doc = "bytes of a write"),                                          \
        HEADER("offset", 4, 4, .doc = "offset of the test's register in this BAR"),                \
        HEADER("data", 8, 4, .doc = "value to write"),                                             \
        HEADER("count", HEADER_COUNT, 4, .doc = "writes since the test was selected"),             \
        HEADER("name0", 16, 8, .doc = "name of the test, ended by zeros"),                         \
        HEADER("name1", 24, 8, .doc = NULL), HEADER("name2", 32, 8, .doc = NULL),                  \
        HEADER("name3", 40, 8, .doc = NULL), HOT(hot), HOT((hot) + 4), HOT((hot) + 8)
static const RegDesc testdev_mem_regs[] = { TESTDEV_ROWS(HOT_AT) };
static const RegDesc testdev_io_regs[] = { TESTDEV_ROWS(IO_HOT_AT) };

static bool testdev_is_io(const RegDesc *r)
{
    return r >= testdev_io_regs && r < testdev_io_regs + G_N_ELEMENTS(testdev_io_regs);
}

static void testdev_reset(void *dev, ResetKind kind)
{
    TestDev *t = dev;

    t->bars[0] = t->bars[1] = (TestBar){ .current = N_TESTS };
}

static const PCIBarDesc testdev_bars[] = {
    { .index = 0, .kind = PCI_BAR_MEM32, .size = MEM_SIZE, .regs = LIST(testdev_mem_regs) },
    { .index = 1, .kind = PCI_BAR_IO, .size = IO_SIZE, .regs = LIST(testdev_io_regs) },
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
