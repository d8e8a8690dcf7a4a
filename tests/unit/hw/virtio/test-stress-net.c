/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network device with numbered frames in both directions over datagrams or a stream. At any
 * moment the guest resets, unplugs, reconfigures, saves and loads it, the link is disconnected, and
 * the back end is replaced, with changing register interfaces, ring formats and numbers of queues.
 * Frames may be lost. None is changed, duplicated or reordered, and none is written to a buffer
 * after a reset. At any check the device still transmits frames in both directions.
 */
#include <json-c/json.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../../../hw/net/internal.h"
#include "stress.h"

enum { SLOTS = 16, SLOT = 2048, PAIRS = 2, FLOW_COUNT = 8, ROUNDS = 20000 };
enum { RX = DRV_DATA, RX_SPAN = PAIRS * SLOTS * SLOT };
enum { TX = RX + RX_SPAN, CTRL = TX + PAIRS * SLOTS * SLOT };
enum { NUMBER = 42, FLOW = 46, BODY = 47, POISON = 0xa5 };
typedef enum Way { TO_GUEST, FROM_GUEST, WAYS } Way;

static const uint8_t mac0[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 + DRV_DEVFN };

/* Rings return buffers in order, so the slot is derived from the count. */
typedef struct Pair {
    unsigned rx_given, rx_taken, tx_given, tx_taken;
    unsigned parts; /* bytes of the current frame that have not arrived yet */
    uint8_t frame[NET_MAX_FRAME];
    size_t len;
    int64_t last_sent; /* number of the last frame that it delivered */
} Pair;

typedef struct Net {
    Stress s;
    int far; /* the other end of the back end */
    bool stream;
    GByteArray *in, *out; /* of a stream: received bytes, and bytes not sent yet */
    Pair pair[PAIRS];
    unsigned active;    /* pairs in use since it was initialised */
    uint32_t rx_buffer; /* length of a receive buffer */
    uint32_t next[WAYS], limit;
    uint8_t *seen[WAYS]; /* bits, by number */
    unsigned passed[WAYS], blocked;
    uint32_t floor; /* frames from this number on must arrive in order */
    int64_t last;
} Net;

static Net *net_of(Stress *s)
{
    return (Net *)s;
}

static size_t hlen(Net *n)
{
    return net_header_len((VirtioNet *)n->s.v.d);
}

/* --- frames --- */

static uint32_t scramble(uint32_t x)
{
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return x ^ x >> 16;
}

/* UDP over IPv4, as far as steering inspects it. The contents are derived from the three
 * numbers. */
static size_t make(uint8_t *p, Way way, uint8_t flow, uint32_t number)
{
    uint16_t port = (way == TO_GUEST ? 1000 : 4000) + flow;
    size_t len = BODY + 13 + scramble(number) % 1400;

    memset(p, 0, BODY);
    memcpy(p + (way == TO_GUEST ? 0 : 6), mac0, 6);
    memcpy(p + (way == TO_GUEST ? 6 : 0), (const uint8_t[6]){ 2, 0, 0, 0, 0, 1 }, 6);
    p[12] = 0x08;
    p[14] = 0x45;
    p[23] = 17;
    p[26 + 3] = way;
    p[30 + 3] = 1 - way;
    p[way == TO_GUEST ? 36 : 34] = port >> 8;
    p[way == TO_GUEST ? 37 : 35] = (uint8_t)port;
    memcpy(p + NUMBER, &number, 4);
    p[FLOW] = flow;
    for (size_t i = BODY; i < len; i++) {
        p[i] = (uint8_t)scramble(number + (uint32_t)i * 2654435761u);
    }
    return len;
}

/* Parse a frame byte by byte. Checks that it belongs to the test and is new. */
static uint32_t check(Net *n, Way way, const uint8_t *p, size_t len)
{
    uint8_t want[SLOT], *seen;
    uint32_t number;

    g_assert_cmpuint(len, >, BODY);
    memcpy(&number, p + NUMBER, 4);
    g_assert_cmpuint(number, <, n->next[way]);
    g_assert_cmpmem(p, len, want, make(want, way, p[FLOW], number));
    seen = &n->seen[way][number / 8];
    g_assert_cmphex(*seen >> number % 8 & 1, ==, 0);
    *seen |= 1 << number % 8;
    n->passed[way]++;
    return number;
}

