/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of the virtio SCSI controller (virtio 1.2, 5.6): virtio_scsi.c has the request queues
 * and the life of the device, virtio_scsi_control.c task management and events.
 */
#ifndef HW_SCSI_VIRTIO_SCSI_INTERNAL_H
#define HW_SCSI_VIRTIO_SCSI_INTERNAL_H

#include <linux/virtio_config.h>
#include <linux/virtio_scsi.h>

#include "hw/scsi/scsi.h"
#include "hw/virtio/virtio_base.h"

enum { CONTROL_QUEUE, EVENT_QUEUE, REQUEST_QUEUES };

typedef struct VirtioScsi {
    VirtioBase base;
    SCSIBus bus;
    /* properties */
    uint32_t num_queues, max_sectors, cmd_per_lun;
    uint16_t queue_size;
    char *iothread;
    bool hotplug, param_change;
    /* guest-visible state */
    uint32_t sense_size, cdb_size;
    bool events_missed; /* an event found no buffer */
    /* requests */
    GQueue all;         /* VirtioScsiReq.in_all */
    GQueue kept;        /* failed ones that are issued again when the machine runs; in_wait */
    GQueue due;         /* between two steps, or ended while DMA was not possible; in_wait */
    uint64_t stalled;   /* bit n: queue n waits until requests in flight end */
    GQueue tmfs;        /* VirtqBuf*: task management that waits for cancelled requests */
    unsigned cancelled; /* requests in flight that were cancelled */
    struct VirtioScsiHead {
        uint16_t queue, slot;
    } * loaded; /* requests of a loaded state, until the machine runs */
    uint32_t n_loaded, loaded_at;
} VirtioScsi;

typedef struct VirtioScsiReq {
    SCSIRequest scsi; /* the first member */
    VirtioScsi *s;
    VirtqBuf *buf;
    uint64_t tag;
    struct iovec *out, *in;
    GList in_all, in_wait;
    GQueue *waits; /* s->kept or s->due; NULL: neither */
    bool ended;    /* the result is complete, and the driver has not received it yet */
} VirtioScsiReq;

/* virtio_scsi.c: end a request that does not run, or mark one that does, with an outcome. */
void virtio_scsi_cancel(VirtioScsiReq *r, SCSIOutcome outcome);
/* Find the unit of an address. NULL with *outcome: VIRTIO_SCSI_S_BAD_TARGET or _INCORRECT_LUN. */
SCSIDevice *virtio_scsi_find(VirtioScsi *s, const uint8_t *lun, uint8_t *response);
/* Return whether an address has the format of a unit; set target and unit. */
bool virtio_scsi_parse_lun(const uint8_t *lun, uint8_t *target, uint32_t *unit);

/* virtio_scsi_control.c */
void virtio_scsi_control_notified(VirtioScsi *s);
void virtio_scsi_event_notified(VirtioScsi *s);
void virtio_scsi_event(SCSIBus *bus, SCSIDevice *dev, SCSIEvent what, SCSISense sense);
/* Answer the task management that waits, if no cancelled request is in flight. */
void virtio_scsi_finish_tmfs(VirtioScsi *s);

static inline VirtioScsi *virtio_scsi_of_bus(SCSIBus *bus)
{
    return (VirtioScsi *)((uint8_t *)bus - offsetof(VirtioScsi, bus));
}

#endif
