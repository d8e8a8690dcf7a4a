/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtio devices apart from transport and queues: status, features, config space, reset
 * (virtio 1.2, 2.1 to 2.5 and 3).
 */
#include "hw/virtio/virtio.h"

#include <string.h>

#include "internal.h"
#include "util/log.h"
#include "util/trace.h"

enum { MAX_CONFIG = 256 };

bool virtio_init(VirtioDevice *v, const VirtioClass *cls, const VirtioTransport *t, void *instance,
                 Device *device, uint64_t transport_features)
{
    v->cls = cls;
    v->transport = t;
    v->instance = instance;
    v->device = device;
    v->queues = g_new0(VirtQueue, VIRTIO_MAX_QUEUES);
    v->host_features = transport_features;
    v->config_vector = VIRTIO_MSI_NO_VECTOR;
    virtio_turn_init(v);
    return true;
}

void virtio_fini(VirtioDevice *v)
{
    virtio_turn_fini(v);
    g_free(v->queues);
    v->queues = NULL;
    v->n_queues = 0;
}

void virtio_add_queue(VirtioDevice *v, uint16_t max_size)
{
    VirtQueue *vq = &v->queues[v->n_queues];

    g_assert(v->n_queues < VIRTIO_MAX_QUEUES);
    *vq = (VirtQueue){ .v = v, .index = v->n_queues++, .max_size = max_size };
    virtq_reset(vq);
}

static bool virtio_vector_is_used(const VirtioDevice *v, uint16_t vector)
{
    for (unsigned i = 0; i < v->n_queues; i++) {
        if (v->queues[i].vector == vector) {
            return true;
        }
    }
    return v->config_vector == vector;
}

void virtio_set_vector(VirtioDevice *v, uint16_t *where, uint16_t vector)
{
    uint16_t old = *where;

    *where = vector;
    if (old != VIRTIO_MSI_NO_VECTOR && !virtio_vector_is_used(v, old)) {
        v->transport->vector_unused(v, old);
    }
}

void virtio_reset(VirtioDevice *v)
{
    if (v->cls->queue_reset) {
        for (unsigned i = 0; i < v->n_queues; i++) {
            v->cls->queue_reset(v, i);
        }
    }
    if (v->cls->reset) {
        v->cls->reset(v);
    }
    for (unsigned i = 0; i < v->n_queues; i++) {
        virtio_set_vector(v, &v->queues[i].vector, VIRTIO_MSI_NO_VECTOR);
        virtq_reset(&v->queues[i]);
    }
    v->status = 0;
    v->isr = 0;
    v->guest_features = v->not_offered = 0;
    v->broken = false;
    virtio_set_vector(v, &v->config_vector, VIRTIO_MSI_NO_VECTOR);
}

/* The features determine the layout of the rings: they do not change while a queue is enabled. */
static bool virtio_features_frozen(const VirtioDevice *v)
{
    for (unsigned i = 0; i < v->n_queues; i++) {
        if (v->queues[i].enabled) {
            return true;
        }
    }
    return v->status & VIRTIO_CONFIG_S_FEATURES_OK;
}

/* A driver that omits FEATURES_OK uses the offered ones of its features. A saved state of such a
 * driver must not contain others: loading compares them with the features of the target. */
static void virtio_forget_not_offered(VirtioDevice *v)
{
    if (v->status & VIRTIO_CONFIG_S_DRIVER_OK) {
        v->not_offered = 0;
    }
}

void virtio_set_guest_features(VirtioDevice *v, uint64_t features)
{
    if (virtio_features_frozen(v)) {
        guest_error(device_name(v->device),
                    "features changed after FEATURES_OK or with a queue enabled: ignored");
        return;
    }
    v->guest_features = features & v->host_features;
    v->not_offered = features & ~v->host_features;
    virtio_forget_not_offered(v);
}

uint32_t virtio_features_word(uint64_t features, uint32_t word)
{
    return word < 2 ? (uint32_t)(features >> (32 * word)) : 0;
}

void virtio_set_features_word(VirtioDevice *v, uint32_t word, uint32_t bits)
{
    unsigned shift = 32 * (word & 1);
    uint64_t old = v->guest_features | v->not_offered;

    if (word < 2) {
        virtio_set_guest_features(v, (old & ~(0xffffffffull << shift)) | (uint64_t)bits << shift);
    }
}

