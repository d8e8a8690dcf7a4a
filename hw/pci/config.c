/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration space: bytes, masks, entries (contract in hw/pci/config.h).
 */
#include "hw/pci/config.h"

#include <string.h>

#include "hw/pci/regs.h"

/* Masks of unallocated space. config_own_block() makes a copy before the first change. */
static const PCIMasks config_plain_block = { .wmask = { [0 ... PCI_MASK_BLOCK - 1] = 0xff } };
static const PCIMasks config_reserved_block = { .cmask = { [0 ... PCI_MASK_BLOCK - 1] = 0xff } };

/* --- the registers of the two headers --- */

/* The wrote() functions of the header depend only on the values, not on the device. */
static uint32_t header_command_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    uint64_t changed = old ^ new;

    return (changed & (PCI_COMMAND_IO | PCI_COMMAND_MEMORY) ? PCI_EFFECT_DECODE : 0) |
           (changed & PCI_COMMAND_MASTER ? PCI_EFFECT_MASTER : 0) |
           (changed & PCI_COMMAND_INTX_DISABLE ? PCI_EFFECT_INTX : 0);
}

static uint32_t header_bar_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    return old != new ? PCI_EFFECT_BAR : 0;
}

static uint32_t header_rom_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    return old != new ? PCI_EFFECT_ROM : 0;
}

static uint32_t header_bus_number_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    return old != new ? PCI_EFFECT_BUS_NUMBERS : 0;
}

static uint32_t header_window_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    return old != new ? PCI_EFFECT_WINDOWS : 0;
}

static uint32_t header_control_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    return (old ^ new) & PCI_BRIDGE_CTL_BUS_RESET ? PCI_EFFECT_BUS_RESET : 0;
}

#define STATUS_W1C                                                                                 \
    (PCI_STATUS_PARITY | PCI_STATUS_SIG_TARGET_ABORT | PCI_STATUS_REC_TARGET_ABORT |               \
     PCI_STATUS_REC_MASTER_ABORT | PCI_STATUS_SIG_SYSTEM_ERROR | PCI_STATUS_DETECTED_PARITY)
#define BRIDGE_CONTROL_RW                                                                          \
    (PCI_BRIDGE_CTL_PARITY | PCI_BRIDGE_CTL_SERR | PCI_BRIDGE_CTL_ISA | PCI_BRIDGE_CTL_VGA |       \
     PCI_BRIDGE_CTL_VGA_16BIT | PCI_BRIDGE_CTL_MASTER_ABORT | PCI_BRIDGE_CTL_BUS_RESET |           \
     PCI_BRIDGE_CTL_FAST_BACK | PCI_BRIDGE_CTL_DISCARD | PCI_BRIDGE_CTL_SEC_DISCARD |              \
     PCI_BRIDGE_CTL_DISCARD_SERR)

/* The registers of a header, as X(register, width, name, columns…). Three expansions give the rows,
 * their numbers, which count from 1, and the number of the row of each byte, so that the row of an
 * access is found without a search. */
#define HEADER_ROW(reg, w, n, ...)  REG_ROW(n, reg, w, __VA_ARGS__),
#define ENDPOINT_NUMBER(reg, ...)   ENDPOINT_##reg,
#define ENDPOINT_BYTES(reg, w, ...) [reg... reg + (w)-1] = ENDPOINT_##reg,
#define BRIDGE_NUMBER(reg, ...)     BRIDGE_##reg,
#define BRIDGE_BYTES(reg, w, ...)   [reg... reg + (w)-1] = BRIDGE_##reg,

