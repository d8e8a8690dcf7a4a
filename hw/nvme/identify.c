/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Identify (5.15): the data structures, from tables of constants and the state of the controller.
 */
#include <string.h>

#include "internal.h"

enum { CNS_NAMESPACE = 0, CNS_CONTROLLER = 1, CNS_ACTIVE_LIST = 2, CNS_DESCRIPTORS = 3 };
enum { SERIAL_AT = 4, MODEL_AT = 24, FIRMWARE_AT = 64, SUBNQN_AT = 768 };
enum { MDTS_AT = 77, AERL_AT = 259, EUI64_AT = 120 };
enum { DESCRIPTOR_EUI64 = 1, DESCRIPTOR_UUID = 3, DESCRIPTOR_HEAD = 4 };

typedef struct NvmeValue {
    uint16_t at;
    uint8_t len;
    uint64_t value;
} NvmeValue;

/* Identify Controller (figure 247). */
static const NvmeValue controller_values[] = {
    { 0, 2, 0x1b36 },            /* VID */
    { 2, 2, 0x1af4 },            /* SSVID */
    { 72, 1, 6 },                /* RAB */
    { 73, 3, 0x525400 },         /* IEEE */
    { 80, 4, 0x00010400 },       /* VER */
    { 92, 4, 1 << 8 },           /* OAES: namespace attribute notices */
    { 111, 1, 1 },               /* CNTRLTYPE: I/O controller */
    { 258, 1, 3 },               /* ACL */
    { 260, 1, 0x03 },            /* FRMW: one slot, read-only */
    { 261, 1, 0x07 },            /* LPA: SMART of namespaces, command effects, extended data */
    { 262, 1, NVME_ERRORS - 1 }, /* ELPE */
    { 266, 2, 343 },             /* WCTEMP */
    { 268, 2, 373 },             /* CCTEMP */
    { 512, 1, 0x66 },            /* SQES */
    { 513, 1, 0x44 },            /* CQES */
    { 516, 4, NVME_NAMESPACES }, /* NN */
    { 520, 2, 0x5d },            /* ONCS: compare, DSM, write zeroes, select, timestamp */
    { 525, 1, 0x07 },            /* VWC: present; flush of all namespaces */
    { 536, 4, 1 << 16 | 1 },     /* SGLS: supported, with bit buckets */
    { 2048, 2, 0x9c4 },          /* PSD0: 25 W */
    { 2052, 4, 16 },             /* entry latency */
    { 2056, 4, 4 },              /* exit latency */
};

void nvme_put(uint8_t *data, unsigned at, unsigned len, uint64_t value)
{
    memcpy(data + at, &value, len); /* little-endian host: reg.c checks */
}

void nvme_put_text(uint8_t *data, unsigned at, unsigned len, const char *text)
{
    for (unsigned i = 0; i < len; i++) {
        data[at + i] = *text ? (uint8_t)*text++ : ' ';
    }
}

static uint16_t nvme_identify_controller(NvmeRequest *req, uint8_t *data)
{
    const Nvme *n = req->n;

    for (size_t i = 0; i < G_N_ELEMENTS(controller_values); i++) {
        const NvmeValue *v = &controller_values[i];

        nvme_put(data, v->at, v->len, v->value);
    }
    nvme_put_text(data, SERIAL_AT, 20, n->serial);
    nvme_put_text(data, MODEL_AT, 40, "QEMU NVMe Ctrl");
    nvme_put_text(data, FIRMWARE_AT, 8, NVME_FIRMWARE);
    data[MDTS_AT] = n->mdts;
    data[AERL_AT] = n->aerl;
    g_snprintf((char *)data + SUBNQN_AT, 256, "nqn.2019-08.org.qemu:%s", n->serial);
    return NVME_SUCCESS;
}

