/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI functions: attaching one to a bus from the tables of its type, configuration accesses and
 * their effects, reset, and the catalogue entry of its type.
 */
#include "hw/pci/names.h"
#include "internal.h"
#include "util/error.h"
#include "util/log.h"
#include "util/trace.h"

bool pci_is_express(const PCIDevice *d)
{
    return d->express;
}

uint32_t pci_get(const PCIDevice *d, uint16_t addr, unsigned len)
{
    return pci_config_get(&d->config, addr, len);
}

void pci_set(PCIDevice *d, uint16_t addr, unsigned len, uint32_t value)
{
    pci_config_set(&d->config, addr, len, value);
}

void pci_set_masks(PCIDevice *d, uint16_t addr, unsigned len, uint32_t wmask, uint32_t w1cmask)
{
    const RegDesc row =
        REG_ROW("", 0, len, .rw = wmask & ~w1cmask, .w1c = w1cmask, .identity = REG_ALL);

    pci_config_compile(&d->config, addr, &row, 1);
}

/* --- attach and detach --- */

/* Return whether the guest has enumerated a bus without a hot-plug controller: the internal bus of
 * a switch, or the bus below a port with hotplug=off. A device can be plugged there only before the
 * guest gives the bridge a bus number. */
static bool pci_guest_enumerated(const PCIBus *bus)
{
    RunState state = bus->bus.machine->state;
    bool inside = bus->bus.kind == PLAN_BUS_PCIE_UPSTREAM ||
                  (bus->bus.kind == PLAN_BUS_PCIE_PORT && !bus->bridge->n_slots);

    return inside && state != RUN_PRELAUNCH && state != RUN_INMIGRATE &&
           pci_device_visible(&bus->bridge->pci) && pci_bus_number(bus) != 0;
}

static bool pci_take_address(PCIDevice *d, const PlanDevice *plan, GError **err)
{
    PCIBus *bus = (PCIBus *)d->dev.bus;

    if (!bus || !plan->has_addr) {
        return error_set(err, ERROR_USER,
                         "%s: a PCI function requires a bus and an address (bus=..., "
                         "addr=DEVICE.FUNCTION)",
                         device_name(&d->dev));
    }
    if (pci_guest_enumerated(bus)) {
        return error_set(err, ERROR_USER,
                         "%s: the guest has enumerated bus '%s', which has no hot-plug controller: "
                         "unplug the switch, and plug it again with all its devices while the "
                         "guest is stopped or before it switches the slot's power on",
                         device_name(&d->dev), bus->bus.name);
    }
    d->devfn = PCI_DEVFN(plan->addr.slot, plan->addr.fn);
    return pci_bus_take(bus, d, err);
}

/* Interrupt Pin of a type: 0 for none, 1 to 4. */
static uint8_t pci_type_pin(const PCIDeviceType *type)
{
    return type->int_pin ? type->int_pin : type->n_irqs ? 1 : 0;
}

static void pci_set_identity(PCIDevice *d)
{
    const PCIDeviceType *type = pci_type(d);
    PCIConfig *c = &d->config;

    pci_config_set(c, PCI_VENDOR_ID, 2, type->vendor);
    pci_config_set(c, PCI_DEVICE_ID, 2, type->device);
    pci_config_set(c, PCI_REVISION_ID, 1, type->revision);
    pci_config_set(c, PCI_CLASS_PROG, 3, type->class_code);
    if (c->type == 0) {
        /* The default subsystem ids are those that drivers expect of emulated hardware. */
        bool own = type->subsystem_vendor != 0;

        pci_config_set(c, PCI_SUBSYSTEM_VENDOR_ID, 2, own ? type->subsystem_vendor : 0x1af4);
        pci_config_set(c, PCI_SUBSYSTEM_ID, 2, own ? type->subsystem : 0x1100);
    }
    if (d->multifunction) {
        c->bytes[PCI_HEADER_TYPE] |= PCI_HEADER_TYPE_MFD;
    }
    d->pin = pci_type_pin(type);
    pci_config_set(c, PCI_INTERRUPT_PIN, 1, d->pin);
}

static bool pci_build_config(PCIDevice *d, GError **err)
{
    bool bridge = pci_role_is_bridge(pci_type(d)->role);

    d->express = pci_wants_express(d);
    pci_config_init(&d->config, d->express ? PCIE_CONFIG_SIZE : PCI_CONFIG_SIZE, bridge);
    pci_set_identity(d);
    if (bridge && !pci_bridge_init((PCIBridge *)d, err)) {
        return false;
    }
    return pci_bars_init(d, err) && pci_caps_init(d, err);
}

