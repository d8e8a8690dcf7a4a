/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SCSI buses: addresses of logical units, unit attentions, and the device kind (contract in
 * hw/scsi/scsi.h).
 */
#include "hw/scsi/scsi.h"
#include "util/error.h"

static SCSIDevice *scsi_device_of(Device *dev)
{
    return (SCSIDevice *)dev;
}

static const SCSIDeviceType *scsi_type_of(const SCSIDevice *dev)
{
    return (const SCSIDeviceType *)dev->dev.type;
}

/* --- the bus --- */

bool scsi_bus_init(SCSIBus *bus, Device *owner, const SCSIBusOps *ops, GError **err)
{
    const char *own = owner->id ? owner->id : owner->place ? owner->place : owner->plan_id;
    g_autofree char *name = g_strconcat(own, ".0", NULL);

    if (!bus_init(&bus->bus, owner->machine, PLAN_BUS_SCSI, name, owner, err)) {
        return false;
    }
    bus->ops = ops;
    owner->child_bus = &bus->bus;
    return true;
}

void scsi_bus_fini(SCSIBus *bus)
{
    if (bus->bus.owner) {
        bus->bus.owner->child_bus = NULL;
    }
    bus_fini(&bus->bus);
}

static SCSIDevice *scsi_bus_member(SCSIBus *bus, unsigned i)
{
    return i < bus->bus.members->len ? g_ptr_array_index(bus->bus.members, i) : NULL;
}

SCSIDevice *scsi_bus_find(SCSIBus *bus, uint32_t channel, uint32_t id, uint32_t lun)
{
    SCSIDevice *dev;

    for (unsigned i = 0; (dev = scsi_bus_member(bus, i)); i++) {
        if (dev->channel == channel && dev->id == id && dev->lun == lun && !dev->dev.hidden) {
            return dev;
        }
    }
    return NULL;
}

bool scsi_bus_has_target(SCSIBus *bus, uint32_t channel, uint32_t id)
{
    const SCSIDevice *dev;

    for (unsigned i = 0; (dev = scsi_bus_member(bus, i)); i++) {
        if (dev->channel == channel && dev->id == id && !dev->dev.hidden) {
            return true;
        }
    }
    return false;
}

void scsi_bus_drain(SCSIBus *bus)
{
    SCSIDevice *dev;

    for (unsigned i = 0; bus->in_flight && (dev = scsi_bus_member(bus, i)); i++) {
        scsi_type_of(dev)->drain(dev);
    }
}

/* --- unit attentions --- */

SCSISense scsi_attention_sense(SCSIAttention what)
{
    static const uint8_t codes[SCSI_ATTENTIONS][2] = {
        [SCSI_ATTENTION_POWER_ON] = { 0x29, 0x00 },   [SCSI_ATTENTION_RESET] = { 0x29, 0x03 },
        [SCSI_ATTENTION_NEXUS_LOSS] = { 0x29, 0x07 }, [SCSI_ATTENTION_MEDIUM] = { 0x28, 0x00 },
        [SCSI_ATTENTION_CAPACITY] = { 0x2a, 0x09 },   [SCSI_ATTENTION_MODE] = { 0x2a, 0x01 },
        [SCSI_ATTENTION_LUNS] = { 0x3f, 0x0e },
    };

    return (SCSISense){ SCSI_KEY_UNIT_ATTENTION, codes[what][0], codes[what][1] };
}

void scsi_attention(SCSIDevice *dev, SCSIAttention what)
{
    dev->attention |= 1u << what;
}

bool scsi_attention_take(SCSIDevice *dev, SCSISense *sense)
{
    unsigned what = dev->attention ? (unsigned)__builtin_ctz(dev->attention) : SCSI_ATTENTIONS;

    if (what >= SCSI_ATTENTIONS) {
        return false;
    }
    *sense = scsi_attention_sense(what);
    dev->attention &= ~(1u << what);
    return true;
}

void scsi_changed(SCSIDevice *dev, SCSIAttention what)
{
    SCSIBus *bus = scsi_bus_of(dev);

    scsi_attention(dev, what);
    bus->ops->event(bus, dev, SCSI_EVENT_CHANGED, scsi_attention_sense(what));
}