/* The constant bits of a register are identity. */
#define FIXED .identity = REG_ALL
#define HEADER_BAR(X, i)                                                                           \
    X(PCI_BASE_ADDRESS_##i, 4, "Base Address " #i, FIXED, .wrote = header_bar_wrote,               \
      .doc = "address at which BAR " #i " decodes; the writable bits follow from its size")

/* Registers 00h to 17h and 34h of both header types. The device layer sets the constants and makes
 * bits of the BARs writable. A loaded state may have another Capabilities Pointer and other values
 * of Capabilities List and Interrupt Status, so these are not compared. */
#define HEADER_FIRST(X)                                                                            \
    X(PCI_VENDOR_ID, 2, "Vendor ID", FIXED, .doc = "vendor of the function")                       \
    X(PCI_DEVICE_ID, 2, "Device ID", FIXED, .doc = "device of that vendor")                        \
    X(PCI_COMMAND, 2, "Command", FIXED, .rw = PCI_COMMAND_RW, .wrote = header_command_wrote,       \
      .doc = "I/O, memory and bus-master enables, SERR# enable, INTx disable")                     \
    X(PCI_STATUS, 2, "Status", .w1c = STATUS_W1C,                                                  \
      .identity = (uint16_t) ~(PCI_STATUS_INTERRUPT | PCI_STATUS_CAP_LIST),                        \
      .doc = "interrupt status, capability list present, detected errors")                         \
    X(PCI_REVISION_ID, 1, "Revision ID", FIXED, .doc = "revision of the device")                   \
    X(PCI_CLASS_PROG, 3, "Class Code", FIXED, .doc = "interface, subclass and base class")         \
    X(PCI_CACHE_LINE_SIZE, 1, "Cache Line Size", FIXED, .rw = 0xff,                                \
      .doc = "storage for software; no effect")                                                    \
    X(PCI_LATENCY_TIMER, 1, "Latency Timer", FIXED, .doc = "zero")                                 \
    X(PCI_HEADER_TYPE, 1, "Header Type", FIXED, .doc = "layout of the header; multi-function")     \
    X(PCI_BIST, 1, "BIST", FIXED, .doc = "zero: no self-test")                                     \
    HEADER_BAR(X, 0)                                                                               \
    HEADER_BAR(X, 1)
#define HEADER_LIST(X)                                                                             \
    X(PCI_CAPABILITY_LIST, 1, "Capabilities Pointer", .doc = "first entry of the list")
#define HEADER_INTERRUPT(X)                                                                        \
    X(PCI_INTERRUPT_LINE, 1, "Interrupt Line", FIXED, .rw = 0xff,                                  \
      .doc = "storage for software; no effect")                                                    \
    X(PCI_INTERRUPT_PIN, 1, "Interrupt Pin", FIXED, .doc = "0: none, 1 to 4: INTA# to INTD#")
#define HEADER_ROM(X, reg)                                                                         \
    X(reg, 4, "Expansion ROM Base Address", FIXED, .wrote = header_rom_wrote,                      \
      .doc = "address and enable of the expansion ROM")

#define ENDPOINT_REGISTERS(X)                                                                      \
    HEADER_FIRST(X)                                                                                \
    HEADER_BAR(X, 2)                                                                               \
    HEADER_BAR(X, 3)                                                                               \
    HEADER_BAR(X, 4)                                                                               \
    HEADER_BAR(X, 5)                                                                               \
    X(PCI_CARDBUS_CIS, 4, "Cardbus CIS Pointer", FIXED, .doc = "zero")                             \
    X(PCI_SUBSYSTEM_VENDOR_ID, 2, "Subsystem Vendor ID", FIXED, .doc = "vendor of the board")      \
    X(PCI_SUBSYSTEM_ID, 2, "Subsystem ID", FIXED, .doc = "board of that vendor")                   \
    HEADER_ROM(X, PCI_ROM_ADDRESS)                                                                 \
    HEADER_LIST(X)                                                                                 \
    HEADER_INTERRUPT(X)                                                                            \
    X(PCI_MIN_GNT, 1, "Min_Gnt", FIXED, .doc = "zero")                                             \
    X(PCI_MAX_LAT, 1, "Max_Lat", FIXED, .doc = "zero")

enum { ENDPOINT_NO_ROW, ENDPOINT_REGISTERS(ENDPOINT_NUMBER) };
static const RegDesc endpoint_rows[] = { ENDPOINT_REGISTERS(HEADER_ROW) };
static const uint8_t endpoint_row_of[PCI_HEADER_SIZE] = { ENDPOINT_REGISTERS(ENDPOINT_BYTES) };

#define BUS_NUMBER(X, reg, n, ...)                                                                 \
    X(reg, 1, n, FIXED, .rw = 0xff, .wrote = header_bus_number_wrote, __VA_ARGS__)
#define WINDOW(X, reg, w, n, mask, ...)                                                            \
    X(reg, w, n, FIXED, .rw = (mask), .wrote = header_window_wrote, __VA_ARGS__)
#define BRIDGE_REGISTERS(X)                                                                        \
    HEADER_FIRST(X)                                                                                \
    BUS_NUMBER(X, PCI_PRIMARY_BUS, "Primary Bus Number", .doc = "bus that the bridge is on")       \
    BUS_NUMBER(X, PCI_SECONDARY_BUS, "Secondary Bus Number", .doc = "bus behind the bridge")       \
    BUS_NUMBER(X, PCI_SUBORDINATE_BUS, "Subordinate Bus Number",                                   \
               .doc = "highest bus number behind the bridge")                                      \
    X(PCI_SEC_LATENCY_TIMER, 1, "Secondary Latency Timer", FIXED, .rw = 0xff,                      \
      .doc = "storage for software; no effect")                                                    \
    WINDOW(X, PCI_IO_BASE, 1, "I/O Base", 0xf0, .doc = "bits 15:12 of the first I/O port")         \
    WINDOW(X, PCI_IO_LIMIT, 1, "I/O Limit", 0xf0, .doc = "bits 15:12 of the last I/O port")        \
    X(PCI_SEC_STATUS, 2, "Secondary Status", FIXED, .w1c = STATUS_W1C,                             \
      .doc = "errors detected on the secondary bus")                                               \
    WINDOW(X, PCI_MEMORY_BASE, 2, "Memory Base", 0xfff0, .doc = "bits 31:20 of the first address") \
    WINDOW(X, PCI_MEMORY_LIMIT, 2, "Memory Limit", 0xfff0,                                         \
           .doc = "bits 31:20 of the last address")                                                \
    WINDOW(X, PCI_PREF_MEMORY_BASE, 2, "Prefetchable Memory Base", 0xfff0,                         \
           .doc = "bits 31:20 of the first prefetchable address")                                  \
    WINDOW(X, PCI_PREF_MEMORY_LIMIT, 2, "Prefetchable Memory Limit", 0xfff0,                       \
           .doc = "bits 31:20 of the last prefetchable address")                                   \
    WINDOW(X, PCI_PREF_BASE_UPPER32, 4, "Prefetchable Base Upper 32 Bits", 0xffffffff,             \
           .doc = "bits 63:32 of the first prefetchable address")                                  \
    WINDOW(X, PCI_PREF_LIMIT_UPPER32, 4, "Prefetchable Limit Upper 32 Bits", 0xffffffff,           \
           .doc = "bits 63:32 of the last prefetchable address")                                   \
    WINDOW(X, PCI_IO_BASE_UPPER16, 2, "I/O Base Upper 16 Bits", 0,                                 \
           .doc = "bits 31:16 of the first I/O port")                                              \
    WINDOW(X, PCI_IO_LIMIT_UPPER16, 2, "I/O Limit Upper 16 Bits", 0,                               \
           .doc = "bits 31:16 of the last I/O port")                                               \
    HEADER_LIST(X)                                                                                 \
    HEADER_ROM(X, PCI_ROM_ADDRESS1)                                                                \
    HEADER_INTERRUPT(X)                                                                            \
    X(PCI_BRIDGE_CONTROL, 2, "Bridge Control", FIXED, .rw = BRIDGE_CONTROL_RW,                     \
      .w1c = PCI_BRIDGE_CTL_DISCARD_STATUS, .wrote = header_control_wrote,                         \
      .doc = "Secondary Bus Reset, SERR# and VGA forwarding, discard timers")

enum { BRIDGE_NO_ROW, BRIDGE_REGISTERS(BRIDGE_NUMBER) };
static const RegDesc bridge_rows[] = { BRIDGE_REGISTERS(HEADER_ROW) };
static const uint8_t bridge_row_of[PCI_HEADER_SIZE] = { BRIDGE_REGISTERS(BRIDGE_BYTES) };

/* The header types, by number. */
static const struct {
    PCIRegTable table;
    const uint8_t *row_of;
} config_headers[] = {
    { { .rows = LIST(endpoint_rows) }, endpoint_row_of },
    { { .rows = LIST(bridge_rows) }, bridge_row_of },
};

PCIRegTable pci_config_header_rows(unsigned type)
{
    return config_headers[type].table;
}

static inline const RegDesc *config_header_row(unsigned type, uint32_t addr)
{
    uint8_t number = config_headers[type].row_of[addr];

    return number ? &config_headers[type].table.rows[number - 1] : NULL;
}

const RegDesc *pci_config_header_row(unsigned type, uint32_t addr)
{
    return config_header_row(type, addr);
}

/* An entry may be at another offset in a loaded state, so the pointers are not compared. */
static const RegDesc conventional_head_rows[] = {
    REG_ROW("Capability ID", PCI_CAP_LIST_ID, 1, .identity = REG_ALL, .doc = "class of capability"),
    REG_ROW("Next Capability Pointer", PCI_CAP_LIST_NEXT, 1,
            .doc = "next entry of the list; 0: the last"),
};
static const RegDesc extended_head_rows[] = {
    REG_ROW("Extended Capability Header", 0, 4, .identity = 0xfffff,
            .doc = "class and version of capability, next entry of the list"),
};

PCIRegTable pci_config_head_rows(bool extended)
{
    static const PCIRegTable heads[] = {
        { .rows = LIST(conventional_head_rows) },
        { .rows = LIST(extended_head_rows) },
    };

    return heads[extended];
}

/* --- masks --- */

static PCIMasks *config_shared_block(unsigned block)
{
    const PCIMasks *b =
        block < PCI_CONFIG_SIZE / PCI_MASK_BLOCK ? &config_plain_block : &config_reserved_block;

    return (PCIMasks *)b;
}

static PCIMasks *config_own_block(PCIConfig *c, unsigned block)
{
    if (!(c->own >> block & 1)) {
        c->masks[block] = g_memdup2(c->masks[block], sizeof(PCIMasks));
        c->own |= 1ull << block;
    }
    return c->masks[block];
}

uint8_t pci_config_mask(const PCIConfig *c, PCIMaskKind kind, uint32_t addr)
{
    const uint8_t *block = (const uint8_t *)c->masks[addr / PCI_MASK_BLOCK];

    return block[kind + addr % PCI_MASK_BLOCK];
}

static void config_mask_put(PCIConfig *c, PCIMaskKind kind, uint32_t addr, uint8_t value)
{
    if (pci_config_mask(c, kind, addr) != value) {
        uint8_t *block = (uint8_t *)config_own_block(c, addr / PCI_MASK_BLOCK);

        block[kind + addr % PCI_MASK_BLOCK] = value;
    }
}

void pci_config_mask_set(PCIConfig *c, PCIMaskKind kind, uint32_t addr, unsigned len,
                         uint32_t value)
{
    for (unsigned i = 0; i < len; i++) {
        config_mask_put(c, kind, addr + i, value >> 8 * i);
    }
}

void pci_config_mask_fill(PCIConfig *c, PCIMaskKind kind, uint32_t addr, unsigned n, uint8_t value)
{
    for (unsigned i = 0; i < n; i++) {
        config_mask_put(c, kind, addr + i, value);
    }
}

void pci_config_unclaim(PCIConfig *c, uint32_t addr, unsigned n)
{
    static const PCIMaskKind kinds[] = { PCI_WMASK, PCI_W1CMASK, PCI_CMASK, PCI_USED, PCI_STICKY };

    for (unsigned i = 0; i < n; i++, addr++) {
        const uint8_t *fresh = (const uint8_t *)config_shared_block(addr / PCI_MASK_BLOCK);

        for (unsigned k = 0; k < G_N_ELEMENTS(kinds); k++) {
            config_mask_put(c, kinds[k], addr, fresh[kinds[k] + addr % PCI_MASK_BLOCK]);
        }
    }
}

/* --- the table compiler --- */

/* Return byte i of a column. Rows wider than 8 bytes have all bits or none. */
static uint8_t config_column_byte(uint64_t bits, unsigned i)
{
    return i < 8 ? bits >> 8 * i : bits == REG_ALL ? 0xff : 0;
}

static void config_compile_row(PCIConfig *c, uint16_t pos, const RegDesc *r)
{
    for (unsigned i = 0; i < r->width; i++) {
        uint32_t addr = pos + r->offset + i;

        config_mask_put(c, PCI_WMASK, addr, config_column_byte(r->rw, i));
        config_mask_put(c, PCI_W1CMASK, addr, config_column_byte(r->w1c, i));
        config_mask_put(c, PCI_STICKY, addr, config_column_byte(r->sticky, i));
        config_mask_put(c, PCI_CMASK, addr, config_column_byte(r->identity, i));
    }
}

void pci_config_compile(PCIConfig *c, uint16_t pos, const RegDesc *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        config_compile_row(c, pos, &rows[i]);
    }
}

