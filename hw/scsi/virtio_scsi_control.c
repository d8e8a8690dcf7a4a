/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-scsi: task management on the control queue, and events (virtio 1.2, 5.6.6.2 and 5.6.6.3).
 *
 * An event for which the driver has no buffer, or that occurs while the machine is stopped, is not
 * queued. A flag records that, and the next buffer reports that events were missed; the driver then
 * scans the bus.
 */
#include <string.h>

#include "util/log.h"
#include "virtio_scsi_internal.h"

enum { TMF_LEN = 24, AN_LEN = 16, AN_REPLY = 5, EVENT_LEN = 16, CONTROL_UNITS = 4 };

/* --- task management --- */

static void scsi_tmf_reply(VirtqBuf *buf, uint8_t response)
{
    virtq_write(buf, 0, &response, 1);
    virtq_push(buf->vq, buf, 1);
}

void virtio_scsi_finish_tmfs(VirtioScsi *s)
{
    VirtqBuf *buf;

    if (s->cancelled > 0 || g_queue_is_empty(&s->tmfs)) {
        return;
    }
    while ((buf = g_queue_pop_head(&s->tmfs))) {
        scsi_tmf_reply(buf, VIRTIO_SCSI_S_OK);
    }
    virtq_notify(virtio_queue(&s->base.virtio, CONTROL_QUEUE));
}

typedef struct TmfScope {
    const SCSIDevice *dev; /* the unit, or any unit of its target */
    bool target, one;      /* one: only the request with the tag */
    uint64_t tag;
} TmfScope;

static bool scsi_tmf_covers(const TmfScope *scope, const VirtioScsiReq *r)
{
    const SCSIDevice *dev = r->scsi.dev;

    return dev && (dev == scope->dev || (scope->target && dev->id == scope->dev->id)) &&
           (!scope->one || r->tag == scope->tag);
}

/* Cancel the requests of a scope. */
static void scsi_tmf_cancel(VirtioScsi *s, const TmfScope *scope, SCSIOutcome outcome)
{
    for (GList *l = s->all.head; l;) {
        VirtioScsiReq *r = l->data;

        l = l->next; /* cancelling frees a request that does not run */
        virtio_turn_charge(&s->base.virtio, 1);
        if (scsi_tmf_covers(scope, r)) {
            virtio_scsi_cancel(r, outcome);
        }
    }
}

static bool scsi_tmf_any(VirtioScsi *s, const TmfScope *scope)
{
    for (const GList *l = s->all.head; l; l = l->next) {
        if (scsi_tmf_covers(scope, l->data)) {
            return true;
        }
    }
    return false;
}

static void scsi_tmf_reset_target(VirtioScsi *s, const SCSIDevice *of)
{
    const GPtrArray *members = s->bus.bus.members;

    for (unsigned i = 0; i < members->len; i++) {
        SCSIDevice *dev = g_ptr_array_index(members, i);

        if (dev->id == of->id) {
            scsi_device_reset(dev, SCSI_ATTENTION_NEXUS_LOSS);
        }
    }
}

/* Perform a function. Return the response; VIRTIO_SCSI_S_OK may have to wait for requests. */
static uint8_t scsi_tmf_perform(VirtioScsi *s, uint32_t subtype, SCSIDevice *dev, uint64_t tag)
{
    TmfScope scope = { .dev = dev, .tag = tag };

    switch (subtype) {
    case VIRTIO_SCSI_T_TMF_ABORT_TASK:
        scope.one = true;
        scsi_tmf_cancel(s, &scope, SCSI_ABORTED);
        return VIRTIO_SCSI_S_OK;
    case VIRTIO_SCSI_T_TMF_ABORT_TASK_SET:
    case VIRTIO_SCSI_T_TMF_CLEAR_TASK_SET:
        scsi_tmf_cancel(s, &scope, SCSI_ABORTED);
        return VIRTIO_SCSI_S_OK;
    case VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET:
        scsi_tmf_cancel(s, &scope, SCSI_RESET);
        scsi_device_reset(dev, SCSI_ATTENTION_RESET);
        return VIRTIO_SCSI_S_OK;
    case VIRTIO_SCSI_T_TMF_I_T_NEXUS_RESET:
        scope.target = true;
        scsi_tmf_cancel(s, &scope, SCSI_RESET);
        scsi_tmf_reset_target(s, dev);
        return VIRTIO_SCSI_S_OK;
    case VIRTIO_SCSI_T_TMF_QUERY_TASK:
    case VIRTIO_SCSI_T_TMF_QUERY_TASK_SET:
        scope.one = subtype == VIRTIO_SCSI_T_TMF_QUERY_TASK;
        return scsi_tmf_any(s, &scope) ? VIRTIO_SCSI_S_FUNCTION_SUCCEEDED : VIRTIO_SCSI_S_OK;
    default: /* CLEAR ACA: commands with NACA are not supported */
        return VIRTIO_SCSI_S_FUNCTION_REJECTED;
    }
}

