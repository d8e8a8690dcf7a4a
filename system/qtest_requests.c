/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The requests of the qtest protocol, as rows of a const table (contract in system/qtest.h). Hex
 * data is formatted without printf(), because clients pipeline a million lines a second.
 */
#include "qtest_internal.h"

#include <string.h>

#include "hw/core/clock.h"
#include "hw/core/cpu.h"

/* --- replies and arguments --- */

static void reply_ok(Qtest *q)
{
    g_string_append_len(q->out, "OK\n", 3);
}

static const char hex_digits[] = "0123456789abcdef";

/* Append the reply "OK 0x" and @digits hexadecimal digits. */
static void reply_hex(Qtest *q, uint64_t value, unsigned digits)
{
    char text[5 + 16 + 1] = "OK 0x";

    for (unsigned i = 0; i < digits; i++) {
        text[5 + i] = hex_digits[value >> 4 * (digits - 1 - i) & 15];
    }
    text[5 + digits] = '\n';
    g_string_append_len(q->out, text, digits + 6);
}

/* Set *value to word @i as a number. Append an ERR reply and return false if it is not a number. */
static bool request_arg(Qtest *q, const QtestWords *r, unsigned i, uint64_t *value)
{
    if (qtest_number(r->w[i], value)) {
        return true;
    }
    qtest_reply(q, "ERR argument %u of %.*s is not a 64-bit number", i, (int)r->w[0].len,
                r->w[0].s);
    return false;
}

/* Set *addr and *len to words 1 and 2 of a block command. Append an ERR reply and return false if
 * they are not valid. */
static bool range_args(Qtest *q, const QtestWords *r, uint64_t *addr, uint64_t *len)
{
    if (!request_arg(q, r, 1, addr) || !request_arg(q, r, 2, len)) {
        return false;
    }
    if (*len > QTEST_LEN_MAX) {
        qtest_reply(q, "ERR length %" PRIu64 " is too large: at most %u bytes", *len,
                    QTEST_LEN_MAX);
        return false;
    }
    return true;
}

static uint8_t *buffer(Qtest *q, uint64_t len)
{
    uint8_t *p = g_try_malloc0(len ? len : 1);

    if (!p) {
        qtest_reply(q, "ERR no memory for %" PRIu64 " bytes", len);
    }
    return p;
}

/* --- single accesses --- */

static unsigned width_of(char suffix)
{
    switch (suffix) {
    case 'b':
        return 1;
    case 'w':
        return 2;
    case 'l':
        return 4;
    default:
        return 8;
    }
}

static void do_read(Qtest *q, const QtestWords *r)
{
    uint64_t addr, value = 0;

    if (request_arg(q, r, 1, &addr)) {
        mem_read_memo(&q->m->memory, &q->memo, addr, width_of(r->w[0].s[4]), &value);
        reply_hex(q, value, 16);
    }
}

static void do_write(Qtest *q, const QtestWords *r)
{
    uint64_t addr, value;

    if (request_arg(q, r, 1, &addr) && request_arg(q, r, 2, &value)) {
        mem_write_memo(&q->m->memory, &q->memo, addr, width_of(r->w[0].s[5]), value);
        reply_ok(q);
    }
}

static bool port_arg(Qtest *q, const QtestWords *r, uint64_t *port)
{
    if (!request_arg(q, r, 1, port)) {
        return false;
    }
    if (*port > 0xffff) {
        qtest_reply(q, "ERR port 0x%" PRIx64 " is too large: at most 0xffff", *port);
        return false;
    }
    return true;
}

static void request_do_in(Qtest *q, const QtestWords *r)
{
    uint64_t port, value = 0;

    if (port_arg(q, r, &port)) {
        mem_read(&q->m->io, port, width_of(r->w[0].s[2]), &value);
        qtest_reply(q, "OK 0x%04" PRIx64, value);
    }
}

static void do_out(Qtest *q, const QtestWords *r)
{
    uint64_t port, value;

    if (port_arg(q, r, &port) && request_arg(q, r, 2, &value)) {
        mem_write(&q->m->io, port, width_of(r->w[0].s[3]), value);
        reply_ok(q);
    }
}