void pci_config_declare(PCIConfig *c, uint16_t pos, const RegDesc *rows, size_t n)
{
    pci_config_compile(c, pos, rows, n);
    for (size_t i = 0; i < n; i++) {
        for (unsigned b = 0; b < rows[i].width; b++) {
            c->bytes[pos + rows[i].offset + b] = config_column_byte(rows[i].reset, b);
        }
    }
}

void pci_config_declare_entry(PCIConfig *c, uint16_t pos, const PCIRegTable *tables,
                              uint32_t selected)
{
    PCICapEntry *e = pci_config_entry_at(c, pos);

    g_assert(e && e->offset == pos);
    e->tables = tables;
    e->selected = selected;
    for (; selected; selected &= selected - 1) {
        const PCIRegTable *t = &tables[__builtin_ctz(selected)];

        pci_config_declare(c, pos, t->rows, t->n);
    }
}

static const char *config_row_fault(const RegDesc *r, const RegDesc *before)
{
    uint64_t mask = r->width < 8 ? (1ull << 8 * r->width) - 1 : UINT64_MAX;

    if (!r->name || !*r->name || r->width == 0) {
        return "has no name or no width";
    }
    if ((r->rw & r->w1c) | (r->trigger & (r->rw | r->w1c | r->reset))) {
        return "has a bit in two columns: rw, w1c and trigger are exclusive";
    }
    if ((r->rw | r->w1c | r->trigger | r->reset) & ~mask) {
        return "has bits beyond its width";
    }
    if ((r->accept || r->wrote) && r->width > 8) {
        return "has functions, which only rows of up to 8 bytes may have";
    }
    if (before && before->offset + before->width > r->offset) {
        return "overlaps the row before it, or is out of order";
    }
    return NULL;
}

