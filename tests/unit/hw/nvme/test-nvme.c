/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The NVMe controller: registers, queues, PRPs and SGLs, commands, features, log pages, events,
 * limits of a hostile driver, errors that stop the machine, and saved requests.
 */
#include <errno.h>

#include "nvme-driver.h"
#include "tests/lib/ok.h"

#define DRIVE                                                                                      \
    "{'id':'d0','format':'raw','file':{'driver':'null-co','size':1048576,'read-zeroes':true}}"
#define DISCARD_DRIVE                                                                              \
    "{'id':'d0','format':'raw','discard':'unmap','file':{'driver':'null-co','size':1048576}}"
#define SETTINGS "drive=d0,serial=s"
enum { BLOCKS = 2048 };

/* --- a disk that answers late, or fails, and records its requests --- */

static struct {
    bool hold;
    int result;
    unsigned n_held, n;
    BlockRequest *held[64];
    BlockOp op;
    uint64_t offset, len;
    bool fua;
} disk;
static BlockDriver slow_driver;

static void disk_submit(BlockNode *n, BlockRequest *req)
{
    disk.n++;
    disk.op = req->op;
    disk.offset = req->offset;
    disk.len = req->len;
    disk.fua = req->fua;
    if (disk.hold && disk.n_held < G_N_ELEMENTS(disk.held)) {
        disk.held[disk.n_held++] = req;
        return;
    }
    for (int i = 0; req->op == BLOCK_READ && i < req->n_iov; i++) {
        memset(req->iov[i].iov_base, 0x5a, req->iov[i].iov_len);
    }
    block_complete_any(req, disk.result);
}

static void disk_release(void)
{
    unsigned n = disk.n_held;

    disk.hold = false;
    disk.n_held = 0;
    for (unsigned i = 0; i < n; i++) {
        block_complete_any(disk.held[i], disk.result);
    }
}

static void start_slow(NvmeDrv *v, const char *drive, const char *settings)
{
    memset(&disk, 0, sizeof(disk));
    slow_driver = block_raw;
    slow_driver.submit = disk_submit;
    nvme_init(v, drive, settings);
    block_find(v->f.m, "d0")->drv = &slow_driver;
}

/* --- registers --- */

static void test_registers(void)
{
    NvmeDrv v;

    nvme_init(&v, DRIVE, SETTINGS);
    g_assert_cmphex(config_read(&v.f, NVME_DEVFN, 0, 4), ==, 0x00101b36);
    g_assert_cmphex(config_read(&v.f, NVME_DEVFN, 8, 4), ==, 0x01080202);
    g_assert_cmphex(config_read(&v.f, NVME_DEVFN, PCI_CAPABILITY_LIST, 1), ==, 0x40);
    g_assert_cmphex(config_read(&v.f, NVME_DEVFN, 0x41, 1), ==, 0x80);
    g_assert_cmphex(config_read(&v.f, NVME_DEVFN, 0x81, 1), ==, 0x60);
    g_assert_cmphex(guest_read(&v.f, NVME_BAR, 8), ==, 0x004000200f0107ff);
    g_assert_cmphex(nvme_reg(&v, NVME_REG_VS), ==, 0x10400);
    g_assert_cmphex(nvme_reg(&v, NVME_REG_CSTS), ==, NVME_CSTS_RDY);
    nvme_set_reg(&v, NVME_REG_CC, 0x464001); /* shutdown */
    nvme_settle();
    g_assert_cmphex(nvme_reg(&v, NVME_REG_CSTS), ==, NVME_CSTS_RDY | NVME_CSTS_SHST_COMPLETE);
    nvme_disable(&v);
    g_assert_cmphex(nvme_reg(&v, NVME_REG_CSTS), ==, 0);
    g_assert_cmphex(nvme_reg(&v, NVME_REG_AQA), ==, 0x1f001f);
    nvme_fini(&v);
}

/* Values with which the controller does not become ready. */
static void test_enable_faults(void)
{
    static const struct {
        unsigned reg;
        uint32_t value, cc;
    } rows[] = {
        { NVME_REG_AQA, 0x1f, 0x460001 },     { NVME_REG_AQA, 0x1f0000, 0x460001 },
        { NVME_REG_AQA, 0x1f001f, 0x460011 }, { NVME_REG_AQA, 0x1f001f, 0x460801 },
        { NVME_REG_AQA, 0x1f001f, 0x460281 }, { NVME_REG_AQA, 0x1f001f, 0x450001 },
        { NVME_REG_AQA, 0x1f001f, 0x560001 }, { NVME_REG_ASQ, (uint32_t)RAM + 0x1000, 0x460081 },
    };
    NvmeDrv v;

    nvme_init(&v, DRIVE, SETTINGS);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        nvme_disable(&v);
        nvme_set_reg(&v, rows[i].reg, rows[i].value);
        nvme_set_reg(&v, NVME_REG_CC, rows[i].cc);
        g_assert_cmphex(nvme_reg(&v, NVME_REG_CSTS), ==, NVME_CSTS_CFS);
        nvme_doorbell(&v, 0, false, 1);
    }
    nvme_enable_dut(&v);
    g_assert_cmphex(nvme_reg(&v, NVME_REG_CSTS), ==, NVME_CSTS_RDY);
    nvme_fini(&v);
}

static void test_props(void)
{
    static const struct {
        const char *settings, *word;
    } rows[] = {
        { "drive=d0", "'serial' is required" },
        { "drive=d0,serial=123456789012345678901", "at most 20 bytes" },
        { "drive=nix,serial=s", "no drive or block node named 'nix'" },
        { "drive=d0,serial=s,num_queues=1", "num_queues=1" },
        { "drive=d0,serial=s,logical_block_size=1000", "logical_block_size" },
        { "drive=d0,serial=s,logical_block_size=4096,physical_block_size=512",
          "physical_block_size" },
    };
    NvmeDrv v = { .cid = 0 };

    drv_machine(&v.f, DRIVE, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        refused(&v.f, drv_type("nvme"), "pcie.0", "x", NVME_DEVFN, rows[i].settings, rows[i].word);
    }
    nvme_fini(&v);
}

/* --- queues --- */