static bool came(const Net *n, Way way, uint32_t number)
{
    return n->seen[way][number / 8] >> number % 8 & 1;
}

static uint32_t new_number(Net *n, Way way)
{
    g_assert_cmpuint(n->next[way], <, n->limit);
    return n->next[way]++;
}

/* --- the guest's side --- */

static uint64_t rx_at(unsigned pair, unsigned count)
{
    return RX + (pair * SLOTS + count % SLOTS) * SLOT;
}

static void refill(Net *n)
{
    for (unsigned pair = 0; pair < n->active; pair++) {
        Pair *p = &n->pair[pair];

        for (; p->rx_given - p->rx_taken < SLOTS; p->rx_given++) {
            DrvSeg s = { RAM + rx_at(pair, p->rx_given), n->rx_buffer, true };

            drv_offer(&n->s.v, 2 * pair, &s, 1);
        }
        drv_kick(&n->s.v, 2 * pair);
    }
}

/* With one pair all frames use one path. */
static void arrived(Net *n, Pair *p)
{
    uint32_t number = check(n, TO_GUEST, p->frame, p->len);

    if (n->active == 1 && number >= n->floor) {
        g_assert_cmpint(number, >, n->last);
        n->last = number;
    }
}

static void take_part(Net *n, Pair *p, const uint8_t *bytes, size_t len)
{
    g_assert_cmpuint(len, <=, n->rx_buffer);
    if (p->parts == 0) {
        g_assert_cmpuint(len, >, hlen(n));
        p->parts = n->s.v.features >> VIRTIO_NET_F_MRG_RXBUF & 1 ? bytes[10] | bytes[11] << 8 : 1;
        g_assert_cmpuint(p->parts, >, 0);
        p->len = 0;
        bytes += hlen(n);
        len -= hlen(n);
    }
    memcpy(p->frame + p->len, bytes, len);
    p->len += len;
    if (--p->parts == 0) {
        arrived(n, p);
    }
}

static unsigned collect(Net *n)
{
    unsigned count = 0;
    int64_t len;

    for (unsigned pair = 0; pair < PAIRS && n->s.running; pair++) {
        Pair *p = &n->pair[pair];

        while (2 * pair < n->s.queues && (len = drv_collect(&n->s.v, 2 * pair, 1)) >= 0) {
            g_assert_cmpuint(p->rx_taken, !=, p->rx_given);
            take_part(n, p, drv_ram(&n->s.v, rx_at(pair, p->rx_taken++)), len);
            count++;
        }
        g_assert_cmpuint(p->parts, ==, 0);
        while (2 * pair + 1 < n->s.queues && drv_collect(&n->s.v, 2 * pair + 1, 2) >= 0) {
            g_assert_cmpuint(p->tx_taken, !=, p->tx_given);
            p->tx_taken++;
            count++;
        }
    }
    return count;
}

/* False: every slot is in use. */
static bool transmit(Net *n, unsigned pair)
{
    Pair *p = &n->pair[pair];
    uint64_t at = TX + (pair * SLOTS + p->tx_given % SLOTS) * SLOT;
    uint8_t *header = drv_ram(&n->s.v, at), *frame = header + 16;
    DrvSeg s[] = { { RAM + at, hlen(n), false }, { RAM + at + 16, 0, false } };

    if (p->tx_given - p->tx_taken == SLOTS) {
        return false;
    }
    p->tx_given++;
    memset(header, 0, 16);
    s[1].len = make(frame, FROM_GUEST, pair, new_number(n, FROM_GUEST));
    drv_offer(&n->s.v, 2 * pair + 1, s, 2);
    return true;
}