char *pci_config_check_rows(const RegDesc *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *fault = config_row_fault(&rows[i], i ? &rows[i - 1] : NULL);

        if (fault) {
            return g_strdup_printf("register %s (row %zu) %s", rows[i].name ? rows[i].name : "?", i,
                                   fault);
        }
    }
    return NULL;
}

/* --- masks of entries --- */

static const PCIMaskKind config_saved_kinds[] = { PCI_WMASK, PCI_W1CMASK, PCI_CMASK, PCI_STICKY };

uint8_t *pci_config_save_masks(const PCIConfig *c, uint32_t addr, unsigned n)
{
    uint8_t *saved = g_malloc(G_N_ELEMENTS(config_saved_kinds) * n);

    for (unsigned k = 0; k < G_N_ELEMENTS(config_saved_kinds); k++) {
        for (unsigned i = 0; i < n; i++) {
            saved[k * n + i] = pci_config_mask(c, config_saved_kinds[k], addr + i);
        }
    }
    return saved;
}

void pci_config_restore_masks(PCIConfig *c, uint32_t addr, unsigned n, const uint8_t *saved)
{
    for (unsigned k = 0; k < G_N_ELEMENTS(config_saved_kinds); k++) {
        for (unsigned i = 0; i < n; i++) {
            config_mask_put(c, config_saved_kinds[k], addr + i, saved[k * n + i]);
        }
    }
}