/* --- blocks --- */

static void do_read_block(Qtest *q, const QtestWords *r)
{
    uint64_t addr, len;
    g_autofree uint8_t *data = NULL;
    uint8_t small[64];
    uint8_t *p = small;
    size_t at;

    if (!range_args(q, r, &addr, &len)) {
        return;
    }
    if (len == 0) {
        qtest_reply(q, "ERR length of read is 0");
        return;
    }
    if (len > sizeof(small) && !(p = data = buffer(q, len))) {
        return;
    }
    mem_read_buf(&q->m->memory, addr, p, len);
    g_string_append_len(q->out, "OK 0x", 5);
    at = q->out->len;
    g_string_set_size(q->out, at + 2 * len);
    for (uint64_t i = 0; i < len; i++) {
        q->out->str[at + 2 * i] = hex_digits[p[i] >> 4];
        q->out->str[at + 2 * i + 1] = hex_digits[p[i] & 15];
    }
    g_string_append_c(q->out, '\n');
}

static void do_write_block(Qtest *q, const QtestWords *r)
{
    uint64_t addr, len;
    g_autofree uint8_t *data = NULL;
    uint8_t small[64] = { 0 };
    uint8_t *p = small;

    if (!range_args(q, r, &addr, &len)) {
        return;
    }
    if (r->w[3].len < 3 || r->w[3].s[0] != '0' || r->w[3].s[1] != 'x') {
        qtest_reply(q, "ERR invalid argument size");
        return;
    }
    if (len > sizeof(small) && !(p = data = buffer(q, len))) {
        return;
    }
    if (!qtest_hex_bytes(r->w[3], p, len)) {
        qtest_reply(q, "ERR data of write has a character that is not a hexadecimal digit");
        return;
    }
    mem_write_buf(&q->m->memory, addr, p, len);
    reply_ok(q);
}

static void do_b64read(Qtest *q, const QtestWords *r)
{
    uint64_t addr, len;
    g_autofree uint8_t *data = NULL;
    g_autofree char *text = NULL;

    if (range_args(q, r, &addr, &len) && (data = buffer(q, len))) {
        mem_read_buf(&q->m->memory, addr, data, len);
        text = g_base64_encode(data, len);
        g_string_append(q->out, "OK ");
        g_string_append(q->out, text);
        g_string_append_c(q->out, '\n');
    }
}

static void do_b64write(Qtest *q, const QtestWords *r)
{
    uint64_t addr, len;
    g_autofree char *text = g_strndup(r->w[3].s, r->w[3].len);
    g_autofree uint8_t *data = NULL, *padded = NULL;
    gsize have = 0;

    if (!range_args(q, r, &addr, &len) || !(padded = buffer(q, len))) {
        return;
    }
    data = g_base64_decode(text, &have);
    memcpy(padded, data, MIN(have, len));
    mem_write_buf(&q->m->memory, addr, padded, len);
    reply_ok(q);
}

static void do_memset(Qtest *q, const QtestWords *r)
{
    uint64_t addr, len, value;

    if (request_arg(q, r, 1, &addr) && request_arg(q, r, 2, &len) && request_arg(q, r, 3, &value)) {
        if (len > QTEST_LEN_MAX) {
            qtest_reply(q, "ERR length %" PRIu64 " is too large: at most %u bytes", len,
                        QTEST_LEN_MAX);
            return;
        }
        mem_set(&q->m->memory, addr, (uint8_t)value, len);
        reply_ok(q);
    }
}

/* --- the clock --- */

static void step_to(Qtest *q, int64_t from, int64_t to)
{
    if (to <= from || !clocks_step_to(q->m->clocks, to)) {
        qtest_reply(q, "FAIL the virtual clock is at %" PRIi64 " and moves only forward", from);
        return;
    }
    qtest_reply(q, "OK %" PRIi64, clock_now_any(q->m, CLOCK_KIND_VIRTUAL));
}

static bool stepped(Qtest *q)
{
    if (!q->m->qtest) {
        qtest_reply(q, "FAIL the virtual clock is not stepped: start with -accel qtest");
    }
    return q->m->qtest;
}

