/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-scsi: a SCSI controller with a control queue, an event queue and request queues (virtio
 * 1.2, 5.6).
 *
 * Requests in flight are bounded in number and bytes, because a reset, a stop and the end of the
 * process wait for them. Requests that are kept after an error, or that are between two steps, are
 * part of the saved state: the target starts their commands again.
 */
#include <linux/virtio_ids.h>
#include <string.h>

#include "util/error.h"
#include "util/iov.h"
#include "virtio_scsi_internal.h"

enum {
    MAX_IN_FLIGHT = 512,
    MAX_BYTES_IN_FLIGHT = 32 << 20,
    MAX_REQUEST_QUEUES = VIRTIO_MAX_QUEUES - REQUEST_QUEUES,
    HEADER_LEN = 19, /* struct virtio_scsi_cmd_req without cdb */
    RESPONSE_LEN = 12,
    CONFIG_SIZE = sizeof(struct virtio_scsi_config),
    MAX_TARGET = 255,
    MAX_LUN = 16383,
    MAX_SENSE = 65535,
    MAX_CDB = 255,
};
G_STATIC_ASSERT(CONFIG_SIZE == 36);

static VirtioScsi *virtio_scsi_of(VirtioDevice *v)
{
    return v->instance;
}

static VirtioScsiReq *virtio_scsi_req_of(SCSIRequest *req)
{
    return (VirtioScsiReq *)req;
}

/* --- addresses --- */

bool virtio_scsi_parse_lun(const uint8_t *lun, uint8_t *target, uint32_t *unit)
{
    *target = lun[1];
    *unit = (uint32_t)(lun[2] & 0x3f) << 8 | lun[3];
    return lun[0] == 1 && (lun[2] == 0 || lun[2] >> 6 == 1);
}

SCSIDevice *virtio_scsi_find(VirtioScsi *s, const uint8_t *lun, uint8_t *response)
{
    uint8_t target;
    uint32_t unit;
    bool valid = virtio_scsi_parse_lun(lun, &target, &unit);
    SCSIDevice *dev = valid ? scsi_bus_find(&s->bus, 0, target, unit) : NULL;

    if (!dev) {
        *response = valid && scsi_bus_has_target(&s->bus, 0, target) ? VIRTIO_SCSI_S_INCORRECT_LUN
                                                                     : VIRTIO_SCSI_S_BAD_TARGET;
    }
    return dev;
}

/* --- requests --- */

static void virtio_scsi_req_wait(VirtioScsiReq *r, GQueue *list)
{
    r->waits = list;
    g_queue_push_tail_link(list, &r->in_wait);
}

static void virtio_scsi_req_unwait(VirtioScsiReq *r)
{
    if (r->waits) {
        g_queue_unlink(r->waits, &r->in_wait);
        r->waits = NULL;
    }
}

static void virtio_scsi_req_free(VirtioScsiReq *r)
{
    virtio_scsi_req_unwait(r);
    g_queue_unlink(&r->s->all, &r->in_all);
    scsi_request_clear(&r->scsi);
    g_free(r->out);
    g_free(r->in);
    g_free(r);
}

static void virtio_scsi_write_response(VirtioScsiReq *r)
{
    static const uint8_t responses[] = {
        [SCSI_ENDED] = VIRTIO_SCSI_S_OK,        [SCSI_OVERRUN] = VIRTIO_SCSI_S_OVERRUN,
        [SCSI_GONE] = VIRTIO_SCSI_S_BAD_TARGET, [SCSI_ABORTED] = VIRTIO_SCSI_S_ABORTED,
        [SCSI_RESET] = VIRTIO_SCSI_S_RESET,
    };
    const SCSIRequest *req = &r->scsi;
    bool ended = req->outcome == SCSI_ENDED;
    struct virtio_scsi_cmd_resp resp = {
        .sense_len = ended ? MIN(req->sense_len, r->s->sense_size) : 0,
        .resid = (uint32_t)MIN(req->in_len + req->out_len - req->transferred, UINT32_MAX),
        .status = ended ? req->status : 0,
        .response = responses[req->outcome],
    };

    memcpy(resp.sense, req->sense, MIN(resp.sense_len, sizeof(resp.sense)));
    virtq_write(r->buf, 0, &resp, RESPONSE_LEN + resp.sense_len);
}