void pci_config_claim(PCIConfig *c, const PCICapEntry *e)
{
    PCIRegTable head = pci_config_head_rows(e->extended);

    pci_config_mask_fill(c, PCI_WMASK, e->offset, e->size, 0);
    pci_config_mask_fill(c, PCI_W1CMASK, e->offset, e->size, 0);
    pci_config_mask_fill(c, PCI_CMASK, e->offset, e->size, 0xff);
    pci_config_compile(c, e->offset, head.rows, head.n);
    pci_config_reserve(c, e);
}

void pci_config_reserve(PCIConfig *c, const PCICapEntry *e)
{
    pci_config_mask_fill(c, PCI_USED, e->offset, e->size, 0xff);
    pci_config_entry_add(c, e);
}

/* --- creation, copy and destruction --- */

void pci_config_init(PCIConfig *c, unsigned size, unsigned type)
{
    unsigned blocks = size / PCI_MASK_BLOCK;
    PCIRegTable header = pci_config_header_rows(type);

    *c = (PCIConfig){ .size = size, .type = type };
    c->bytes = g_malloc0(size);
    c->masks = g_new(PCIMasks *, blocks);
    for (unsigned b = 0; b < blocks; b++) {
        c->masks[b] = config_shared_block(b);
    }
    memset(config_own_block(c, 0), 0, sizeof(PCIMasks));
    pci_config_mask_fill(c, PCI_CMASK, 0, PCI_HEADER_SIZE, 0xff);
    pci_config_mask_fill(c, PCI_USED, 0, PCI_HEADER_SIZE, 0xff);
    pci_config_declare(c, 0, header.rows, header.n);
    c->bytes[PCI_HEADER_TYPE] = type;
}