static void control(Net *n, uint8_t class, uint8_t cmd, uint16_t value, uint32_t len)
{
    bool mq = n->s.v.features >> VIRTIO_NET_F_MQ & 1;
    unsigned queue = mq ? n->s.queues - 1 : 2;
    const DrvSeg s[] = { { RAM + CTRL, 2, false },
                         { RAM + CTRL + 8, len, false },
                         { RAM + CTRL + 16, 1, true } };

    *drv_ram(&n->s.v, CTRL) = class;
    *drv_ram(&n->s.v, CTRL + 1) = cmd;
    memcpy(drv_ram(&n->s.v, CTRL + 8), &value, 2);
    *drv_ram(&n->s.v, CTRL + 16) = 0xff;
    drv_offer(&n->s.v, queue, s, 3);
    drv_kick(&n->s.v, queue);
    g_assert_cmpint(drv_wait(&n->s.v, queue, 3), ==, 1);
    g_assert_cmphex(*drv_ram(&n->s.v, CTRL + 16), ==, 0);
}

/* --- the far side --- */

static void frame_length(uint8_t *p, size_t len)
{
    p[0] = p[1] = 0;
    p[2] = len >> 8;
    p[3] = (uint8_t)len;
}

/* Send pending bytes of a stream. Returns true if some were sent. */
static bool flush_far(Net *n)
{
    ssize_t done = n->out->len ? send(n->far, n->out->data, n->out->len, MSG_DONTWAIT) : 0;

    if (done > 0) {
        g_byte_array_remove_range(n->out, 0, done);
    }
    return done > 0;
}

static void send_far(Net *n)
{
    uint8_t message[4 + SLOT], *frame = message + 4;
    size_t len = make(frame, TO_GUEST, g_test_rand_int_range(0, FLOW_COUNT), n->next[TO_GUEST]);

    if (n->stream && n->out->len == 0) {
        frame_length(message, len);
        g_byte_array_append(n->out, message, 4 + len);
        new_number(n, TO_GUEST);
    } else if (!n->stream && send(n->far, frame, len, MSG_DONTWAIT) == (ssize_t)len) {
        new_number(n, TO_GUEST);
    }
    flush_far(n);
}

/* The device also announces itself, after a migration and on request. */
static bool is_rarp(const uint8_t *p, size_t len)
{
    return len == 60 && p[12] == 0x80 && p[13] == 0x35 && memcmp(p + 22, mac0, 6) == 0;
}

static void left(Net *n, const uint8_t *frame, size_t len)
{
    uint32_t number;
    Pair *p;

    if (is_rarp(frame, len)) {
        return;
    }
    number = check(n, FROM_GUEST, frame, len);
    p = &n->pair[frame[FLOW]];
    g_assert_cmpint(number, >, p->last_sent);
    p->last_sent = number;
}

/* Extract the complete frames of a stream. */
static void cut_frames(Net *n)
{
    size_t at = 0;

    while (n->in->len - at >= 4) {
        const uint8_t *p = n->in->data + at;
        size_t len = p[2] << 8 | p[3];

        g_assert_cmphex(p[0] | p[1], ==, 0);
        if (n->in->len - at - 4 < len) {
            break;
        }
        left(n, p + 4, len);
        at += 4 + len;
    }
    g_byte_array_remove_range(n->in, 0, at);
}