static void do_clock_step(Qtest *q, const QtestWords *r)
{
    int64_t now = clock_now_any(q->m, CLOCK_KIND_VIRTUAL), to;
    uint64_t by;

    if (!stepped(q)) {
        return;
    }
    if (r->n == 1) {
        to = clocks_deadline(q->m->clocks, CLOCK_KIND_VIRTUAL);
        if (to == CLOCK_NEVER) {
            qtest_reply(q, "FAIL no timer is pending on the virtual clock");
            return;
        }
        /* a timer that has expired runs although the clock does not advance */
        if (to <= now && clocks_step_to(q->m->clocks, now)) {
            qtest_reply(q, "OK %" PRIi64, now);
            return;
        }
        step_to(q, now, to);
    } else if (request_arg(q, r, 1, &by)) {
        if (by > (uint64_t)(CLOCK_NEVER - 1 - now)) {
            qtest_reply(q, "FAIL the virtual clock cannot move by %" PRIu64 " ns", by);
            return;
        }
        step_to(q, now, now + (int64_t)by);
    }
}

static void do_clock_set(Qtest *q, const QtestWords *r)
{
    uint64_t to;

    if (!stepped(q) || !request_arg(q, r, 1, &to)) {
        return;
    }
    if (to >= CLOCK_NEVER) {
        qtest_reply(q, "FAIL the virtual clock cannot be set to %" PRIu64 " ns", to);
        return;
    }
    step_to(q, clock_now_any(q->m, CLOCK_KIND_VIRTUAL), (int64_t)to);
}

/* --- interrupts --- */

static Device *find_device(Qtest *q, QtestWord path)
{
    g_autofree char *name = g_strndup(path.s, path.len);
    Device *dev = device_find_path(q->m, name);

    if (!dev) {
        qtest_reply(q, "FAIL Unknown device '%s'", name);
    }
    return dev;
}

static void on_irq(void *opaque, unsigned n, bool level)
{
    Qtest *q = opaque;

    g_string_append_printf(q->out, "IRQ %s %u\n", level ? "raise" : "lower", n);
    if (!q->busy) {
        qtest_flush(q, 0); /* raised between requests, for example by a back end */
    }
}

void qtest_unwatch(Qtest *q)
{
    for (unsigned i = 0; q->watched && i < q->watched->n_irq_in; i++) {
        q->watched->irq_in[i].watch = NULL;
    }
    if (q->watched) {
        device_unpin_any(q->watched);
    }
    q->watched = NULL;
}

static void do_intercept_in(Qtest *q, const QtestWords *r)
{
    Device *dev = find_device(q, r->w[1]);

    if (!dev) {
        return;
    }
    if (q->watched && q->watched != dev) {
        qtest_reply(q, "FAIL IRQ intercept already enabled on '%s'", q->watched->path);
        return;
    }
    if (!dev->n_irq_in) {
        qtest_reply(q, "FAIL device '%s' has no interrupt inputs", dev->path);
        return;
    }
    if (!q->watched) {
        device_pin_any(dev);
        q->watched = dev;
        for (unsigned i = 0; i < dev->n_irq_in; i++) {
            dev->irq_in[i].watch = on_irq;
            dev->irq_in[i].watch_opaque = q;
        }
    }
    reply_ok(q);
}

static void do_intercept_out(Qtest *q, const QtestWords *r)
{
    Device *dev = find_device(q, r->w[1]);

    if (dev) {
        qtest_reply(q,
                    "FAIL outputs of '%s' cannot be watched: use irq_intercept_in on the interrupt "
                    "controller they are connected to",
                    dev->path);
    }
}

static void do_set_irq_in(Qtest *q, const QtestWords *r)
{
    Device *dev = find_device(q, r->w[1]);
    uint64_t n, level;

    if (!dev || !request_arg(q, r, 3, &n) || !request_arg(q, r, 4, &level)) {
        return;
    }
    if (!qtest_word_is(r->w[2], "unnamed-gpio-in")) {
        qtest_reply(q, "FAIL device '%s' has only inputs named unnamed-gpio-in", dev->path);
        return;
    }
    if (n >= dev->n_irq_in) {
        qtest_reply(q, "FAIL input %" PRIu64 " of '%s' is out of range: it has %u", n, dev->path,
                    dev->n_irq_in);
        return;
    }
    irq_set(&dev->irq_in[n], level != 0);
    reply_ok(q);
}