void pci_config_fini(PCIConfig *c)
{
    for (unsigned b = 0; b < c->size / PCI_MASK_BLOCK; b++) {
        if (c->own >> b & 1) {
            g_free(c->masks[b]);
        }
    }
    g_free(c->masks);
    g_free(c->bytes);
    g_free(c->entries);
    *c = (PCIConfig){ 0 };
}

void pci_config_copy(PCIConfig *c, const PCIConfig *from)
{
    unsigned blocks = from->size / PCI_MASK_BLOCK;

    *c = *from;
    c->bytes = g_memdup2(from->bytes, from->size);
    c->masks = g_memdup2(from->masks, blocks * sizeof(PCIMasks *));
    c->entries = g_memdup2(from->entries, from->room * sizeof(PCICapEntry));
    for (unsigned b = 0; b < blocks; b++) {
        if (from->own >> b & 1) {
            c->masks[b] = g_memdup2(from->masks[b], sizeof(PCIMasks));
        }
    }
}

size_t pci_config_footprint(const PCIConfig *c)
{
    return c->size + c->size / PCI_MASK_BLOCK * sizeof(PCIMasks *) +
           __builtin_popcountll(c->own) * sizeof(PCIMasks) + c->room * sizeof(PCICapEntry);
}

/* --- a guest's accesses --- */

/* Load and store n bytes in the order of configuration space, which is little-endian. The lengths
 * of registers become one access each. */
static inline uint64_t config_load(const uint8_t *bytes, unsigned n)
{
    uint64_t value = 0;
    uint32_t v4;
    uint16_t v2;

    switch (n) {
    case 1:
        return *bytes;
    case 2:
        memcpy(&v2, bytes, 2);
        return GUINT16_FROM_LE(v2);
    case 4:
        memcpy(&v4, bytes, 4);
        return GUINT32_FROM_LE(v4);
    default:
        for (unsigned i = 0; i < n; i++) {
            value |= (uint64_t)bytes[i] << 8 * i;
        }
        return value;
    }
}

static inline void config_store(uint8_t *bytes, unsigned n, uint32_t value)
{
    uint32_t v4 = GUINT32_TO_LE(value);
    uint16_t v2 = GUINT16_TO_LE((uint16_t)value);

    switch (n) {
    case 1:
        *bytes = (uint8_t)value;
        break;
    case 2:
        memcpy(bytes, &v2, 2);
        break;
    case 4:
        memcpy(bytes, &v4, 4);
        break;
    default:
        for (unsigned i = 0; i < n; i++) {
            bytes[i] = (uint8_t)(value >> 8 * i);
        }
        break;
    }
}

static bool config_len_ok(unsigned len)
{
    return len == 1 || len == 2 || len == 4;
}

uint32_t pci_config_read(const PCIConfig *c, uint32_t addr, unsigned len)
{
    unsigned n = addr < c->size ? MIN(len, c->size - addr) : 0;
    uint32_t value;

    if (!config_len_ok(len)) {
        return UINT32_MAX;
    }
    value = n ? (uint32_t)config_load(c->bytes + addr, n) : 0;
    for (; n < len; n++) {
        value |= 0xffu << 8 * n;
    }
    return value;
}

/* A row with accept() or wrote() that an access covers. */
typedef struct ConfigHit {
    const RegDesc *row;
    uint32_t lanes;    /* bits of the row that the access covers */
    uint64_t old, new; /* new: with the trigger bits that were written */
} ConfigHit;

/* An access that is being processed, and the rows that it covers. Rows do not overlap, so each byte
 * belongs to at most one row. */
typedef struct ConfigAccess {
    uint32_t addr, value, new; /* new: the bytes to store */
    unsigned len;
    unsigned n_hits;
    ConfigHit hits[4];
} ConfigAccess;