void scsi_device_reset(SCSIDevice *dev, SCSIAttention why)
{
    scsi_attention(dev, why);
    scsi_type_of(dev)->unit_reset(dev);
}

/* The list of units of a target changed: its other units report that (SPC-3, 5.7). */
static void scsi_bus_luns_changed(SCSIBus *bus, const SCSIDevice *changed)
{
    SCSIDevice *dev;

    for (unsigned i = 0; (dev = scsi_bus_member(bus, i)); i++) {
        if (dev != changed && dev->channel == changed->channel && dev->id == changed->id) {
            scsi_attention(dev, SCSI_ATTENTION_LUNS);
        }
    }
}

/* --- the device kind --- */

/* The address comes from the description. Machines without one (tests) get unit 0 of target 0. */
static bool scsi_attach(Device *dev, const PlanDevice *plan, GError **err)
{
    SCSIDevice *unit = scsi_device_of(dev);
    const SCSIDevice *other;
    Device *owner = dev->bus ? dev->bus->owner : NULL;

    if (!owner || dev->bus->kind != PLAN_BUS_SCSI) {
        return error_set(err, ERROR_USER, "%s: bus '%s' is not a SCSI bus", device_name(dev),
                         dev->bus ? dev->bus->name : "none");
    }
    unit->id = unit->id == UINT32_MAX ? 0 : unit->id;
    unit->lun = unit->lun == UINT32_MAX ? 0 : unit->lun;
    other = scsi_bus_find(scsi_bus_of(unit), unit->channel, unit->id, unit->lun);
    if (other) {
        return error_set(
            err, ERROR_USER,
            "%s: address %u:%u:%u (channel:scsi-id:lun) on bus '%s' is already used by "
            "'%s'",
            device_name(dev), unit->channel, unit->id, unit->lun, dev->bus->name,
            device_name(&other->dev));
    }
    dev->plan_id =
        g_strdup_printf("%s/%u:%u:%u", owner->plan_id, unit->channel, unit->id, unit->lun);
    return true;
}

static void scsi_ready(Device *dev)
{
    SCSIDevice *unit = scsi_device_of(dev);
    SCSIBus *bus = scsi_bus_of(unit);

    scsi_bus_luns_changed(bus, unit);
    bus->ops->event(bus, unit, SCSI_EVENT_ADDED, (SCSISense){ 0 });
}

static void scsi_detach(Device *dev)
{
    SCSIDevice *unit = scsi_device_of(dev);
    SCSIBus *bus = scsi_bus_of(unit);

    if (dev->realized) {
        bus->ops->drop(bus, unit);
        scsi_bus_luns_changed(bus, unit);
        bus->ops->event(bus, unit, SCSI_EVENT_REMOVED, (SCSISense){ 0 });
    }
}

static void scsi_kind_reset(Device *dev, ResetKind kind)
{
    SCSIDevice *unit = scsi_device_of(dev);

    unit->attention = 1u << SCSI_ATTENTION_POWER_ON;
    scsi_type_of(unit)->unit_reset(unit);
}

static bool scsi_kind_prop(const DeviceType *type, size_t i, PlanProp *out)
{
    static const PlanProp rows[] = {
        PROP_U32(SCSIDevice, channel, "channel", 0, 0, 255, "channel of the bus"),
        PROP_U32(SCSIDevice, id, "scsi-id", UINT32_MAX, 0, 255,
                 "target (default: the lowest one with a free unit)"),
        PROP_U32(SCSIDevice, lun, "lun", UINT32_MAX, 0, 16383,
                 "logical unit (default: 0, or the lowest free one of scsi-id)"),
    };

    if (i < G_N_ELEMENTS(rows)) {
        *out = rows[i];
    }
    return i < G_N_ELEMENTS(rows);
}

static void scsi_describe(const DeviceType *type, PlanType *out)
{
    out->plugs_into = PLAN_BUS_SCSI;
}

const DeviceKind scsi_device_kind = {
    .name = "scsi-device",
    .attach = scsi_attach,
    .ready = scsi_ready,
    .detach = scsi_detach,
    .reset = scsi_kind_reset,
    .prop = scsi_kind_prop,
    .describe = scsi_describe,
};
