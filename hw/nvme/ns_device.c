/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nvme-ns: a namespace as a device on the bus of a controller. It can be plugged and unplugged
 * while the guest runs; the controller then reports a changed namespace list.
 */
#include "internal.h"
#include "util/error.h"

typedef struct NvmeNsDevice {
    Device dev;
    NvmeNs ns;
    uint32_t nsid; /* property; 0: none was chosen */
    int32_t bootindex;
} NvmeNsDevice;

static NvmeNsDevice *nvme_ns_device_of(void *dev)
{
    return dev;
}

/* --- the device kind --- */

static uint32_t nvme_ns_free_id(const Nvme *n)
{
    uint32_t id = 1;

    while (nvme_ns_find(n, id)) {
        id++;
    }
    return id;
}

static bool nvme_ns_kind_attach(Device *dev, const PlanDevice *plan, GError **err)
{
    NvmeNsDevice *d = nvme_ns_device_of(dev);
    Device *owner = dev->bus ? dev->bus->owner : NULL;
    const NvmeNs *other;

    if (!owner || dev->bus->kind != PLAN_BUS_NVME) {
        return error_set(err, ERROR_USER, "%s: bus '%s' is not the bus of an nvme controller",
                         device_name(dev), dev->bus ? dev->bus->name : "none");
    }
    if (!d->nsid) {
        d->nsid = nvme_ns_free_id((Nvme *)owner);
    }
    other = nvme_ns_find((Nvme *)owner, d->nsid);
    if (other || d->nsid > NVME_NAMESPACES) {
        return error_set(err, ERROR_USER, "%s: nsid=%u of '%s' is %s%s", device_name(dev), d->nsid,
                         device_name(owner), other ? "already used by " : "above the largest, 256",
                         other ? device_name(other->dev) : "");
    }
    dev->plan_id = g_strdup_printf("%s/%u", owner->plan_id, d->nsid);
    return true;
}

static void nvme_ns_kind_ready(Device *dev)
{
    NvmeNsDevice *d = nvme_ns_device_of(dev);

    nvme_event_namespace(d->ns.n, d->nsid);
}

static void nvme_ns_kind_detach(Device *dev)
{
    NvmeNsDevice *d = nvme_ns_device_of(dev);

    if (dev->realized) {
        nvme_ns_drain(&d->ns);
        nvme_requests_cancel(d->ns.n, NULL, &d->ns, NVME_INVALID_NAMESPACE | NVME_DNR);
        nvme_event_namespace(d->ns.n, d->nsid);
    }
}

static void nvme_ns_kind_describe(const DeviceType *type, PlanType *out)
{
    out->plugs_into = PLAN_BUS_NVME;
}

static const DeviceKind nvme_ns_kind = {
    .name = "nvme-namespace",
    .attach = nvme_ns_kind_attach,
    .ready = nvme_ns_kind_ready,
    .detach = nvme_ns_kind_detach,
    .describe = nvme_ns_kind_describe,
};

/* --- the type --- */

static bool nvme_ns_realize(void *dev, GError **err)
{
    NvmeNsDevice *d = nvme_ns_device_of(dev);

    if (!d->ns.drive) {
        return error_set(err, ERROR_USER,
                         "%s: property 'drive' is required: the id of a -drive or the node-name "
                         "of a -blockdev",
                         device_name(&d->dev));
    }
    return nvme_ns_attach(&d->ns, (Nvme *)d->dev.bus->owner, &d->dev, d->nsid, err);
}

static void nvme_ns_unrealize(void *dev)
{
    nvme_ns_detach(&nvme_ns_device_of(dev)->ns);
}

static void nvme_ns_reset(void *dev, ResetKind kind)
{
    if (kind == RESET_COLD) {
        nvme_ns_clear_counters(&nvme_ns_device_of(dev)->ns);
    }
}

static const PlanProp nvme_ns_props[] = {
    PROP_BACKEND(NvmeNsDevice, ns.drive, "drive", "block", "the drive or block node; required"),
    PROP_U32(NvmeNsDevice, nsid, "nsid", 0, 1, NVME_NAMESPACES,
             "namespace identifier (default: the lowest free one)"),
    PROP_STR(NvmeNsDevice, ns.uuid_text, "uuid",
             "UUID (default, or auto: from the serial number and the identifier)"),
    PROP_U64(NvmeNsDevice, ns.eui64, "eui64", 0, 0, UINT64_MAX,
             "extended unique identifier; 0: none"),
    PROP_BOOTINDEX(NvmeNsDevice, bootindex),
    NVME_NS_PROPS(NvmeNsDevice, ns),
};
static const VmField nvme_ns_fields[] = {
    VM_STRUCT(NvmeNsDevice, ns, &nvme_counter_state),
};
static const VmState nvme_ns_state = { .name = "nvme-ns",
                                       .version = 1,
                                       .fields = LIST(nvme_ns_fields) };
static const DeviceType nvme_ns_type = {
    .name = "nvme-ns",
    .doc = "a namespace of an nvme controller",
    .kind = &nvme_ns_kind,
    .size = sizeof(NvmeNsDevice),
    .props = LIST(nvme_ns_props),
    .vmstate = &nvme_ns_state,
    .hotpluggable = true,
    .realize = nvme_ns_realize,
    .reset = nvme_ns_reset,
    .unrealize = nvme_ns_unrealize,
};
DEVICE_TYPE(nvme_ns_type);