static void scsi_tmf_run(VirtioScsi *s, VirtqBuf *buf)
{
    struct virtio_scsi_ctrl_tmf_req req;
    uint8_t response = VIRTIO_SCSI_S_OK;
    SCSIDevice *dev;

    if (virtq_read(buf, 0, &req, TMF_LEN) < TMF_LEN || buf->out_len < 1) {
        virtio_broken(&s->base.virtio, "a task management request of %zu and %zu bytes",
                      buf->in_len, buf->out_len);
        virtq_discard(buf);
        return;
    }
    dev = virtio_scsi_find(s, req.lun, &response);
    if (dev) {
        response = scsi_tmf_perform(s, req.subtype, dev, req.tag);
    }
    if (dev && response == VIRTIO_SCSI_S_OK && s->cancelled > 0) {
        g_queue_push_tail(&s->tmfs, buf);
    } else {
        scsi_tmf_reply(buf, response);
    }
}

/* Asynchronous notifications: no unit supports any. */
static void scsi_control_notification(VirtioScsi *s, VirtqBuf *buf)
{
    uint8_t reply[AN_REPLY] = { 0, 0, 0, 0, VIRTIO_SCSI_S_OK };

    if (buf->in_len < AN_LEN || buf->out_len < AN_REPLY) {
        virtio_broken(&s->base.virtio, "a notification request of %zu and %zu bytes", buf->in_len,
                      buf->out_len);
        virtq_discard(buf);
        return;
    }
    virtq_write(buf, 0, reply, sizeof(reply));
    virtq_push(buf->vq, buf, sizeof(reply));
}

void virtio_scsi_control_notified(VirtioScsi *s)
{
    VirtQueue *vq = virtio_queue(&s->base.virtio, CONTROL_QUEUE);
    uint32_t type;
    VirtqBuf *buf;

    while ((buf = virtq_next(vq))) {
        virtio_turn_charge(&s->base.virtio, CONTROL_UNITS);
        if (virtq_read(buf, 0, &type, sizeof(type)) < sizeof(type)) {
            virtio_broken(&s->base.virtio, "a control request of %zu bytes", buf->in_len);
            virtq_discard(buf);
        } else if (type == VIRTIO_SCSI_T_TMF) {
            scsi_tmf_run(s, buf);
        } else if (type == VIRTIO_SCSI_T_AN_QUERY || type == VIRTIO_SCSI_T_AN_SUBSCRIBE) {
            scsi_control_notification(s, buf);
        } else {
            guest_error(device_name(&s->base.dev), "control request of type %u: ignored", type);
            virtq_push(vq, buf, 0);
        }
    }
    virtq_notify(vq);
}

/* --- events --- */

/* Send one event. False: the driver has no buffer. */
static bool scsi_event_send(VirtioScsi *s, struct virtio_scsi_event event)
{
    VirtQueue *vq = virtio_queue(&s->base.virtio, EVENT_QUEUE);
    VirtqBuf *buf = virtq_pop(vq);

    if (!buf) {
        return false;
    }
    if (s->events_missed) {
        event.event |= VIRTIO_SCSI_T_EVENTS_MISSED;
        s->events_missed = false;
    }
    if (virtq_write(buf, 0, &event, EVENT_LEN) < EVENT_LEN) {
        virtio_broken(&s->base.virtio, "event queue: a buffer of %zu bytes", buf->out_len);
    }
    virtq_push(vq, buf, EVENT_LEN);
    virtq_notify(vq);
    return true;
}

void virtio_scsi_event_notified(VirtioScsi *s)
{
    if (s->events_missed) {
        scsi_event_send(s, (struct virtio_scsi_event){ .event = VIRTIO_SCSI_T_NO_EVENT });
    }
}

static struct virtio_scsi_event scsi_event_of(const SCSIDevice *dev, SCSIEvent what,
                                              SCSISense sense)
{
    struct virtio_scsi_event event = { .lun = { 1, (uint8_t)dev->id } };

    event.lun[2] = (uint8_t)(dev->lun >= 256 ? dev->lun >> 8 | 0x40 : 0);
    event.lun[3] = (uint8_t)dev->lun;
    if (what == SCSI_EVENT_CHANGED) {
        event.event = VIRTIO_SCSI_T_PARAM_CHANGE;
        event.reason = sense.asc | (uint32_t)sense.ascq << 8;
    } else {
        event.event = VIRTIO_SCSI_T_TRANSPORT_RESET;
        event.reason =
            what == SCSI_EVENT_ADDED ? VIRTIO_SCSI_EVT_RESET_RESCAN : VIRTIO_SCSI_EVT_RESET_REMOVED;
    }
    return event;
}

/* A driver that is not running scans the bus when it starts. */
void virtio_scsi_event(SCSIBus *bus, SCSIDevice *dev, SCSIEvent what, SCSISense sense)
{
    VirtioScsi *s = virtio_scsi_of_bus(bus);
    VirtioDevice *v = &s->base.virtio;
    Device *own = &s->base.dev;
    bool inside = own->busy;

    if (!(v->status & VIRTIO_CONFIG_S_DRIVER_OK) || own->hidden ||
        !virtio_has(v, what == SCSI_EVENT_CHANGED ? VIRTIO_SCSI_F_CHANGE : VIRTIO_SCSI_F_HOTPLUG)) {
        return;
    }
    if (!inside && !device_enter(own)) {
        return;
    }
    if (!machine_active(own->machine) || !scsi_event_send(s, scsi_event_of(dev, what, sense))) {
        s->events_missed = true;
    }
    if (!inside) {
        device_leave(own);
    }
}
