/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interfaces between the files of the PCI core.
 *
 * A capability is one file with one const PCICapClass, listed in hw/pci/capability_classes.c. The
 * class has the rows of its registers. From a type's capability rows the core allocates the space
 * (at the offset that the property requests), declares the class's rows there, calls setup() for
 * values that depend on the instance, and later calls the rows' accept() and wrote() for guest
 * writes. To add a capability, write hw/pci/NAME.c with its class, and add the class to that list.
 *
 * A guest's configuration write: pci_config_write() stores the bytes and returns the effects of the
 * rows; pci_apply_effects() (device.c) applies them once: a reset of the function, then BARs,
 * windows, pins, bus numbers, secondary bus reset. The type's own config_written follows. The
 * function's re-entrancy guard is held throughout. A write to a capability evaluates BARs and
 * windows only if one of its rows returns an effect that requires it.
 *
 * Every function requires the machine lock.
 */
#ifndef HW_PCI_INTERNAL_H
#define HW_PCI_INTERNAL_H

#include "hw/pci/bridge.h"
#include "hw/pci/regs.h"

typedef struct PCICapClass {
    uint16_t id;
    bool extended;
    uint8_t version;    /* of an extended capability */
    int8_t present_bit; /* its bit in the saved record's cap_present; -1: not optional */
    uint16_t size;      /* bytes; 0: length() */
    const char *name;   /* name in the specification */
    const char *doc;    /* help text of its property */
    /* The registers. At most PCI_MAX_TABLES; those that apply to one function do not overlap. */
    const PCIRegTable *tables;
    size_t n_tables;
    /* Rows of the header that replace the common ones in a function with this capability. Only
     * their masks are used. */
    const PCIRegTable *header;
    size_t n_header;
    const PCIBarDesc *bar; /* BAR that setup() adds, for the catalogue; NULL: none */
    const PlanProp *props; /* properties that the capability adds to a type; fields of PCIDevice */
    size_t n_props;
    /* Return the size in bytes, which depends only on the description. */
    uint16_t (*length)(const PCIDeviceType *type, const PCICapDesc *desc);
    /* Return the property that supplies the capability's value, for messages. NULL: count_prop. */
    const char *(*value_prop)(const PCICapDesc *desc);
    /* Return false if this function does not have the capability, which is not an error: Express on
     * a conventional bus, MSI-X with 0 vectors. NULL: always present. */
    bool (*wanted)(const PCIDevice *d, const PCICapDesc *desc);
    /* Check the properties, and set the values and masks that depend on them. Called when the space
     * at pos is allocated and the rows are declared. If the class has a present_bit, only d->config
     * may change, because a load calls this with a trial copy of it. On failure the core removes
     * the entry. NULL: nothing to do. */
    bool (*setup)(PCIDevice *d, unsigned row, uint16_t pos, GError **err);
    /* Allocate the state outside the configuration bytes, such as d->cap_state[row]. Called when
     * the entry is set up at d->cap_pos[row]. */
    void (*create)(PCIDevice *d, unsigned row);
    /* Free the state that create() allocated. Also called at finalize. */
    void (*remove)(PCIDevice *d, unsigned row);
    /* Record that the entry is located at d->cap_pos[row]. Called after setup() and whenever the
     * core has moved the bytes and masks. */
    void (*placed)(PCIDevice *d, unsigned row);
    /* Reset the values that depend on the instance and the state outside the configuration bytes.
     * All rows have their reset values already (sticky bits only for RESET_COLD). */
    void (*reset)(PCIDevice *d, unsigned row, ResetKind kind);
    /* Save the state outside the configuration bytes. */
    void (*save)(PCIDevice *d, unsigned row, ByteWriter *w);
    /* A load has three steps. In the first two, d->config and d->cap_pos are those of the record
     * and the rest of d is unchanged. They must not change anything, because the load can still
     * fail. parse: read and check the state outside the bytes; *state points to it in the stream.
     * check: return whether the registers of the entry are consistent.
     * loaded: apply the bytes and the state of the accepted record; state is NULL without parse. */
    bool (*parse)(const PCIDevice *d, unsigned row, ByteReader *r, const uint8_t **state,
                  const char *path, GError **err);
    bool (*check)(const PCIDevice *d, unsigned row, const char *path, GError **err);
    void (*loaded)(PCIDevice *d, unsigned row, const uint8_t *state);
} PCICapClass;

/* --- capability_list.c --- */
/* Unlink and free the entry that starts at offset. Other entries may have the same id. */
void pci_cap_delete_at(PCIDevice *d, uint16_t offset);