/* A legacy interface has no FEATURES_OK: bits that are not offered are ignored (3.1.2). */
void virtio_set_legacy_features(VirtioDevice *v, uint32_t features)
{
    virtio_set_guest_features(v, features & v->host_features);
    if (v->cls->set_features) {
        v->cls->set_features(v, v->guest_features);
    }
}

/* FEATURES_OK remains set only if the device accepts the set of features (3.1.1), which must not
 * contain a bit that was not offered (2.2.2). A driver that does not accept
 * VIRTIO_F_ACCESS_PLATFORM would use other addresses (6.2). Legacy drivers do not set FEATURES_OK,
 * so that VIRTIO_F_VERSION_1 is required if the device offers it (6.1). */
static bool virtio_features_ok(VirtioDevice *v)
{
    bool legacy_only = !(v->host_features >> VIRTIO_F_VERSION_1 & 1);

    bool platform = v->host_features >> VIRTIO_F_ACCESS_PLATFORM & 1;

    return (legacy_only || virtio_has(v, VIRTIO_F_VERSION_1)) && !v->not_offered &&
           (!platform || virtio_has(v, VIRTIO_F_ACCESS_PLATFORM)) &&
           (!v->cls->set_features || v->cls->set_features(v, v->guest_features));
}

void virtio_set_status(VirtioDevice *v, uint8_t status)
{
    uint8_t old = v->status;

    trace(TRACE_VIRTIO_STATUS, "%s 0x%02x -> 0x%02x", device_name(v->device), old, status);
    if (status == 0) {
        virtio_reset(v);
        if (v->cls->status_changed && old) {
            v->cls->status_changed(v, old);
        }
        return;
    }
    if ((status & VIRTIO_CONFIG_S_FEATURES_OK) && !(old & VIRTIO_CONFIG_S_FEATURES_OK) &&
        !virtio_features_ok(v)) {
        status &= ~VIRTIO_CONFIG_S_FEATURES_OK;
    }
    /* A driver sets bits, and only a reset clears them (2.1.1). NEEDS_RESET is set by the device.
     */
    v->status = old | (status & ~VIRTIO_CONFIG_S_NEEDS_RESET);
    virtio_forget_not_offered(v);
    if (v->cls->status_changed && v->status != old) {
        v->cls->status_changed(v, old);
    }
    if ((v->status & ~old) & VIRTIO_CONFIG_S_DRIVER_OK) {
        virtio_kick_all(v);
    }
}

uint64_t virtio_config_read(VirtioDevice *v, uint64_t at, unsigned size)
{
    const VirtioClass *cls = v->cls;
    uint8_t config[MAX_CONFIG] = { 0 };
    uint64_t value = 0;

    if (cls->config_read && at < cls->config_size) {
        cls->config_read(v, config);
        memcpy(&value, config + at, MIN(size, sizeof(config) - at));
    }
    return value;
}

void virtio_config_write(VirtioDevice *v, uint64_t at, uint64_t value, unsigned size)
{
    const VirtioClass *cls = v->cls;
    uint8_t config[MAX_CONFIG + 8] = { 0 };

    if (cls->config_written && at < cls->config_size) {
        size = MIN(size, cls->config_size - at);
        cls->config_read(v, config);
        memcpy(config + at, &value, size);
        cls->config_written(v, config, at, size);
    }
}

void virtio_config_changed(VirtioDevice *v)
{
    v->config_generation++;
    if (v->status & VIRTIO_CONFIG_S_DRIVER_OK) {
        v->isr |= VIRTIO_PCI_ISR_QUEUE | VIRTIO_PCI_ISR_CONFIG;
        v->transport->interrupt(v, v->config_vector, true);
    }
}

void virtio_broken(VirtioDevice *v, const char *fmt, ...)
{
    g_autofree char *why = NULL;
    va_list ap;

    va_start(ap, fmt);
    why = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    guest_error(device_name(v->device), "%s: %s", v->cls->name, why);
    if (v->broken) {
        return;
    }
    v->broken = true;
    if (virtio_has(v, VIRTIO_F_VERSION_1)) {
        v->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
        virtio_config_changed(v);
    }
}
