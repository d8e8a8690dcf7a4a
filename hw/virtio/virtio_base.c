/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio device in the structure of a device of any transport (contract in
 * hw/virtio/virtio_base.h).
 */
#include "hw/virtio/virtio_base.h"

#include "internal.h"
#include "util/error.h"

static uint64_t virtio_base_features(const VirtioBase *b, bool legacy, bool modern)
{
    return (b->indirect ? 1ull << VIRTIO_RING_F_INDIRECT_DESC : 0) |
           (b->event_idx ? 1ull << VIRTIO_RING_F_EVENT_IDX : 0) |
           (b->any_layout && legacy ? 1ull << VIRTIO_F_ANY_LAYOUT : 0) |
           (modern ? 1ull << VIRTIO_F_VERSION_1 : 0) |
           (modern && b->packed ? 1ull << VIRTIO_F_RING_PACKED : 0) |
           (modern && b->queue_reset ? 1ull << VIRTIO_F_RING_RESET : 0) |
           (b->iommu_platform ? 1ull << VIRTIO_F_ACCESS_PLATFORM : 0);
}

bool virtio_base_init(VirtioBase *b, const VirtioClass *cls, const VirtioTransport *t, bool legacy,
                      bool modern, GError **err)
{
    if (b->iommu_platform && legacy) { /* a legacy driver uses physical addresses (6.1) */
        return error_set(err, ERROR_USER,
                         "%s: iommu_platform=on requires that the device has no legacy interface: "
                         "add disable-legacy=on (PCI) or force-legacy=off (virtio-mmio)",
                         device_name(&b->dev));
    }
    virtio_init(&b->virtio, cls, t, b, &b->dev, virtio_base_features(b, legacy, modern));
    if (!cls->init(b, err)) {
        virtio_release_iothread(&b->virtio);
        virtio_fini(&b->virtio);
        return false;
    }
    b->virtio.host_features |= cls->features(&b->virtio);
    return true;
}

void virtio_base_exit(VirtioBase *b)
{
    virtio_reset(&b->virtio);
    virtio_turn_fini(&b->virtio);
    if (b->virtio.cls->exit) {
        b->virtio.cls->exit(b);
    }
    virtio_release_iothread(&b->virtio);
}

void virtio_base_fini(VirtioBase *b)
{
    virtio_fini(&b->virtio);
}