/* --- capability_classes.c --- */
/* Return the class of a capability id that a type's row has; asserts that it exists. */
const PCICapClass *pci_cap_class(uint16_t id, bool extended);
/* Return the class of any capability id; NULL: the core does not implement the capability. */
const PCICapClass *pci_cap_class_find(uint16_t id, bool extended);
/* Return the size in bytes of the capability that a type's row describes. */
uint16_t pci_cap_length(const PCIDeviceType *type, const PCICapDesc *desc);
/* Return the first row of d's type with a class whose capability is present; -1: none. */
int pci_cap_row(const PCIDevice *d, const PCICapClass *cls);
static inline const PCIDeviceType *pci_type(const PCIDevice *d)
{
    return (const PCIDeviceType *)d->dev.type;
}
/* Return the value of an unsigned property (U8 to U64, SIZE, BOOL), which must exist. */
uint64_t pci_prop_u64(const PCIDevice *d, const char *name);
/* Return the property that determines the value of a capability, or else the one that switches the
 * capability; NULL: neither. For messages. */
const char *pci_cap_value_prop(const PCICapDesc *desc);
/* Return the number of vectors or messages of an MSI-X or MSI row: the value of its count property,
 * computed for PCI_AUTO_COUNT, or the number in the row. */
uint64_t pci_cap_count(const PCIDevice *d, const PCICapDesc *desc);
/* Add the capabilities of all rows of the type. pci_caps_fini() undoes it, also after a failure. */
bool pci_caps_init(PCIDevice *d, GError **err);
void pci_caps_fini(PCIDevice *d);
/* Add the capability of a row at an offset (0: the first free space), with its state. */
bool pci_cap_add_row(PCIDevice *d, unsigned row, uint16_t at, GError **err);
/* Add the capability of a row to d->config and d->cap_pos only, and remove it from them. The caller
 * is responsible for the state outside the bytes (create, placed and remove of the class). */
bool pci_cap_place_row(PCIDevice *d, unsigned row, uint16_t at, GError **err);
void pci_cap_drop_row(PCIDevice *d, unsigned row);
/* Call reset() of the class of each capability that is present. */
void pci_caps_reset(PCIDevice *d, ResetKind kind);
/* Return the row whose entry starts at pos; -1: the device added the entry itself. */
int pci_cap_row_at(const PCIDevice *d, uint16_t pos);
/* Return true if a row makes the function a PCI Express function on its bus. */
bool pci_wants_express(const PCIDevice *d);

extern const PCICapClass pci_vpd_class, pci_pm_class, pci_msi_class, pci_msix_class,
    pci_vendor_class, pci_express_class, pci_ssvid_class, pci_aer_class, pci_acs_class,
    pci_dsn_class, pci_ari_class, pci_shpc_class, pci_slotid_class, pci_ea_class, pci_ats_class;
/* Set ARI's Next Function Number from the functions that follow d on its bus. No effect without the
 * ARI capability. */
void pci_ari_refresh(PCIDevice *d);

/* --- reserve.c: resources that firmware reserves behind a port --- */
/* Values of bus-reserve, and of the other reserve properties, that reserve nothing. */
#define PCI_RESERVE_NONE_32 UINT32_MAX
#define PCI_RESERVE_NONE    UINT64_MAX
/* Return true if one of the reserve properties of a port is set. */
bool pci_reserve_wanted(const PCIDevice *d);
/* Check the reserve properties, and store them in the capability at @pos. */
bool pci_reserve_setup(PCIDevice *d, uint16_t pos, GError **err);

/* --- bar.c --- */
typedef struct PCIBar {
    PCIDevice *pci;
    const char *size_prop; /* property that determines the size; NULL: none */
    uint8_t index;         /* PCI_FIXED_RANGE for a range without a BAR */
    bool io, is64, prefetch;
    uint64_t size, addr; /* addr: bus address where it decodes, or PCI_BAR_UNMAPPED */
    MemRegion region;    /* container, mapped in the bus's address space */
    MemRegion content;   /* register table or ops of the descriptor */
    RegFile file;
    MemRegion *fixed;
    uint64_t fixed_addr;
    RamBlock *rom;
    struct PCIBar *next;
} PCIBar;
enum { PCI_FIXED_RANGE = PCI_NUM_BARS };
/* Create the BARs of the type's table, and the expansion ROM. pci_bars_fini() undoes it, also after
 * a failure. */
