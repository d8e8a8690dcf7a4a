/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unplug at each step of a plug, in every way, with a virtio disk driven up to requests in flight:
 * nothing crashes, no completed write is lost, and the slot and the back end accept the next
 * device. Also the QMP interface of unplugging.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "libqtest.h"
#include "tests/lib/wait.h"

enum { PORT = 1, SLTCTL = 0x18, SLTSTA = 0x1a };
enum {
    PIC_ON = 0x0100,
    PIC_BLINK = 0x0200,
    PIC_OFF = 0x0300,
    AIC_OFF = 0x00c0,
    POWER_OFF = 0x0400,
};
#define BAR4   0x40000000ull /* below the port's window */
#define RING   0x80100000ull
#define NOTIFY (BAR4 + 0x3000)
enum { REQUESTS = 8, LENGTH = 4096, SECTOR = 512 };
enum { HEADERS = 0x4000, STATUS = 0x5000, DATA = 0x8000 }; /* from RING */

typedef struct Plug {
    QTest *q;
    char *image;
    uint8_t exp;
} Plug;

static void answer(Plug *p, uint16_t control)
{
    pci_write(p->q, 0, PORT, 0, p->exp + SLTCTL, 2, control | AIC_OFF);
}

static void add_disk(Plug *p)
{
    json_object_put(qmp_return(p->q, "{'execute':'device_add','arguments':{'driver':"
                                     "'virtio-blk-pci','id':'d','bus':'rp','drive':'n'}}"));
}

/* --- the steps of a plug, in order --- */

static void see_button(Plug *p)
{
    uint16_t status = pci_read(p->q, 0, PORT, 0, p->exp + SLTSTA, 2);

    g_assert_cmphex(status & 0x49, ==, 0x49); /* present, changed, button */
    pci_write(p->q, 0, PORT, 0, p->exp + SLTSTA, 2, status);
}

static void blink(Plug *p)
{
    answer(p, PIC_BLINK | POWER_OFF);
}

static void power_on(Plug *p)
{
    answer(p, PIC_BLINK);
}

static void steady(Plug *p)
{
    answer(p, PIC_ON);
}

static void configure(Plug *p)
{
    g_assert_cmphex(pci_read(p->q, 1, 0, 0, 0, 4), ==, 0x10421af4);
    pci_place_bar(p->q, 1, 0, 0, 4, BAR4);
    pci_write(p->q, 1, 0, 0, 4, 2, 6);
}

static void negotiate(Plug *p)
{
    qtest_write(p->q, BAR4 + 0x14, 1, 3);
    qtest_write(p->q, BAR4 + 0x08, 4, 1); /* VIRTIO_F_VERSION_1 */
    qtest_write(p->q, BAR4 + 0x0c, 4, 1);
    qtest_write(p->q, BAR4 + 0x14, 1, 11);
    g_assert_cmphex(qtest_read(p->q, BAR4 + 0x14, 1), ==, 11);
}

static void enable_queue(Plug *p)
{
    qtest_write(p->q, RING + 0x1000, 4, 0); /* empty rings */
    qtest_write(p->q, RING + 0x2000, 4, 0);
    qtest_write(p->q, BAR4 + 0x16, 2, 0);
    qtest_write(p->q, BAR4 + 0x18, 2, 32);
    qtest_write(p->q, BAR4 + 0x20, 4, RING);
    qtest_write(p->q, BAR4 + 0x28, 4, RING + 0x1000);
    qtest_write(p->q, BAR4 + 0x30, 4, RING + 0x2000);
    qtest_write(p->q, BAR4 + 0x1c, 2, 1);
}

static void driver_ok(Plug *p)
{
    qtest_write(p->q, BAR4 + 0x14, 1, 15);
}

static void describe(Plug *p, unsigned at, uint64_t addr, uint32_t len, uint16_t flags)
{
    qtest_write(p->q, RING + 16 * at, 8, addr);
    qtest_write(p->q, RING + 16 * at + 8, 4, len);
    qtest_write(p->q, RING + 16 * at + 12, 2, flags);
    qtest_write(p->q, RING + 16 * at + 14, 2, at + 1);
}

/* Each request writes LENGTH bytes with its number at its offset. */
static void submit(Plug *p)
{
    uint8_t data[LENGTH];

    for (unsigned i = 0; i < REQUESTS; i++) {
        memset(data, i + 1, sizeof(data));
        qtest_memwrite(p->q, RING + DATA + i * LENGTH, data, sizeof(data));
        qtest_write(p->q, RING + HEADERS + 16 * i, 8, 1);
        qtest_write(p->q, RING + HEADERS + 16 * i + 8, 8, i * LENGTH / SECTOR);
        qtest_write(p->q, RING + STATUS + i, 1, 0xff);
        describe(p, 3 * i, RING + HEADERS + 16 * i, 16, 1);
        describe(p, 3 * i + 1, RING + DATA + i * LENGTH, LENGTH, 1);
        describe(p, 3 * i + 2, RING + STATUS + i, 1, 2);
        qtest_write(p->q, RING + 0x1004 + 2 * i, 2, 3 * i);
    }
    qtest_write(p->q, RING + 0x1002, 2, REQUESTS);
    qtest_write(p->q, NOTIFY, 2, 0);
}