/* Return the result of a request to the driver. */
static void virtio_scsi_req_finish(VirtioScsiReq *r)
{
    VirtioScsi *s = r->s;
    VirtQueue *vq = r->buf->vq;
    size_t data = r->scsi.in_len ? r->scsi.transferred : 0;

    if (s->base.dev.hidden) { /* unplugged: no driver is left */
        virtq_discard(r->buf);
    } else {
        virtio_scsi_write_response(r);
        virtq_push(vq, r->buf, (uint32_t)MIN(RESPONSE_LEN + s->sense_size + data, UINT32_MAX));
        virtq_notify(vq);
    }
    virtio_scsi_req_free(r);
}

static void virtio_scsi_done(SCSIRequest *req)
{
    VirtioScsiReq *r = virtio_scsi_req_of(req);
    VirtioScsi *s = r->s;
    bool cancelled = req->cancelled != SCSI_ENDED;

    if (virtio_can_dma(&s->base.virtio) || s->base.dev.hidden) {
        virtio_scsi_req_finish(r);
    } else { /* continues when DMA is possible */
        r->ended = true;
        req->dev = NULL;
        virtio_scsi_req_wait(r, &s->due);
    }
    if (cancelled) {
        s->cancelled--;
        virtio_scsi_finish_tmfs(s);
    }
}

static void virtio_scsi_later(SCSIRequest *req)
{
    VirtioScsiReq *r = virtio_scsi_req_of(req);

    virtio_scsi_req_wait(r, &r->s->due);
    virtq_later(r->buf->vq);
}

static void virtio_scsi_keep(SCSIRequest *req)
{
    virtio_scsi_req_wait(virtio_scsi_req_of(req), &virtio_scsi_req_of(req)->s->kept);
}

void virtio_scsi_cancel(VirtioScsiReq *r, SCSIOutcome outcome)
{
    if (r->waits) {
        virtio_scsi_req_unwait(r);
        scsi_end_as(&r->scsi, outcome);
    } else if (r->scsi.cancelled == SCSI_ENDED) {
        r->scsi.cancelled = outcome;
        r->s->cancelled++;
    }
}

static void virtio_scsi_drop(SCSIBus *bus, SCSIDevice *dev)
{
    VirtioScsi *s = virtio_scsi_of_bus(bus);

    for (GList *l = s->all.head; l;) {
        VirtioScsiReq *r = l->data;

        l = l->next;
        if (r->scsi.dev == dev && r->waits) {
            virtio_scsi_cancel(r, SCSI_GONE);
        }
    }
}

static void virtio_scsi_charge(SCSIBus *bus, uint64_t units)
{
    virtio_turn_charge(&virtio_scsi_of_bus(bus)->base.virtio, units);
}

/* Continue the queues that waited for requests in flight. */
static void virtio_scsi_wake(SCSIBus *bus)
{
    VirtioScsi *s = virtio_scsi_of_bus(bus);

    for (unsigned i = 0; s->stalled; i++) {
        if (s->stalled >> i & 1) {
            s->stalled &= ~(1ull << i);
            virtq_later(virtio_queue(&s->base.virtio, i));
        }
    }
}

static const SCSIBusOps virtio_scsi_bus_ops = {
    .done = virtio_scsi_done,
    .later = virtio_scsi_later,
    .keep = virtio_scsi_keep,
    .drop = virtio_scsi_drop,
    .charge = virtio_scsi_charge,
    .wake = virtio_scsi_wake,
    .event = virtio_scsi_event,
};

