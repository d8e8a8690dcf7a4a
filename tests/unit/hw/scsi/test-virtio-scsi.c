/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio-scsi controller: addresses, lists of units, unit attentions, task management with
 * requests in flight, events of plugged and unplugged units, errors that stop the machine, saved
 * requests, and drivers that violate the specification.
 */
#include <errno.h>

#include "scsi-driver.h"
#include "tests/lib/ok.h"

#define NULL_DRIVE "{'id':'d0','file':{'driver':'null-co','size':67108864},'format':'raw'}"

/* --- a disk that answers late, or fails --- */

static struct {
    bool hold;
    int result;
    BlockRequest *held[16];
    unsigned n_held;
} slow;
static BlockDriver slow_driver;

static void slow_submit(BlockNode *n, BlockRequest *req)
{
    if (slow.hold && slow.n_held < G_N_ELEMENTS(slow.held)) {
        slow.held[slow.n_held++] = req;
    } else {
        block_complete_any(req, slow.result);
    }
}

static void slow_release(void)
{
    slow.hold = false;
    for (unsigned i = 0; i < slow.n_held; i++) {
        block_complete_any(slow.held[i], slow.result);
    }
    slow.n_held = 0;
    scsi_settle();
}

static void start_slow(Scsi *s, const char *unit)
{
    slow.hold = false;
    slow.result = 0;
    slow.n_held = 0;
    slow_driver = block_raw;
    slow_driver.submit = slow_submit;
    scsi_init(s, NULL_DRIVE, NULL, false);
    block_find(s->f.m, "d0")->drv = &slow_driver;
    scsi_add(s, unit);
}

static void offer_read(Scsi *s, unsigned n, uint8_t blocks)
{
    const uint8_t cdb[] = { OP_READ_10, 0, 0, 0, 0, (uint8_t)n, 0, 0, blocks, 0 };

    scsi_offer(s, n, cdb, sizeof(cdb), 0, blocks * 512u);
}

static unsigned collect_all(Scsi *s)
{
    unsigned n = 0;

    scsi_settle();
    while (drv_collect(&s->v, REQUEST_QUEUES, 3) >= 0) {
        n++;
    }
    return n;
}

/* --- registers and addresses --- */

