/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of a command: PRP entries and lists (4.3), and SGLs (4.4), as pinned segments of RAM.
 *
 * Everything that the host memory contains is untrusted. The work is bounded by the length of the
 * data: each list of PRPs after the first begins a page, so that it has 511 entries at least, and
 * an SGL has at most SGL_MAX descriptors.
 */
#include <string.h>

#include "internal.h"
#include "util/iov.h"

enum { PRP_CHUNK = 64, SGL_CHUNK = 16, SGL_MAX = 1024, SGL_SEGMENTS = 256 };

/* --- segments --- */

static void nvme_data_grow(void **array, void *first, unsigned used, unsigned *room, size_t size)
{
    void *old = *array;

    if (*array == NULL) {
        *array = first;
        *room = G_N_ELEMENTS(((NvmeData *)NULL)->first_iov);
    } else if (used == *room) {
        *room *= 4;
        *array = g_malloc_n(*room, size);
        memcpy(*array, old, used * size);
        if (old != first) {
            g_free(old);
        }
    }
}

static void nvme_data_add_host(NvmeData *d, void *host, uint64_t len)
{
    nvme_data_grow((void **)&d->iov, d->first_iov, d->n, &d->room, sizeof(*d->iov));
    d->iov[d->n++] = (struct iovec){ host, len };
}

/* Map the range that was collected. */
static uint16_t nvme_data_flush(NvmeRequest *req)
{
    NvmeData *d = &req->data;
    PCIDmaMap *map;

    if (d->next_len == 0) {
        return NVME_SUCCESS;
    }
    nvme_data_grow((void **)&d->maps, d->first_map, d->n_maps, &d->map_room, sizeof(*d->maps));
    map = &d->maps[d->n_maps];
    if (!pci_dma_map(&req->n->pci, d->next_addr, d->next_len, d->write, map)) {
        return NVME_DATA_TRANSFER_ERROR;
    }
    d->n_maps++;
    nvme_data_add_host(d, map->host, d->next_len);
    d->next_len = 0;
    return NVME_SUCCESS;
}

/* Append a range of host memory. Contiguous ranges become one segment. */
static uint16_t nvme_data_add(NvmeRequest *req, uint64_t addr, uint64_t len)
{
    NvmeData *d = &req->data;
    uint16_t status;

    if (d->next_len > 0 && d->next_addr + d->next_len == addr) {
        d->next_len += len;
        return NVME_SUCCESS;
    }
    status = nvme_data_flush(req);
    d->next_addr = addr;
    d->next_len = len;
    return status;
}

void nvme_data_unmap(NvmeRequest *req, bool written)
{
    NvmeData *d = &req->data;

    for (unsigned i = 0; i < d->n_maps; i++) {
        pci_dma_unmap(&req->n->pci, &d->maps[i], written ? d->maps[i].len : 0);
    }
    if (d->maps != d->first_map) {
        g_free(d->maps);
    }
    if (d->iov != d->first_iov) {
        g_free(d->iov);
    }
    g_free(d->bucket);
    *d = (NvmeData){ 0 };
}

/* --- PRPs --- */

/* Append the pages of the lists that begin at `list`. */
static uint16_t nvme_prp_lists(NvmeRequest *req, uint64_t list, uint64_t left)
{
    uint64_t page = nvme_page_size(req->n), entries[PRP_CHUNK];

    while (left > 0) {
        uint64_t in_page = (page - (list & (page - 1))) / 8, want = (left + page - 1) / page;
        unsigned n = (unsigned)MIN(MIN(in_page, want), PRP_CHUNK), data;
        bool chained = n == in_page && want > in_page; /* the last entry is the next list */

        if (pci_dma_read_ram(&req->n->pci, list, entries, n * 8) != MEM_OK) {
            return NVME_DATA_TRANSFER_ERROR;
        }
        data = chained ? n - 1 : n;
        for (unsigned i = 0; i < data; i++) {
            uint64_t len = MIN(left, page);
            uint16_t status = entries[i] & (page - 1) ? NVME_INVALID_PRP_OFFSET | NVME_DNR
                                                      : nvme_data_add(req, entries[i], len);

            if (status != NVME_SUCCESS) {
                return status;
            }
            left -= len;
        }
        list = chained ? entries[n - 1] : list + 8ull * n;
        if (chained && (list & (page - 1))) {
            return NVME_INVALID_PRP_OFFSET | NVME_DNR;
        }
    }
    return NVME_SUCCESS;
}

static uint16_t nvme_prp_map(NvmeRequest *req, uint64_t len)
{
    const NvmeCommand *cmd = &req->cmd;
    uint64_t page = nvme_page_size(req->n);
    uint64_t first = MIN(len, page - (cmd->prp1 & (page - 1))), left = len - first;
    uint16_t status;

    if (cmd->prp1 & 3) {
        return NVME_INVALID_PRP_OFFSET | NVME_DNR;
    }
    status = nvme_data_add(req, cmd->prp1, first);
    if (status != NVME_SUCCESS || left == 0) {
        return status;
    }
    if (cmd->prp2 & (left > page ? 7 : page - 1)) {
        return NVME_INVALID_PRP_OFFSET | NVME_DNR;
    }
    return left > page ? nvme_prp_lists(req, cmd->prp2, left) : nvme_data_add(req, cmd->prp2, left);
}

/* --- SGLs --- */

typedef struct SglWalk {
    uint64_t left;   /* bytes of the data */
    unsigned count;  /* descriptors so far */
    NvmeSgl next;    /* the next segment */
    bool more, last; /* there is one; it is the last one */
} SglWalk;