/* Add a row at `addr` to the access: its value before and after it, and the bits that it covers. */
static void config_add_hit(const PCIConfig *c, ConfigAccess *a, const RegDesc *r, uint32_t addr)
{
    uint32_t from = MAX(a->addr, addr), end = MIN(a->addr + a->len, addr + r->width);
    unsigned row_shift = 8 * (from - addr), access_shift = 8 * (from - a->addr);
    uint64_t mask = (1ull << 8 * (end - from)) - 1;
    ConfigHit *h = &a->hits[a->n_hits++];

    h->row = r;
    h->lanes = (uint32_t)(mask << row_shift);
    h->old = config_load(c->bytes + addr, r->width);
    h->new = (h->old & ~(mask << row_shift)) | (a->new >> access_shift &mask) << row_shift |
             ((a->value >> access_shift & mask) << row_shift & r->trigger);
}

static bool config_row_acts(const ConfigAccess *a, const RegDesc *r)
{
    return (r->accept || r->wrote) && a->n_hits < G_N_ELEMENTS(a->hits);
}

static void config_find_in_header(const PCIConfig *c, ConfigAccess *a)
{
    uint32_t end = MIN(a->addr + a->len, PCI_HEADER_SIZE);

    for (uint32_t at = a->addr; at < end;) {
        const RegDesc *r = config_header_row(c->type, at);

        if (r && config_row_acts(a, r)) {
            config_add_hit(c, a, r, (uint32_t)r->offset);
        }
        at = r ? (uint32_t)r->offset + r->width : at + 1;
    }
}

static void config_find_in_table(const PCIConfig *c, ConfigAccess *a, uint32_t pos,
                                 const PCIRegTable *t)
{
    uint32_t from = a->addr > pos ? a->addr - pos : 0, end = a->addr + a->len - pos;

    for (const RegDesc *r = t->rows; r < t->rows + t->n && r->offset < end; r++) {
        if (r->offset + r->width > from && config_row_acts(a, r)) {
            config_add_hit(c, a, r, pos + (uint32_t)r->offset);
        }
    }
}

static void config_find_in_entries(const PCIConfig *c, ConfigAccess *a)
{
    for (unsigned i = 0; i < c->n_entries; i++) {
        const PCICapEntry *e = &c->entries[i];

        if (a->addr + a->len <= e->offset || a->addr >= (uint32_t)e->offset + e->size) {
            continue;
        }
        for (uint32_t left = e->selected; left; left &= left - 1) {
            config_find_in_table(c, a, e->offset, &e->tables[__builtin_ctz(left)]);
        }
    }
}

static bool config_accepted(const ConfigAccess *a, struct PCIDevice *d)
{
    for (unsigned i = 0; i < a->n_hits; i++) {
        const ConfigHit *h = &a->hits[i];

        if (h->row->accept && !h->row->accept(d, h->row, h->new)) {
            return false;
        }
    }
    return true;
}

static uint32_t config_report(const ConfigAccess *a, PCIConfig *c, struct PCIDevice *d)
{
    uint32_t effects = 0;

    for (unsigned i = 0; i < a->n_hits; i++) {
        const ConfigHit *h = &a->hits[i];

        if (h->row->wrote) {
            c->lanes = h->lanes;
            effects |= h->row->wrote(d, h->row, h->old, h->new);
        }
    }
    return effects;
}

/* Return the bytes that a write stores, through the masks. The access is within one block. */
static inline uint32_t config_masked(const PCIConfig *c, uint32_t addr, unsigned len,
                                     uint32_t value)
{
    const PCIMasks *m = c->masks[addr / PCI_MASK_BLOCK];
    unsigned at = addr % PCI_MASK_BLOCK;
    uint32_t old = (uint32_t)config_load(c->bytes + addr, len);
    uint32_t w = (uint32_t)config_load(m->wmask + at, len);
    uint32_t w1c = (uint32_t)config_load(m->w1cmask + at, len);

    return ((old & ~w) | (value & w)) & ~(value & w1c);
}

/* As config_masked(), for an access that may extend to the next block. */
static uint32_t config_masked_any(const PCIConfig *c, uint32_t addr, unsigned len, uint32_t value)
{
    unsigned first = MIN(len, PCI_MASK_BLOCK - addr % PCI_MASK_BLOCK);
    uint32_t low = config_masked(c, addr, first, value);

    return first == len
               ? low
               : low | config_masked(c, addr + first, len - first, value >> 8 * first) << 8 * first;
}