static void (*const steps[])(Plug *p) = {
    see_button, blink, power_on, steady, configure, negotiate, enable_queue, driver_ok, submit,
};

/* --- the ways to unplug --- */

static void by_request(Plug *p)
{
    json_object_put(qmp_return(p->q, "{'execute':'device_del','arguments':{'id':'d'}}"));
    answer(p, PIC_BLINK);
    answer(p, PIC_OFF | POWER_OFF);
}

static void by_force(Plug *p)
{
    json_object_put(qmp_return(p->q, "{'execute':'unplug-force','arguments':{'id':'d'}}"));
    answer(p, PIC_OFF | POWER_OFF);
}

static void by_force_while_asked(Plug *p)
{
    json_object_put(qmp_return(p->q, "{'execute':'unplug-request','arguments':"
                                     "{'id':'d','timeout':1000}}"));
    json_object_put(qmp(p->q, "{'execute':'unplug-force','arguments':{'id':'d'}}"));
    qtest_clock_step(p->q, 2000000000);
    answer(p, PIC_OFF | POWER_OFF);
}

static void by_request_cancelled(Plug *p)
{
    json_object_put(qmp_return(p->q, "{'execute':'unplug-request','arguments':{'id':'d'}}"));
    json_object_put(qmp(p->q, "{'execute':'unplug-cancel','arguments':{'id':'d'}}"));
    answer(p, PIC_OFF | POWER_OFF);
    json_object_put(qmp(p->q, "{'execute':'device_del','arguments':{'id':'d'}}"));
}

static void by_reset(Plug *p)
{
    json_object_put(qmp_return(p->q, "{'execute':'system_reset'}"));
    json_object_put(qmp_event(p->q, "RESET"));
    by_request(p);
}

static void (*const ways[])(Plug *p) = {
    by_request, by_force, by_force_while_asked, by_request_cancelled, by_reset,
};

static Plug start(void)
{
    Plug p;
    g_autofree char *args = NULL;
    int fd = g_file_open_tmp("bp-XXXXXX", &p.image, NULL);

    g_assert_cmpint(ftruncate(fd, REQUESTS * LENGTH), ==, 0);
    close(fd);
    args = g_strdup_printf("-M virt -device pcie-root-port,id=rp,addr=%u -blockdev driver=raw,"
                           "node-name=n,file.driver=file,file.filename=%s",
                           PORT, p.image);
    p.q = qtest_start(args);
    p.exp = pci_find_cap(p.q, 0, PORT, 0, 0x10);
    return p;
}

static void open_port(Plug *p)
{
    pci_write(p->q, 0, PORT, 0, 0x18, 4, 0x00010100);
    pci_write(p->q, 0, PORT, 0, 0x20, 4, 0x40004000);
    pci_write(p->q, 0, PORT, 0, 0x24, 4, 0x0001fff1);
    pci_write(p->q, 0, PORT, 0, 4, 2, 6);
}

static void check_writes(Plug *p)
{
    g_autofree char *bytes = NULL;
    gsize len;

    g_assert_true(g_file_get_contents(p->image, &bytes, &len, NULL));
    for (unsigned i = 0; i < REQUESTS; i++) {
        if (qtest_read(p->q, RING + STATUS + i, 1) == 0) {
            const uint8_t *got = (const uint8_t *)bytes + (size_t)i * LENGTH;

            g_assert_cmpuint(got[0], ==, i + 1);
            g_assert_cmpuint(got[LENGTH - 1], ==, i + 1);
        }
    }
}

static bool all_done(Plug *p)
{
    uint8_t status[REQUESTS], fine[REQUESTS] = { 0 };

    qtest_memread(p->q, RING + STATUS, status, sizeof(status));
    return memcmp(status, fine, sizeof(status)) == 0;
}

/* A disk plugged into the slot works normally. */
static void plug_and_use(Plug *p)
{
    add_disk(p);
    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        steps[i](p);
    }
    WAIT_UNTIL (all_done(p), 20) {
    }
    by_force(p);
    check_writes(p);
}