static void test_queue_faults(void)
{
    NvmeDrv v;
    const uint64_t at = RAM + NVME_CQ_AT + 0x3000;

    nvme_init(&v, DRIVE, SETTINGS ",max_ioqpairs=3,msix_qsize=4");
#define CREATE_CQ(ten, eleven, prp)                                                                \
    NVME_ADMIN(&v, NVME_ADMIN_CREATE_CQ, .cdw10 = (ten), .cdw11 = (eleven), .prp1 = (prp))
    g_assert_cmphex(CREATE_CQ(0x1f0000, 1, at), ==, NVME_INVALID_QUEUE_ID | NVME_DNR);
    g_assert_cmphex(CREATE_CQ(0x1f0004, 1, at), ==, NVME_INVALID_QUEUE_ID | NVME_DNR);
    g_assert_cmphex(CREATE_CQ(0x1fffff, 1, at), ==, NVME_INVALID_QUEUE_ID | NVME_DNR);
    g_assert_cmphex(CREATE_CQ(0x1f0001, 1, at), ==, NVME_INVALID_QUEUE_ID | NVME_DNR);
    g_assert_cmphex(CREATE_CQ(0x000002, 1, at), ==, NVME_INVALID_QUEUE_SIZE | NVME_DNR);
    g_assert_cmphex(CREATE_CQ(0x8000002, 1, at), ==, NVME_INVALID_QUEUE_SIZE | NVME_DNR);
    g_assert_cmphex(CREATE_CQ(0x1f0002, 1, at + 4), ==, NVME_INVALID_PRP_OFFSET | NVME_DNR);
    g_assert_cmphex(CREATE_CQ(0x1f0002, 2, at), ==, NVME_INVALID_FIELD | NVME_DNR);
    g_assert_cmphex(CREATE_CQ(0x1f0002, 4 << 16 | 3, at), ==, NVME_INVALID_VECTOR | NVME_DNR);
#undef CREATE_CQ
    g_assert_cmphex(NVME_ADMIN(&v, NVME_ADMIN_CREATE_SQ, .cdw10 = 0x1f0002, .cdw11 = 0x20001), ==,
                    NVME_INVALID_CQ | NVME_DNR);
    g_assert_cmphex(NVME_ADMIN(&v, NVME_ADMIN_CREATE_SQ, .cdw10 = 0x1f0001, .cdw11 = 0x10001), ==,
                    NVME_INVALID_QUEUE_ID | NVME_DNR);
    g_assert_cmphex(NVME_ADMIN(&v, NVME_ADMIN_DELETE_CQ, .cdw10 = 1), ==,
                    NVME_INVALID_QUEUE_DELETION);
    g_assert_cmphex(NVME_ADMIN(&v, NVME_ADMIN_DELETE_CQ, .cdw10 = 2), ==,
                    NVME_INVALID_QUEUE_ID | NVME_DNR);
    g_assert_cmphex(NVME_ADMIN(&v, NVME_ADMIN_DELETE_SQ, .cdw10 = 0), ==,
                    NVME_INVALID_QUEUE_ID | NVME_DNR);
    g_assert_cmphex(NVME_ADMIN(&v, NVME_ADMIN_DELETE_SQ, .cdw10 = 1), ==, NVME_SUCCESS);
    g_assert_cmphex(NVME_ADMIN(&v, NVME_ADMIN_DELETE_CQ, .cdw10 = 1), ==, NVME_SUCCESS);
    g_assert_cmphex(nvme_create_pair(&v, 1, 8, 2), ==, NVME_SUCCESS);
    g_assert_cmphex(NVME_IO(&v, NVME_IO_FLUSH), ==, NVME_SUCCESS);
    g_assert_cmphex(guest_read(&v.f, RAM + NVME_MSI_AT + 8, 4), ==, 3);
    nvme_fini(&v);
}

/* A completion queue that the driver does not empty stops the submission queue, not the others. */
static void test_full_queue(void)
{
    NvmeDrv v;
    unsigned n = 0;

    start_slow(&v, DRIVE, SETTINGS);
    g_assert_cmpint(NVME_ADMIN(&v, NVME_ADMIN_CREATE_CQ, .prp1 = RAM + NVME_CQ_AT + 0x2000,
                               .cdw10 = 3 << 16 | 2, .cdw11 = 1),
                    ==, NVME_SUCCESS);
    nvme_forget_queue(&v, 2, 4);
    g_assert_cmpint(NVME_ADMIN(&v, NVME_ADMIN_CREATE_SQ, .prp1 = RAM + NVME_SQ_AT + 0x2000,
                               .cdw10 = 31 << 16 | 2, .cdw11 = 2 << 16 | 1),
                    ==, NVME_SUCCESS);
    v.q[2].size = 32;
    for (unsigned i = 0; i < 20; i++) {
        nvme_offer(&v, 2, (NvmeCommand){ .opcode = NVME_IO_READ, .nsid = 1, .prp1 = NVME_DATA });
    }
    nvme_kick(&v, 2);
    nvme_settle();
    g_assert_cmpuint(disk.n, ==, 20); /* all began before one completed */
    v.q[2].size = 4;
    for (unsigned i = 0; i < 3; i++) {
        g_assert_cmpint(nvme_peek(&v, 2, false), ==, NVME_SUCCESS);
    }
    g_assert_cmpint(nvme_peek(&v, 2, false), ==, NVME_NONE);
    v.q[2].size = 32;
    nvme_offer(&v, 2, (NvmeCommand){ .opcode = NVME_IO_READ, .nsid = 1, .prp1 = NVME_DATA });
    nvme_kick(&v, 2);
    nvme_settle();
    g_assert_cmpuint(disk.n, ==, 20);
    g_assert_cmpint(NVME_IO(&v, NVME_IO_FLUSH), ==, NVME_SUCCESS);
    v.q[2].size = 4;
    nvme_doorbell(&v, 2, true, v.q[2].head);
    for (n = 3; n < 21; n++) {
        g_assert_cmpint(nvme_wait(&v, 2), ==, NVME_SUCCESS);
    }
    g_assert_cmpuint(disk.n, ==, 22);
    nvme_fini(&v);
}

