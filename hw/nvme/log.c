/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log pages (5.14).
 */
#include <string.h>

#include "internal.h"

enum { RETAIN_EVENT = 1 << 15, HOUR_S = 3600 };
enum { ERROR_SIZE = 64, SMART_SIZE = 512, FIRMWARE_SIZE = 512, EFFECTS_SIZE = 4096 };

/* --- errors --- */

void nvme_log_error(Nvme *n, const NvmeRequest *req, uint16_t status)
{
    memmove(n->errors + 1, n->errors, sizeof(n->errors) - sizeof(n->errors[0]));
    n->errors[0] = (NvmeError){ .count = ++n->error_count,
                                .lba = req->cmd.cdw10 | (uint64_t)req->cmd.cdw11 << 32,
                                .nsid = req->cmd.nsid,
                                .sq = req->sq->id,
                                .cid = req->cmd.cid,
                                .status = status };
}

static unsigned nvme_log_errors(NvmeRequest *req, uint8_t *data)
{
    for (unsigned i = 0; i < NVME_ERRORS; i++) {
        const NvmeError *e = &req->n->errors[i];
        uint8_t *entry = data + (size_t)i * ERROR_SIZE;

        nvme_put(entry, 0, 8, e->count);
        nvme_put(entry, 8, 2, e->sq);
        nvme_put(entry, 10, 2, e->cid);
        nvme_put(entry, 12, 2, (uint64_t)e->status << 1);
        nvme_put(entry, 14, 2, e->count ? 0xffff : 0); /* no location in the command */
        nvme_put(entry, 16, 8, e->lba);
        nvme_put(entry, 24, 4, e->nsid);
    }
    return NVME_ERRORS * ERROR_SIZE;
}

/* --- SMART --- */

static void nvme_log_smart_add(uint8_t *data, const NvmeNs *ns)
{
    const uint64_t unit = 512 * 1000;
    uint64_t values[4] = { (ns->read_bytes + unit - 1) / unit,
                           (ns->written_bytes + unit - 1) / unit, ns->reads, ns->writes };

    for (unsigned i = 0; i < G_N_ELEMENTS(values); i++) {
        uint64_t sum;

        memcpy(&sum, data + 32 + 16 * i, 8);
        nvme_put(data, 32 + 16 * i, 8, sum + values[i]);
    }
}

/* SMART / Health Information (figure 196), of one namespace or of all. */
static unsigned nvme_log_smart(NvmeRequest *req, uint8_t *data)
{
    const Nvme *n = req->n;
    int64_t now = clock_now_any(n->pci.dev.machine, CLOCK_KIND_VIRTUAL);

    data[0] = n->critical_warning;
    nvme_put(data, 1, 2, NVME_TEMPERATURE);
    data[3] = 100; /* available spare, its threshold */
    data[4] = 10;
    for (uint32_t id = 1; id <= NVME_NAMESPACES; id++) {
        const NvmeNs *ns = nvme_ns_find(n, id);

        if (ns &&
            (req->cmd.nsid == id || req->cmd.nsid == NVME_ALL_NAMESPACES || req->cmd.nsid == 0)) {
            nvme_log_smart_add(data, ns);
        }
    }
    nvme_put(data, 128, 8, (uint64_t)now / 1000000000 / HOUR_S);
    nvme_put(data, 176, 8, n->error_count);
    return SMART_SIZE;
}

/* --- other pages --- */

static unsigned nvme_log_firmware(NvmeRequest *req, uint8_t *data)
{
    data[0] = 1; /* slot 1 is active */
    nvme_put_text(data, 8, 8, NVME_FIRMWARE);
    return FIRMWARE_SIZE;
}

/* The identifiers of namespaces that changed since the last command that read the page. */
static unsigned nvme_log_changed(NvmeRequest *req, uint8_t *data)
{
    unsigned at = 0;

    for (uint32_t id = 1; id <= NVME_NAMESPACES; id++) {
        if (req->n->changed[(id - 1) / 32] >> (id - 1) % 32 & 1) {
            nvme_put(data, at, 4, id);
            at += 4;
        }
    }
    return NVME_DATA_SIZE;
}

static void nvme_log_put_effects(uint8_t *at, const NvmeOp *ops, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        nvme_put(at, 4 * ops[i].opcode, 4, ops[i].effects);
    }
}

static unsigned nvme_log_effects(NvmeRequest *req, uint8_t *data)
{
    nvme_log_put_effects(data, nvme_admin_ops, n_nvme_admin_ops);
    nvme_log_put_effects(data + 1024, nvme_io_ops, n_nvme_io_ops);
    return EFFECTS_SIZE;
}

/* --- the command --- */

static const struct {
    uint8_t page;
    unsigned (*fill)(NvmeRequest *req, uint8_t *data); /* returns the size of the page */
} log_rows[] = {
    { NVME_LOG_ERROR, nvme_log_errors },      { NVME_LOG_SMART, nvme_log_smart },
    { NVME_LOG_FIRMWARE, nvme_log_firmware }, { NVME_LOG_CHANGED_NAMESPACES, nvme_log_changed },
    { NVME_LOG_EFFECTS, nvme_log_effects },
};

/* Return the size of the page, or 0 if it does not exist. */
static unsigned nvme_log_fill(NvmeRequest *req, uint8_t page, uint8_t *data)
{
    for (size_t i = 0; i < G_N_ELEMENTS(log_rows); i++) {
        if (log_rows[i].page == page) {
            return log_rows[i].fill(req, data);
        }
    }
    return 0;
}

static bool nvme_log_namespace_is_valid(const NvmeRequest *req, uint8_t page)
{
    uint32_t id = req->cmd.nsid;

    return id == 0 || id == NVME_ALL_NAMESPACES || page != NVME_LOG_SMART ||
           nvme_ns_find(req->n, id);
}

uint16_t nvme_get_log(NvmeRequest *req)
{
    const NvmeCommand *cmd = &req->cmd;
    uint8_t data[NVME_DATA_SIZE] = { 0 }, page = cmd->cdw10 & 0xff;
    uint64_t offset = cmd->cdw12 | (uint64_t)cmd->cdw13 << 32;
    uint64_t len = ((uint64_t)(cmd->cdw11 & 0xffff) << 16 | cmd->cdw10 >> 16) * 4 + 4;
    unsigned size = nvme_log_fill(req, page, data);
    uint16_t status;

    if (size == 0) {
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    if (!nvme_log_namespace_is_valid(req, page)) {
        return NVME_INVALID_NAMESPACE | NVME_DNR;
    }
    if (offset % 4 || offset >= size) {
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    status = nvme_data_send(req, data + offset, MIN(len, size - offset));
    if (status == NVME_SUCCESS && page == NVME_LOG_CHANGED_NAMESPACES) {
        memset(req->n->changed, 0, sizeof(req->n->changed));
    }
    if (status == NVME_SUCCESS && !(cmd->cdw10 & RETAIN_EVENT)) {
        nvme_event_log_read(req->n, page);
    }
    return status;
}
