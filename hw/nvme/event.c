/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asynchronous events (5.2): at most one of each row of the table waits, so that their number is
 * bounded. When an event was reported, those of the same type are held until the driver has read
 * the log page that describes them.
 */
#include "internal.h"

enum { TYPE_ERROR = 0, TYPE_SMART = 1, TYPE_NOTICE = 2 };

static const struct {
    uint8_t type, info, page;
    uint32_t enable; /* bit of the feature Asynchronous Event Configuration; 0: always on */
} event_rows[NVME_EVENTS] = {
    [NVME_EVENT_DOORBELL_REGISTER] = { TYPE_ERROR, 0x00, NVME_LOG_ERROR, 0 },
    [NVME_EVENT_DOORBELL_VALUE] = { TYPE_ERROR, 0x01, NVME_LOG_ERROR, 0 },
    [NVME_EVENT_TEMPERATURE] = { TYPE_SMART, 0x01, NVME_LOG_SMART, 1 << 1 },
    [NVME_EVENT_NAMESPACE] = { TYPE_NOTICE, 0x00, NVME_LOG_CHANGED_NAMESPACES, 1 << 8 },
};

static uint32_t nvme_event_result(unsigned i)
{
    return event_rows[i].type | (uint32_t)event_rows[i].info << 8 |
           (uint32_t)event_rows[i].page << 16;
}

/* Nothing is sent while the machine is stopped, because its memory must not change: an event that a
 * monitor causes is sent when the machine runs. */
void nvme_events_send(Nvme *n)
{
    bool may_send = nvme_ready(n) && machine_active(n->pci.dev.machine);

    for (unsigned i = 0; i < NVME_EVENTS && n->n_aers > 0 && may_send; i++) {
        uint8_t type = 1u << event_rows[i].type;

        if (!(n->events >> i & 1) || (n->event_masks & type)) {
            continue;
        }
        n->events &= ~(1u << i);
        n->event_masks |= type;
        nvme_complete(n, n->cqs[0],
                      (NvmeCqe){ .result = nvme_event_result(i),
                                 .sq_head = n->sqs[0]->head,
                                 .cid = n->aers[--n->n_aers] });
    }
}

void nvme_event(Nvme *n, NvmeEvent event)
{
    uint32_t enable = event_rows[event].enable;

    if (!nvme_ready(n) || (enable && !(n->features[NVME_FEATURE_EVENTS] & enable))) {
        return;
    }
    n->events |= 1u << event;
    nvme_events_send(n);
}

void nvme_event_namespace(Nvme *n, uint32_t id)
{
    if (nvme_ready(n)) {
        n->changed[(id - 1) / 32] |= 1u << (id - 1) % 32;
        nvme_event(n, NVME_EVENT_NAMESPACE);
    }
}

void nvme_event_log_read(Nvme *n, uint8_t page)
{
    for (unsigned i = 0; i < NVME_EVENTS; i++) {
        if (event_rows[i].page == page) {
            n->event_masks &= ~(1u << event_rows[i].type);
        }
    }
    nvme_events_send(n);
}

/* Asynchronous Event Request: completes when there is an event. */
uint16_t nvme_async_event(NvmeRequest *req)
{
    Nvme *n = req->n;

    if (n->n_aers > n->aerl) {
        return NVME_EVENT_LIMIT_EXCEEDED;
    }
    n->aers[n->n_aers++] = req->cmd.cid;
    nvme_request_free(req, false);
    nvme_events_send(n);
    return NVME_PENDING;
}
