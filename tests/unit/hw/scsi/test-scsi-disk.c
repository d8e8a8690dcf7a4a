/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of SCSI disks and CD-ROM drives: data on a real file, identification, mode pages, media,
 * and commands that are rejected with their sense data.
 */
#include <glib/gstdio.h>
#include <unistd.h>

#include "scsi-driver.h"
#include "tests/lib/ok.h"

enum { SIZE = 1 << 20, BLOCK = 512 };

static char *make_image(void)
{
    g_autofree uint8_t *content = g_malloc(SIZE);
    char *path = NULL;
    int fd = g_file_open_tmp("test-scsi-XXXXXX", &path, NULL);

    for (unsigned i = 0; i < SIZE; i++) {
        content[i] = (uint8_t)(i / BLOCK * 3 + i);
    }
    g_assert_cmpint(write(fd, content, SIZE), ==, SIZE);
    close(fd);
    return path;
}

static char *start_file(Scsi *s, const char *options, const char *settings, const char *unit,
                        bool legacy)
{
    char *path = make_image();
    g_autofree char *drive =
        g_strdup_printf("{'id':'d0','file':'%s','format':'raw'%s}", path, options);

    scsi_init(s, drive, settings, legacy);
    scsi_add(s, unit);
    return path;
}

static void end_file(Scsi *s, char *path)
{
    scsi_fini(s);
    g_unlink(path);
    g_free(path);
}

static void fill(Scsi *s, uint8_t byte, size_t len)
{
    memset(scsi_data(s, 0), byte, len);
}

static void check_all(Scsi *s, uint8_t byte, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        g_assert_cmphex(scsi_data(s, 0)[i], ==, byte);
    }
}

/* --- transfers --- */

