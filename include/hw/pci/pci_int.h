/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interfaces internal to the PCI core: how its files fit together.
 *
 * A capability is one file with one const PCICapClass, listed in hw/pci/caps.c. The class has the
 * rows of its registers. From a type's capability rows the core allocates the space (at the offset
 * that the property requests), declares the class's rows there, calls setup() for values that
 * depend on the instance, and later calls the rows' accept() and wrote() for guest writes. To add a
 * capability: write hw/pci/NAME.c with its class, and add the class to the list in caps.c.
 *
 * A guest's configuration write: pci_config_write() stores the bytes and returns the effects of the
 * rows; pci_apply_effects() (device.c) applies them once: a reset of the function, then BARs,
 * windows, pins, bus numbers, secondary bus reset. The type's own config_written follows. The
 * function's re-entrancy guard is held throughout. A write to a capability evaluates BARs and
 * windows only if one of its rows returns an effect that requires it.
 */
#ifndef HW_PCI_PCI_INT_H
#define HW_PCI_PCI_INT_H

#include "hw/pci/bridge.h"
#include "hw/pci/regs.h"

/* A refusal, of a user's wish or of a stream: one sentence. */
#define pci_error(err, ...) g_set_error(err, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, __VA_ARGS__)

typedef struct PCICapClass {
    uint16_t id;
    bool extended;
    uint8_t version;    /* of an extended capability */
    int8_t present_bit; /* its bit in the saved record's cap_present; -1: not optional */
    uint16_t size;      /* bytes; 0: length() */
    const char *name;   /* as the specification spells it */
    const char *doc;    /* help text of its property */
    /* The registers. At most PCI_MAX_TABLES; those that apply to one function do not overlap. */
    const PCIRegTable *tables;
    size_t n_tables;
    /* Rows of the header that a function with this capability has instead of the common ones: their
     * masks alone. */
    const PCIRegTable *header;
    size_t n_header;
    const PCIBarDesc *bar; /* that setup() adds, or NULL: for the catalogue */
    const PlanProp *props; /* further properties of a type that lists it; fields of PCIDevice */
    size_t n_props;
    /* Size in bytes. Depends on the description alone. */
    uint16_t (*length)(const PCIDeviceType *type, const PCICapDesc *desc);
    /* The property that supplies the capability's value, for messages; NULL: count_prop. */
    const char *(*value_prop)(const PCICapDesc *desc);
    /* False: left out here without a message (Express on a conventional bus, MSI-X with 0 vectors).
     * NULL: always present. */
    bool (*wanted)(const PCIDevice *d, const PCICapDesc *desc);
    /* The space at pos is allocated and the rows are declared: check the properties, set the values
     * and masks that depend on them. If the class has a present_bit, nothing but d->config may
     * change: a load calls this on a trial copy of it. NULL: nothing to do. On failure the core
     * removes the entry. */
    bool (*setup)(PCIDevice *d, unsigned row, uint16_t pos, GError **err);
    /* The entry is set up at d->cap_pos[row]: allocate the state outside the configuration bytes,
     * such as d->cap_state[row]. */
    void (*create)(PCIDevice *d, unsigned row);
    /* Free that state (also at finalize). */
    void (*remove)(PCIDevice *d, unsigned row);
    /* The entry is now located at d->cap_pos[row] (also called after setup). The core has moved the
     * bytes and masks. */
    void (*placed)(PCIDevice *d, unsigned row);
    /* All rows have their reset values (sticky bits only for RESET_COLD): set the values that
     * depend on the instance, and the state outside the configuration bytes. */
    void (*reset)(PCIDevice *d, unsigned row, ResetKind kind);
    /* Save the state outside the configuration bytes. */
    void (*save)(PCIDevice *d, unsigned row, ByteWriter *w);
    /* A load has three steps. d->config and d->cap_pos are those of the record in the first two,
     * the rest of d is not, and nothing may change, because the load can still be refused.
     * parse: read and check the state outside the bytes; *state points to it in the stream.
     * check: whether the registers of the entry are consistent.
     * loaded: the record is accepted; adopt bytes and state. state is NULL without parse. */
    bool (*parse)(const PCIDevice *d, unsigned row, ByteReader *r, const uint8_t **state,
                  const char *path, GError **err);
    bool (*check)(const PCIDevice *d, unsigned row, const char *path, GError **err);
    void (*loaded)(PCIDevice *d, unsigned row, const uint8_t *state);
} PCICapClass;

/* --- capability.c --- */
/* Unlink and free the entry that starts at offset, whichever has its id too. */
void pci_cap_delete_at(PCIDevice *d, uint16_t offset);

/* --- caps.c --- */
/* The class of a type's row: each row has one. */
const PCICapClass *pci_cap_class(uint16_t id, bool extended);
/* The same for any id; NULL: this build has no such capability. */
const PCICapClass *pci_cap_class_find(uint16_t id, bool extended);
/* Size in bytes of the capability that a type's row describes. */
uint16_t pci_cap_length(const PCIDeviceType *type, const PCICapDesc *desc);
/* The row of d's type with that class whose capability is present; -1: none. */
int pci_cap_row(const PCIDevice *d, const PCICapClass *cls);
static inline const PCIDeviceType *pci_type(const PCIDevice *d)
{
    return (const PCIDeviceType *)d->dev.type;
}
/* Value of an unsigned property (U8 to U64, SIZE, BOOL) of the instance, by name. */
uint64_t pci_prop_u64(const PCIDevice *d, const char *name);
/* The property that decides about the contents of a capability; NULL: none. */
const char *pci_cap_value_prop(const PCICapDesc *desc);
/* Vectors or messages of an MSI-X or MSI row: its own number, or its count property. */
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

/* --- registers.c --- */
/* The registers of an instance with default properties, as Markdown (g_free). */
char *pci_type_registers(const DeviceType *type, GError **err);

/* --- device.c --- */
/* Apply PCI_EFFECT_* of one access, each once. */
void pci_apply_effects(PCIDevice *d, uint32_t effects);
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
/* Secondary Bus Reset was set or cleared by a write. */
void pci_bridge_reset_changed(PCIBridge *br);
/* Secondary Bus Reset may have changed: show or hide what is behind accordingly. */
void pci_bridge_follow_reset(PCIBridge *br);
bool pci_role_is_bridge(PlanPciRole role);
PlanBusKind pci_role_bus(PlanPciRole role);

#endif