static void test_doorbells(void)
{
    NvmeDrv v;

    nvme_init(&v, DRIVE, SETTINGS);
    nvme_offer(&v, 0, (NvmeCommand){ .opcode = NVME_ADMIN_ASYNC_EVENT });
    nvme_offer(&v, 0, (NvmeCommand){ .opcode = NVME_ADMIN_ASYNC_EVENT });
    nvme_kick(&v, 0);
    g_assert_cmpint(nvme_collect(&v, 0), ==, NVME_NONE);
    nvme_doorbell(&v, 3, false, 1);
    g_assert_cmpint(nvme_collect(&v, 0), ==, NVME_SUCCESS);
    g_assert_cmphex(v.result, ==, NVME_LOG_ERROR << 16);
    nvme_doorbell(&v, 1, true, 32); /* held until the log page was read */
    guest_write(&v.f, NVME_BAR + NVME_REG_DOORBELLS + 2, 2, 1);
    g_assert_cmpint(nvme_collect(&v, 0), ==, NVME_NONE);
    g_assert_cmpint(NVME_ADMIN(&v, NVME_ADMIN_GET_LOG, .cdw10 = 15 << 16 | NVME_LOG_ERROR), ==,
                    NVME_SUCCESS);
    g_assert_cmphex(v.result, ==, NVME_LOG_ERROR << 16);
    g_assert_cmpint(nvme_collect(&v, 0), ==, NVME_SUCCESS); /* of Get Log Page */
    g_assert_cmpint(NVME_IO(&v, NVME_IO_FLUSH), ==, NVME_SUCCESS);
    g_assert_cmphex(guest_read(&v.f, NVME_BAR + NVME_REG_DOORBELLS, 4), ==, 0);
    nvme_fini(&v);
}

static void test_interrupts(void)
{
    NvmeDrv v = { .cid = 0 };

    drv_machine(&v.f, DRIVE, NULL);
    nvme_plug(&v, SETTINGS);
    nvme_enable_dut(&v);
    g_assert_cmpint(nvme_create_pair(&v, 1, 8, 0), ==, NVME_SUCCESS);
    g_assert_false(v.f.line[0]);
    nvme_offer(&v, 1, (NvmeCommand){ .opcode = NVME_IO_FLUSH, .nsid = 1 });
    nvme_kick(&v, 1);
    nvme_settle();
    g_assert_true(v.f.line[0]); /* pin A of slot 4 */
    nvme_set_reg(&v, NVME_REG_INTMS, 1);
    g_assert_false(v.f.line[0]);
    g_assert_cmphex(nvme_reg(&v, NVME_REG_INTMC), ==, 1);
    nvme_set_reg(&v, NVME_REG_INTMC, 1);
    g_assert_true(v.f.line[0]);
    g_assert_cmpint(nvme_collect(&v, 1), ==, NVME_SUCCESS);
    g_assert_false(v.f.line[0]);
    nvme_offer(&v, 1, (NvmeCommand){ .opcode = NVME_IO_FLUSH, .nsid = 1 });
    nvme_kick(&v, 1);
    nvme_settle();
    g_assert_true(v.f.line[0]);
    pci_device_reset(v.d, RESET_FUNCTION);
    g_assert_false(v.f.line[0]);
    nvme_fini(&v);
}

/* --- memory --- */

static void put_list(NvmeDrv *v, unsigned at, const uint64_t *entries, unsigned n)
{
    memcpy(nvme_ram(v, NVME_LIST_AT + at), entries, n * sizeof(*entries));
}

/* Read n blocks of 512 bytes; return the status. */
static int read_blocks(NvmeDrv *v, unsigned n, uint64_t prp1, uint64_t prp2)
{
    memset(nvme_data(v), 0, 0x80000);
    return NVME_IO(v, NVME_IO_READ, .prp1 = prp1, .prp2 = prp2, .cdw12 = n - 1);
}

static bool filled(NvmeDrv *v, unsigned at, unsigned len)
{
    const uint8_t *p = nvme_data(v) + at;
    bool before = at == 0 || p[-1] == 0;

    return before && p[0] == 0x5a && memcmp(p, p + 1, len - 1) == 0 && p[len] == 0;
}

static void test_prps(void)
{
    NvmeDrv v;
    uint64_t list[2] = { NVME_DATA + 0x1000, NVME_DATA + 0x2000 };
    uint64_t many[512];

    start_slow(&v, DRIVE, SETTINGS);
    g_assert_cmphex(read_blocks(&v, 2, NVME_DATA + 4, 0), ==, NVME_SUCCESS);
    g_assert_true(filled(&v, 4, 1024));
    g_assert_cmphex(read_blocks(&v, 8, NVME_DATA + 0x800, NVME_DATA + 0x1000), ==, NVME_SUCCESS);
    g_assert_true(filled(&v, 0x800, 4096));
    put_list(&v, 8, list, 2);
    g_assert_cmphex(read_blocks(&v, 18, NVME_DATA + 0x800, RAM + NVME_LIST_AT + 8), ==,
                    NVME_SUCCESS);
    g_assert_true(filled(&v, 0x800, 18 * 512));
    /* the list begins with the last entry of a page, which is the pointer to the next list */
    list[0] = RAM + NVME_LIST_AT + 0x1000;
    put_list(&v, 0xff8, list, 1);
    for (unsigned i = 0; i < 16; i++) {
        many[i] = NVME_DATA + 0x1000 + (i < 14 ? i ^ 1 : i) * 0x1000;
    }
    put_list(&v, 0x1000, many, 16);
    g_assert_cmphex(read_blocks(&v, 128, NVME_DATA, RAM + NVME_LIST_AT + 0xff8), ==, NVME_SUCCESS);
    g_assert_true(filled(&v, 0, 65536));
    /* faults */
    g_assert_cmphex(read_blocks(&v, 1, NVME_DATA + 1, 0), ==, NVME_INVALID_PRP_OFFSET | NVME_DNR);
    g_assert_cmphex(read_blocks(&v, 8, NVME_DATA + 4, NVME_DATA + 4), ==,
                    NVME_INVALID_PRP_OFFSET | NVME_DNR);
    g_assert_cmphex(read_blocks(&v, 18, NVME_DATA, RAM + NVME_LIST_AT + 4), ==,
                    NVME_INVALID_PRP_OFFSET | NVME_DNR);
    many[3] += 4;
    put_list(&v, 0x1000, many, 16);
    g_assert_cmphex(read_blocks(&v, 128, NVME_DATA, RAM + NVME_LIST_AT + 0x1000), ==,
                    NVME_INVALID_PRP_OFFSET | NVME_DNR);
    list[0] = RAM + NVME_LIST_AT + 0xff8; /* a list that is its own continuation */
    put_list(&v, 0xff8, list, 1);
    g_assert_cmphex(read_blocks(&v, 128, NVME_DATA, RAM + NVME_LIST_AT + 0xff8), ==,
                    NVME_INVALID_PRP_OFFSET | NVME_DNR);
    g_assert_cmphex(read_blocks(&v, 1, NVME_BAR, 0), ==, NVME_DATA_TRANSFER_ERROR);
    g_assert_cmphex(read_blocks(&v, 1, UINT64_MAX - 3, 0), ==, NVME_DATA_TRANSFER_ERROR);
    g_assert_cmphex(read_blocks(&v, 128, NVME_DATA, NVME_BAR), ==, NVME_DATA_TRANSFER_ERROR);
    g_assert_cmphex(read_blocks(&v, 128, NVME_DATA, 8), ==, NVME_DATA_TRANSFER_ERROR);
    nvme_fini(&v);
}

