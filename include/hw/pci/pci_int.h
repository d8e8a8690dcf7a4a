/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions internal to the PCI core: how its files, one a capability, fit together.
 *
 * A capability is one file with one const PCICapClass, listed in hw/pci/caps.c. From a type's
 * capability rows the core allocates the space (at the offset the property asks for), calls
 * setup(), and later hands over guest writes that touch the entry, resets, moves after a load,
 * and the state beyond the config bytes. To add one: write hw/pci/NAME.c with its class, add the
 * class to the table in caps.c, and its register names to names.c.
 *
 * How a guest's config write goes: pci_config_write() changes bytes and returns effects;
 * pci_apply_effects() (device.c) carries them out: capabilities first, since power state and the
 * like decide about decoding, then BARs, windows, pins, bus numbers, Bridge Control; then the
 * type's own config_written. All of it inside the function's re-entrancy guard.
 */
#ifndef HW_PCI_PCI_INT_H
#define HW_PCI_PCI_INT_H

#include "hw/pci/bridge.h"
#include "hw/pci/regs.h"

/* A refusal, of a user's wish or of a stream: one sentence. */
#define pci_error(err, ...) g_set_error(err, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, __VA_ARGS__)

/* One guest write, as a capability sees it. */
typedef struct PCIConfigWrite {
    uint32_t addr, value;
    unsigned len;
    uint32_t old; /* the bytes at addr before, same length */
} PCIConfigWrite;

/* The part of the write that falls on the register [addr, addr+len) (len <= 4): what was
 * written to it, and which of its bits were written at all. 0 bits: not touched. */
uint32_t pci_write_bits(const PCIConfigWrite *w, uint32_t addr, unsigned len, uint32_t *value);
/* Value of the register before the write. */
uint32_t pci_write_old(const PCIDevice *d, const PCIConfigWrite *w, uint32_t addr, unsigned len);

typedef struct PCICapClass {
    uint16_t id;
    bool extended;
    uint8_t version;       /* of an extended capability */
    int8_t present_bit;    /* its bit in the saved record's cap_present; -1: not optional */
    const char *doc;       /* help text of its property */
    const PCIBarDesc *bar; /* that setup() adds, or NULL: for the catalogue */
    const PlanProp *props; /* further properties of a type that lists it; fields of PCIDevice */
    size_t n_props;
    /* Bytes it takes. A function of the description alone. */
    uint16_t (*length)(const PCIDeviceType *type, const PCICapDesc *desc);
    /* False: left out here, silently (Express on a conventional bus, MSI-X with 0 vectors). NULL:
     * always wanted. */
    bool (*wanted)(const PCIDevice *d, const PCICapDesc *desc);
    /* The space at pos is allocated, read-only and zero but for the list's own bytes: check the
     * properties, set registers and masks. If the class has a present_bit, nothing but d->config
     * may change: a load calls this on a trial copy of it. On failure the core undoes the entry. */
    bool (*setup)(PCIDevice *d, unsigned row, uint16_t pos, GError **err);
    /* The entry is set up at d->cap_pos[row]: allocate the state beside the bytes, such as
     * d->cap_state[row]. */
    void (*create)(PCIDevice *d, unsigned row);
    /* Free the state (also at finalize). */
    void (*remove)(PCIDevice *d, unsigned row);
    /* The entry now stands at d->cap_pos[row] (also called after setup). Bytes and masks were
     * moved by the core. */
    void (*placed)(PCIDevice *d, unsigned row);
    /* A guest wrote one or more bytes of the entry; masks are applied already. */
    void (*written)(PCIDevice *d, unsigned row, const PCIConfigWrite *w);
    /* Writable and W1C bits are zero (sticky ones only for RESET_COLD): put what is not zero by
     * default, and the state beside the bytes. */
    void (*reset)(PCIDevice *d, unsigned row, ResetKind kind);
    /* State beside the bytes. */
    void (*save)(PCIDevice *d, unsigned row, ByteWriter *w);
    /* A load has three steps. d->config and d->cap_pos are those of the record in the first two,
     * the rest of d is not, and nothing may change, because the load can still be refused.
     * parse: read and check the state beside the bytes; *state is a view of it in the stream.
     * check: what must fit together inside the entry.
     * loaded: the record is accepted; take over what bytes and state say. state is NULL without
     * parse. */
    bool (*parse)(const PCIDevice *d, unsigned row, ByteReader *r, const uint8_t **state,
                  const char *path, GError **err);
    bool (*check)(const PCIDevice *d, unsigned row, const char *path, GError **err);
    void (*loaded)(PCIDevice *d, unsigned row, const uint8_t *state);
} PCICapClass;

/* --- capability.c --- */
/* Unlink and free the entry that starts at offset, whichever has its id too. */
void pci_cap_delete_at(PCIDevice *d, uint16_t offset);

/* --- caps.c --- */
/* The class behind a type's row: each row has one. */
const PCICapClass *pci_cap_class(uint16_t id, bool extended);
static inline const PCIDeviceType *pci_type(const PCIDevice *d)
{
    return (const PCIDeviceType *)d->dev.type;
}
/* Value of an unsigned property (U8 to U64, SIZE, BOOL) of the instance, by name. */
uint64_t pci_prop_u64(const PCIDevice *d, const char *name);
/* arg[0] of a row, or its count property. */
uint64_t pci_cap_count(const PCIDevice *d, const PCICapDesc *desc);
/* All rows of the type; on failure everything is undone by pci_caps_fini. */
bool pci_caps_init(PCIDevice *d, GError **err);
void pci_caps_fini(PCIDevice *d);
/* Add one row at a wanted offset (0: anywhere): bytes, masks, the list and its state. */
bool pci_cap_add_row(PCIDevice *d, unsigned row, uint16_t at, GError **err);
/* The part of it in d->config and d->cap_pos alone, and its opposite. The state beside the bytes
 * (create, placed and remove of the class) is the caller's. */