bool pci_bars_init(PCIDevice *d, GError **err);
void pci_bars_fini(PCIDevice *d);
/* Return a BAR of the function; NULL: none. */
PCIBar *pci_bar(const PCIDevice *d, unsigned index);
/* Return the configuration offset of the register of BAR `index`. */
uint32_t pci_bar_register(const PCIDevice *d, unsigned index);
/* Map, move and unmap the BARs as the registers require. O(log n) for each BAR that changes. */
void pci_bars_update(PCIDevice *d);
/* Reset the register tables that are in BARs. */
void pci_bars_reset(PCIDevice *d, ResetKind kind);

/* --- intx.c --- */
/* Set Interrupt Status and the INTx pin from the levels, Interrupt Disable and the enables of MSI
 * and MSI-X (PCI 6.2.2, 6.2.3). */
void pci_intx_update(PCIDevice *d);
/* Return true if an interrupt source asserts and the function has an INTx pin. */
bool pci_intx_asserted(const PCIDevice *d);

/* --- msi.c, msix.c --- */
/* Return the size in bytes of a BAR that contains only the MSI-X table and the PBA. */
uint64_t msix_bar_size(uint64_t vectors);
/* Clear the pending bit of source n's message, unless another source that shares the message
 * asserts. */
void msi_clear_pending(PCIDevice *d, unsigned n);

/* --- pm.c --- */
/* Return true in power state D0. */
static inline bool pci_in_d0(const PCIDevice *d)
{
    return d->d_state == 0;
}

/* --- registers.c --- */
/* Return the registers of an instance with default properties as Markdown, or NULL with an error.
 * The caller frees the text with g_free(). */
char *pci_type_registers(const DeviceType *base, GError **err);

/* --- device.c --- */
/* Apply the PCI_EFFECT_* of one access, each once. */
void pci_apply_effects(PCIDevice *d, uint32_t effects);
/* Bus Master Enable or the power state of a function changed: notify the function, and those below
 * it, that may issue requests now. */
void pci_master_changed(PCIDevice *d);
/* Carry out the two phases of a reset of one function and of its type. The re-entrancy guard is not
 * checked. */
void pci_reset_state(PCIDevice *d, ResetKind kind);
void pci_reset_outputs(PCIDevice *d);
/* Make a plugged function and everything behind it visible or invisible, as the power of its slot,
 * its link or the reset of its bus requires. An invisible function does not respond, issue requests
 * or interrupt. A function that becomes visible is reset: `kind` is RESET_COLD after its power was
 * off and RESET_HOT after its link was down. */
void pci_device_power(PCIDevice *d, bool on, ResetKind kind);
/* Call pci_device_power() for each function on a bus. */
void pci_bus_power(PCIBus *bus, bool on, ResetKind kind);
/* Recompute BARs, the INTx pin, windows and bus numbers from the configuration bytes. */
void pci_resync(PCIDevice *d);

/* --- bus.c --- */
/* Add a function to a bus at d->devfn. False with an error if the address is used or function 0 of
 * the device has multifunction=off. pci_bus_leave() undoes it. */
bool pci_bus_take(PCIBus *bus, PCIDevice *d, GError **err);
void pci_bus_leave(PCIDevice *d);
/* Return the pin (0 to 3) on the parent bus for a pin (0 to 3) of this function (B 9.1). */
unsigned pci_swizzle(const PCIDevice *d, unsigned pin);

/* --- host.c --- */
/* Clear the cache from bus number to bus. */
void pci_host_numbers_changed(PCIHost *h);

/* --- bridge.c --- */
/* Create the secondary bus and the windows. pci_bridge_fini() undoes it; it has no effect after a
 * failure. */
bool pci_bridge_init(PCIBridge *br, GError **err);
void pci_bridge_fini(PCIBridge *br);
/* Map, move and unmap the windows as the registers require. */
void pci_bridge_update_windows(PCIBridge *br);
/* Carry out a change of Secondary Bus Reset by a write: reset the functions behind the bridge when
 * it is set, and make them invisible or visible. */
void pci_bridge_reset_changed(PCIBridge *br);
/* Make the functions behind the bridge invisible or visible as Secondary Bus Reset requires. */
void pci_bridge_follow_reset(PCIBridge *br);
/* Return true if a function with this role has a type 1 header and a secondary bus. */
bool pci_role_is_bridge(PlanPciRole role);
/* Return the class of the bus that a function with this role provides; PLAN_BUS_NONE: none. */
PlanBusKind pci_role_bus(PlanPciRole role);

#endif