uint32_t pci_config_write(PCIConfig *c, struct PCIDevice *d, uint32_t addr, unsigned len,
                          uint32_t value)
{
    ConfigAccess a;

    if (!config_len_ok(len) || addr >= c->size) {
        return 0;
    }
    a.addr = addr;
    a.value = value;
    a.len = MIN(len, c->size - addr);
    a.n_hits = 0;
    a.new = config_masked_any(c, addr, a.len, value);
    if (addr < PCI_HEADER_SIZE) {
        if (addr + a.len <= PCI_HEADER_SIZE && a.new == config_load(c->bytes + addr, a.len)) {
            return 0; /* rows of the header act only on a change */
        }
        config_find_in_header(c, &a);
    }
    if (addr + a.len > PCI_HEADER_SIZE) {
        config_find_in_entries(c, &a);
    }
    if (!config_accepted(&a, d)) {
        return 0;
    }
    config_store(c->bytes + addr, a.len, a.new);
    return config_report(&a, c, d);
}

uint32_t pci_config_lanes(const PCIConfig *c)
{
    return c->lanes;
}

/* --- the device's own accesses --- */

uint32_t pci_config_get(const PCIConfig *c, uint32_t addr, unsigned len)
{
    return (uint32_t)config_load(c->bytes + addr, len);
}

void pci_config_set(PCIConfig *c, uint32_t addr, unsigned len, uint32_t value)
{
    config_store(c->bytes + addr, len, value);
}

static void config_reset_block(PCIConfig *c, unsigned block, bool cold)
{
    const PCIMasks *m = c->masks[block];
    uint8_t *bytes = c->bytes + block * PCI_MASK_BLOCK;

    for (unsigned i = 0; i < PCI_MASK_BLOCK; i++) {
        uint8_t clear = m->wmask[i] | m->w1cmask[i];

        bytes[i] &= ~(cold ? clear : clear & ~m->sticky[i]);
    }
}

static void config_reset_row(PCIConfig *c, uint16_t pos, const RegDesc *r, bool cold)
{
    for (unsigned i = 0; i < r->width; i++) {
        uint8_t *byte = &c->bytes[pos + r->offset + i];
        uint8_t keep = config_column_byte(r->identity, i) &
                       ~(config_column_byte(r->rw, i) | config_column_byte(r->w1c, i));

        keep |= cold ? 0 : config_column_byte(r->sticky, i);
        *byte = (*byte & keep) | (config_column_byte(r->reset, i) & ~keep);
    }
}

static void config_reset_entry(PCIConfig *c, const PCICapEntry *e, bool cold)
{
    for (uint32_t left = e->selected; left; left &= left - 1) {
        const PCIRegTable *t = &e->tables[__builtin_ctz(left)];

        for (size_t i = 0; i < t->n; i++) {
            config_reset_row(c, e->offset, &t->rows[i], cold);
        }
    }
}

void pci_config_reset(PCIConfig *c, bool cold)
{
    for (unsigned b = 0; b < c->size / PCI_MASK_BLOCK; b++) {
        if (c->masks[b] != &config_reserved_block) { /* it has no writable bits */
            config_reset_block(c, b, cold);
        }
    }
    for (unsigned i = 0; i < c->n_entries; i++) {
        config_reset_entry(c, &c->entries[i], cold);
    }
}

/* --- entries --- */

PCICapEntry *pci_config_entry_at(const PCIConfig *c, uint32_t offset)
{
    for (unsigned i = 0; i < c->n_entries; i++) {
        PCICapEntry *e = &c->entries[i];

        if (offset >= e->offset && offset < (uint32_t)e->offset + e->size) {
            return e;
        }
    }
    return NULL;
}

void pci_config_entry_add(PCIConfig *c, const PCICapEntry *entry)
{
    if (c->n_entries == c->room) {
        c->room += 4;
        c->entries = g_renew(PCICapEntry, c->entries, c->room);
    }
    c->entries[c->n_entries++] = *entry;
}

void pci_config_entry_drop(PCIConfig *c, uint16_t offset)
{
    unsigned i = 0;

    while (c->entries[i].offset != offset) {
        i++;
        g_assert(i < c->n_entries);
    }
    memmove(&c->entries[i], &c->entries[i + 1], (c->n_entries - i - 1) * sizeof(PCICapEntry));
    c->n_entries--;
}

void pci_config_forget(PCIConfig *c)
{
    for (unsigned b = 1; b < c->size / PCI_MASK_BLOCK; b++) {
        if (c->own >> b & 1) {
            g_free(c->masks[b]);
        }
        c->masks[b] = config_shared_block(b);
    }
    c->own &= 1;
    c->n_entries = 0;
}