static void check_transfers(const char *settings, bool legacy)
{
    Scsi s;
    char *path = start_file(&s, ",'discard':'unmap'", settings,
                            "scsi-hd,drive=d0,bus=dut.0,scsi-id=0,lun=0", legacy);

    SCSI_OK(&s, 0, 4096, OP_READ_10, 0, 0, 0, 0, 8, 0, 0, 8);
    g_assert_cmphex(scsi_data(&s, 0)[0], ==, 24);
    g_assert_cmphex(scsi_data(&s, 0)[BLOCK + 1], ==, 28);
    fill(&s, 0x5a, 4096);
    SCSI_OK(&s, 4096, 0, OP_WRITE_10, 8, 0, 0, 0, 16, 0, 0, 8);
    fill(&s, 0, 4096);
    SCSI_OK(&s, 0, 1024, OP_READ_6, 0, 0, 17, 2, 0);
    check_all(&s, 0x5a, 1024);
    fill(&s, 0x33, 1024);
    SCSI_OK(&s, 1024, 0, OP_WRITE_6, 0, 0, 17, 2, 0);
    SCSI_OK(&s, 1024, 0, OP_VERIFY_10, 2, 0, 0, 0, 17, 0, 0, 2, 0);
    SCSI_FAILS(&s, SCSI_COMPARE_FAILED, 1024, 0, OP_VERIFY_10, 2, 0, 0, 0, 18, 0, 0, 2, 0);
    SCSI_OK(&s, 0, 0, OP_VERIFY_10, 0, 0, 0, 0, 18, 0, 0, 2, 0);
    fill(&s, 0x44, 512);
    SCSI_OK(&s, 512, 0, OP_WRITE_12, 0, 0, 0, 0, 30, 0, 0, 0, 1, 0, 0);
    SCSI_OK(&s, 512, 0, OP_WRITE_16, 8, 0, 0, 0, 0, 0, 0, 0, 31, 0, 0, 0, 1, 0, 0);
    SCSI_OK(&s, 512, 0, OP_WRITE_VERIFY_10, 0, 0, 0, 0, 32, 0, 0, 1, 0);
    SCSI_OK(&s, 0, 1536, OP_READ_16, 0, 0, 0, 0, 0, 0, 0, 0, 30, 0, 0, 0, 3, 0, 0);
    check_all(&s, 0x44, 1536);
    SCSI_OK(&s, 0, 0, OP_SYNCHRONIZE_CACHE_10, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    SCSI_OK(&s, 0, 0, OP_SYNCHRONIZE_CACHE_16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    SCSI_OK(&s, 0, 0, OP_READ_10, 0, 0, 0, 0, 8, 0, 0, 0, 0);
    drv_running(&s.v);
    end_file(&s, path);
}

static void test_transfers(void)
{
    check_transfers(NULL, false);
    check_transfers("packed=on,num_queues=3", false);
    check_transfers(NULL, true);
}

static void test_ranges(void)
{
    Scsi s;
    char *path = start_file(&s, ",'discard':'unmap'", NULL,
                            "scsi-hd,drive=d0,bus=dut.0,scsi-id=0,lun=0", false);
    static const uint8_t list[] = {
        0, 38, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    8, 0, 0, 0, 8,
        0, 0,  0, 0,  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0
    };
    uint8_t *data = scsi_data(&s, 0);

    memcpy(data, list, sizeof(list));
    data[1] = 38;
    memset(data + 24, 0, 16);
    data[31] = 64;
    data[35] = 4;
    SCSI_OK(&s, 40, 0, OP_UNMAP, 0, 0, 0, 0, 0, 0, 0, 40, 0);
    SCSI_OK(&s, 0, 4096, OP_READ_10, 0, 0, 0, 0, 8, 0, 0, 8, 0);
    check_all(&s, 0, 4096);
    SCSI_OK(&s, 0, 2048, OP_READ_10, 0, 0, 0, 0, 64, 0, 0, 4, 0);
    check_all(&s, 0, 2048);
    fill(&s, 0x77, 512);
    SCSI_OK(&s, 512, 0, OP_WRITE_SAME_10, 0, 0, 0, 0, 100, 0, 0, 8, 0);
    SCSI_OK(&s, 0, 4096, OP_READ_10, 0, 0, 0, 0, 100, 0, 0, 8, 0);
    check_all(&s, 0x77, 4096);
    fill(&s, 0, 512);
    SCSI_OK(&s, 512, 0, OP_WRITE_SAME_16, 8, 0, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 4, 0, 0);
    SCSI_OK(&s, 0, 0, OP_WRITE_SAME_16, 1, 0, 0, 0, 0, 0, 0, 0, 104, 0, 0, 0, 4, 0, 0);
    SCSI_OK(&s, 0, 4096, OP_READ_10, 0, 0, 0, 0, 100, 0, 0, 8, 0);
    check_all(&s, 0, 4096);
    /* zero blocks; beyond the end; a list that is too short for its lengths */
    SCSI_FAILS(&s, SCSI_INVALID_FIELD, 512, 0, OP_WRITE_SAME_10, 0, 0, 0, 0, 100, 0, 0, 0, 0);
    SCSI_FAILS(&s, SCSI_LBA_OUT_OF_RANGE, 512, 0, OP_WRITE_SAME_10, 0, 0, 0, 8, 0, 0, 0, 1, 0);
    memcpy(data, list, sizeof(list));
    data[3] = 40;
    SCSI_FAILS(&s, SCSI_INVALID_PARAMETER, 40, 0, OP_UNMAP, 0, 0, 0, 0, 0, 0, 0, 40, 0);
    memcpy(data, list, sizeof(list));
    data[14] = 0xff;
    SCSI_FAILS(&s, SCSI_LBA_OUT_OF_RANGE, 40, 0, OP_UNMAP, 0, 0, 0, 0, 0, 0, 0, 40, 0);
    SCSI_FAILS(&s, SCSI_PARAMETER_LENGTH, 40, 0, OP_UNMAP, 0, 0, 0, 0, 0, 0, 0, 4, 0);
    SCSI_OK(&s, 0, 0, OP_UNMAP, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    end_file(&s, path);
}

static void test_capacity(void)
{
    Scsi s;
    char *path = start_file(&s, "", NULL,
                            "scsi-hd,drive=d0,bus=dut.0,scsi-id=0,lun=0,logical_block_size=1024,"
                            "physical_block_size=4096",
                            false);
    const uint8_t *data = scsi_data(&s, 0);

    SCSI_OK(&s, 0, 8, OP_READ_CAPACITY_10, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    g_assert_cmpmem(data, 8, "\0\0\3\xff\0\0\4\0", 8);
    SCSI_OK(&s, 0, 32, OP_SERVICE_ACTION_IN_16, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0);
    g_assert_cmpmem(data, 12, "\0\0\0\0\0\0\3\xff\0\0\4\0", 12);
    g_assert_cmphex(data[13], ==, 2);
    g_assert_cmphex(data[14], ==, 0x80);
    SCSI_FAILS(&s, SCSI_LBA_OUT_OF_RANGE, 0, 1024, OP_READ_10, 0, 0, 0, 4, 0, 0, 0, 1, 0);
    SCSI_FAILS(&s, SCSI_LBA_OUT_OF_RANGE, 0, 1024, OP_READ_16, 0, 0xff, 0xff, 0xff, 0xff, 0xff,
               0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0);
    SCSI_OK(&s, 0, 0, OP_SEEK_10, 0, 0, 0, 3, 0xff, 0, 0, 0, 0);
    SCSI_FAILS(&s, SCSI_LBA_OUT_OF_RANGE, 0, 0, OP_SEEK_10, 0, 0, 0, 4, 0, 0, 0, 0, 0);
    ASSERT_OK(block_resize(block_find(s.f.m, "d0"), SIZE / 2, &failure));
    SCSI_FAILS(&s, scsi_attention_sense(SCSI_ATTENTION_CAPACITY), 0, 8, OP_READ_CAPACITY_10, 0, 0,
               0, 0, 0, 0, 0, 0, 0);
    SCSI_OK(&s, 0, 8, OP_READ_CAPACITY_10, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    g_assert_cmpmem(data, 4, "\0\0\1\xff", 4);
    end_file(&s, path);
}

/* --- identification --- */

static void test_inquiry(void)
{
    Scsi s;
    char *path = start_file(&s, "", NULL,
                            "scsi-hd,drive=d0,bus=dut.0,scsi-id=0,lun=0,serial=SN-7,vendor=ACME,"
                            "product=Spinning Rust Disk,ver=1.2,wwn=0x5000c50015ea71ac,"
                            "rotation_rate=7200",
                            false);
    const uint8_t *data = scsi_data(&s, 0);
    const Resp *r = SCSI_RUN(&s, 0, 96, OP_INQUIRY, 0, 0, 0, 96, 0);

    scsi_check_good(r);
    g_assert_cmpuint(r->resid, ==, 60);
    g_assert_cmpmem(data, 8, "\0\0\5\x12\x1f\0\0\x12", 8);
    g_assert_cmpmem(data + 8, 28, "ACME    Spinning Rust Di1.2 ", 28);
    SCSI_OK(&s, 0, 255, OP_INQUIRY, 1, 0, 0, 255, 0);
    g_assert_cmpmem(data, 10, "\0\0\0\6\0\x80\x83\xb0\xb1\xb2", 10);
    SCSI_OK(&s, 0, 255, OP_INQUIRY, 1, 0x80, 0, 255, 0);
    g_assert_cmpmem(data, 8, "\0\x80\0\4SN-7", 8);
    SCSI_OK(&s, 0, 255, OP_INQUIRY, 1, 0x83, 0, 255, 0);
    g_assert_cmpmem(data, 12, "\0\x83\0\x14\2\0\0\4SN-7", 12);
    g_assert_cmpmem(data + 12, 12, "\1\3\0\10\x50\0\xc5\0\x15\xea\x71\xac", 12);
    SCSI_OK(&s, 0, 255, OP_INQUIRY, 1, 0xb0, 0, 255, 0);
    g_assert_cmpmem(data, 8, "\0\xb0\0\x3c\1\0\0\1", 8);
    SCSI_OK(&s, 0, 255, OP_INQUIRY, 1, 0xb1, 0, 255, 0);
    g_assert_cmpmem(data, 6, "\0\xb1\0\x3c\x1c\x20", 6);
    SCSI_OK(&s, 0, 255, OP_INQUIRY, 1, 0xb2, 0, 255, 0);
    g_assert_cmpmem(data, 8, "\0\xb2\0\4\0\xe0\2\0", 8);
    SCSI_FAILS(&s, SCSI_INVALID_FIELD, 0, 255, OP_INQUIRY, 1, 0x84, 0, 255, 0);
    SCSI_FAILS(&s, SCSI_INVALID_FIELD, 0, 255, OP_INQUIRY, 0, 0x80, 0, 255, 0);
    SCSI_FAILS(&s, SCSI_INVALID_OPCODE, 0, 8, 0xff, 0, 0, 0);
    SCSI_FAILS(&s, SCSI_INVALID_OPCODE, 0, 8, OP_READ_TOC, 0, 0, 0, 0, 0, 0, 0, 8, 0);
    end_file(&s, path);
}

/* --- mode pages --- */

static void test_mode(void)
{
    Scsi s;
    char *path = start_file(&s, "", NULL, "scsi-hd,id=h,drive=d0,bus=dut.0,scsi-id=0,lun=0", false);
    uint8_t *data = scsi_data(&s, 0);
    const ScsiDisk *d = (ScsiDisk *)device_find_id(s.f.m, "h");

    SCSI_OK(&s, 0, 192, OP_MODE_SENSE_6, 8, 8, 0, 192, 0);
    g_assert_cmpmem(data, 7, "\x17\0\x10\0\x08\x12\4", 7);
    SCSI_OK(&s, 0, 192, OP_MODE_SENSE_6, 8, 0x48, 0, 192, 0);
    g_assert_cmpmem(data + 4, 4, "\x08\x12\4\0", 4);
    SCSI_OK(&s, 0, 192, OP_MODE_SENSE_10, 0, 0x3f, 0, 0, 0, 0, 0, 192, 0);
    g_assert_cmpmem(data + 6, 11, "\0\x08\0\0\x08\0\0\0\2\0\1", 11);
    SCSI_FAILS(&s, SCSI_SAVING_UNSUPPORTED, 0, 192, OP_MODE_SENSE_6, 8, 0xc8, 0, 192, 0);
    SCSI_FAILS(&s, SCSI_INVALID_FIELD, 0, 192, OP_MODE_SENSE_6, 8, 0x2a, 0, 192, 0);
    /* the driver switches the cache off, and cannot change anything else */
    SCSI_OK(&s, 0, 24, OP_MODE_SENSE_6, 8, 8, 0, 24, 0);
    data[0] = 0;
    data[6] = 0;
    SCSI_OK(&s, 24, 0, OP_MODE_SELECT_6, 0x10, 0, 0, 24, 0);
    g_assert_false(d->writeback);
    data[7] = 1;
    SCSI_FAILS(&s, SCSI_INVALID_PARAMETER, 24, 0, OP_MODE_SELECT_6, 0x10, 0, 0, 24, 0);
    data[7] = 0;
    data[5] = 0xff;
    SCSI_FAILS(&s, SCSI_INVALID_PARAMETER, 24, 0, OP_MODE_SELECT_6, 0x10, 0, 0, 24, 0);
    SCSI_FAILS(&s, SCSI_PARAMETER_LENGTH, 24, 0, OP_MODE_SELECT_6, 0x10, 0, 0, 3, 0);
    SCSI_FAILS(&s, SCSI_INVALID_FIELD, 24, 0, OP_MODE_SELECT_6, 0x11, 0, 0, 24, 0);
    g_assert_cmpuint(SCSI_RUN(&s, 8, 0, OP_MODE_SELECT_6, 0x10, 0, 0, 24, 0)->response, ==,
                     VIRTIO_SCSI_S_OVERRUN);
    end_file(&s, path);
}

static void test_read_only(void)
{
    Scsi s;
    char *path = start_file(&s, ",'read-only':true", NULL,
                            "scsi-hd,drive=d0,bus=dut.0,scsi-id=0,lun=0", false);

    SCSI_OK(&s, 0, 24, OP_MODE_SENSE_6, 8, 8, 0, 24, 0);
    g_assert_cmphex(scsi_data(&s, 0)[2], ==, 0x90);
    SCSI_FAILS(&s, SCSI_WRITE_PROTECTED, 512, 0, OP_WRITE_10, 0, 0, 0, 0, 0, 0, 0, 1, 0);
    SCSI_FAILS(&s, SCSI_WRITE_PROTECTED, 512, 0, OP_WRITE_SAME_10, 0, 0, 0, 0, 0, 0, 0, 1, 0);
    SCSI_FAILS(&s, SCSI_WRITE_PROTECTED, 24, 0, OP_UNMAP, 0, 0, 0, 0, 0, 0, 0, 24, 0);
    SCSI_OK(&s, 0, 512, OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1, 0);
    end_file(&s, path);
}

/* --- CD-ROM drives --- */

static void test_cdrom(void)
{
    Scsi s;
    char *path = start_file(&s, ",'media':'cdrom'", NULL, "scsi-cd,id=c,drive=d0,bus=dut.0", false);
    const uint8_t *data = scsi_data(&s, 0);

    SCSI_OK(&s, 0, 36, OP_INQUIRY, 0, 0, 0, 36, 0);
    g_assert_cmpmem(data, 4, "\5\x80\5\x12", 4);
    g_assert_cmpmem(data + 8, 24, "QEMU    QEMU CD-ROM     ", 24);
    SCSI_OK(&s, 0, 255, OP_INQUIRY, 1, 0, 0, 255, 0);
    g_assert_cmpmem(data, 6, "\5\0\0\2\0\x83", 6);
    SCSI_OK(&s, 0, 8, OP_READ_CAPACITY_10, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    g_assert_cmpmem(data, 8, "\0\0\1\xff\0\0\x08\0", 8);
    SCSI_OK(&s, 0, 2048, OP_READ_10, 0, 0, 0, 0, 2, 0, 0, 1, 0);
    g_assert_cmphex(data[0], ==, 24);
    SCSI_OK(&s, 0, 20, OP_READ_TOC, 0, 0, 0, 0, 0, 0, 0, 20, 0);
    g_assert_cmpmem(data, 20, "\0\x12\1\1\0\x14\1\0\0\0\0\0\0\x16\xaa\0\0\0\2\0", 20);
    SCSI_OK(&s, 0, 12, OP_READ_TOC, 2, 1, 0, 0, 0, 0, 0, 12, 0);
    g_assert_cmpmem(data, 12, "\0\x0a\1\1\0\x14\1\0\0\0\2\0", 12);
    SCSI_OK(&s, 0, 48, OP_READ_TOC, 0, 2, 0, 0, 0, 0, 0, 48, 0);
    g_assert_cmpmem(data, 4, "\0\x2e\1\1", 4);
    SCSI_OK(&s, 0, 64, OP_GET_CONFIGURATION, 0, 0, 0, 0, 0, 0, 0, 64, 0);
    g_assert_cmpmem(data, 8, "\0\0\0\x24\0\0\0\x08", 8);
    SCSI_OK(&s, 0, 34, OP_READ_DISC_INFORMATION, 0, 0, 0, 0, 0, 0, 0, 34, 0);
    SCSI_OK(&s, 0, 8, OP_MECHANISM_STATUS, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0);
    SCSI_OK(&s, 0, 128, OP_MODE_SENSE_10, 8, 0x2a, 0, 0, 0, 0, 0, 128, 0);
    g_assert_cmpmem(data, 11, "\0\x1c\0\0\0\0\0\0\x2a\x14\x3b", 11);
    SCSI_FAILS(&s, SCSI_INVALID_OPCODE, 2048, 0, OP_WRITE_10, 0, 0, 0, 0, 2, 0, 0, 1, 0);
    end_file(&s, path);
}

/* The guest locks, unlocks, ejects and loads the medium. */
static void test_tray(void)
{
    Scsi s;
    char *path = start_file(&s, ",'media':'cdrom'", NULL, "scsi-cd,id=c,drive=d0,bus=dut.0", false);
    const uint8_t *data = scsi_data(&s, 0);

    SCSI_OK(&s, 0, 0, OP_PREVENT_ALLOW, 0, 0, 0, 1, 0);
    SCSI_FAILS(&s, SCSI_REMOVAL_PREVENTED, 0, 0, OP_START_STOP_UNIT, 0, 0, 0, 2, 0);
    SCSI_OK(&s, 0, 0, OP_PREVENT_ALLOW, 0, 0, 0, 0, 0);
    SCSI_OK(&s, 0, 0, OP_START_STOP_UNIT, 0, 0, 0, 2, 0);
    SCSI_FAILS(&s, SCSI_NO_MEDIUM_OPEN, 0, 0, OP_TEST_UNIT_READY, 0, 0, 0, 0, 0);
    SCSI_OK(&s, 0, 8, OP_GET_EVENT_STATUS, 1, 0, 0, 0x10, 0, 0, 0, 8, 0);
    g_assert_cmpmem(data, 8, "\0\6\4\x10\3\1\0\0", 8);
    SCSI_OK(&s, 0, 8, OP_GET_CONFIGURATION, 0, 0, 0, 0, 0, 0, 0, 8, 0);
    g_assert_cmphex(data[7], ==, 0);
    SCSI_OK(&s, 0, 0, OP_START_STOP_UNIT, 0, 0, 0, 3, 0);
    SCSI_FAILS(&s, scsi_attention_sense(SCSI_ATTENTION_MEDIUM), 0, 0, OP_TEST_UNIT_READY, 0, 0, 0,
               0, 0);
    SCSI_OK(&s, 0, 0, OP_TEST_UNIT_READY, 0, 0, 0, 0, 0);
    SCSI_OK(&s, 0, 8, OP_GET_EVENT_STATUS, 1, 0, 0, 0x10, 0, 0, 0, 8, 0);
    g_assert_cmpmem(data, 8, "\0\6\4\x10\2\2\0\0", 8);
    SCSI_OK(&s, 0, 8, OP_GET_EVENT_STATUS, 1, 0, 0, 0x10, 0, 0, 0, 8, 0);
    g_assert_cmphex(data[4], ==, 0);
    end_file(&s, path);
}

/* A monitor changes the medium: the guest that locked the tray is asked to eject it. */
static void test_change(void)
{
    Scsi s;
    char *path = start_file(&s, ",'media':'cdrom'", NULL, "scsi-cd,id=c,drive=d0,bus=dut.0", false);
    BlockMedia *mm = block_media_find(s.f.m, "d0", NULL, NULL);
    const uint8_t *data = scsi_data(&s, 0);

    g_assert_true(mm == block_media_find(s.f.m, NULL, "c", NULL));
    scsi_offer_events(&s, 2);
    SCSI_OK(&s, 0, 0, OP_PREVENT_ALLOW, 0, 0, 0, 1, 0);
    g_assert_false(block_media_change(mm, path, "raw", false, NULL));
    SCSI_OK(&s, 0, 8, OP_GET_EVENT_STATUS, 1, 0, 0, 0x10, 0, 0, 0, 8, 0);
    g_assert_cmphex(data[4], ==, SCSI_MEDIA_EJECT_REQUEST);
    ASSERT_OK(block_media_change(mm, path, "raw", true, &failure));
    g_assert_cmpint(drv_collect(&s.v, EVENT_QUEUE, 1), ==, 16);
    SCSI_FAILS(&s, scsi_attention_sense(SCSI_ATTENTION_MEDIUM), 0, 0, OP_TEST_UNIT_READY, 0, 0, 0,
               0, 0);
    SCSI_OK(&s, 0, 8, OP_READ_CAPACITY_10, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    g_assert_cmpmem(data, 4, "\0\0\1\xff", 4);
    SCSI_OK(&s, 0, 0, OP_PREVENT_ALLOW, 0, 0, 0, 0, 0);
    ASSERT_OK(block_media_open(mm, false, &failure));
    ASSERT_OK(block_media_remove(mm, &failure));
    SCSI_FAILS(&s, SCSI_NO_MEDIUM_OPEN, 0, 8, OP_READ_CAPACITY_10, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    block_media_move_tray(mm, false);
    SCSI_FAILS(&s, SCSI_NO_MEDIUM, 0, 8, OP_READ_CAPACITY_10, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    end_file(&s, path);
}

static void test_empty(void)
{
    Scsi s;

    scsi_init(&s, NULL, NULL, false);
    scsi_add(&s, "scsi-cd,bus=dut.0");
    SCSI_FAILS(&s, SCSI_NO_MEDIUM, 0, 0, OP_TEST_UNIT_READY, 0, 0, 0, 0, 0);
    SCSI_FAILS(&s, SCSI_NO_MEDIUM, 0, 8, OP_READ_CAPACITY_10, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    SCSI_OK(&s, 0, 36, OP_INQUIRY, 0, 0, 0, 36, 0);
    SCSI_OK(&s, 0, 18, OP_REQUEST_SENSE, 0, 0, 0, 18, 0);
    scsi_fini(&s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/scsi-disk/transfers", test_transfers);
    g_test_add_func("/scsi-disk/ranges", test_ranges);
    g_test_add_func("/scsi-disk/capacity", test_capacity);
    g_test_add_func("/scsi-disk/inquiry", test_inquiry);
    g_test_add_func("/scsi-disk/mode", test_mode);
    g_test_add_func("/scsi-disk/read-only", test_read_only);
    g_test_add_func("/scsi-disk/cdrom", test_cdrom);
    g_test_add_func("/scsi-disk/tray", test_tray);
    g_test_add_func("/scsi-disk/change", test_change);
    g_test_add_func("/scsi-disk/empty", test_empty);
    return g_test_run();
}