static NvmeSgl sgl(unsigned type, uint64_t addr, uint32_t len)
{
    return (NvmeSgl){ .addr = addr, .len = len, .type = (uint8_t)(type << 4) };
}

static int read_sgl(NvmeDrv *v, unsigned blocks, NvmeSgl first)
{
    NvmeCommand cmd = { .opcode = NVME_IO_READ, .flags = NVME_PSDT_SGL, .nsid = 1 };

    memcpy(&cmd.prp1, &first, sizeof(first));
    cmd.cdw12 = blocks - 1;
    memset(nvme_data(v), 0, 0x80000);
    return nvme_run(v, 1, cmd);
}

static void test_sgls(void)
{
    const uint64_t at = RAM + NVME_LIST_AT;
    NvmeDrv v;
    NvmeSgl list[] = { sgl(NVME_SGL_DATA, NVME_DATA + 3, 509), sgl(NVME_SGL_DATA, 0, 0),
                       sgl(NVME_SGL_BIT_BUCKET, 0, 512),
                       sgl(NVME_SGL_LAST, at + 0x100, 2 * sizeof(NvmeSgl)) };
    NvmeSgl last[] = { sgl(NVME_SGL_DATA, NVME_DATA + 512, 512),
                       sgl(NVME_SGL_DATA, NVME_DATA + 1024, 3) };

    start_slow(&v, DRIVE, SETTINGS);
    g_assert_cmphex(read_sgl(&v, 4, sgl(NVME_SGL_DATA, NVME_DATA + 1, 2048)), ==, NVME_SUCCESS);
    g_assert_true(filled(&v, 1, 2048));
    memcpy(nvme_ram(&v, NVME_LIST_AT), list, sizeof(list));
    memcpy(nvme_ram(&v, NVME_LIST_AT + 0x100), last, sizeof(last));
    g_assert_cmphex(read_sgl(&v, 3, sgl(NVME_SGL_SEGMENT, at, sizeof(list))), ==, NVME_SUCCESS);
    g_assert_true(filled(&v, 3, 1024));
    /* faults */
    g_assert_cmphex(read_sgl(&v, 4, sgl(NVME_SGL_SEGMENT, at, sizeof(list))), ==,
                    NVME_INVALID_SGL_LENGTH | NVME_DNR);
    g_assert_cmphex(read_sgl(&v, 1, sgl(NVME_SGL_DATA, NVME_DATA, 513)), ==,
                    NVME_INVALID_SGL_LENGTH | NVME_DNR);
    g_assert_cmphex(read_sgl(&v, 1, sgl(4, NVME_DATA, 512)), ==, NVME_INVALID_SGL_TYPE | NVME_DNR);
    g_assert_cmphex(read_sgl(&v, 1, sgl(NVME_SGL_SEGMENT, at, 17)), ==,
                    NVME_INVALID_SGL_SEGMENT | NVME_DNR);
    g_assert_cmphex(read_sgl(&v, 1, sgl(NVME_SGL_LAST, at, sizeof(list))), ==,
                    NVME_INVALID_SGL_LENGTH | NVME_DNR);
    g_assert_cmphex(read_sgl(&v, 1, sgl(NVME_SGL_SEGMENT, at, 0x10000)), ==,
                    NVME_INVALID_SGL_COUNT | NVME_DNR);
    g_assert_cmphex(read_sgl(&v, 1, sgl(NVME_SGL_SEGMENT, 8, 16)), ==, NVME_DATA_TRANSFER_ERROR);
    list[0] = sgl(NVME_SGL_SEGMENT, at, sizeof(NvmeSgl)); /* a loop */
    memcpy(nvme_ram(&v, NVME_LIST_AT), list, sizeof(list));
    g_assert_cmphex(read_sgl(&v, 1, sgl(NVME_SGL_SEGMENT, at, sizeof(NvmeSgl))), ==,
                    NVME_INVALID_SGL_COUNT | NVME_DNR);
    nvme_fini(&v);
}

/* --- commands --- */

static void test_io(void)
{
    NvmeDrv v;

    start_slow(&v, DRIVE, SETTINGS ",mdts=2");
    g_assert_cmphex(NVME_IO(&v, NVME_IO_WRITE, .cdw10 = 8, .cdw12 = 7), ==, NVME_SUCCESS);
    g_assert_true(disk.op == BLOCK_WRITE && disk.offset == 4096 && disk.len == 4096 && !disk.fua);
    g_assert_cmphex(NVME_IO(&v, NVME_IO_WRITE, .cdw12 = 1u << 30), ==, NVME_SUCCESS);
    g_assert_true(disk.fua);
    memset(nvme_data(&v), 0x5a, 512);
    g_assert_cmphex(NVME_IO(&v, NVME_IO_COMPARE), ==, NVME_SUCCESS);
    *nvme_ram(&v, NVME_DATA_AT + 511) = 1;
    g_assert_cmphex(NVME_IO(&v, NVME_IO_COMPARE), ==, NVME_COMPARE_FAILURE);
    g_assert_cmphex(NVME_IO(&v, NVME_IO_READ, .cdw10 = BLOCKS - 1), ==, NVME_SUCCESS);
    g_assert_cmphex(NVME_IO(&v, NVME_IO_READ, .cdw10 = BLOCKS), ==,
                    NVME_LBA_OUT_OF_RANGE | NVME_DNR);
    g_assert_cmphex(NVME_IO(&v, NVME_IO_READ, .cdw10 = UINT32_MAX, .cdw11 = UINT32_MAX), ==,
                    NVME_LBA_OUT_OF_RANGE | NVME_DNR);
    g_assert_cmphex(NVME_IO(&v, NVME_IO_READ, .cdw12 = 32), ==, NVME_INVALID_FIELD | NVME_DNR);
    g_assert_cmphex(NVME_IO_NS(&v, NVME_IO_READ, 2), ==, NVME_INVALID_FIELD | NVME_DNR);
    g_assert_cmphex(NVME_IO_NS(&v, NVME_IO_READ, 0), ==, NVME_INVALID_NAMESPACE | NVME_DNR);
    g_assert_cmphex(NVME_IO_NS(&v, NVME_IO_READ, 257), ==, NVME_INVALID_NAMESPACE | NVME_DNR);
    g_assert_cmphex(NVME_IO_NS(&v, NVME_IO_READ, UINT32_MAX), ==,
                    NVME_INVALID_NAMESPACE | NVME_DNR);
    g_assert_cmphex(NVME_IO(&v, NVME_IO_READ, .flags = NVME_PSDT), ==,
                    NVME_INVALID_FIELD | NVME_DNR);
    g_assert_cmphex(NVME_IO(&v, NVME_IO_READ, .flags = 1), ==, NVME_INVALID_FIELD | NVME_DNR);
    g_assert_cmphex(NVME_IO(&v, 0x7f), ==, NVME_INVALID_OPCODE | NVME_DNR);
    g_assert_cmphex(NVME_IO_NS(&v, NVME_IO_FLUSH, UINT32_MAX), ==, NVME_SUCCESS);
    g_assert_true(disk.op == BLOCK_FLUSH);
    nvme_fini(&v);
}