static void pci_detach(Device *dev)
{
    PCIDevice *d = (PCIDevice *)dev;
    PCIBridge *parent = d->bus->bridge;
    bool was_plugged = dev->realized; /* d->present is false in a slot without power */

    d->present = false;
    pci_intx_update(d);
    pci_bars_update(d);
    if (pci_bridge_of(d)) {
        pci_bridge_fini((PCIBridge *)d);
    }
    if (parent && parent->presence && was_plugged) {
        parent->presence(parent, d, false);
    }
    pci_host_numbers_changed(d->bus->host); /* removing function 0 hides other bridges */
    pci_bus_leave(d);
}

static bool pci_attach(Device *dev, const PlanDevice *plan, GError **err)
{
    PCIDevice *d = (PCIDevice *)dev;

    if (!pci_take_address(d, plan, err)) {
        return false;
    }
    g_free(dev->plan_id);
    dev->plan_id = pci_device_path(d);
    if (!pci_build_config(d, err)) {
        pci_detach(dev);
        return false;
    }
    return true;
}

static void pci_ready(Device *dev)
{
    PCIDevice *d = (PCIDevice *)dev;
    PCIBridge *parent = d->bus->bridge;

    /* A bridge without power, or in reset, has no visible functions behind it. */
    d->present = !parent || (parent->pci.present && !pci_bridge_in_reset(parent));
    pci_host_numbers_changed(d->bus->host);
    pci_resync(d);
    if (parent && parent->presence) {
        parent->presence(parent, d, true);
    }
}

static bool pci_set_present_one(void *opaque, PCIDevice *d)
{
    d->present = *(bool *)opaque;
    return true;
}

static bool pci_resync_one(void *opaque, PCIDevice *d)
{
    pci_resync(d);
    return true;
}

void pci_device_power(PCIDevice *d, bool on, ResetKind kind)
{
    PCIBridge *br = pci_bridge_of(d);

    if (d->present == on) {
        return;
    }
    d->present = on;
    if (br) { /* the functions behind a bridge have its power */
        pci_bus_walk(&br->sec, true, pci_set_present_one, &on);
    }
    if (on) {
        device_reset_tree(&d->dev, kind);
    }
    if (on && br) {
        pci_bus_reset(&br->sec, kind);
    }
    pci_resync(d);
    if (br) {
        pci_bus_walk(&br->sec, true, pci_resync_one, NULL);
    }
    pci_host_numbers_changed(d->bus->host);
}

void pci_bus_power(PCIBus *bus, bool on, ResetKind kind)
{
    for (unsigned i = 0; i < bus->n_functions; i++) {
        if (bus->functions[i]) {
            pci_device_power(bus->functions[i], on, kind);
        }
    }
}

static void pci_finalize(Device *dev)
{
    PCIDevice *d = (PCIDevice *)dev;

    if (!d->config.bytes) {
        return;
    }
    pci_caps_fini(d);
    pci_bars_fini(d);
    pci_config_fini(&d->config);
}

/* --- configuration accesses --- */

static void pci_trace_access(TraceEvent event, const PCIDevice *d, uint32_t reg, unsigned len,
                             const char *arrow, uint32_t value)
{
    g_autofree char *name = pci_register_name(&d->config, reg);

    trace_line(event, "%s 0x%x (%s), %u bytes %s 0x%x", device_name(&d->dev), reg, name, len, arrow,
               value);
}

uint32_t pci_device_config_read(PCIDevice *d, uint32_t reg, unsigned len)
{
    const PCIDeviceType *type = pci_type(d);
    uint32_t value;

    if (reg >= PCI_EXT_CAP_BASE) {
        pci_ari_refresh(d);
    }
    if (type->config_reading && device_enter(&d->dev)) {
        type->config_reading(d, reg, len);
        device_leave(&d->dev);
    }
    value = pci_config_read(&d->config, reg, len);
    if (trace_on(TRACE_PCI_CFG_READ)) {
        pci_trace_access(TRACE_PCI_CFG_READ, d, reg, len, "->", value);
    }
    return value;
}

void pci_apply_effects(PCIDevice *d, uint32_t effects)
{
    PCIBridge *br = pci_bridge_of(d);

    if (effects & (PCI_EFFECT_RESET_FLR | PCI_EFFECT_RESET_D3HOT)) {
        pci_reset_state(d, effects & PCI_EFFECT_RESET_FLR ? RESET_FUNCTION : RESET_D3HOT);
        pci_reset_outputs(d);
    }
    if (effects & PCI_EFFECT_IRQ) {
        pci_type(d)->update_irq(d);
    }
    if (effects & (PCI_EFFECT_DECODE | PCI_EFFECT_BAR | PCI_EFFECT_ROM)) {
        pci_bars_update(d);
    }
    if (effects & PCI_EFFECT_INTX) {
        pci_intx_update(d);
    }
    if (effects & PCI_EFFECT_MASTER) {
        pci_master_changed(d);
    }
    if (br && (effects & (PCI_EFFECT_DECODE | PCI_EFFECT_WINDOWS))) {
        pci_bridge_update_windows(br);
    }
    if (br && (effects & PCI_EFFECT_BUS_NUMBERS)) {
        pci_host_numbers_changed(d->bus->host);
    }
    if (br && (effects & PCI_EFFECT_BUS_RESET)) {
        pci_bridge_reset_changed(br);
    }
}