/* --- starting --- */

/* Set the buffers of a request: what follows the header, and what follows the response. */
static void virtio_scsi_set_data(VirtioScsiReq *r)
{
    const VirtqBuf *buf = r->buf;
    size_t header = HEADER_LEN + r->s->cdb_size, response = RESPONSE_LEN + r->s->sense_size;
    SCSIRequest *req = &r->scsi;

    req->out_len = buf->in_len - header;
    req->in_len = buf->out_len - response;
    if (req->out_len) {
        req->out = r->out = g_new(struct iovec, buf->n_in);
        req->n_out = iov_slice(buf->in, buf->n_in, header, req->out_len, r->out);
    }
    if (req->in_len) {
        req->in = r->in = g_new(struct iovec, buf->n_out);
        req->n_in = iov_slice(buf->out, buf->n_out, response, req->in_len, r->in);
        r->buf->touched = buf->out_len;
    }
}

static void virtio_scsi_start_chain(VirtioScsi *s, VirtqBuf *buf)
{
    struct virtio_scsi_cmd_req header = { 0 };
    VirtioScsiReq *r;
    uint8_t target;
    uint32_t unit;

    if (buf->in_len < HEADER_LEN + s->cdb_size || buf->out_len < RESPONSE_LEN + s->sense_size) {
        virtio_broken(&s->base.virtio, "a request of %zu and %zu bytes", buf->in_len, buf->out_len);
        virtq_discard(buf);
        return;
    }
    virtq_read(buf, 0, &header, HEADER_LEN + MIN(s->cdb_size, (uint32_t)SCSI_CDB_MAX));
    r = g_new0(VirtioScsiReq, 1);
    r->s = s;
    r->buf = buf;
    r->tag = header.tag;
    r->in_all.data = r->in_wait.data = r;
    g_queue_push_tail_link(&s->all, &r->in_all);
    r->scsi.bus = &s->bus;
    memcpy(r->scsi.cdb, header.cdb, sizeof(header.cdb));
    virtio_scsi_set_data(r);
    if (!virtio_scsi_parse_lun(header.lun, &target, &unit)) {
        scsi_end_as(&r->scsi, SCSI_GONE);
    } else if (r->scsi.in_len && r->scsi.out_len) { /* VIRTIO_SCSI_F_INOUT is not offered */
        scsi_end_as(&r->scsi, SCSI_OVERRUN);
    } else {
        r->scsi.target = target;
        scsi_request_start(&r->scsi, unit);
    }
}

/* --- turns --- */

/* Return whether another request may begin in this turn. If not, the queue is continued later. */
static bool virtio_scsi_may_start(VirtioScsi *s, VirtQueue *vq)
{
    if (s->bus.in_flight >= MAX_IN_FLIGHT || s->bus.bytes_in_flight >= MAX_BYTES_IN_FLIGHT) {
        s->stalled |= 1ull << virtq_index(vq);
        return false;
    }
    if (virtio_turn_left(&s->base.virtio) == 0) {
        virtq_later(vq);
        return false;
    }
    return true;
}

static void virtio_scsi_drop_loaded(VirtioScsi *s)
{
    g_clear_pointer(&s->loaded, g_free);
    s->n_loaded = s->loaded_at = 0;
}

static void virtio_scsi_restart_loaded(VirtioScsi *s)
{
    struct VirtioScsiHead *head = &s->loaded[s->loaded_at++];
    VirtQueue *vq = virtio_queue(&s->base.virtio, head->queue);
    VirtqBuf *buf = vq ? virtq_refetch(vq, head->slot) : NULL;

    if (buf) {
        virtio_scsi_start_chain(s, buf);
    }
    if (s->loaded_at == s->n_loaded) {
        virtio_scsi_drop_loaded(s);
    }
}