/* Discard bytes that the controller would send. */
static uint16_t nvme_sgl_bucket(NvmeRequest *req, uint64_t len)
{
    NvmeData *d = &req->data;
    uint16_t status = nvme_data_flush(req);

    if (!d->write) {
        return NVME_INVALID_SGL_TYPE | NVME_DNR; /* only for data to the host (4.4) */
    }
    if (!d->bucket) {
        d->bucket = g_try_malloc(d->len);
    }
    if (!d->bucket) {
        return NVME_INTERNAL_ERROR;
    }
    nvme_data_add_host(d, d->bucket, len);
    return status;
}

static uint16_t nvme_sgl_add(NvmeRequest *req, SglWalk *w, const NvmeSgl *s, bool at_end)
{
    unsigned type = s->type >> 4;

    if (s->type & 15) { /* only addresses */
        return NVME_INVALID_SGL_TYPE | NVME_DNR;
    }
    if (type == NVME_SGL_SEGMENT || type == NVME_SGL_LAST) {
        if (!at_end || w->last) {
            return NVME_INVALID_SGL_SEGMENT | NVME_DNR;
        }
        w->next = *s;
        w->more = true;
        w->last = type == NVME_SGL_LAST;
        return NVME_SUCCESS;
    }
    if (type != NVME_SGL_DATA && type != NVME_SGL_BIT_BUCKET) {
        return NVME_INVALID_SGL_TYPE | NVME_DNR;
    }
    if (s->len > w->left) {
        return NVME_INVALID_SGL_LENGTH | NVME_DNR;
    }
    w->left -= s->len;
    if (s->len == 0) {
        return NVME_SUCCESS;
    }
    return type == NVME_SGL_DATA ? nvme_data_add(req, s->addr, s->len)
                                 : nvme_sgl_bucket(req, s->len);
}

/* Append the descriptors of one segment. */
static uint16_t nvme_sgl_segment(NvmeRequest *req, SglWalk *w)
{
    NvmeSgl chunk[SGL_CHUNK], seg = w->next;
    unsigned n = seg.len / sizeof(NvmeSgl);

    w->more = false;
    if (n == 0 || seg.len % sizeof(NvmeSgl) || w->count + n > SGL_MAX) {
        return (n > 0 && w->count + n > SGL_MAX ? NVME_INVALID_SGL_COUNT
                                                : NVME_INVALID_SGL_SEGMENT) |
               NVME_DNR;
    }
    w->count += n;
    for (unsigned i = 0; i < n; i++) {
        unsigned at = i % SGL_CHUNK, part = MIN(n - i, SGL_CHUNK);
        uint16_t status;

        if (at == 0 && pci_dma_read_ram(&req->n->pci, seg.addr + i * sizeof(NvmeSgl), chunk,
                                        part * sizeof(NvmeSgl)) != MEM_OK) {
            return NVME_DATA_TRANSFER_ERROR;
        }
        status = nvme_sgl_add(req, w, &chunk[at], i + 1 == n);
        if (status != NVME_SUCCESS) {
            return status;
        }
    }
    return NVME_SUCCESS;
}

static uint16_t nvme_sgl_map(NvmeRequest *req, uint64_t len)
{
    SglWalk w = { .left = len };
    NvmeSgl first;
    uint16_t status;

    memcpy(&first, &req->cmd.prp1, sizeof(first)); /* the data pointer */
    status = nvme_sgl_add(req, &w, &first, true);
    for (unsigned i = 0; status == NVME_SUCCESS && w.more; i++) {
        status = i < SGL_SEGMENTS ? nvme_sgl_segment(req, &w) : NVME_INVALID_SGL_COUNT | NVME_DNR;
    }
    if (status == NVME_SUCCESS && w.left > 0) {
        return NVME_INVALID_SGL_LENGTH | NVME_DNR;
    }
    return status;
}

/* --- the interface --- */

uint16_t nvme_data_map(NvmeRequest *req, uint64_t len, bool write)
{
    bool sgl = req->cmd.flags & NVME_PSDT;
    uint16_t status;

    req->data.len = len;
    req->data.write = write;
    status = len == 0 ? NVME_SUCCESS : sgl ? nvme_sgl_map(req, len) : nvme_prp_map(req, len);
    if (status == NVME_SUCCESS) {
        status = nvme_data_flush(req);
    }
    if (status != NVME_SUCCESS) {
        nvme_data_unmap(req, false);
        return status;
    }
    nvme_charge(req->n, req->data.n / 8);
    return NVME_SUCCESS;
}

uint16_t nvme_data_send(NvmeRequest *req, const void *from, uint64_t len)
{
    uint16_t status = nvme_data_map(req, len, true);
    size_t done = 0;

    for (unsigned i = 0; status == NVME_SUCCESS && i < req->data.n; i++) {
        memcpy(req->data.iov[i].iov_base, (const uint8_t *)from + done, req->data.iov[i].iov_len);
        done += req->data.iov[i].iov_len;
    }
    nvme_data_unmap(req, true);
    return status;
}

uint16_t nvme_data_receive(NvmeRequest *req, void *to, uint64_t len)
{
    uint16_t status = nvme_data_map(req, len, false);

    if (status == NVME_SUCCESS) {
        iov_read(req->data.iov, (int)req->data.n, 0, to, len);
    }
    nvme_data_unmap(req, false);
    return status;
}
