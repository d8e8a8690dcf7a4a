/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Turns: bounded work of a device, and the order of its queues (contract in hw/virtio/virtio.h).
 */
#include "hw/core/host_object.h"
#include "internal.h"
#include "util/error.h"
#include "util/trace.h"

static Machine *turn_machine_of(const VirtioDevice *v)
{
    return v->device->machine;
}

static void turn_begin(VirtioDevice *v)
{
    v->turn_left = VIRTIO_TURN;
    v->turn_round = bottom_half_round(&v->work);
}

unsigned virtio_turn_left(VirtioDevice *v)
{
    if (v->turn_round != bottom_half_round(&v->work)) {
        turn_begin(v);
    }
    return v->turn_left;
}

void virtio_turn_charge(VirtioDevice *v, uint64_t units)
{
    v->turn_left -= MIN(units, virtio_turn_left(v));
}

void virtq_later(VirtQueue *vq)
{
    vq->v->waiting |= 1ull << vq->index;
    bottom_half_schedule(&vq->v->work);
}

VirtqBuf *virtq_next(VirtQueue *vq)
{
    if (virtio_turn_left(vq->v) > 0) {
        return virtq_pop(vq);
    }
    if (!virtq_empty(vq)) {
        virtq_later(vq);
    }
    return NULL;
}

/* Run the waiting queues, starting after the queue that had the last turn. */
static void turn_run(void *opaque)
{
    VirtioDevice *v = opaque;
    uint64_t waiting = v->waiting;
    unsigned first = v->next_queue;

    v->waiting = 0;
    turn_begin(v);
    for (unsigned i = 0; i < v->n_queues; i++) {
        VirtQueue *vq = &v->queues[(first + i) % v->n_queues];

        if (!(waiting >> vq->index & 1) || !virtq_ready(vq)) {
            continue;
        }
        if (virtio_turn_left(v) == 0) {
            v->waiting |= 1ull << vq->index;
            continue;
        }
        v->next_queue = vq->index + 1;
        v->cls->queue_notified(v, vq->index);
    }
    if (v->waiting) {
        bottom_half_schedule(&v->work);
    }
}

/* Process the queue now, unless an event loop does that, it already waits for a turn, the machine
 * is stopped, or the notification is caused by another device (DMA or a message that the guest
 * directs here). In the last case one access could otherwise start as many turns as the device has
 * queues. */
void virtq_kick(VirtQueue *vq)
{
    VirtioDevice *v = vq->v;
    Machine *m = turn_machine_of(v);

    trace(TRACE_VIRTIO_NOTIFY, "%s queue %u", device_name(v->device), vq->index);
    if (!virtq_ready(vq)) {
        return;
    }
    if (((v->kicks_later | v->waiting) >> vq->index & 1) || !machine_active(m) || m->entered > 1) {
        virtq_later(vq);
        return;
    }
    turn_begin(v);
    v->cls->queue_notified(v, vq->index);
}

static void turn_wait_all(VirtioDevice *v)
{
    for (unsigned i = 0; i < v->n_queues; i++) {
        if (virtq_ready(&v->queues[i])) {
            virtq_later(&v->queues[i]);
        }
    }
}

void virtio_kick_all(VirtioDevice *v)
{
    turn_wait_all(v);
    if (!v->kicks_later && machine_active(turn_machine_of(v)) && turn_machine_of(v)->entered <= 1) {
        turn_run(v);
    }
}

void virtio_resume(VirtioDevice *v)
{
    turn_wait_all(v);
}

static void turn_run_changed(void *opaque, bool running, RunState state)
{
    if (running) {
        turn_wait_all(opaque);
    }
}

void virtio_turn_init(VirtioDevice *v)
{
    bottom_half_setup(&v->work, NULL, v->device, turn_run, v);
    machine_add_run_fn(turn_machine_of(v), turn_run_changed, v);
}

bool virtio_use_iothread(VirtioDevice *v, const char *id, GError **err)
{
    Machine *m = turn_machine_of(v);
    HostObject *o = id ? host_object_find(m, id) : NULL;

    if (!id) {
        return true;
    }
    if (!o || !host_iothread_context(o)) {
        return error_set(err, ERROR_USER,
                         "%s: iothread=%s: there is no I/O thread of this name; create it with "
                         "-object iothread,id=%s",
                         device_name(v->device), id, id);
    }
    if (m->icount) {
        return error_set(err, ERROR_USER,
                         "%s: iothread=%s: -icount counts instructions between the completions of "
                         "requests, which the main loop must deliver; omit iothread=",
                         device_name(v->device), id);
    }
    v->iothread = o;
    v->kicks_later = UINT64_MAX;
    v->iothread_user = g_strdup(device_name(v->device));
    host_object_use(o, v->iothread_user);
    bottom_half_setup(&v->work, host_iothread_context(o), v->device, turn_run, v);
    return true;
}

void virtio_release_iothread(VirtioDevice *v)
{
    if (v->iothread) {
        bottom_half_cancel(&v->work);
        bottom_half_setup(&v->work, NULL, v->device, turn_run, v);
        host_object_unuse(v->iothread, v->iothread_user);
        g_clear_pointer(&v->iothread_user, g_free);
        v->iothread = NULL;
        v->kicks_later = 0;
    }
}

GMainContext *virtio_context(const VirtioDevice *v)
{
    return v->iothread ? host_iothread_context(v->iothread) : NULL;
}

void virtio_turn_fini(VirtioDevice *v)
{
    if (v->device) {
        bottom_half_cancel(&v->work);
        machine_remove_run_fn(turn_machine_of(v), turn_run_changed, v);
    }
}