static void virtio_scsi_continue_due(VirtioScsi *s)
{
    VirtioScsiReq *r = s->due.head->data;

    virtio_scsi_req_unwait(r);
    if (r->ended) {
        virtio_scsi_req_finish(r);
    } else {
        scsi_request_continue(&r->scsi);
    }
}

/* Continue the requests that were begun earlier, here or before the state was saved; then take new
 * ones from the ring. */
static void virtio_scsi_run_requests(VirtioScsi *s, VirtQueue *vq)
{
    VirtqBuf *buf;

    while (s->loaded_at < s->n_loaded || s->due.head) {
        if (!virtio_scsi_may_start(s, vq)) {
            return;
        }
        if (s->loaded_at < s->n_loaded) {
            virtio_scsi_restart_loaded(s);
        } else {
            virtio_scsi_continue_due(s);
        }
    }
    while (virtio_scsi_may_start(s, vq) && (buf = virtq_pop(vq))) {
        virtio_scsi_start_chain(s, buf);
    }
}

static void virtio_scsi_notified(VirtioDevice *v, unsigned queue)
{
    VirtioScsi *s = virtio_scsi_of(v);

    if (queue == CONTROL_QUEUE) {
        virtio_scsi_control_notified(s);
    } else if (queue == EVENT_QUEUE) {
        virtio_scsi_event_notified(s);
    } else {
        virtio_scsi_run_requests(s, virtio_queue(v, queue));
    }
}

/* --- stopping, running again --- */

static void virtio_scsi_run_changed(void *opaque, bool running, RunState state)
{
    VirtioScsi *s = opaque;
    GList *l;

    if (!running) {
        scsi_bus_drain(&s->bus);
        return;
    }
    while ((l = g_queue_pop_tail_link(&s->kept))) { /* before those in `due` */
        VirtioScsiReq *r = l->data;

        r->waits = &s->due;
        g_queue_push_head_link(&s->due, l);
    }
}

static void virtio_scsi_queue_reset(VirtioDevice *v, unsigned queue)
{
    VirtioScsi *s = virtio_scsi_of(v);
    VirtqBuf *buf;

    scsi_bus_drain(&s->bus);
    for (GList *l = s->all.head; l;) {
        VirtioScsiReq *r = l->data;

        l = l->next;
        if (virtq_index(r->buf->vq) == queue) {
            virtq_discard(r->buf);
            virtio_scsi_req_free(r);
        }
    }
    while (queue == CONTROL_QUEUE && (buf = g_queue_pop_head(&s->tmfs))) {
        virtq_discard(buf);
    }
    s->stalled &= ~(1ull << queue);
}

/* --- saved state --- */

/* Save the requests that wait; those in flight are drained when the machine stops. A count without
 * @w. */
static uint32_t virtio_scsi_save_waiting(const VirtioScsi *s, ByteWriter *w)
{
    uint32_t n = 0;

    for (const GList *l = s->all.head; l; l = l->next) {
        const VirtioScsiReq *r = l->data;

        if (r->waits) {
            n++;
        }
        if (r->waits && w) {
            put_be16(w, (uint16_t)virtq_index(r->buf->vq));
            put_be16(w, r->buf->slot);
        }
    }
    return n;
}

static void virtio_scsi_requests_save(void *field, ByteWriter *w)
{
    VirtioScsi *s = (VirtioScsi *)((uint8_t *)field - offsetof(VirtioScsi, all));

    put_be32(w, s->n_loaded - s->loaded_at + virtio_scsi_save_waiting(s, NULL));
    for (uint32_t i = s->loaded_at; i < s->n_loaded; i++) {
        put_be16(w, s->loaded[i].queue);
        put_be16(w, s->loaded[i].slot);
    }
    virtio_scsi_save_waiting(s, w);
}

/* Drop the requests that wait. */
static void virtio_scsi_discard_waiting(VirtioScsi *s)
{
    for (GList *l = s->all.head; l;) {
        VirtioScsiReq *r = l->data;

        l = l->next;
        if (r->waits) {
            virtq_discard(r->buf);
            virtio_scsi_req_free(r);
        }
    }
    virtio_scsi_drop_loaded(s);
}