/* Identify Namespace (figure 245). An identifier that is not in use has only zeroes. */
static uint16_t nvme_identify_namespace(NvmeRequest *req, uint8_t *data)
{
    const NvmeNs *ns = nvme_ns_find(req->n, req->cmd.nsid);
    unsigned unit;

    if (req->cmd.nsid == 0 || req->cmd.nsid > NVME_NAMESPACES) {
        return NVME_INVALID_NAMESPACE | NVME_DNR;
    }
    if (!ns) {
        return NVME_SUCCESS;
    }
    unit = ns->physical / ns->logical - 1;
    nvme_put(data, 0, 8, nvme_ns_blocks(ns));  /* NSZE */
    nvme_put(data, 8, 8, nvme_ns_blocks(ns));  /* NCAP */
    nvme_put(data, 16, 8, nvme_ns_blocks(ns)); /* NUSE */
    nvme_put(data, 24, 1, 1 << 4);             /* NSFEAT: the five fields from NPWG on */
    for (unsigned at = 64; at < 72; at += 2) { /* NPWG, NPWA, NPDG, NPDA */
        nvme_put(data, at, 2, unit);
    }
    nvme_put(data, 99, 1, ns->read_only); /* NSATTR: write protected */
    nvme_put(data, EUI64_AT, 8, GUINT64_TO_BE(ns->eui64));
    nvme_put(data, 130, 1, ns->shift); /* LBAF0: LBADS */
    return NVME_SUCCESS;
}

/* The identifiers above NSID, in order. */
static uint16_t nvme_identify_list(NvmeRequest *req, uint8_t *data)
{
    unsigned at = 0;

    if (req->cmd.nsid >= UINT32_MAX - 1) {
        return NVME_INVALID_NAMESPACE | NVME_DNR;
    }
    for (uint32_t id = req->cmd.nsid + 1; id <= NVME_NAMESPACES; id++) {
        if (nvme_ns_find(req->n, id)) {
            nvme_put(data, at, 4, id);
            at += 4;
        }
    }
    return NVME_SUCCESS;
}

static uint8_t *nvme_identify_put_descriptor(uint8_t *at, uint8_t type, const void *value,
                                             uint8_t len)
{
    at[0] = type;
    at[1] = len;
    memcpy(at + DESCRIPTOR_HEAD, value, len);
    return at + DESCRIPTOR_HEAD + len;
}

/* Namespace Identification Descriptors: the EUI64, if there is one, and the UUID. */
static uint16_t nvme_identify_descriptors(NvmeRequest *req, uint8_t *data)
{
    const NvmeNs *ns = nvme_ns_find(req->n, req->cmd.nsid);
    uint64_t eui64 = ns ? GUINT64_TO_BE(ns->eui64) : 0;

    if (req->cmd.nsid == 0 || req->cmd.nsid > NVME_NAMESPACES) {
        return NVME_INVALID_NAMESPACE | NVME_DNR;
    }
    if (!ns) {
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    if (eui64) {
        data = nvme_identify_put_descriptor(data, DESCRIPTOR_EUI64, &eui64, sizeof(eui64));
    }
    nvme_identify_put_descriptor(data, DESCRIPTOR_UUID, ns->uuid, sizeof(ns->uuid));
    return NVME_SUCCESS;
}

static uint16_t (*const identify_fns[])(NvmeRequest *req, uint8_t *data) = {
    [CNS_NAMESPACE] = nvme_identify_namespace,
    [CNS_CONTROLLER] = nvme_identify_controller,
    [CNS_ACTIVE_LIST] = nvme_identify_list,
    [CNS_DESCRIPTORS] = nvme_identify_descriptors,
};

uint16_t nvme_identify(NvmeRequest *req)
{
    uint8_t data[NVME_DATA_SIZE] = { 0 };
    uint32_t cns = req->cmd.cdw10 & 0xff;
    uint16_t status;

    if (cns >= G_N_ELEMENTS(identify_fns)) {
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    status = identify_fns[cns](req, data);
    return status == NVME_SUCCESS ? nvme_data_send(req, data, sizeof(data)) : status;
}