static void test_ranges(void)
{
    static const struct {
        uint32_t attributes, blocks;
        uint64_t lba;
    } list[] = { { 0, 8, 16 }, { 0, 0, 5 }, { 0, 4, BLOCKS - 4 }, { 0, 5, BLOCKS - 4 } };
    NvmeDrv v;

    start_slow(&v, DISCARD_DRIVE, SETTINGS);
    memcpy(nvme_data(&v), list, sizeof(list));
    g_assert_cmphex(NVME_IO(&v, NVME_IO_DSM, .cdw10 = 2), ==, NVME_SUCCESS);
    g_assert_cmpuint(disk.n, ==, 0); /* only hints */
    g_assert_cmphex(NVME_IO(&v, NVME_IO_DSM, .cdw10 = 2, .cdw11 = 4), ==, NVME_SUCCESS);
    g_assert_cmpuint(disk.n, ==, 2);
    g_assert_true(disk.op == BLOCK_DISCARD && disk.len == 2048);
    g_assert_cmphex(NVME_IO(&v, NVME_IO_DSM, .cdw10 = 3, .cdw11 = 4), ==,
                    NVME_LBA_OUT_OF_RANGE | NVME_DNR);
    g_assert_cmphex(NVME_IO(&v, NVME_IO_DSM, .cdw10 = 3, .cdw11 = 4, .prp1 = NVME_BAR), ==,
                    NVME_DATA_TRANSFER_ERROR);
    g_assert_cmphex(NVME_IO(&v, NVME_IO_WRITE_ZEROES, .cdw10 = 1, .cdw12 = 9), ==, NVME_SUCCESS);
    g_assert_true(disk.op == BLOCK_WRITE_ZEROES && disk.offset == 512 && disk.len == 5120);
    g_assert_cmphex(NVME_IO(&v, NVME_IO_WRITE_ZEROES, .cdw10 = 1, .cdw12 = BLOCKS), ==,
                    NVME_LBA_OUT_OF_RANGE | NVME_DNR);
    nvme_fini(&v);
}

/* Zeroes of more than NVME_RANGE_STEP are written in steps. */
static void test_steps(void)
{
    NvmeDrv v;

    start_slow(&v, "{'id':'d0','format':'raw','file':{'driver':'null-co','size':1073741824}}",
               SETTINGS ",logical_block_size=4096,physical_block_size=4096");
    g_assert_cmphex(NVME_IO(&v, NVME_IO_WRITE_ZEROES, .cdw12 = 0x1ffff), ==, NVME_SUCCESS);
    g_assert_cmpuint(disk.n, ==, 8);
    g_assert_cmphex(disk.offset, ==, 7 * NVME_RANGE_STEP);
    nvme_fini(&v);
}

static void test_identify(void)
{
    NvmeDrv v;
    const uint8_t *p;

    nvme_init(&v,
              "{'id':'d0','format':'raw','read-only':true,'file':{'driver':'null-co','size':"
              "1048576}}",
              SETTINGS ",mdts=5");
    p = nvme_data(&v);
    g_assert_cmphex(NVME_ADMIN(&v, NVME_ADMIN_IDENTIFY, .cdw10 = 1), ==, NVME_SUCCESS);
    g_assert_cmpmem(p + 4, 20, "s                   ", 20);
    g_assert_cmpuint(p[77], ==, 5);
    g_assert_cmpstr((const char *)p + 768, ==, "nqn.2019-08.org.qemu:s");
    g_assert_cmphex(NVME_ADMIN(&v, NVME_ADMIN_IDENTIFY, .nsid = 1), ==, NVME_SUCCESS);
    g_assert_cmpuint(p[0] | p[1] << 8, ==, BLOCKS);
    g_assert_cmpuint(p[99], ==, 1); /* write protected */
    g_assert_cmpuint(p[130], ==, 9);
    g_assert_cmphex(NVME_ADMIN(&v, NVME_ADMIN_IDENTIFY, .nsid = 2), ==, NVME_SUCCESS);
    g_assert_cmpuint(p[0] | p[130], ==, 0);
    g_assert_cmphex(NVME_ADMIN(&v, NVME_ADMIN_IDENTIFY, .cdw10 = 2), ==, NVME_SUCCESS);
    g_assert_cmpuint(p[0], ==, 1);
    g_assert_cmpuint(p[4], ==, 0);
    g_assert_cmphex(NVME_ADMIN(&v, NVME_ADMIN_IDENTIFY, .cdw10 = 3, .nsid = 1), ==, NVME_SUCCESS);
    g_assert_cmphex(p[0], ==, 3);
    g_assert_cmphex(p[4 + 6] >> 4, ==, 4);
    g_assert_cmphex(NVME_ADMIN(&v, NVME_ADMIN_IDENTIFY, .cdw10 = 3, .nsid = 2), ==,
                    NVME_INVALID_FIELD | NVME_DNR);
    g_assert_cmphex(NVME_ADMIN(&v, NVME_ADMIN_IDENTIFY, .cdw10 = 5), ==,
                    NVME_INVALID_FIELD | NVME_DNR);
    g_assert_cmphex(NVME_ADMIN(&v, 0x7f), ==, NVME_INVALID_OPCODE | NVME_DNR);
    g_assert_cmphex(NVME_IO(&v, NVME_IO_WRITE), ==, NVME_WRITE_PROTECTED | NVME_DNR);
    nvme_fini(&v);
}