static bool virtio_scsi_requests_load(void *field, ByteReader *r, const char *path, GError **err)
{
    VirtioScsi *s = (VirtioScsi *)((uint8_t *)field - offsetof(VirtioScsi, all));
    uint32_t n = get_be32(r), most = s->num_queues * VIRTIO_MAX_QUEUE_SIZE;

    virtio_scsi_discard_waiting(s);
    if (!reader_ok(r) || n > most || n > reader_left(r) / 4) {
        return error_set(err, ERROR_GUEST, "%s: %u requests in flight (at most %u)", path, n, most);
    }
    s->loaded = g_new(struct VirtioScsiHead, n);
    for (s->n_loaded = 0; s->n_loaded < n; s->n_loaded++) {
        struct VirtioScsiHead *h = &s->loaded[s->n_loaded];

        h->queue = get_be16(r);
        h->slot = get_be16(r);
        if (h->queue < REQUEST_QUEUES || h->queue >= REQUEST_QUEUES + s->num_queues) {
            return error_set(err, ERROR_GUEST,
                             "%s: a request of queue %u (request queues: %u to %u)", path, h->queue,
                             REQUEST_QUEUES, REQUEST_QUEUES + s->num_queues - 1);
        }
    }
    return true;
}

static const VmOps virtio_scsi_requests_ops = { "virtio-scsi requests", virtio_scsi_requests_save,
                                                virtio_scsi_requests_load };

/* --- configuration --- */

static void virtio_scsi_reset(VirtioDevice *v)
{
    VirtioScsi *s = virtio_scsi_of(v);
    const GPtrArray *members = s->bus.bus.members;

    s->sense_size = VIRTIO_SCSI_SENSE_DEFAULT_SIZE;
    s->cdb_size = VIRTIO_SCSI_CDB_DEFAULT_SIZE;
    s->events_missed = false;
    virtio_scsi_drop_loaded(s);
    for (unsigned i = 0; i < members->len; i++) {
        scsi_device_reset(g_ptr_array_index(members, i), SCSI_ATTENTION_POWER_ON);
    }
}

static uint64_t virtio_scsi_features(VirtioDevice *v)
{
    const VirtioScsi *s = virtio_scsi_of(v);

    return (s->hotplug ? 1ull << VIRTIO_SCSI_F_HOTPLUG : 0) |
           (s->param_change ? 1ull << VIRTIO_SCSI_F_CHANGE : 0);
}

static void virtio_scsi_config_read(VirtioDevice *v, uint8_t *c)
{
    const VirtioScsi *s = virtio_scsi_of(v);
    struct virtio_scsi_config config = {
        .num_queues = s->num_queues,
        .seg_max = s->queue_size - 2u,
        .max_sectors = s->max_sectors,
        .cmd_per_lun = s->cmd_per_lun,
        .event_info_size = sizeof(struct virtio_scsi_event),
        .sense_size = s->sense_size,
        .cdb_size = s->cdb_size,
        .max_channel = 0,
        .max_target = MAX_TARGET,
        .max_lun = MAX_LUN,
    };

    memcpy(c, &config, CONFIG_SIZE); /* little-endian host: reg.c checks */
}

/* The driver may change sense_size and cdb_size (5.6.4.1). Other fields are read-only. */
static void virtio_scsi_config_written(VirtioDevice *v, const uint8_t *c, size_t at, size_t len)
{
    VirtioScsi *s = virtio_scsi_of(v);
    struct virtio_scsi_config config;

    memcpy(&config, c, CONFIG_SIZE);
    if (config.sense_size > MAX_SENSE || config.cdb_size > MAX_CDB) {
        virtio_broken(v, "sense_size=%u, cdb_size=%u (at most %u and %u)", config.sense_size,
                      config.cdb_size, MAX_SENSE, MAX_CDB);
        return;
    }
    s->sense_size = config.sense_size;
    s->cdb_size = config.cdb_size;
}