void pci_device_config_write(PCIDevice *d, uint32_t reg, unsigned len, uint32_t value)
{
    const PCIDeviceType *type = pci_type(d);
    uint32_t effects;

    if (!d->bus || !device_enter(&d->dev)) {
        return;
    }
    if (trace_on(TRACE_PCI_CFG_WRITE)) {
        pci_trace_access(TRACE_PCI_CFG_WRITE, d, reg, len, "<-", value);
    }
    effects = pci_config_write(&d->config, d, reg, len, value);
    if (effects) {
        pci_apply_effects(d, effects);
    }
    if (type->config_written) {
        type->config_written(d, reg, len);
    }
    device_leave(&d->dev);
}

void pci_resync(PCIDevice *d)
{
    PCIBridge *br = pci_bridge_of(d);

    pci_bars_update(d);
    pci_intx_update(d);
    if (br) {
        pci_bridge_update_windows(br);
        pci_host_numbers_changed(d->bus->host);
    }
}

/* --- reset --- */

static void pci_reset(Device *dev, ResetKind kind)
{
    PCIDevice *d = (PCIDevice *)dev;
    PCIBridge *br = pci_bridge_of(d);
    bool held = br && pci_bridge_in_reset(br);

    d->levels = 0;
    d->d_state = 0;
    pci_config_reset(&d->config, kind == RESET_COLD);
    pci_caps_reset(d, kind);
    pci_bars_reset(d, kind);
    if (held) {
        pci_bridge_follow_reset(br);
    }
    pci_resync(d);
}

static void pci_reset_exit(Device *dev)
{
    pci_intx_update((PCIDevice *)dev);
}

void pci_reset_state(PCIDevice *d, ResetKind kind)
{
    pci_reset(&d->dev, kind);
    if (d->dev.type->reset) {
        d->dev.type->reset(d, kind);
    }
}

void pci_reset_outputs(PCIDevice *d)
{
    pci_reset_exit(&d->dev);
    if (d->dev.type->reset_exit) {
        d->dev.type->reset_exit(d);
    }
}

void pci_device_reset(PCIDevice *d, ResetKind kind)
{
    if (!d->bus || !device_enter(&d->dev)) {
        return;
    }
    pci_reset_state(d, kind);
    pci_reset_outputs(d);
    device_leave(&d->dev);
}

/* --- the catalogue --- */

static const PlanProp pci_common_props[] = {
    PROP_BOOL(PCIDevice, multifunction, "multifunction", false,
              "set the Multi-Function Device bit, which function 0 of a device with several "
              "functions requires"),
    PROP_BOOL(PCIDevice, qemu_layout, "qemu-layout", true,
              "capabilities have the offsets and the order of QEMU"),
    PROP_U32(PCIDevice, rombar, "rombar", 1, 0, 1, "show the expansion ROM to the guest"),
    { .name = "romfile",
      .kind = PLAN_PROP_STRING,
      .flags = PLAN_PROP_HOST,
      .field = FIELD(PCIDevice, romfile, char *),
      .doc = "file with the contents of the expansion ROM" },
};

static PlanProp pci_capability_prop(const PCIDeviceType *type, size_t row)
{
    const PCICapDesc *cap = &type->caps[row];
    const PCICapClass *cls = pci_cap_class(cap->id, cap->extended);

    return (PlanProp){ .name = cap->prop,
                       .kind = PLAN_PROP_CAP,
                       .field = offsetof(PCIDevice, cap_prop) + row * sizeof(int32_t),
                       .def = cap->off_by_default ? (uint64_t)PLAN_CAP_OFF : cap->at,
                       .doc = cls->doc };
}

/* The common properties, then for each capability row its switch and the properties of its class.
 */
static bool pci_type_prop(const DeviceType *base, size_t i, PlanProp *out)
{
    const PCIDeviceType *type = (const PCIDeviceType *)base;

    if (i < G_N_ELEMENTS(pci_common_props)) {
        *out = pci_common_props[i];
        return true;
    }
    i -= G_N_ELEMENTS(pci_common_props);
    for (size_t row = 0; row < type->n_caps; row++) {
        const PCICapClass *cls = pci_cap_class(type->caps[row].id, type->caps[row].extended);
        size_t has_switch = type->caps[row].prop ? 1 : 0, n = has_switch + cls->n_props;

        if (i < n) {
            *out = i < has_switch ? pci_capability_prop(type, row) : cls->props[i - has_switch];
            return true;
        }
        i -= n;
    }
    return false;
}