static void test_registers(void)
{
    Scsi s;

    scsi_init(&s, NULL, "num_queues=3,max_sectors=2048,cmd_per_lun=7", false);
    g_assert_cmpuint(drv_config(&s.v, 0, 4), ==, 3);
    g_assert_cmpuint(drv_config(&s.v, 4, 4), ==, 254);
    g_assert_cmpuint(drv_config(&s.v, 8, 4), ==, 2048);
    g_assert_cmpuint(drv_config(&s.v, 12, 4), ==, 7);
    g_assert_cmpuint(drv_config(&s.v, 16, 4), ==, 16);
    g_assert_cmpuint(drv_config(&s.v, 20, 4), ==, 96);
    g_assert_cmpuint(drv_config(&s.v, 24, 4), ==, 32);
    g_assert_cmpuint(drv_config(&s.v, 28, 2), ==, 0);
    g_assert_cmpuint(drv_config(&s.v, 30, 2), ==, 255);
    g_assert_cmpuint(drv_config(&s.v, 32, 4), ==, 16383);
    guest_write(&s.f, s.v.config + 20, 4, 18);
    guest_write(&s.f, s.v.config + 8, 4, 1);
    g_assert_cmpuint(drv_config(&s.v, 20, 4), ==, 18);
    g_assert_cmpuint(drv_config(&s.v, 8, 4), ==, 2048);
    drv_running(&s.v);
    guest_write(&s.f, s.v.config + 24, 4, 256);
    g_assert_cmphex(drv_status(&s.v) & VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
    drv_start(&s.v, 0, 3);
    g_assert_cmpuint(drv_config(&s.v, 20, 4), ==, 96);
    scsi_fini(&s);
}

static void test_addresses(void)
{
    Scsi s;
    const uint8_t *data;
    g_autoptr(GError) err = NULL;

    scsi_init(&s, NULL, NULL, false);
    scsi_add(&s, "scsi-cd,bus=dut.0,scsi-id=2,lun=300");
    scsi_add(&s, "scsi-cd,bus=dut.0,scsi-id=2,lun=5");
    data = scsi_data(&s, 0);
    g_assert_null(scsi_plug(&s, "scsi-cd,bus=dut.0,scsi-id=2,lun=5,id=x", &err));
    g_assert_nonnull(strstr(err->message, "address 0:2:5"));
    g_assert_cmpuint(SCSI_RUN(&s, 0, 36, OP_INQUIRY, 0, 0, 0, 36, 0)->response, ==,
                     VIRTIO_SCSI_S_BAD_TARGET);
    s.target = 2;
    SCSI_OK(&s, 0, 36, OP_INQUIRY, 0, 0, 0, 36, 0);
    g_assert_cmphex(data[0], ==, 0x7f);
    SCSI_FAILS(&s, SCSI_LUN_NOT_SUPPORTED, 0, 0, OP_TEST_UNIT_READY, 0, 0, 0, 0, 0);
    SCSI_OK(&s, 0, 64, OP_REPORT_LUNS, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0);
    g_assert_cmpmem(data, 32,
                    "\0\0\0\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0\0\0\0\x41\x2c\0\0\0\0\0\0", 32);
    SCSI_FAILS(&s, SCSI_INVALID_FIELD, 0, 64, OP_REPORT_LUNS, 0, 3, 0, 0, 0, 0, 0, 0, 64, 0, 0);
    s.lun = 300;
    SCSI_OK(&s, 0, 36, OP_INQUIRY, 0, 0, 0, 36, 0);
    g_assert_cmphex(data[0], ==, 5);
    g_assert_cmpuint(scsi_tmf(&s, VIRTIO_SCSI_T_TMF_QUERY_TASK, 2, 1, 0), ==,
                     VIRTIO_SCSI_S_INCORRECT_LUN);
    g_assert_cmpuint(scsi_tmf(&s, VIRTIO_SCSI_T_TMF_QUERY_TASK, 3, 0, 0), ==,
                     VIRTIO_SCSI_S_BAD_TARGET);
    g_assert_cmpuint(scsi_tmf(&s, VIRTIO_SCSI_T_TMF_CLEAR_ACA, 2, 5, 0), ==,
                     VIRTIO_SCSI_S_FUNCTION_REJECTED);
    scsi_fini(&s);
}

static void test_attentions(void)
{
    Scsi s;
    ScsiDisk *d;

    start_slow(&s, "scsi-hd,id=h,drive=d0,bus=dut.0");
    d = (ScsiDisk *)device_find_id(s.f.m, "h");
    drv_start(&s.v, F_BIT(VIRTIO_SCSI_F_HOTPLUG), REQUEST_QUEUES + 1); /* resets the units */
    SCSI_OK(&s, 0, 36, OP_INQUIRY, 0, 0, 0, 36, 0);
    SCSI_FAILS(&s, scsi_attention_sense(SCSI_ATTENTION_POWER_ON), 0, 0, OP_TEST_UNIT_READY, 0, 0, 0,
               0, 0);
    SCSI_OK(&s, 0, 0, OP_TEST_UNIT_READY, 0, 0, 0, 0, 0);
    g_assert_cmpuint(scsi_tmf(&s, VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET, 0, 0, 0), ==, 0);
    SCSI_OK(&s, 0, 18, OP_REQUEST_SENSE, 0, 0, 0, 18, 0);
    g_assert_cmphex(scsi_data(&s, 0)[2], ==, SCSI_KEY_UNIT_ATTENTION);
    g_assert_cmphex(scsi_data(&s, 0)[13], ==, 3);
    SCSI_OK(&s, 0, 0, OP_TEST_UNIT_READY, 0, 0, 0, 0, 0);
    d->media.locked = true;
    g_assert_cmpuint(scsi_tmf(&s, VIRTIO_SCSI_T_TMF_I_T_NEXUS_RESET, 0, 0, 0), ==, 0);
    g_assert_false(d->media.locked);
    SCSI_FAILS(&s, scsi_attention_sense(SCSI_ATTENTION_NEXUS_LOSS), 0, 0, OP_TEST_UNIT_READY, 0, 0,
               0, 0, 0);
    scsi_add(&s, "scsi-cd,bus=dut.0,scsi-id=0,lun=1");
    SCSI_FAILS(&s, scsi_attention_sense(SCSI_ATTENTION_LUNS), 0, 0, OP_TEST_UNIT_READY, 0, 0, 0, 0,
               0);
    scsi_fini(&s);
}

/* --- task management --- */

static void test_abort(void)
{
    Scsi s;
    struct virtio_scsi_ctrl_tmf_req req = { .subtype = VIRTIO_SCSI_T_TMF_ABORT_TASK, .tag = 101 };
    DrvSeg seg[] = { { RAM + SCSI_TMF, sizeof(req), false }, { RAM + SCSI_TMF + 64, 1, true } };

    start_slow(&s, "scsi-hd,drive=d0,bus=dut.0");
    slow.hold = true;
    offer_read(&s, 1, 1);
    offer_read(&s, 2, 1);
    drv_kick(&s.v, REQUEST_QUEUES);
    g_assert_cmpuint(slow.n_held, ==, 2);
    g_assert_cmpuint(scsi_tmf(&s, VIRTIO_SCSI_T_TMF_QUERY_TASK, 0, 0, 101), ==,
                     VIRTIO_SCSI_S_FUNCTION_SUCCEEDED);
    g_assert_cmpuint(scsi_tmf(&s, VIRTIO_SCSI_T_TMF_QUERY_TASK, 0, 0, 99), ==, VIRTIO_SCSI_S_OK);
    /* the function is answered after the request that it cancels */
    scsi_put_lun(req.lun, 0, 0);
    memcpy(drv_ram(&s.v, SCSI_TMF), &req, sizeof(req));
    drv_offer(&s.v, CONTROL_QUEUE, seg, 2);
    drv_kick(&s.v, CONTROL_QUEUE);
    scsi_settle();
    g_assert_cmpint(drv_collect(&s.v, CONTROL_QUEUE, 2), <, 0);
    slow_release();
    g_assert_cmpint(drv_collect(&s.v, CONTROL_QUEUE, 2), ==, 1);
    g_assert_cmpuint(*drv_ram(&s.v, SCSI_TMF + 64), ==, VIRTIO_SCSI_S_OK);
    g_assert_cmpuint(collect_all(&s), ==, 2);
    g_assert_cmpuint(scsi_response(&s, 1)->response, ==, VIRTIO_SCSI_S_ABORTED);
    scsi_check_good(scsi_response(&s, 2));
    g_assert_cmpuint(scsi_tmf(&s, VIRTIO_SCSI_T_TMF_ABORT_TASK, 0, 0, 101), ==, VIRTIO_SCSI_S_OK);
    scsi_fini(&s);
}

static void test_reset_in_flight(void)
{
    Scsi s;

    start_slow(&s, "scsi-hd,drive=d0,bus=dut.0");
    slow.hold = true;
    offer_read(&s, 1, 1);
    drv_kick(&s.v, REQUEST_QUEUES);
    slow.hold = false;
    block_complete_any(slow.held[0], 0);
    slow.n_held = 0;
    drv_set_status(&s.v, 0); /* waits for the request */
    g_assert_cmpuint(scsi_controller(&s)->all.length, ==, 0);
    g_assert_cmphex(scsi_response(&s, 1)->response, ==, VIRTIO_SCSI_S_OK);
    drv_start(&s.v, 0, REQUEST_QUEUES + 1);
    scsi_fini(&s);
}

/* --- plugging --- */

static const struct virtio_scsi_event *event_at(Scsi *s, unsigned n)
{
    return (const struct virtio_scsi_event *)drv_ram(&s->v, SCSI_EVENTS + 16 * n);
}

static void test_events(void)
{
    Scsi s;

    scsi_init(&s, NULL_DRIVE, NULL, false);
    scsi_offer_events(&s, 3);
    scsi_add(&s, "scsi-hd,id=h,drive=d0,bus=dut.0,scsi-id=7,lun=300");
    g_assert_cmpint(drv_collect(&s.v, EVENT_QUEUE, 1), ==, 16);
    g_assert_cmpuint(event_at(&s, 0)->event, ==, VIRTIO_SCSI_T_TRANSPORT_RESET);
    g_assert_cmpuint(event_at(&s, 0)->reason, ==, VIRTIO_SCSI_EVT_RESET_RESCAN);
    g_assert_cmpmem(event_at(&s, 0)->lun, 8, "\1\7\x41\x2c\0\0\0\0", 8);
    ASSERT_OK(block_resize(block_find(s.f.m, "d0"), 1 << 20, &failure));
    g_assert_cmpint(drv_collect(&s.v, EVENT_QUEUE, 1), ==, 16);
    g_assert_cmpuint(event_at(&s, 1)->event, ==, VIRTIO_SCSI_T_PARAM_CHANGE);
    g_assert_cmphex(event_at(&s, 1)->reason, ==, 0x092a);
    device_unplug(device_find_id(s.f.m, "h"));
    g_assert_cmpint(drv_collect(&s.v, EVENT_QUEUE, 1), ==, 16);
    g_assert_cmpuint(event_at(&s, 2)->reason, ==, VIRTIO_SCSI_EVT_RESET_REMOVED);
    /* without a buffer, and while the machine is stopped */
    scsi_add(&s, "scsi-hd,id=h,drive=d0,bus=dut.0,scsi-id=7,lun=300");
    scsi_offer_events(&s, 2);
    g_assert_cmpint(drv_collect(&s.v, EVENT_QUEUE, 1), ==, 16);
    g_assert_cmphex(event_at(&s, 3)->event, ==, VIRTIO_SCSI_T_EVENTS_MISSED);
    machine_set_state(s.f.m, RUN_PAUSED);
    device_unplug(device_find_id(s.f.m, "h"));
    g_assert_cmpint(drv_collect(&s.v, EVENT_QUEUE, 1), <, 0);
    machine_set_state(s.f.m, RUN_RUNNING);
    scsi_settle();
    g_assert_cmpint(drv_collect(&s.v, EVENT_QUEUE, 1), ==, 16);
    g_assert_cmphex(event_at(&s, 4)->event, ==, VIRTIO_SCSI_T_EVENTS_MISSED);
    scsi_fini(&s);
}

/* A unit is unplugged with a request in flight; the controller with one that waits. */
static void test_unplug(void)
{
    Scsi s;

    start_slow(&s, "scsi-hd,id=h,drive=d0,bus=dut.0");
    slow.hold = true;
    offer_read(&s, 1, 1);
    drv_kick(&s.v, REQUEST_QUEUES);
    block_complete_any(slow.held[0], 0);
    slow.n_held = 0;
    device_unplug(device_find_id(s.f.m, "h"));
    g_assert_cmpuint(collect_all(&s), ==, 1);
    g_assert_cmpuint(scsi_response(&s, 1)->response, ==, VIRTIO_SCSI_S_BAD_TARGET);
    g_assert_cmpuint(scsi_controller(&s)->bus.in_flight, ==, 0);
    slow.hold = false;
    slow.result = -ENOSPC;
    scsi_add(&s, "scsi-hd,id=h,drive=d0,bus=dut.0,rerror=stop");
    offer_read(&s, 2, 1);
    drv_kick(&s.v, REQUEST_QUEUES);
    scsi_settle();
    g_assert_cmpint(s.f.m->state, ==, RUN_IO_ERROR);
    device_unplug(&s.v.d->dev);
    scsi_fini(&s);
}

/* --- errors and saved requests --- */

static void test_errors(void)
{
    Scsi s;

    start_slow(&s, "scsi-hd,drive=d0,bus=dut.0,rerror=report,werror=ignore");
    slow.result = -EIO;
    SCSI_FAILS(&s, SCSI_READ_ERROR, 0, 512, OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1, 0);
    SCSI_OK(&s, 512, 0, OP_WRITE_10, 0, 0, 0, 0, 0, 0, 0, 1, 0);
    scsi_fini(&s);
    start_slow(&s, "scsi-hd,drive=d0,bus=dut.0,werror=report");
    slow.result = -ENOSPC;
    SCSI_FAILS(&s, SCSI_SPACE_ALLOCATION, 512, 0, OP_WRITE_10, 0, 0, 0, 0, 0, 0, 0, 1, 0);
    slow.result = -EIO;
    SCSI_FAILS(&s, SCSI_WRITE_ERROR, 0, 0, OP_SYNCHRONIZE_CACHE_10, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    scsi_fini(&s);
}

/* Requests that stopped the machine continue here, or after their state was loaded. */
static void test_kept(void)
{
    Scsi s;
    g_autoptr(GByteArray) state = NULL, again = NULL;

    start_slow(&s, "scsi-hd,drive=d0,bus=dut.0,rerror=stop");
    slow.result = -EIO;
    offer_read(&s, 1, 1);
    offer_read(&s, 2, 1);
    drv_kick(&s.v, REQUEST_QUEUES);
    scsi_settle();
    g_assert_cmpint(s.f.m->state, ==, RUN_IO_ERROR);
    g_assert_cmpuint(scsi_controller(&s)->kept.length, ==, 2);
    state = save_state(s.v.d);
    slow.result = 0;
    ASSERT_OK(load_state(s.v.d, state, &failure));
    g_assert_cmpuint(scsi_controller(&s)->all.length, ==, 0);
    g_assert_cmpuint(scsi_controller(&s)->n_loaded, ==, 2);
    again = save_state(s.v.d);
    g_assert_cmpmem(state->data, state->len, again->data, again->len);
    machine_set_state(s.f.m, RUN_RUNNING);
    g_assert_cmpuint(collect_all(&s), ==, 2);
    scsi_check_good(scsi_response(&s, 1));
    scsi_check_good(scsi_response(&s, 2));
    scsi_fini(&s);
}

static void test_kept_here(void)
{
    Scsi s;

    start_slow(&s, "scsi-hd,drive=d0,bus=dut.0,rerror=stop");
    slow.result = -EIO;
    offer_read(&s, 1, 1);
    offer_read(&s, 2, 1);
    drv_kick(&s.v, REQUEST_QUEUES);
    scsi_settle();
    slow.result = 0;
    machine_set_state(s.f.m, RUN_RUNNING);
    g_assert_cmpuint(collect_all(&s), ==, 2);
    scsi_check_good(scsi_response(&s, 1));
    slow.result = -EIO;
    offer_read(&s, 1, 1);
    drv_kick(&s.v, REQUEST_QUEUES);
    scsi_settle();
    drv_set_status(&s.v, 0);
    g_assert_cmpuint(scsi_controller(&s)->all.length, ==, 0);
    scsi_fini(&s);
}

static void test_saved_checks(void)
{
    Scsi s;
    g_autoptr(GByteArray) state = NULL;
    g_autoptr(GError) err = NULL;

    start_slow(&s, "scsi-hd,drive=d0,bus=dut.0,rerror=stop");
    slow.result = -EIO;
    offer_read(&s, 1, 1);
    drv_kick(&s.v, REQUEST_QUEUES);
    scsi_settle();
    state = save_state(s.v.d);
    state->data[state->len - 3] = 9; /* the queue of the request */
    g_assert_false(load_state(s.v.d, state, &err));
    g_assert_nonnull(strstr(err->message, "a request of queue 9 (request queues: 2 to 2)"));
    scsi_fini(&s);
}

/* Large transfers are split, and continue in later turns. */
static void test_steps(void)
{
    Scsi s;
    static const uint8_t same[] = {
        OP_WRITE_SAME_16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x0f, 0, 0, 0
    };

    start_slow(&s, "scsi-hd,drive=d0,bus=dut.0");
    memset(scsi_data(&s, 0), 1, 512);
    scsi_check_good(scsi_run(&s, same, sizeof(same), 512, 0));
    memset(scsi_data(&s, 0), 0, 512);
    scsi_check_good(scsi_run(&s, same, sizeof(same), 512, 0));
    g_assert_cmpuint(scsi_controller(&s)->bus.bytes_in_flight, ==, 0);
    scsi_fini(&s);
}

/* --- drivers that violate the specification --- */

static void test_hostile(void)
{
    Scsi s;
    DrvSeg head = { RAM + SCSI_HEAD, 20, false }, resp = { RAM + SCSI_RESP, 200, true };
    DrvSeg both[] = { { RAM + SCSI_HEAD, 51, false },
                      { RAM + SCSI_DATA, 8, false },
                      { RAM + SCSI_RESP, 116, true } };
    DrvSeg brief[] = { head, resp };

    start_slow(&s, "scsi-hd,drive=d0,bus=dut.0");
    g_assert_cmpuint(SCSI_RUN(&s, 0, 512, OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 2, 0)->response, ==,
                     VIRTIO_SCSI_S_OVERRUN);
    g_assert_cmpuint(SCSI_RUN(&s, 512, 0, OP_READ_10, 0, 0, 0, 0, 0, 0, 0, 1, 0)->response, ==,
                     VIRTIO_SCSI_S_OVERRUN);
    g_assert_cmpuint(SCSI_RUN(&s, 0, 512, OP_WRITE_10, 0, 0, 0, 0, 0, 0, 0, 1, 0)->response, ==,
                     VIRTIO_SCSI_S_OVERRUN);
    g_assert_cmpuint(SCSI_RUN(&s, 0, 8, OP_INQUIRY, 0, 0, 0, 36, 0)->response, ==,
                     VIRTIO_SCSI_S_OVERRUN);
    scsi_put_lun(drv_ram(&s.v, SCSI_HEAD), 0, 0);
    drv_offer(&s.v, REQUEST_QUEUES, both, 3);
    drv_kick(&s.v, REQUEST_QUEUES);
    g_assert_cmpint(drv_wait(&s.v, REQUEST_QUEUES, 3), >=, 0);
    g_assert_cmpuint(scsi_response(&s, 0)->response, ==, VIRTIO_SCSI_S_OVERRUN);
    drv_running(&s.v);
    drv_offer(&s.v, REQUEST_QUEUES, brief, 2);
    drv_kick(&s.v, REQUEST_QUEUES);
    g_assert_cmphex(drv_status(&s.v) & VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
    drv_start(&s.v, 0, REQUEST_QUEUES + 1);
    brief[0].len = 3;
    drv_offer(&s.v, CONTROL_QUEUE, brief, 2);
    drv_kick(&s.v, CONTROL_QUEUE);
    g_assert_cmphex(drv_status(&s.v) & VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
    scsi_fini(&s);
}

static void refuse(Scsi *s, const char *text, const char *words)
{
    g_autoptr(GError) err = NULL;

    g_assert_null(scsi_plug(s, text, &err));
    if (!strstr(err->message, words)) {
        g_error("'%s' does not contain '%s'", err->message, words);
    }
}

static void test_refused(void)
{
    Scsi s;

    scsi_init(&s, NULL_DRIVE, NULL, false);
    refuse(&s, "scsi-hd,id=h,bus=dut.0", "property 'drive' is required");
    refuse(&s, "scsi-hd,id=h,bus=dut.0,drive=nope", "no drive or block node named 'nope'");
    refuse(&s, "scsi-hd,id=h,bus=pcie.0,drive=d0", "bus 'pcie.0' is not a SCSI bus");
    refuse(&s, "scsi-hd,id=h,bus=dut.0,drive=d0,logical_block_size=600", "power of two");
    refuse(&s, "scsi-hd,id=h,bus=dut.0,drive=d0,logical_block_size=4096", "physical_block_size");
    refuse(&s, "scsi-cd,id=h,bus=dut.0,device_id=123456789012345678901", "at most 20 bytes");
    scsi_add(&s, "scsi-hd,id=h,bus=dut.0,drive=d0");
    refuse(&s, "scsi-cd,id=i,bus=dut.0", "already used by 'h'");
    refuse(&s, "scsi-hd,id=i,bus=dut.0,scsi-id=1,drive=d0", "already in use");
    scsi_fini(&s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtio-scsi/registers", test_registers);
    g_test_add_func("/virtio-scsi/addresses", test_addresses);
    g_test_add_func("/virtio-scsi/attentions", test_attentions);
    g_test_add_func("/virtio-scsi/abort", test_abort);
    g_test_add_func("/virtio-scsi/reset-in-flight", test_reset_in_flight);
    g_test_add_func("/virtio-scsi/events", test_events);
    g_test_add_func("/virtio-scsi/unplug", test_unplug);
    g_test_add_func("/virtio-scsi/errors", test_errors);
    g_test_add_func("/virtio-scsi/kept", test_kept);
    g_test_add_func("/virtio-scsi/kept-here", test_kept_here);
    g_test_add_func("/virtio-scsi/saved-checks", test_saved_checks);
    g_test_add_func("/virtio-scsi/steps", test_steps);
    g_test_add_func("/virtio-scsi/hostile", test_hostile);
    g_test_add_func("/virtio-scsi/refused", test_refused);
    return g_test_run();
}