/* --- life --- */

static bool virtio_scsi_init(void *dev, GError **err)
{
    VirtioScsi *s = dev;
    Device *d = &s->base.dev;

    if (s->queue_size < 4 || s->queue_size > VIRTIO_MAX_QUEUE_SIZE ||
        (s->queue_size & (s->queue_size - 1))) {
        return error_set(err, ERROR_USER, "%s: virtqueue_size must be a power of two from 4 to %u",
                         device_name(d), VIRTIO_MAX_QUEUE_SIZE);
    }
    if (!virtio_use_iothread(&s->base.virtio, s->iothread, err) ||
        !scsi_bus_init(&s->bus, d, &virtio_scsi_bus_ops, err)) {
        return false;
    }
    s->bus.context = virtio_context(&s->base.virtio);
    for (unsigned i = 0; i < REQUEST_QUEUES + s->num_queues; i++) {
        virtio_add_queue(&s->base.virtio, s->queue_size);
    }
    machine_add_run_fn(d->machine, virtio_scsi_run_changed, s);
    return true;
}

static void virtio_scsi_exit(void *dev)
{
    VirtioScsi *s = dev;

    machine_remove_run_fn(s->base.dev.machine, virtio_scsi_run_changed, s);
    virtio_scsi_discard_waiting(s);
    scsi_bus_fini(&s->bus);
}

static const PlanCount scsi_auto_vectors = { 3, { "num_queues" }, { 1 } };

VIRTIO_STATES(scsi, "virtio-scsi", VirtioScsi, 1, NULL, NULL,
              VM_U32(VirtioScsi, sense_size, .max = MAX_SENSE),
              VM_U32(VirtioScsi, cdb_size, .max = MAX_CDB), VM_BOOL(VirtioScsi, events_missed),
              VM_RECORD(VirtioScsi, all, GQueue, &virtio_scsi_requests_ops));

static const PlanProp scsi_props[] = {
    VIRTIO_PROPS,
    PROP_U32(VirtioScsi, num_queues, "num_queues", 1, 1, MAX_REQUEST_QUEUES, "request queues"),
    PROP_U16(VirtioScsi, queue_size, "virtqueue_size", 256, 4, VIRTIO_MAX_QUEUE_SIZE,
             "descriptors of each queue"),
    PROP_IOTHREAD(VirtioScsi, iothread),
    PROP_U32(VirtioScsi, max_sectors, "max_sectors", 0xffff, 1, UINT32_MAX,
             "largest transfer that drivers should request, in 512 bytes"),
    PROP_U32(VirtioScsi, cmd_per_lun, "cmd_per_lun", 128, 1, UINT32_MAX,
             "commands that drivers should queue for a unit"),
    PROP_BOOL(VirtioScsi, hotplug, "hotplug", true, "report added and removed units to the driver"),
    PROP_BOOL(VirtioScsi, param_change, "param_change", true,
              "report changed media and sizes to the driver"),
};
static const VirtioClass scsi_class = {
    .name = "virtio-scsi",
    .device_id = VIRTIO_ID_SCSI,
    .config_size = CONFIG_SIZE,
    .init = virtio_scsi_init,
    .exit = virtio_scsi_exit,
    .features = virtio_scsi_features,
    .config_read = virtio_scsi_config_read,
    .config_written = virtio_scsi_config_written,
    .queue_notified = virtio_scsi_notified,
    .queue_reset = virtio_scsi_queue_reset,
    .reset = virtio_scsi_reset,
};

VIRTIO_TYPES(scsi, "scsi", VirtioScsi, "SCSI controller", 0x010000, scsi_props, scsi_class,
             &scsi_auto_vectors, PLAN_BUS_SCSI);
VIRTIO_DEVICE_TYPES(scsi);