static void test_features(void)
{
    NvmeDrv v;
    const uint64_t ms = 1000000;
    uint64_t now;

#define SET(id, v11, ...)                                                                          \
    NVME_ADMIN(&v, NVME_ADMIN_SET_FEATURES, .cdw10 = (id), .cdw11 = (v11), ##__VA_ARGS__)
#define GET(id, ...) NVME_ADMIN(&v, NVME_ADMIN_GET_FEATURES, .cdw10 = (id), ##__VA_ARGS__)
    start_slow(&v, DRIVE, SETTINGS ",num_queues=9");
    g_assert_cmphex(SET(NVME_FEATURE_QUEUES, 0x30003), ==, NVME_SEQUENCE_ERROR | NVME_DNR);
    nvme_enable_dut(&v);
    g_assert_cmphex(SET(NVME_FEATURE_QUEUES, 0x30003), ==, NVME_SUCCESS);
    g_assert_cmphex(v.result, ==, 0x70007);
    g_assert_cmphex(SET(NVME_FEATURE_QUEUES, 0xffff), ==, NVME_INVALID_FIELD | NVME_DNR);
    g_assert_cmpint(nvme_create_pair(&v, 1, 32, 1), ==, NVME_SUCCESS);
    g_assert_cmphex(SET(NVME_FEATURE_WRITE_CACHE, 0), ==, NVME_SUCCESS);
    g_assert_cmphex(NVME_IO(&v, NVME_IO_WRITE), ==, NVME_SUCCESS);
    g_assert_true(disk.fua);
    g_assert_cmphex(GET(NVME_FEATURE_WRITE_CACHE), ==, NVME_SUCCESS);
    g_assert_cmphex(v.result, ==, 0);
    g_assert_cmphex(GET(NVME_FEATURE_WRITE_CACHE | 1 << 8), ==, NVME_SUCCESS);
    g_assert_cmphex(v.result, ==, 1);
    g_assert_cmphex(GET(NVME_FEATURE_WRITE_CACHE | 3 << 8), ==, NVME_SUCCESS);
    g_assert_cmphex(v.result, ==, 4);
    g_assert_cmphex(GET(NVME_FEATURE_WRITE_CACHE | 4 << 8), ==, NVME_INVALID_FIELD | NVME_DNR);
    g_assert_cmphex(SET(NVME_FEATURE_WRITE_CACHE | 1u << 31, 0), ==,
                    NVME_FEATURE_NOT_SAVEABLE | NVME_DNR);
    g_assert_cmphex(SET(NVME_FEATURE_WRITE_CACHE, 0, .nsid = 1), ==,
                    NVME_FEATURE_NOT_NAMESPACE | NVME_DNR);
    g_assert_cmphex(SET(NVME_FEATURE_ARBITRATION, 0), ==, NVME_FEATURE_NOT_CHANGEABLE | NVME_DNR);
    g_assert_cmphex(SET(0x7f, 0), ==, NVME_INVALID_FIELD | NVME_DNR);
    g_assert_cmphex(GET(NVME_FEATURE_ERROR_RECOVERY, .nsid = 1), ==, NVME_SUCCESS);
    g_assert_cmphex(GET(NVME_FEATURE_ERROR_RECOVERY), ==, NVME_INVALID_NAMESPACE | NVME_DNR);
    g_assert_cmphex(GET(NVME_FEATURE_VECTOR, .cdw11 = 64), ==, NVME_SUCCESS);
    g_assert_cmphex(v.result, ==, 64 | 1 << 16);
    g_assert_cmphex(GET(NVME_FEATURE_VECTOR, .cdw11 = 65), ==, NVME_INVALID_FIELD | NVME_DNR);
    memcpy(nvme_data(&v), &ms, sizeof(ms));
    g_assert_cmphex(SET(NVME_FEATURE_TIMESTAMP, 0), ==, NVME_SUCCESS);
    clock_step_ns(&v.f, 5000000);
    g_assert_cmphex(GET(NVME_FEATURE_TIMESTAMP), ==, NVME_SUCCESS);
    memcpy(&now, nvme_data(&v), sizeof(now));
    g_assert_cmphex(now, ==, (ms + 5) | 1ull << 49);
    nvme_fini(&v);
}

static void test_logs(void)
{
    NvmeDrv v;
    const uint8_t *p;

#define LOG_NS(page, ns, ...)                                                                      \
    NVME_ADMIN(&v, NVME_ADMIN_GET_LOG, .nsid = (ns), .cdw10 = 127 << 16 | (page), ##__VA_ARGS__)
#define LOG(page, ...) LOG_NS(page, UINT32_MAX, ##__VA_ARGS__)
    start_slow(&v, DRIVE, SETTINGS ",smart_critical_warning=8");
    p = nvme_data(&v);
    disk.result = -EIO;
    g_assert_cmphex(NVME_IO(&v, NVME_IO_READ, .cdw10 = 3), ==, NVME_UNRECOVERED_READ);
    g_assert_cmphex(NVME_IO(&v, NVME_IO_WRITE), ==, NVME_WRITE_FAULT);
    g_assert_cmphex(LOG(NVME_LOG_ERROR), ==, NVME_SUCCESS);
    g_assert_cmpuint(p[0], ==, 2); /* the most recent one first */
    g_assert_cmphex(p[12] | p[13] << 8, ==, NVME_WRITE_FAULT << 1);
    g_assert_cmpuint(p[64], ==, 1);
    g_assert_cmpuint(p[64 + 16], ==, 3);
    g_assert_cmphex(LOG(NVME_LOG_SMART), ==, NVME_SUCCESS);
    g_assert_cmphex(p[0], ==, 8);
    g_assert_cmpuint(p[1] | p[2] << 8, ==, NVME_TEMPERATURE);
    g_assert_cmpuint(p[32], ==, 1); /* units, commands, errors */
    g_assert_cmpuint(p[64], ==, 1);
    g_assert_cmpuint(p[176], ==, 2);
    g_assert_cmphex(LOG_NS(NVME_LOG_SMART, 2), ==, NVME_INVALID_NAMESPACE | NVME_DNR);
    g_assert_cmphex(LOG(NVME_LOG_SMART, .cdw12 = 512), ==, NVME_INVALID_FIELD | NVME_DNR);
    g_assert_cmphex(LOG(NVME_LOG_SMART, .cdw12 = 2), ==, NVME_INVALID_FIELD | NVME_DNR);
    g_assert_cmphex(LOG(NVME_LOG_SMART, .cdw11 = 0xffff, .cdw12 = 508), ==, NVME_SUCCESS);
    g_assert_cmphex(LOG(NVME_LOG_FIRMWARE), ==, NVME_SUCCESS);
    g_assert_cmpmem(p + 8, 8, "1.0     ", 8);
    g_assert_cmphex(LOG(NVME_LOG_EFFECTS), ==, NVME_SUCCESS);
    g_assert_cmphex(p[4 * NVME_ADMIN_IDENTIFY], ==, 1);
    g_assert_cmphex(LOG(0x7f), ==, NVME_INVALID_FIELD | NVME_DNR);
    nvme_fini(&v);
}

static void test_events(void)
{
    NvmeDrv v;

    nvme_init(&v, DRIVE, SETTINGS ",aerl=0");
    g_assert_cmphex(SET(NVME_FEATURE_EVENTS, 0x102), ==, NVME_SUCCESS);
    nvme_offer(&v, 0, (NvmeCommand){ .opcode = NVME_ADMIN_ASYNC_EVENT });
    nvme_kick(&v, 0);
    g_assert_cmphex(NVME_ADMIN(&v, NVME_ADMIN_ASYNC_EVENT), ==, NVME_EVENT_LIMIT_EXCEEDED);
    ASSERT_OK(block_resize(block_find(v.f.m, "d0"), 1 << 21, &failure));
    g_assert_cmpint(nvme_collect(&v, 0), ==, NVME_SUCCESS);
    g_assert_cmphex(v.result, ==, 2 | NVME_LOG_CHANGED_NAMESPACES << 16);
    g_assert_cmphex(LOG(NVME_LOG_CHANGED_NAMESPACES), ==, NVME_SUCCESS);
    g_assert_cmpuint(nvme_data(&v)[0], ==, 1);
    g_assert_cmphex(LOG(NVME_LOG_CHANGED_NAMESPACES), ==, NVME_SUCCESS);
    g_assert_cmpuint(nvme_data(&v)[0], ==, 0);
    /* an event of a stopped machine */
    nvme_offer(&v, 0, (NvmeCommand){ .opcode = NVME_ADMIN_ASYNC_EVENT });
    nvme_kick(&v, 0);
    machine_set_state(v.f.m, RUN_PAUSED);
    ASSERT_OK(block_resize(block_find(v.f.m, "d0"), 1 << 20, &failure));
    g_assert_cmpint(nvme_collect(&v, 0), ==, NVME_NONE);
    machine_set_state(v.f.m, RUN_RUNNING);
    g_assert_cmpint(nvme_wait(&v, 0), ==, NVME_SUCCESS);
    g_assert_cmphex(v.result, ==, 2 | NVME_LOG_CHANGED_NAMESPACES << 16);
    /* an event that occurs before the request */
    g_assert_cmphex(SET(NVME_FEATURE_TEMPERATURE, 300), ==, NVME_SUCCESS);
    g_assert_cmphex(NVME_ADMIN(&v, NVME_ADMIN_ASYNC_EVENT), ==, NVME_SUCCESS);
    g_assert_cmphex(v.result, ==, 1 | 1 << 8 | NVME_LOG_SMART << 16);
    g_assert_cmphex(LOG(NVME_LOG_SMART), ==, NVME_SUCCESS);
    g_assert_cmphex(nvme_data(&v)[0], ==, NVME_WARNING_TEMPERATURE);
    /* abort */
    nvme_offer(&v, 0, (NvmeCommand){ .opcode = NVME_ADMIN_ASYNC_EVENT });
    nvme_kick(&v, 0);
    nvme_offer(&v, 0, (NvmeCommand){ .opcode = NVME_ADMIN_ABORT, .cdw10 = (uint32_t)v.cid << 16 });
    nvme_kick(&v, 0);
    g_assert_cmphex(nvme_wait(&v, 0), ==, NVME_ABORT_REQUESTED);
    g_assert_cmphex(nvme_wait(&v, 0), ==, NVME_SUCCESS);
    g_assert_cmphex(v.result, ==, 0);
    g_assert_cmphex(NVME_ADMIN(&v, NVME_ADMIN_ABORT, .cdw10 = 1), ==, NVME_SUCCESS);
    g_assert_cmphex(v.result, ==, 1);
    nvme_fini(&v);
}

/* --- requests in flight --- */

static void offer_reads(NvmeDrv *v, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        nvme_offer(v, 1, (NvmeCommand){ .opcode = NVME_IO_READ, .nsid = 1, .prp1 = NVME_DATA });
    }
    nvme_kick(v, 1);
}

/* Requests that complete while `act` waits for them. */
static void with_held(NvmeDrv *v, void (*act)(NvmeDrv *v))
{
    disk.hold = true;
    offer_reads(v, 3);
    g_assert_cmpuint(disk.n_held, ==, 3);
    disk_release();
    act(v);
    g_assert_cmpuint(nvme_dut(v)->in_flight, ==, 0);
}

static void reset_function(NvmeDrv *v)
{
    pci_device_reset(v->d, RESET_FUNCTION);
}

static void delete_queue(NvmeDrv *v)
{
    g_assert_cmphex(NVME_ADMIN(v, NVME_ADMIN_DELETE_SQ, .cdw10 = 1), ==, NVME_SUCCESS);
    for (unsigned i = 0; i < 3; i++) {
        g_assert_cmpint(nvme_collect(v, 1), ==, NVME_SUCCESS);
    }
}

static void test_in_flight(void)
{
    void (*const acts[])(NvmeDrv * v) = { nvme_disable, reset_function, delete_queue };
    NvmeDrv v;

    for (unsigned i = 0; i < G_N_ELEMENTS(acts); i++) {
        start_slow(&v, DRIVE, SETTINGS);
        with_held(&v, acts[i]);
        nvme_program_function(&v);
        nvme_enable_dut(&v);
        g_assert_cmphex(nvme_create_pair(&v, 1, 8, 0), ==, NVME_SUCCESS);
        g_assert_cmphex(NVME_IO(&v, NVME_IO_READ), ==, NVME_SUCCESS);
        nvme_fini(&v);
    }
}

static void test_unplug_in_flight(void)
{
    NvmeDrv v;

    start_slow(&v, DRIVE, SETTINGS);
    disk.hold = true;
    offer_reads(&v, 3);
    disk_release();
    device_unplug(&v.d->dev);
    nvme_fini(&v);
}

/* A turn begins a bounded number of commands; the main loop continues. Bus Master Enable and queues
 * that leave RAM. */
static void test_limits(void)
{
    NvmeDrv v;

    start_slow(&v, DRIVE, SETTINGS);
    config_write(&v.f, NVME_DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    offer_reads(&v, 2);
    nvme_settle();
    g_assert_cmpuint(disk.n, ==, 0);
    config_write(&v.f, NVME_DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    g_assert_cmphex(nvme_wait(&v, 1), ==, NVME_SUCCESS);
    g_assert_cmphex(nvme_wait(&v, 1), ==, NVME_SUCCESS);
    /* completed while DMA was not possible */
    disk.hold = true;
    offer_reads(&v, 2);
    config_write(&v.f, NVME_DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    disk_release();
    nvme_settle();
    g_assert_cmphex(nvme_collect(&v, 1), ==, NVME_NONE);
    config_write(&v.f, NVME_DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    g_assert_cmphex(nvme_wait(&v, 1), ==, NVME_SUCCESS);
    g_assert_cmphex(nvme_wait(&v, 1), ==, NVME_SUCCESS);
    nvme_disable(&v);
    guest_write(&v.f, NVME_BAR + NVME_REG_ASQ, 8, NVME_BAR);
    nvme_set_reg(&v, NVME_REG_CC, 0x460001);
    nvme_doorbell(&v, 0, false, 1);
    nvme_settle();
    g_assert_cmphex(nvme_reg(&v, NVME_REG_CSTS), ==, NVME_CSTS_RDY | NVME_CSTS_CFS);
    nvme_enable_dut(&v);
    g_assert_cmphex(NVME_ADMIN(&v, NVME_ADMIN_IDENTIFY, .cdw10 = 1), ==, NVME_SUCCESS);
    nvme_fini(&v);
}

/* --- errors and saved requests --- */

#define STOP_DRIVE                                                                                 \
    "{'id':'d0','format':'raw','rerror':'stop','file':{'driver':'null-co','size':1048576}}"

static void save_and_compare(NvmeDrv *v)
{
    g_autoptr(GByteArray) state = save_state(v->d), again = NULL;
    g_autoptr(GError) err = NULL;

    load_state(v->d, state, &err);
    g_assert_no_error(err);
    again = save_state(v->d);
    g_assert_cmpmem(state->data, state->len, again->data, again->len);
}

/* Requests that stopped the machine continue here, or after their state was loaded. */
static void test_kept(void)
{
    NvmeDrv v;

    for (unsigned load = 0; load < 2; load++) {
        start_slow(&v, STOP_DRIVE, SETTINGS);
        disk.result = -EIO;
        offer_reads(&v, 2);
        nvme_settle();
        g_assert_cmpint(v.f.m->state, ==, RUN_IO_ERROR);
        g_assert_cmpint(nvme_collect(&v, 1), ==, NVME_NONE);
        if (load) {
            save_and_compare(&v);
        }
        disk.result = 0;
        machine_set_state(v.f.m, RUN_RUNNING);
        g_assert_cmphex(nvme_wait(&v, 1), ==, NVME_SUCCESS);
        g_assert_cmphex(nvme_wait(&v, 1), ==, NVME_SUCCESS);
        nvme_fini(&v);
    }
}

/* The state with completions that have no room, event requests, and a queue that is not empty. */
static void test_saved(void)
{
    NvmeDrv v;

    start_slow(&v, DRIVE, SETTINGS);
    nvme_offer(&v, 0, (NvmeCommand){ .opcode = NVME_ADMIN_ASYNC_EVENT });
    nvme_kick(&v, 0);
    offer_reads(&v, 31);
    nvme_settle();
    for (unsigned i = 0; i < 31; i++) {
        g_assert_cmpint(nvme_peek(&v, 1, false), ==, NVME_SUCCESS);
    }
    offer_reads(&v, 5); /* there is no room for their completions */
    nvme_settle();
    machine_set_state(v.f.m, RUN_PAUSED);
    offer_reads(&v, 5);
    save_and_compare(&v);
    machine_set_state(v.f.m, RUN_RUNNING);
    nvme_settle();
    nvme_doorbell(&v, 1, true, v.q[1].head);
    for (unsigned i = 0; i < 10; i++) {
        g_assert_cmphex(nvme_wait(&v, 1), ==, NVME_SUCCESS);
    }
    nvme_doorbell(&v, 3, false, 0);
    g_assert_cmphex(nvme_wait(&v, 0), ==, NVME_SUCCESS); /* the event */
    nvme_fini(&v);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/nvme/registers", test_registers);
    g_test_add_func("/nvme/enable-faults", test_enable_faults);
    g_test_add_func("/nvme/properties", test_props);
    g_test_add_func("/nvme/queue-faults", test_queue_faults);
    g_test_add_func("/nvme/full-queue", test_full_queue);
    g_test_add_func("/nvme/doorbells", test_doorbells);
    g_test_add_func("/nvme/interrupts", test_interrupts);
    g_test_add_func("/nvme/prps", test_prps);
    g_test_add_func("/nvme/sgls", test_sgls);
    g_test_add_func("/nvme/io", test_io);
    g_test_add_func("/nvme/ranges", test_ranges);
    g_test_add_func("/nvme/steps", test_steps);
    g_test_add_func("/nvme/identify", test_identify);
    g_test_add_func("/nvme/features", test_features);
    g_test_add_func("/nvme/logs", test_logs);
    g_test_add_func("/nvme/events", test_events);
    g_test_add_func("/nvme/in-flight", test_in_flight);
    g_test_add_func("/nvme/unplug-in-flight", test_unplug_in_flight);
    g_test_add_func("/nvme/limits", test_limits);
    g_test_add_func("/nvme/kept", test_kept);
    g_test_add_func("/nvme/saved", test_saved);
    return g_test_run();
}
