/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Features (5.21). No feature is saveable: Saved selects the default. A reset restores the
 * defaults.
 */
#include <string.h>

#include "internal.h"

enum { SELECT_CURRENT, SELECT_DEFAULT, SELECT_SAVED, SELECT_CAPABILITIES };
enum { CAN_NAMESPACE = 1 << 1, CAN_CHANGE = 1 << 2 };
enum { SAVE = 1u << 31, TEMPERATURE_LIMIT = 343 };
#define TIMESTAMP_BITS 0xffffffffffffull

typedef struct NvmeFeature {
    uint8_t id, can; /* can: the capabilities that Get Features reports */
    uint32_t initial;
    /* Return a status, and the value or the change. NULL: the member of Nvme.features. */
    uint16_t (*get)(NvmeRequest *req, bool current);
    uint16_t (*set)(NvmeRequest *req);
} NvmeFeature;

/* --- values --- */

/* Thresholds of the composite temperature: over, and under. */
static uint32_t *nvme_temperature_threshold(NvmeRequest *req)
{
    uint32_t sensor = req->cmd.cdw11 >> 16 & 15, which = req->cmd.cdw11 >> 20 & 3;
    bool set_all = sensor == 15 && req->cmd.opcode == NVME_ADMIN_SET_FEATURES;

    if ((sensor != 0 && !set_all) || which > 1) {
        return NULL;
    }
    return which ? &req->n->temperature_low : &req->n->features[NVME_FEATURE_TEMPERATURE];
}