static void plug_and_leave(size_t n_steps, void (*leave)(Plug *p))
{
    Plug p = start();

    open_port(&p);
    for (unsigned round = 0; round < 2; round++) {
        add_disk(&p);
        for (size_t i = 0; i < n_steps; i++) {
            steps[i](&p);
        }
        leave(&p);
        json_object_put(qmp_event(p.q, "DEVICE_DELETED"));
        if (n_steps == G_N_ELEMENTS(steps)) {
            check_writes(&p);
        }
        g_assert_cmphex(pci_read(p.q, 0, PORT, 0, p.exp + SLTSTA, 2) & 0x40, ==, 0);
        open_port(&p); /* by_reset() clears the registers of the port */
        pci_write(p.q, 0, PORT, 0, p.exp + SLTSTA, 2, 0xffff);
        answer(&p, PIC_OFF | POWER_OFF);
    }
    plug_and_use(&p);
    json_object_put(qmp_return(p.q, "{'execute':'blockdev-del','arguments':{'node-name':'n'}}"));
    qtest_end(p.q);
    g_unlink(p.image);
    g_free(p.image);
}

static void test_each_step(void)
{
    for (size_t n = 0; n <= G_N_ELEMENTS(steps); n++) {
        for (size_t way = 0; way < G_N_ELEMENTS(ways); way++) {
            plug_and_leave(n, ways[way]);
        }
    }
}

/* --- memory after unplugging --- */

enum { CYCLES = 120, WARM_UP = 40, LEAK = 2 /* KiB per cycle */ };

static void add_disk_and_node(Plug *p)
{
    json_object_put(qmp_return(p->q,
                               "{'execute':'blockdev-add','arguments':{'driver':'raw','node-name':"
                               "'n','file':{'driver':'file','filename':'%s'}}}",
                               p->image));
    add_disk(p);
}

static void remove_node(Plug *p)
{
    json_object_put(qmp_return(p->q, "{'execute':'blockdev-del','arguments':{'node-name':'n'}}"));
}

static void cycle(Plug *p)
{
    add_disk_and_node(p);
    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        steps[i](p);
    }
    by_request(p);
    json_object_put(qmp_event(p->q, "DEVICE_DELETED"));
    remove_node(p);
    open_port(p);
    pci_write(p->q, 0, PORT, 0, p->exp + SLTSTA, 2, 0xffff);
    answer(p, PIC_OFF | POWER_OFF);
}

/* No CPU runs, so the emulator's memory consists of the memory of its devices and their back ends.
 * The sanitizers delay the release of freed memory, or need memory for their own records. */
static void test_memory(void)
{
    Plug p;
    unsigned long before = 0, after;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    g_test_skip("the sanitizer uses memory of its own");
    return;
#endif
    p = start();
    open_port(&p);
    remove_node(&p);
    for (unsigned i = 0; i < CYCLES; i++) {
        if (i == WARM_UP) {
            before = qtest_memory(p.q);
        }
        cycle(&p);
    }
    after = qtest_memory(p.q);
    g_test_message("own memory %lu KiB, then %lu", before, after);
    g_assert_cmpuint(after, <, before + LEAK * (CYCLES - WARM_UP));
    qtest_end(p.q);
    g_unlink(p.image);
    g_free(p.image);
}

/* --- the QMP interface --- */

static void check_says(QTest *q, const char *command, const char *says)
{
    struct json_object *answered = qmp(q, "%s", command);
    const char *text = json_object_to_json_string_ext(answered, JSON_C_TO_STRING_PLAIN);

    if (!strstr(text, "GenericError") || !strstr(text, says)) {
        g_error("'%s' does not contain '%s'", text, says);
    }
    json_object_put(answered);
}

static void test_refusals(void)
{
    QTest *q = qtest_start("-M virt -device pcie-root-port,id=rp,addr=1 -device ticker,id=t,bus=rp "
                           "-device pcie-root-port,id=off,addr=2,hotplug=off "
                           "-device ticker,id=u,bus=off -device ticker,id=v,addr=3");

    json_object_put(qmp_return(q, "{'execute':'device_del','arguments':{'id':'t'}}"));
    check_says(q, "{'execute':'device_del','arguments':{'id':'t'}}",
               "Device t is already in the process of unplug");
    check_says(q, "{'execute':'unplug-request','arguments':{'id':'t'}}",
               "Device t is already in the process of unplug");
    check_says(q, "{'execute':'unplug-request','arguments':{'id':'t','timeout':-1}}", "'timeout'");
    check_says(q, "{'execute':'device_del','arguments':{'id':'u'}}", "hotplug=off");
    check_says(q, "{'execute':'unplug-force','arguments':{'id':'v'}}", "pcie-root-port");
    check_says(q, "{'execute':'unplug-cancel','arguments':{'id':'v'}}", "pcie-root-port");
    json_object_put(qmp_return(q, "{'execute':'unplug-cancel','arguments':{'id':'t'}}"));
    check_says(q, "{'execute':'unplug-cancel','arguments':{'id':'t'}}", "no unplug under way");
    qtest_end(q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hotplug/each-step", test_each_step);
    g_test_add_func("/hotplug/memory", test_memory);
    g_test_add_func("/hotplug/refusals", test_refusals);
    return g_test_run();
}