/* --- the rest --- */

static void do_csr(Qtest *q, const QtestWords *r)
{
    bool write = qtest_word_is(r->w[1], "set_csr");
    uint64_t hart, csr, value;
    Cpu *cpu;

    if (!write && !qtest_word_is(r->w[1], "get_csr")) {
        qtest_reply(q, "FAIL csr requires get_csr or set_csr");
        return;
    }
    if (!request_arg(q, r, 2, &hart) || !request_arg(q, r, 3, &csr) ||
        !request_arg(q, r, 4, &value)) {
        return;
    }
    if (hart >= q->m->cpus->len) {
        qtest_reply(q, "FAIL hart %" PRIu64 " does not exist: there are %u", hart, q->m->cpus->len);
        return;
    }
    cpu = q->m->cpus->pdata[hart];
    if (!q->m->qtest || !cpu->type->csr_access || csr > 0xfff ||
        !cpu->type->csr_access(cpu, (unsigned)csr, write, &value)) {
        qtest_reply(q, "FAIL CSR 0x%" PRIx64 " of hart %" PRIu64 " cannot be accessed", csr, hart);
        return;
    }
    qtest_reply(q, "OK 0 %" PRIx64, value);
}

static void do_endianness(Qtest *q, const QtestWords *r)
{
    qtest_reply(q, "OK little");
}

/* --- the table --- */

typedef struct Command {
    const char *name;
    uint8_t len, min_words, max_words; /* words include the command */
    void (*run)(Qtest *q, const QtestWords *r);
} Command;

#define CMD(name, min, max, fn)                                                                    \
    {                                                                                              \
        name, sizeof(name) - 1, min, max, fn                                                       \
    }

/* Sorted by frequency of use. */
static const Command commands[] = {
    CMD("read", 3, 3, do_read_block),
    CMD("write", 4, 4, do_write_block),
    CMD("readl", 2, 2, do_read),
    CMD("writel", 3, 3, do_write),
    CMD("readw", 2, 2, do_read),
    CMD("writew", 3, 3, do_write),
    CMD("readq", 2, 2, do_read),
    CMD("writeq", 3, 3, do_write),
    CMD("readb", 2, 2, do_read),
    CMD("writeb", 3, 3, do_write),
    CMD("inb", 2, 2, request_do_in),
    CMD("inw", 2, 2, request_do_in),
    CMD("inl", 2, 2, request_do_in),
    CMD("outb", 3, 3, do_out),
    CMD("outw", 3, 3, do_out),
    CMD("outl", 3, 3, do_out),
    CMD("clock_step", 1, 2, do_clock_step),
    CMD("clock_set", 2, 2, do_clock_set),
    CMD("memset", 4, 4, do_memset),
    CMD("b64read", 3, 3, do_b64read),
    CMD("b64write", 4, 4, do_b64write),
    CMD("endianness", 1, 1, do_endianness),
    CMD("irq_intercept_in", 2, 2, do_intercept_in),
    CMD("irq_intercept_out", 2, 3, do_intercept_out),
    CMD("set_irq_in", 5, 5, do_set_irq_in),
    CMD("csr", 5, 5, do_csr),
};

static const Command *find_command(QtestWord w)
{
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (commands[i].len == w.len && memcmp(commands[i].name, w.s, w.len) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

void qtest_run_request(Qtest *q, const QtestWords *r, bool fits)
{
    const Command *c = find_command(r->w[0]);

    if (!c) {
        g_autofree char *name = g_strndup(r->w[0].s, MIN(r->w[0].len, 64));
        g_autofree char *shown = g_strescape(name, NULL);

        qtest_reply(q, "FAIL Unknown command '%s'", shown);
    } else if (!fits || r->n < c->min_words || r->n > c->max_words) {
        qtest_reply(q, "ERR %s requires %u to %u arguments, separated by single spaces", c->name,
                    c->min_words - 1u, c->max_words - 1u);
    } else {
        c->run(q, r);
    }
}