static uint16_t nvme_temperature_get(NvmeRequest *req, bool current)
{
    const uint32_t *value = nvme_temperature_threshold(req);

    if (!value) {
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    req->result = current ? *value : value == &req->n->temperature_low ? 0 : TEMPERATURE_LIMIT;
    return NVME_SUCCESS;
}

static uint16_t nvme_temperature_set(NvmeRequest *req)
{
    Nvme *n = req->n;
    uint32_t *value = nvme_temperature_threshold(req);

    if (!value) {
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    *value = req->cmd.cdw11 & 0xffff;
    if (NVME_TEMPERATURE >= n->features[NVME_FEATURE_TEMPERATURE] ||
        NVME_TEMPERATURE <= n->temperature_low) {
        n->critical_warning |= NVME_WARNING_TEMPERATURE;
        nvme_event(n, NVME_EVENT_TEMPERATURE);
    } else {
        n->critical_warning &= ~NVME_WARNING_TEMPERATURE;
    }
    return NVME_SUCCESS;
}

static uint16_t nvme_cache_get(NvmeRequest *req, bool current)
{
    req->result = current ? nvme_write_cache(req->n) : req->n->write_cache != PLAN_OFF;
    return NVME_SUCCESS;
}

/* A cache that is switched off must be empty: refused while writes are in flight would not be
 * observable, because the driver flushes first; later writes are durable when they complete. */
static uint16_t nvme_cache_set(NvmeRequest *req)
{
    req->n->features[NVME_FEATURE_WRITE_CACHE] = req->cmd.cdw11 & 1;
    return NVME_SUCCESS;
}

static uint32_t nvme_queue_counts(const Nvme *n)
{
    return (n->max_ioqpairs - 1) | (n->max_ioqpairs - 1) << 16;
}

static uint16_t nvme_queues_get(NvmeRequest *req, bool current)
{
    req->result = nvme_queue_counts(req->n);
    return NVME_SUCCESS;
}

static bool nvme_has_io_queues(const Nvme *n)
{
    for (unsigned i = 1; i < NVME_QUEUES; i++) {
        if (n->cqs[i]) { /* each submission queue has one */
            return true;
        }
    }
    return false;
}

/* The controller always allocates all its queues. */
static uint16_t nvme_queues_set(NvmeRequest *req)
{
    if (nvme_has_io_queues(req->n)) { /* only before the first queue is created (5.21.1.7) */
        return NVME_SEQUENCE_ERROR | NVME_DNR;
    }
    if ((req->cmd.cdw11 & 0xffff) == 0xffff || req->cmd.cdw11 >> 16 == 0xffff) {
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    req->result = nvme_queue_counts(req->n);
    return NVME_SUCCESS;
}

/* Interrupts are not coalesced. */
static uint16_t nvme_vector_get(NvmeRequest *req, bool current)
{
    uint32_t vector = req->cmd.cdw11 & 0xffff;

    if (vector >= MAX(msix_vectors(&req->n->pci), 1)) {
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    req->result = vector | 1 << 16;
    return NVME_SUCCESS;
}

/* Milliseconds since the host set the timestamp, or since the controller was enabled. */
static uint16_t nvme_timestamp_get(NvmeRequest *req, bool current)
{
    Nvme *n = req->n;
    int64_t now = clock_now_any(n->pci.dev.machine, CLOCK_KIND_VIRTUAL);
    uint64_t ms = current ? n->timestamp + (uint64_t)(now - n->timestamp_at) / 1000000 : 0;

    ms = (ms & TIMESTAMP_BITS) | (current ? (uint64_t)n->timestamp_origin << 49 : 0);
    return nvme_data_send(req, &ms, sizeof(ms));
}

static uint16_t nvme_timestamp_set(NvmeRequest *req)
{
    Nvme *n = req->n;
    uint64_t ms;
    uint16_t status = nvme_data_receive(req, &ms, sizeof(ms));

    if (status == NVME_SUCCESS) {
        n->timestamp = ms & TIMESTAMP_BITS;
        n->timestamp_at = clock_now_any(n->pci.dev.machine, CLOCK_KIND_VIRTUAL);
        n->timestamp_origin = 1;
    }
    return status;
}

/* --- the table --- */

static const NvmeFeature feature_rows[] = {
    { NVME_FEATURE_ARBITRATION, 0, .initial = 7 }, /* no limit of a burst */
    { NVME_FEATURE_POWER, 0 },
    { NVME_FEATURE_TEMPERATURE, CAN_CHANGE, TEMPERATURE_LIMIT, nvme_temperature_get,
      nvme_temperature_set },
    { NVME_FEATURE_ERROR_RECOVERY, CAN_NAMESPACE },
    { NVME_FEATURE_WRITE_CACHE, CAN_CHANGE, .get = nvme_cache_get, .set = nvme_cache_set },
    { NVME_FEATURE_QUEUES, CAN_CHANGE, .get = nvme_queues_get, .set = nvme_queues_set },
    { NVME_FEATURE_COALESCING, 0 },
    { NVME_FEATURE_VECTOR, 0, .get = nvme_vector_get },
    { NVME_FEATURE_ATOMICITY, 0 },
    { NVME_FEATURE_EVENTS, CAN_CHANGE },
    { NVME_FEATURE_TIMESTAMP, CAN_CHANGE, .get = nvme_timestamp_get, .set = nvme_timestamp_set },
};

void nvme_features_reset(Nvme *n)
{
    memset(n->features, 0, sizeof(n->features));
    for (size_t i = 0; i < G_N_ELEMENTS(feature_rows); i++) {
        n->features[feature_rows[i].id] = feature_rows[i].initial;
    }
    n->features[NVME_FEATURE_WRITE_CACHE] = n->write_cache != PLAN_OFF;
    n->temperature_low = 0;
    n->critical_warning = n->smart_critical_warning;
    n->timestamp = 0;
    n->timestamp_at = 0; /* until the controller is enabled */
    n->timestamp_origin = 0;
}

static const NvmeFeature *nvme_feature_of(const NvmeRequest *req)
{
    for (size_t i = 0; i < G_N_ELEMENTS(feature_rows); i++) {
        if (feature_rows[i].id == (req->cmd.cdw10 & 0xff)) {
            return &feature_rows[i];
        }
    }
    return NULL;
}

/* Return a status for the namespace of a feature. */
static uint16_t nvme_feature_check_namespace(const NvmeRequest *req, const NvmeFeature *f, bool set)
{
    uint32_t nsid = req->cmd.nsid;

    if (!(f->can & CAN_NAMESPACE)) {
        return set && nsid && nsid != NVME_ALL_NAMESPACES ? NVME_FEATURE_NOT_NAMESPACE | NVME_DNR
                                                          : NVME_SUCCESS;
    }
    if (nsid == NVME_ALL_NAMESPACES && set) {
        return NVME_SUCCESS;
    }
    if (nsid == 0 || nsid > NVME_NAMESPACES) {
        return NVME_INVALID_NAMESPACE | NVME_DNR;
    }
    return nvme_ns_find(req->n, nsid) ? NVME_SUCCESS : NVME_INVALID_FIELD | NVME_DNR;
}

uint16_t nvme_get_features(NvmeRequest *req)
{
    const NvmeFeature *f = nvme_feature_of(req);
    uint32_t select = req->cmd.cdw10 >> 8 & 7;
    uint16_t status =
        f ? nvme_feature_check_namespace(req, f, false) : NVME_INVALID_FIELD | NVME_DNR;

    if (status != NVME_SUCCESS) {
        return status;
    }
    if (select > SELECT_CAPABILITIES) {
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    if (select == SELECT_CAPABILITIES) {
        req->result = f->can;
        return NVME_SUCCESS;
    }
    if (f->get) {
        return f->get(req, select == SELECT_CURRENT);
    }
    req->result = select == SELECT_CURRENT ? req->n->features[f->id] : f->initial;
    return NVME_SUCCESS;
}

uint16_t nvme_set_features(NvmeRequest *req)
{
    const NvmeFeature *f = nvme_feature_of(req);
    uint16_t status;

    if (req->cmd.cdw10 & SAVE) {
        return NVME_FEATURE_NOT_SAVEABLE | NVME_DNR;
    }
    status = f ? nvme_feature_check_namespace(req, f, true) : NVME_INVALID_FIELD | NVME_DNR;
    if (status != NVME_SUCCESS) {
        return status;
    }
    if (!(f->can & CAN_CHANGE)) {
        return NVME_FEATURE_NOT_CHANGEABLE | NVME_DNR;
    }
    if (f->set) {
        return f->set(req);
    }
    req->n->features[f->id] = req->cmd.cdw11;
    return NVME_SUCCESS;
}