bool pci_cap_place_row(PCIDevice *d, unsigned row, uint16_t at, GError **err);
void pci_cap_drop_row(PCIDevice *d, unsigned row);
void pci_caps_written(PCIDevice *d, const PCIConfigWrite *w);
void pci_caps_reset(PCIDevice *d, ResetKind kind);
/* The row whose entry starts at pos; -1: an entry of the device's own. */
int pci_cap_row_at(const PCIDevice *d, uint16_t pos);
/* True if some row makes the function an Express one on its bus. */
bool pci_wants_express(const PCIDevice *d);

extern const PCICapClass pci_vpd_class, pci_pm_class, pci_msi_class, pci_msix_class,
    pci_vendor_class, pci_express_class, pci_ssvid_class, pci_aer_class, pci_acs_class,
    pci_dsn_class, pci_ari_class, pci_shpc_class, pci_slotid_class;
/* ARI: put what stands behind d on the bus into its Next Function Number. */
void pci_ari_refresh(PCIDevice *d);

/* --- bar.c --- */
typedef struct PCIBar {
    PCIDevice *pci;
    const char *size_prop; /* the property that decides about its size; NULL: none */
    uint8_t index;         /* PCI_FIXED_RANGE for legacy ranges */
    bool io, is64, prefetch;
    uint64_t size, addr; /* addr: where it decodes, PCI_BAR_UNMAPPED */
    MemRegion region;    /* the container that stands on the bus */
    MemRegion content;   /* register table or ops of the descriptor */
    RegFile file;
    MemRegion *fixed;
    uint64_t fixed_addr;
    RamBlock *rom;
    struct PCIBar *next;
} PCIBar;
enum { PCI_FIXED_RANGE = PCI_NUM_BARS };
bool pci_bars_init(PCIDevice *d, GError **err); /* from the type's table, and the ROM */
void pci_bars_fini(PCIDevice *d);
PCIBar *pci_bar(const PCIDevice *d, unsigned index);
/* Config offset of the register of BAR `index`. */
uint32_t pci_bar_register(const PCIDevice *d, unsigned index);
/* Map, move and unmap to agree with the registers: O(log n) for each BAR that changes. */
void pci_bars_update(PCIDevice *d);
/* Put the regions' registers to their reset values. */
void pci_bars_reset(PCIDevice *d, ResetKind kind);

/* --- intx.c --- */
/* Drive the wire as levels, masks and message modes now say. */
void pci_intx_update(PCIDevice *d);
bool pci_intx_asserted(const PCIDevice *d); /* some source asserts */

/* --- msi.c, msix.c --- */
uint64_t msix_bar_size(uint64_t vectors); /* of a BAR that holds nothing else */
/* Source n fell: its message waits no more, unless another source that shares it still asserts. */
void msi_clear_pending(PCIDevice *d, unsigned n);

/* --- pm.c --- */
static inline bool pci_in_d0(const PCIDevice *d)
{
    return d->d_state == 0;
}

/* --- device.c --- */
void pci_apply_effects(PCIDevice *d, uint32_t effects, const PCIConfigWrite *w);
/* The two phases of a reset of one function, the type's own included, without any check. */
void pci_reset_state(PCIDevice *d, ResetKind kind);
void pci_reset_outputs(PCIDevice *d);
/* Show or hide a plugged function and everything behind it, as its slot's power, its link or the
 * reset line of its bus require: hidden, it answers nothing, masters nothing and does not
 * interrupt. Shown again, it was reset: `kind` is COLD after power, HOT after a link that was down.
 */
void pci_device_power(PCIDevice *d, bool on, ResetKind kind);
/* The same for each function on a bus. */
void pci_bus_power(PCIBus *bus, bool on, ResetKind kind);
/* Recompute everything that follows from the config bytes (after a load). */
void pci_resync(PCIDevice *d);

/* --- bus.c --- */
/* Take and leave the place d->devfn on the bus. */
bool pci_bus_take(PCIBus *bus, PCIDevice *d, GError **err);
void pci_bus_leave(PCIDevice *d);
/* The pin (0 to 3) of the bus above that a pin of this function arrives at (B 9.1). */
unsigned pci_swizzle(const PCIDevice *d, unsigned pin);

/* --- host.c --- */
void pci_host_numbers_changed(PCIHost *h);

/* --- bridge.c --- */
bool pci_bridge_init(PCIBridge *br, GError **err); /* header, windows, the bus behind */
void pci_bridge_fini(PCIBridge *br);
void pci_bridge_update_windows(PCIBridge *br);
void pci_bridge_control_written(PCIBridge *br, uint16_t old);
/* Secondary Bus Reset may have changed: show or hide what is behind accordingly. */
void pci_bridge_follow_reset(PCIBridge *br);
bool pci_role_is_bridge(PlanPciRole role);
PlanBusKind pci_role_bus(PlanPciRole role);

#endif