static PlanBar pci_describe_bar(const PCIBarDesc *b)
{
    return (PlanBar){ .index = b->index,
                      .io = b->kind == PCI_BAR_IO,
                      .is64 = b->kind == PCI_BAR_MEM64,
                      .prefetch = b->prefetch,
                      .size = b->size,
                      .size_prop = b->size_prop,
                      .if_prop = b->if_prop,
                      .unless_prop = b->unless_prop };
}

/* The number of vectors determines the size of a BAR that contains only MSI-X. */
static void pci_describe_vectors(const PCIDeviceType *type, PlanBar *bar)
{
    for (size_t i = 0; !bar->size && !bar->size_prop && i < type->n_caps; i++) {
        const PCICapDesc *cap = &type->caps[i];

        if (cap->id == PCI_CAP_ID_MSIX && !cap->extended && cap->msix.bar == bar->index) {
            bar->vectors = cap->msix.vectors;
            bar->vectors_prop = cap->count_prop;
            bar->auto_vectors = type->auto_count ? *type->auto_count : (PlanCount){ 0 };
        }
    }
}

/* BARs of the type's table, those of its capabilities, and the one that realize() may add. */
static void pci_describe_bars(const PCIDeviceType *type, PlanType *out)
{
    PlanBar *bars = g_new0(PlanBar, type->n_bars + type->n_caps + 1);
    size_t n = 0;

    for (size_t i = 0; i < type->n_bars; i++, n++) {
        bars[n] = pci_describe_bar(&type->bars[i]);
        pci_describe_vectors(type, &bars[n]);
    }
    for (size_t i = 0; i < type->n_caps; i++) {
        const PCICapClass *cls = pci_cap_class(type->caps[i].id, type->caps[i].extended);

        if (cls->bar) {
            bars[n] = pci_describe_bar(cls->bar);
            bars[n++].if_prop = type->caps[i].prop;
        }
    }
    n += type->late_bar && type->late_bar(type, &bars[n]);
    out->bars = bars;
    out->n_bars = n;
}

static void pci_describe_caps(const PCIDeviceType *type, PlanType *out)
{
    PlanCapability *caps = g_new0(PlanCapability, type->n_caps);

    for (size_t i = 0; i < type->n_caps; i++) {
        const PCICapDesc *c = &type->caps[i];

        caps[i] = (PlanCapability){ .id = c->id,
                                    .extended = c->extended,
                                    .required = c->required,
                                    .length = pci_cap_length(type, c),
                                    .prop = c->prop };
    }
    out->caps = caps;
    out->n_caps = type->n_caps;
}

/* The link of an Express function, and the messages of its MSI capability. */
static void pci_describe_link(const PCIDeviceType *type, PlanType *out)
{
    for (size_t i = 0; i < type->n_caps; i++) {
        const PCICapDesc *c = &type->caps[i];

        if (c->id == PCI_CAP_ID_EXP && !c->extended) {
            out->link_speed = out->link_width = 1;
        } else if (c->id == PCI_CAP_ID_MSI && !c->extended) {
            out->msi_vectors = c->msi.messages;
        }
    }
    if (plan_find_prop(type->base.props, type->base.n_props, "x-speed")) {
        out->link_speed = out->link_width = 0;
        out->link_speed_prop = "x-speed";
        out->link_width_prop = "x-width";
    }
}

static void pci_describe(const DeviceType *base, PlanType *out)
{
    const PCIDeviceType *type = (const PCIDeviceType *)base;

    out->role = type->role == PLAN_PCI_NONE ? PLAN_PCI_ENDPOINT : type->role;
    out->slots = type->slots;
    out->pin = pci_type_pin(type);
    out->class_code = type->class_code;
    pci_describe_link(type, out);
    out->plain_prop = type->plain_on_root ? "qemu-layout" : NULL;
    out->provides = type->provides ? type->provides : pci_role_bus(type->role);
    pci_describe_bars(type, out);
    pci_describe_caps(type, out);
}

const DeviceKind pci_device_kind = {
    .name = "pci-device",
    .attach = pci_attach,
    .ready = pci_ready,
    .detach = pci_detach,
    .finalize = pci_finalize,
    .reset = pci_reset,
    .reset_exit = pci_reset_exit,
    .prop = pci_type_prop,
    .describe = pci_describe,
    .registers = pci_type_registers,
};