static unsigned drain_far(Net *n)
{
    uint8_t bytes[NET_MAX_FRAME];
    unsigned count = 0;
    ssize_t len;

    for (; (len = recv(n->far, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0; count++) {
        if (n->stream) {
            g_byte_array_append(n->in, bytes, len);
            cut_frames(n);
        } else {
            left(n, bytes, len);
        }
    }
    return count;
}

/* --- receiving and sending --- */

static void new_back_end(Net *n)
{
    g_autofree char *json = NULL;
    g_autoptr(GError) err = NULL;
    struct json_object *o;
    int fds[2];

    if (netdev_find(n->s.f.m, "n0")) {
        drain_far(n);
        g_assert_true(netdev_del(n->s.f.m, "n0", NULL));
        close(n->far);
        g_byte_array_set_size(n->in, 0);
        g_byte_array_set_size(n->out, 0);
    }
    n->stream = g_test_rand_bit();
    g_assert_cmpint(socketpair(AF_UNIX, n->stream ? SOCK_STREAM : SOCK_DGRAM, 0, fds), ==, 0);
    n->far = fds[1];
    json = g_strdup_printf("{'type':'socket','id':'n0','fd':'%d'}", fds[0]);
    o = json_tokener_parse(json);
    netdev_new(n->s.f.m, o, &err);
    g_assert_no_error(err);
    json_object_put(o);
}

static void plug_card(Stress *s)
{
    bool two = g_test_rand_bit();

    if (!netdev_find(s->f.m, "n0") || g_test_rand_bit()) {
        new_back_end(net_of(s));
    }
    s->v.d = plug_function(&s->f, drv_type("virtio-net-pci"), "pcie.0", "dut", DRV_DEVFN,
                           two ? "netdev=n0,packed=on,disable-legacy=off,queue-pairs=2"
                               : "netdev=n0,packed=on,disable-legacy=off");
    s->queues = two ? 5 : 3;
}

static void forget(Stress *s)
{
    Net *n = net_of(s);

    for (unsigned i = 0; i < PAIRS; i++) {
        Pair *p = &n->pair[i];

        p->rx_given = p->rx_taken = p->tx_given = p->tx_taken = p->parts = 0;
    }
    n->floor = n->next[TO_GUEST];
    n->last = -1;
    memset(drv_ram(&s->v, RX), POISON, RX_SPAN);
}

static void check_poison(Net *n)
{
    const uint8_t *p = drv_ram(&n->s.v, RX);

    g_assert_true(p[0] == POISON && memcmp(p, p + 1, RX_SPAN - 1) == 0);
}

static bool wants_pairs(const Net *n)
{
    return n->s.v.features >> VIRTIO_NET_F_MQ & 1 && n->s.queues == 5;
}

/* Frames that waited for another number of pairs arrive in their own order. */
static void other_pairs(Net *n, unsigned active)
{
    n->active = active;
    n->floor = n->next[TO_GUEST];
    n->last = -1;
}

static void set_pairs(Net *n, unsigned pairs)
{
    control(n, VIRTIO_NET_CTRL_MQ, 0, pairs, 2);
    other_pairs(n, MAX(n->active, pairs)); /* buffers of a pair remain with it */
}

static void set_up(Net *n)
{
    uint64_t features =
        F_BIT(VIRTIO_NET_F_STATUS) | F_BIT(VIRTIO_NET_F_CTRL_VQ) | F_BIT(VIRTIO_NET_F_CTRL_RX);

    check_poison(n);
    features |= g_test_rand_bit() ? F_BIT(VIRTIO_NET_F_MRG_RXBUF) : 0;
    features |= g_test_rand_bit() ? F_BIT(VIRTIO_NET_F_MQ) : 0;
    features |= g_test_rand_bit() ? F_BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) : 0;
    stress_set_up(&n->s, features);
    other_pairs(n, 1); /* until the driver requests more */
    n->rx_buffer = n->s.v.features >> VIRTIO_NET_F_MRG_RXBUF & 1 && g_test_rand_bit() ? 200 : SLOT;
    if (wants_pairs(n) && g_test_rand_bit()) {
        set_pairs(n, 2);
    }
}

/* Run until nothing is transferred any more. */
static void settle(Net *n)
{
    for (unsigned quiet = 0, turn = 0; quiet < 10; turn++) {
        unsigned moved;

        refill(n);
        stress_main_loop(1);
        moved = collect(n) + drain_far(n) + flush_far(n);
        quiet = moved ? 0 : quiet + 1;
        g_assert_cmpuint(turn, <, 10000);
    }
}

/* After any history, nothing is stuck: a frame arrives in each direction. */
static void prove(Net *n)
{
    uint32_t numbers[WAYS];

    settle(n);
    memcpy(numbers, n->next, sizeof(numbers));
    send_far(n);
    g_assert_true(transmit(n, 0));
    drv_kick(&n->s.v, 1);
    settle(n);
    for (Way way = 0; way < WAYS; way++) {
        g_assert_true(came(n, way, numbers[way]));
    }
}

/* --- what may happen beside what the frame has --- */

static void pull_cable(Stress *s)
{
    g_assert_true(netdev_set_link(s->f.m, "n0", false, NULL));
    drv_kick(&s->v, 1);
    stress_main_loop(g_test_rand_int_range(0, 4));
    g_assert_true(netdev_set_link(s->f.m, "dut", true, NULL));
}

/* More than the buffers, a lane and the socket hold. */
static void flood(Stress *s)
{
    for (unsigned i = 0; i < 400; i++) {
        send_far(net_of(s));
        stress_main_loop(1);
    }
}

/* Until the peer, which does not read, accepts no more: frames stay in the guest's queue. */
static void block(Stress *s)
{
    Net *n = net_of(s);

    for (unsigned i = 0; s->running && i < 4000; i++) {
        if (!transmit(n, 0)) {
            drv_kick(&s->v, 1);
            if (!collect(n)) {
                n->blocked++;
                return;
            }
        }
    }
}

static void announce(Stress *s)
{
    const NetAnnounceTimes once = { .rounds = 1 };

    g_assert_true(net_announce(s->f.m, "", &once, NULL, NULL));
}

/* The filter accepts frames to the device with and without promiscuous mode. */
static void reprogram(Stress *s)
{
    Net *n = net_of(s);

    if (!s->running || !(s->v.features >> VIRTIO_NET_F_CTRL_RX & 1)) {
        return;
    }
    control(n, VIRTIO_NET_CTRL_RX, 0, g_test_rand_bit(), 1);
    if (wants_pairs(n)) {
        set_pairs(n, g_test_rand_int_range(1, 3));
    }
}

static void one_round(Net *n)
{
    static StressEvent *const own[] = { pull_cable, flood, block, announce, reprogram };

    if (!n->s.running && g_test_rand_bit()) {
        set_up(n);
        prove(n);
    }
    for (int i = g_test_rand_int_range(0, 4); i > 0; i--) {
        send_far(n);
    }
    if (n->s.running) {
        unsigned pair = g_test_rand_int_range(0, n->active);

        for (int i = g_test_rand_int_range(0, 4); i > 0 && transmit(n, pair); i--) {
        }
        drv_kick(&n->s.v, 2 * pair + 1);
        if (g_test_rand_bit()) {
            refill(n);
        }
    }
    stress_main_loop(g_test_rand_int_range(0, 6));
    collect(n);
    if (g_test_rand_bit()) {
        drain_far(n); /* a peer that does not read loses frames */
    }
    if (g_test_rand_int_range(0, 12) == 0) {
        stress_disturb(&n->s, own, G_N_ELEMENTS(own));
        if (n->s.running && g_test_rand_bit()) {
            prove(n);
        }
    }
}

static void test_card(void)
{
    unsigned rounds = stress_rounds(ROUNDS);
    Net *n = g_new0(Net, 1);

    n->s = (Stress){ .plug = plug_card, .forget = forget, .eager = 1 };
    n->limit = rounds * 32;
    n->in = g_byte_array_new();
    n->out = g_byte_array_new();
    n->seen[TO_GUEST] = g_malloc0(n->limit / 8 + 1);
    n->seen[FROM_GUEST] = g_malloc0(n->limit / 8 + 1);
    n->pair[0].last_sent = n->pair[1].last_sent = -1;
    drv_machine(&n->s.f, NULL, NULL);
    plug_card(&n->s);
    n->s.v.f = &n->s.f;
    stress_forget(&n->s);
    for (unsigned round = 0; round < rounds; round++) {
        one_round(n);
    }
    g_test_message("%u of %u frames received, %u of %u sent, %u disturbances, %u jams",
                   n->passed[TO_GUEST], n->next[TO_GUEST], n->passed[FROM_GUEST],
                   n->next[FROM_GUEST], n->s.disturbed, n->blocked);
    g_assert_cmpuint(n->passed[TO_GUEST], >, rounds / 4);
    g_assert_cmpuint(n->passed[FROM_GUEST], >, rounds / 4);
    g_assert_cmpuint(n->s.disturbed, >, rounds / 20);
    g_assert_cmpuint(n->blocked, >, rounds / 2000);
    drv_finish(&n->s.f);
    close(n->far);
    g_byte_array_unref(n->in);
    g_byte_array_unref(n->out);
    g_free(n->seen[TO_GUEST]);
    g_free(n->seen[FROM_GUEST]);
    g_free(n);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/stress/card", test_card);
    return g_test_run();
}
