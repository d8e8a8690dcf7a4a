/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Networks: frames in both directions over hubs and sockets, queueing and loss, links, rejected
 * options, and completion of frames (checksums, TCP segments) compared with plain arithmetic.
 */
#include <json-c/json.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/core/clock.h"

#include "net/internal.h"

#include "../hw/core/fake-types.h"
#include "tests/lib/ok.h"
#include "tests/lib/wait.h"

typedef struct Card {
    unsigned frames, links;
    bool full, up;
    uint8_t last[NET_MAX_FRAME];
    size_t last_len;
    NetNic nic;
} Card;

static bool card_receive(void *opaque, unsigned lane, const struct iovec *iov, int n,
                         const NetMeta *meta)
{
    Card *c = opaque;

    if (c->full) {
        return false;
    }
    c->frames++;
    c->last_len = iov[0].iov_len;
    memcpy(c->last, iov[0].iov_base, c->last_len);
    return true;
}

/* A client with lanes. */
typedef struct LaneCard {
    unsigned next[NET_LANES], full_lanes;
} LaneCard;

static void card_link(void *opaque, bool up)
{
    ((Card *)opaque)->links++;
    ((Card *)opaque)->up = up;
}

static Netdev *make(Machine *m, const char *json, GError **err)
{
    struct json_object *o = json_tokener_parse(json);
    Netdev *n;

    g_assert_nonnull(o);
    n = netdev_new(m, o, err);
    json_object_put(o);
    return n;
}

static Netdev *make_with_card(Machine *m, const char *json, Card *c)
{
    g_autoptr(GError) err = NULL;
    Netdev *n = make(m, json, &err);

    g_assert_no_error(err);
    memset(c, 0, sizeof(*c));
    c->nic = (NetNic){ .receive = card_receive, .link = card_link, .opaque = c };
    ASSERT_OK(netdev_attach(n, &c->nic, "dut", &failure));
    return n;
}

static size_t send_bytes(Netdev *n, const void *p, size_t len)
{
    struct iovec iov[2] = { { (void *)p, len / 2 }, { (uint8_t *)p + len / 2, len - len / 2 } };

    return net_send(n, iov, 2, NULL);
}

static void settle(void)
{
    wait_quiet();
}

static Machine *machine(void)
{
    Machine *m = machine_new();

    machine_lock(m);
    return m;
}

static void finish(Machine *m, Card *a, Netdev *na, Card *b, Netdev *nb)
{
    netdev_detach(na);
    if (nb) {
        netdev_detach(nb);
    }
    netdev_free_all(m);
    machine_free(m);
    g_free(a);
    g_free(b);
}

static void test_hub(void)
{
    Machine *m = machine();
    Card *a = g_new(Card, 1), *b = g_new(Card, 1);
    Netdev *na = make_with_card(m, "{'type':'hubport','id':'a','hubid':1}", a);
    Netdev *nb = make_with_card(m, "{'type':'hubport','id':'b','hubid':'1'}", b);
    uint8_t frame[64] = { 1, 2, 3 };

    ASSERT_OK(make(m, "{'type':'hubport','id':'c','hubid':2}", &failure));
    g_assert_cmpuint(send_bytes(na, frame, 64), ==, 64);
    g_assert_cmpuint(b->frames, ==, 1);
    g_assert_cmpuint(a->frames, ==, 0);
    g_assert_cmpmem(b->last, b->last_len, frame, 64);
    /* a device without space: frames are queued, then dropped */
    b->full = true;
    for (unsigned i = 0; i < NET_QUEUE_FRAMES + 10; i++) {
        send_bytes(na, frame, 64);
    }
    g_assert_cmpuint(net_lost(nb), ==, 10);
    b->full = false;
    net_nic_ready(nb);
    g_assert_cmpuint(b->frames, ==, 1 + NET_QUEUE_FRAMES);
    /* a link that is down transmits nothing in either direction */
    ASSERT_OK(netdev_set_link(m, "b", false, &failure));
    g_assert_cmpuint(b->links, ==, 1);
    send_bytes(na, frame, 64);
    g_assert_cmpuint(b->frames, ==, 1 + NET_QUEUE_FRAMES);
    g_assert_false(netdev_set_link(m, "nobody", false, NULL));
    finish(m, a, na, b, nb);
}

/* The lane is the first byte of a frame. `full_lanes` is the set of lanes without space. */
static bool lanes_receive(void *opaque, unsigned lane, const struct iovec *iov, int n,
                          const NetMeta *meta)
{
    LaneCard *c = opaque;
    const uint8_t *frame = iov[0].iov_base;

    if (c->full_lanes >> lane & 1) {
        return false;
    }
    g_assert_cmpuint(frame[0], ==, lane);
    g_assert_cmpuint(frame[1], ==, c->next[lane]++ & 0xff);
    return true;
}

static int lanes_lane(void *opaque, const struct iovec *iov, int n)
{
    uint8_t lane = *(uint8_t *)iov[0].iov_base;

    return lane < NET_LANES ? lane : -1;
}

static void send_lane(Netdev *n, uint8_t lane, unsigned number)
{
    uint8_t frame[64] = { lane, (uint8_t)number };

    send_bytes(n, frame, sizeof(frame));
}

/* Frames without space in one lane wait in it, up to its limit, and do not block another. Frames
 * that the device rejects use no space. */
static void test_lanes(void)
{
    enum { FULL = 3, ROUNDS = NET_QUEUE_FRAMES + 50 };
    Machine *m = machine();
    Card *a = g_new(Card, 1), *b = g_new(Card, 1);
    LaneCard c = { .full_lanes = 1 << FULL };
    Netdev *na = make_with_card(m, "{'type':'hubport','id':'a','hubid':1}", a);
    Netdev *nb = make_with_card(m, "{'type':'hubport','id':'b','hubid':1}", b);
    g_autofree uint8_t *big = g_malloc0(NET_MAX_FRAME);
    g_autofree char *info = NULL;

    b->nic = (NetNic){ .receive = lanes_receive, .lane = lanes_lane, .opaque = &c };
    for (unsigned i = 0; i < ROUNDS; i++) {
        for (unsigned lane = 0; lane <= NET_LANES; lane++) {
            send_lane(na, (uint8_t)lane, i);
        }
    }
    for (unsigned lane = 0; lane < NET_LANES; lane++) {
        g_assert_cmpuint(c.next[lane], ==, lane == FULL ? 0 : ROUNDS);
    }
    g_assert_cmpuint(net_lost(nb), ==, 50);
    info = net_info(m);
    g_assert_nonnull(strstr(info, "b,lost=50\n"));
    c.full_lanes = 0;
    net_nic_ready(nb);
    g_assert_cmpuint(c.next[FULL], ==, NET_QUEUE_FRAMES);
    /* the limit of a lane is also a number of bytes, for large frames */
    c.full_lanes = 1;
    for (unsigned i = 0; i < NET_QUEUE_FRAMES; i++) {
        send_bytes(na, big, NET_MAX_FRAME);
    }
    g_assert_cmpuint(nb->lanes[0].bytes, <=, NET_QUEUE_BYTES);
    g_assert_cmpuint(nb->lanes[0].bytes, >, NET_QUEUE_BYTES - NET_MAX_FRAME);
    finish(m, a, na, b, nb);
}

static void test_stream(void)
{
    int fds[2];
    Machine *m = machine();
    Card *a = g_new(Card, 1), *b = g_new(Card, 1);
    g_autofree char *ja = NULL, *jb = NULL;
    Netdev *na, *nb;
    uint8_t frame[1500];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
    ja = g_strdup_printf("{'type':'socket','id':'a','fd':%d}", fds[0]);
    jb = g_strdup_printf("{'type':'stream','id':'b','addr':{'type':'fd','str':'%d'}}", fds[1]);
    na = make_with_card(m, ja, a);
    nb = make_with_card(m, jb, b);
    memset(frame, 0x5a, sizeof(frame));
    for (unsigned i = 0; i < 20; i++) {
        g_assert_cmpuint(send_bytes(na, frame, 60 + i * 70), ==, 60 + i * 70);
    }
    WAIT_MAIN(b->frames >= 20, 20);
    g_assert_cmpuint(b->frames, ==, 20);
    g_assert_cmpuint(b->last_len, ==, 60 + 19 * 70);
    finish(m, a, na, b, nb);
}

/* A frame is sent immediately, without the main loop. If the socket is full, the rest of the frame
 * and later frames follow in order. */
static void test_stream_now(void)
{
    enum { FRAMES = 400, LEN = 4000 };
    Machine *m = machine();
    Card *a = g_new(Card, 1);
    g_autofree char *json = NULL;
    g_autofree uint8_t *all = g_malloc(FRAMES * (LEN + 4)), *frame = g_malloc(LEN);
    size_t got = 0, sent = 0;
    int fds[2], room = 65536;
    ssize_t n;
    Netdev *na;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
    setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    json = g_strdup_printf("{'type':'stream','id':'a','addr':{'type':'fd','str':'%d'}}", fds[0]);
    na = make_with_card(m, json, a);
    g_assert_cmpuint(send_bytes(na, frame, LEN), ==, LEN);
    g_assert_cmpint(recv(fds[1], all, LEN + 5, MSG_DONTWAIT), ==, LEN + 4);
    for (unsigned i = 0; i < FRAMES; i++) {
        memset(frame, (int)i, LEN);
        sent += send_bytes(na, frame, LEN);
    }
    g_assert_cmpuint(sent, >, 2 * 65536);
    WAIT_UNTIL (got == sent / LEN * (LEN + 4), 20) {
        g_main_context_iteration(NULL, FALSE);
        while ((n = recv(fds[1], all + got, FRAMES * (LEN + 4) - got, MSG_DONTWAIT)) > 0) {
            got += (size_t)n;
        }
    }
    for (size_t i = 0; i < sent / LEN; i++) {
        const uint8_t *p = all + i * (LEN + 4);

        g_assert_cmpuint(p[2] << 8 | p[3], ==, LEN);
        g_assert_cmpuint(p[4], ==, i & 0xff);
        g_assert_cmpuint(p[LEN + 3], ==, i & 0xff);
    }
    close(fds[1]);
    finish(m, a, na, NULL, NULL);
}

/* A peer that sends invalid lengths is disconnected; everything else continues. */
static void test_stream_noise(void)
{
    int fds[2];
    Machine *m = machine();
    Card *a = g_new(Card, 1);
    g_autofree char *ja = NULL;
    Netdev *na;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
    ja = g_strdup_printf("{'type':'socket','id':'a','fd':%d}", fds[0]);
    na = make_with_card(m, ja, a);
    g_assert_cmpint(write(fds[1], "\xff\xff\xff\xff garbage", 12), ==, 12);
    settle();
    g_assert_cmpuint(a->frames, ==, 0);
    g_assert_cmpuint(send_bytes(na, "x", 1), ==, 1);
    close(fds[1]);
    finish(m, a, na, NULL, NULL);
}

static void test_refusals(void)
{
    static const struct {
        const char *json, *says;
    } rows[] = {
        { "{'type':'wifi','id':'n'}", "'wifi'" },
        { "{'type':'user'}", "id=" },
        { "{'type':'user','id':'n','speed':1}", "'speed'" },
        { "{'type':'user','id':'n','hostfwd':'tcp::99999-:80'}", "hostfwd=tcp::99999-:80" },
        { "{'type':'user','id':'n','dns':'nowhere'}", "dns=nowhere" },
        { "{'type':'user','id':'n','hostfwd':[{'str':'tcp'}]}", "hostfwd=tcp:" },
        { "{'type':'user','id':'n','hostfwd':['tcp::1']}", "hostfwd=tcp::1:" },
        { "{'type':'user','id':'n','hostfwd':[null]}", "hostfwd=:" },
        { "{'type':'user','id':'n','hostfwd':[{'str':{}}]}", "hostfwd={" },
        { "{'type':'user','id':'n','net':'10.0.0.0/40'}", "net=10.0.0.0/40" },
        { "{'type':'user','id':'n','net':'here'}", "net=here" },
        { "{'type':'user','id':'n','net':'192.168.76.0/24','host':'10.0.0.1'}",
          "host=10.0.0.1 does not belong to the network net=192.168.76.0/24" },
        { "{'type':'user','id':'n','dhcpstart':'10.1.1.1'}", "dhcpstart=10.1.1.1 does not" },
        { "{'type':'user','id':'n','restrict':true,'dns':'10.1.1.1'}", "dns=10.1.1.1 does not" },
        { "{'type':'user','id':'n','dhcpstart':'10.0.2.2'}",
          "dhcpstart=10.0.2.2 is the address of host=" },
        { "{'type':'user','id':'n','dns':'10.0.2.2'}", "dns=10.0.2.2 is the address of host=" },
        { "{'type':'dgram','id':'n','local':{'type':'unix','path':'/tmp/x'},"
          "'remote':{'type':'inet','host':'127.0.0.1','port':'9'}}",
          "addresses of the same type" },
        { "{'type':'socket','id':'n'}", "connect=HOST:PORT" },
        { "{'type':'socket','id':'n','fd':'banana'}", "fd=banana" },
        { "{'type':'stream','id':'n'}", "addr.type" },
        { "{'type':'hubport','id':'n'}", "hubid" },
        { "{'type':'tap','id':'n','script':'/bin/x'}", "script=/bin/x" },
    };
    Machine *m = machine();

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) err = NULL;

        g_assert_null(make(m, rows[i].json, &err));
        if (!strstr(err->message, rows[i].says)) {
            g_error("'%s' does not contain '%s'", err->message, rows[i].says);
        }
        g_assert_null(strchr(err->message, '\n'));
    }
    netdev_free_all(m);
    machine_free(m);
}

/* The internal network answers an ARP request for its gateway. */
static void test_user(void)
{
    Machine *m = machine();
    Card *a = g_new(Card, 1);
    g_autoptr(GError) err = NULL;
    Netdev *n;
    uint8_t arp[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0x12, 0x34,
                        0x56, 8,    6,    0,    1,    8,    0,    6,    4, 0,    1,
                        0x52, 0x54, 0,    0x12, 0x34, 0x56, 10,   0,    2, 15,   0,
                        0,    0,    0,    0,    0,    10,   0,    2,    2 };

    n = make(m, "{'type':'user','id':'u'}", &err);
    if (!n && strstr(err->message, "no user-mode networking")) {
        g_test_skip(err->message);
        machine_free(m);
        g_free(a);
        return;
    }
    memset(a, 0, sizeof(*a));
    a->nic = (NetNic){ .receive = card_receive, .opaque = a };
    ASSERT_OK(netdev_attach(n, &a->nic, "dut", &failure));
    send_bytes(n, arp, sizeof(arp));
    g_assert_cmpuint(a->frames, ==, 0); /* not from within the device's own transmit call */
    WAIT_MAIN(a->frames > 0, 20);
    g_assert_cmpuint(a->frames, ==, 1);
    g_assert_cmphex(a->last[21], ==, 2); /* a reply */
    finish(m, a, n, NULL, NULL);
}

/* --- what monitors are shown --- */

typedef struct Heard {
    unsigned connected, disconnected;
    char *port;
} Heard;

static void on_event(void *opaque, const Event *event)
{
    const EventField *addr = event_field(event, "addr");
    Event inner = { "addr" };
    Heard *h = opaque;

    g_assert_cmpstr(event_str(event, "netdev-id"), ==, "st0");
    if (g_str_equal(event->name, "NETDEV_STREAM_CONNECTED")) {
        h->connected++;
        inner.data = *addr->object;
        g_assert_cmpstr(event_str(&inner, "type"), ==, "inet");
        g_free(h->port);
        h->port = g_strdup(event_str(&inner, "port"));
    } else {
        g_assert_cmpstr(event->name, ==, "NETDEV_STREAM_DISCONNECTED");
        h->disconnected++;
    }
}

static void shows(Machine *m, const char *want)
{
    g_autofree char *text = net_info(m);

    g_assert_cmpstr(text, ==, want);
}

/* Reserve a TCP port of the loopback while @fd is open: it is bound, not listening, and shared with
 * the server under test, which also sets SO_REUSEADDR. */
static struct sockaddr_in reserve_port(int *fd)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof(at);
    int on = 1;

    *fd = socket(AF_INET, SOCK_STREAM, 0);
    g_assert_cmpint(setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), ==, 0);
    g_assert_cmpint(bind(*fd, (struct sockaddr *)&at, len), ==, 0);
    g_assert_cmpint(getsockname(*fd, (struct sockaddr *)&at, &len), ==, 0);
    return at;
}

/* A stream server starts without a peer, accepts a peer, and loses it. The state shows each step.
 */
static void test_stream_states(void)
{
    Machine *m = machine();
    Heard h = { 0 };
    int probe, client = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = reserve_port(&probe);
    g_autofree char *json = NULL, *want = NULL;

    m->hooks.event = on_event;
    m->hooks.opaque = &h;
    json = g_strdup_printf("{'type':'stream','id':'st0','server':true,'addr':{'type':'inet',"
                           "'host':'127.0.0.1','port':'%u'}}",
                           ntohs(at.sin_port));
    ASSERT_OK(make(m, json, &failure));
    shows(m, "st0: index=0,type=stream,listening\n");
    g_assert_cmpint(connect(client, (struct sockaddr *)&at, sizeof(at)), ==, 0);
    WAIT_MAIN(h.connected > 0, 20);
    g_assert_cmpuint(h.connected, ==, 1);
    want = g_strdup_printf("st0: index=0,type=stream,tcp:127.0.0.1:%s\n", h.port);
    shows(m, want);
    close(client);
    WAIT_MAIN(h.disconnected > 0, 20);
    g_assert_cmpuint(h.disconnected, ==, 1);
    shows(m, "st0: index=0,type=stream,listening\n");
    close(probe);
    netdev_free_all(m);
    machine_free(m);
    g_free(h.port);
}

static unsigned announced;

static void card_announce(void *opaque)
{
    announced++;
}

static void add_card(Machine *m, Card *c, const char *netdev, const char *id)
{
    static const uint8_t mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
    g_autoptr(GError) err = NULL;

    memset(c, 0, sizeof(*c));
    c->nic = (NetNic){ .receive = card_receive,
                       .link = card_link,
                       .announce = card_announce,
                       .opaque = c,
                       .model = "dut",
                       .mac = mac };
    net_nic_add(m, &c->nic, netdev, id, &err);
    g_assert_no_error(err);
}

static void test_info(void)
{
    Machine *m = machine();
    Card *c = g_new(Card, 4);
    g_autoptr(GError) err = NULL, again = NULL;
    int fds[2];
    g_autofree char *json = NULL, *want = NULL;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
    json = g_strdup_printf("{'type':'socket','id':'s','fd':%d}", fds[0]);
    ASSERT_OK(make(m, json, &failure));
    ASSERT_OK(make(m, "{'type':'hubport','id':'h1','hubid':4}", &failure));
    ASSERT_OK(make(m, "{'type':'hubport','id':'h2','hubid':4}", &failure));
    add_card(m, &c[0], "s", "nic0");
    add_card(m, &c[1], NULL, NULL);
    add_card(m, &c[2], "h1", NULL);
    want = g_strdup_printf("hub 4\n \\ h2\n"
                           " \\ h1: dut.2: index=0,type=nic,model=dut,macaddr=52:54:00:12:34:56\n"
                           "nic0: index=0,type=nic,model=dut,macaddr=52:54:00:12:34:56\n"
                           " \\ s: index=0,type=socket,socket: fd=%d\n"
                           "dut.1: index=0,type=nic,model=dut,macaddr=52:54:00:12:34:56\n",
                           fds[0]);
    shows(m, want);
    c[3] = c[0];
    g_assert_false(net_nic_add(m, &c[3].nic, "s", "nic1", &err));
    g_assert_nonnull(strstr(err->message, "nic0"));
    g_assert_false(net_nic_add(m, &c[3].nic, "nowhere", "nic1", &again));
    g_assert_nonnull(strstr(again->message, "'nowhere'"));
    /* a link by the name of its device, also of a device without a network */
    ASSERT_OK(netdev_set_link(m, "dut.1", false, &failure));
    g_assert_false(net_nic_link(&c[1].nic));
    g_assert_cmpuint(c[1].links, ==, 1);
    ASSERT_OK(netdev_set_link(m, "nic0", false, &failure));
    g_assert_false(netdev_find(m, "s")->link);
    for (unsigned i = 0; i < 3; i++) {
        net_nic_remove(m, &c[i].nic);
    }
    netdev_free_all(m);
    machine_free(m);
    close(fds[1]);
    g_free(c);
}

static void test_announce(void)
{
    Machine *m = machine();
    Card *c = g_new(Card, 2);
    char *one[] = { (char *)"b", NULL }, *nobody[] = { (char *)"z", NULL };
    const NetAnnounceTimes now = { 0, 0, 1, 0 }, often = { 1, 2, 4, 1 }, none = { 0, 0, 0, 0 };
    const NetAnnounceTimes later = { 100000, 100000, 3, 0 }, endless = { 1, 1, 100000, 1 };
    g_autoptr(GError) err = NULL, limit = NULL;

    add_card(m, &c[0], NULL, "a");
    add_card(m, &c[1], NULL, "b");
    announced = 0;
    ASSERT_OK(net_announce(m, "", &now, NULL, &failure));
    g_assert_cmpuint(announced, ==, 2);
    ASSERT_OK(net_announce(m, "", &now, one, &failure));
    g_assert_cmpuint(announced, ==, 3);
    ASSERT_OK(net_announce(m, "x", &often, one, &failure));
    WAIT_UNTIL (announced >= 7, 20) {
        clocks_dispatch(m->clocks);
    }
    g_assert_cmpuint(announced, ==, 7);
    wait_elapse(5000, "no further announcement");
    clocks_dispatch(m->clocks);
    g_assert_cmpuint(announced, ==, 7);
    ASSERT_OK(net_announce(m, "x", &later, NULL, &failure));
    g_assert_cmpuint(announced, ==, 9);
    ASSERT_OK(net_announce(m, "x", &none, NULL, &failure)); /* ends it */
    g_assert_cmpint(clocks_deadline(m->clocks, CLOCK_KIND_REALTIME), ==, CLOCK_NEVER);
    ASSERT_OK(net_announce(m, "x", &later, NULL, &failure)); /* in progress at the end */
    g_assert_false(net_announce(m, "", &now, nobody, &err));
    g_assert_nonnull(strstr(err->message, "'z'"));
    g_assert_false(net_announce(m, "", &endless, NULL, &limit));
    g_assert_nonnull(strstr(limit->message, "1000"));
    net_nic_remove(m, &c[0].nic);
    net_nic_remove(m, &c[1].nic);
    netdev_free_all(m);
    machine_free(m);
    g_free(c);
}

/* With a socket to watch and no activity on it, the main loop blocks. */
static void test_user_idle(void)
{
    Machine *m = machine();
    int probe;
    g_autofree char *json =
        g_strdup_printf("{'type':'user','id':'u','hostfwd':'tcp:127.0.0.1:%d-:80'}",
                        ntohs(reserve_port(&probe).sin_port));
    g_autoptr(GError) err = NULL;
    Netdev *n = make(m, json, &err);
    unsigned turns = 0;

    if (!n && strstr(err->message, "no user-mode networking")) {
        g_test_skip(err->message);
    } else {
        g_assert_no_error(err);
        WAIT_DURING (300) {
            wait_main();
            turns++;
        }
        g_assert_cmpuint(turns, <, 30);
    }
    close(probe);
    netdev_free_all(m);
    machine_free(m);
}

static unsigned turns_in_300_ms(void)
{
    unsigned turns = 0;

    WAIT_DURING (300) {
        wait_main();
        turns++;
    }
    return turns;
}

static bool connections_changed(Machine *m, const char *before)
{
    g_autofree char *now = net_user_connections(m);

    return !g_str_equal(now, before);
}

/* A connection to a forwarded port while no file descriptor is available: the main loop does not
 * spin, and the connection is accepted when one is available again. */
static void test_user_exhausted(void)
{
    Machine *m = machine();
    int probe, peer = socket(AF_INET, SOCK_STREAM, 0), top;
    struct sockaddr_in at = reserve_port(&probe);
    g_autofree char *json = g_strdup_printf(
        "{'type':'user','id':'u','hostfwd':'tcp:127.0.0.1:%d-:80'}", ntohs(at.sin_port));
    g_autoptr(GError) err = NULL;
    Netdev *n = make(m, json, &err);
    struct rlimit limit, low;
    GPollFD poll_peer = { .fd = peer, .events = G_IO_IN | G_IO_HUP };

    if (!n && strstr(err->message, "no user-mode networking")) {
        g_test_skip(err->message);
    } else {
        g_autofree char *none = net_user_connections(m);

        g_assert_no_error(err);
        getrlimit(RLIMIT_NOFILE, &limit);
        turns_in_300_ms(); /* descriptors that the main loop itself opens are open now */
        g_assert_cmpint(connect(peer, (struct sockaddr *)&at, sizeof(at)), ==, 0);
        top = dup(peer);
        close(top);
        low = (struct rlimit){ (rlim_t)top, limit.rlim_max };
        g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &low), ==, 0);
        g_assert_cmpuint(turns_in_300_ms(), <, 30);
        /* Still waiting, not refused. wait-ok: a limit of 0 does not wait */
        g_assert_cmpint(g_poll(&poll_peer, 1, 0), ==, 0);
        setrlimit(RLIMIT_NOFILE, &limit);
        WAIT_MAIN(connections_changed(m, none), 10);
    }
    close(peer);
    close(probe);
    netdev_free_all(m);
    machine_free(m);
}

/* --- finishing frames --- */

typedef struct Sink {
    unsigned frames;
    size_t payload;
    uint32_t next_seq;
    bool v6, last_fin;
} Sink;

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

/* Plain reference: the ones' complement sum over everything must be all ones. */
static uint16_t plain_sum(const uint8_t *a, size_t na, uint32_t extra, const uint8_t *b, size_t nb)
{
    uint32_t sum = extra;

    for (size_t i = 0; i < na; i++) {
        sum += i & 1 ? a[i] : a[i] << 8;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    for (size_t i = 0; i < nb; i++) {
        sum += i & 1 ? b[i] : b[i] << 8;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (sum & 0xffff) + (sum >> 16);
}

static bool check_segment(void *opaque, const uint8_t *f, size_t len)
{
    Sink *s = opaque;
    size_t ip_len = s->v6 ? 40 : 20, tcp = 14 + ip_len;
    const uint8_t *addrs = f + 14 + (s->v6 ? 8 : 12);

    if (!s->v6) {
        g_assert_cmpuint(f[16] << 8 | f[17], ==, len - 14);
        g_assert_cmphex(plain_sum(f + 14, 20, 0, NULL, 0), ==, 0xffff);
    } else {
        g_assert_cmpuint(f[18] << 8 | f[19], ==, len - 54);
    }
    g_assert_cmphex(plain_sum(addrs, s->v6 ? 32 : 8, 6 + len - tcp, f + tcp, len - tcp), ==,
                    0xffff);
    g_assert_cmphex(be32(f + tcp + 4), ==, s->next_seq);
    s->next_seq += len - tcp - 20;
    s->payload += len - tcp - 20;
    s->last_fin = f[tcp + 13] & 1;
    s->frames++;
    return true;
}

static size_t tcp_frame(uint8_t *f, bool v6, size_t payload)
{
    size_t tcp = 14 + (v6 ? 40 : 20);

    for (size_t i = 0; i < tcp + 20 + payload; i++) {
        f[i] = g_test_rand_int();
    }
    f[12] = v6 ? 0x86 : 0x08;
    f[13] = v6 ? 0xdd : 0x00;
    f[14] = v6 ? 0x60 : 0x45;
    f[v6 ? 20 : 23] = 6;
    f[tcp + 12] = 5 << 4;
    f[tcp + 13] = 0x01 | 0x08 | 0x10;
    return tcp + 20 + payload;
}

static void test_segments(void)
{
    g_autofree uint8_t *f = g_malloc(NET_MAX_FRAME);

    for (unsigned round = 0; round < 200; round++) {
        bool v6 = round & 1;
        size_t payload = g_test_rand_int_range(0, 60000), len = tcp_frame(f, v6, payload);
        NetMeta meta = { .flags = 1,
                         .gso_type = v6 ? 4 : 1,
                         .gso_size = g_test_rand_int_range(NET_MIN_GSO, 9000) };
        Sink s = { .v6 = v6, .next_seq = be32(f + 14 + (v6 ? 40 : 20) + 4) };
        NetPart part = { .more = true };

        while (part.more) { /* in parts of any size */
            part.most = g_test_rand_int_range(1, 200);
            g_assert_true(net_finish_part(f, len, &meta, &part, check_segment, &s));
            g_assert_cmpuint(part.frames, <=, part.most);
        }
        g_assert_cmpuint(s.payload, ==, payload);
        g_assert_cmpuint(s.frames, ==, MAX(1, (payload + meta.gso_size - 1) / meta.gso_size));
        g_assert_true(s.last_fin);
    }
}

static bool finish_frame(uint8_t *f, size_t len, const NetMeta *meta, NetFrameFn *fn, void *opaque)
{
    NetPart all = { .most = UINT_MAX };

    return net_finish_part(f, len, meta, &all, fn, opaque);
}

/* A segment size below TCP's minimum is relevant only if there is more than one segment. */
static void test_small_segments(void)
{
    g_autofree uint8_t *f = g_malloc(NET_MAX_FRAME);
    size_t len = tcp_frame(f, false, 100);

    for (unsigned size = 0; size < 120; size++) {
        NetMeta meta = { .flags = 1, .gso_type = 1, .gso_size = size };
        Sink s = { .next_seq = be32(f + 38) };

        g_assert_true(finish_frame(f, len, &meta, check_segment, &s) == (size >= NET_MIN_GSO));
    }
    len = tcp_frame(f, false, 3);
    for (unsigned size = 1; size < 5; size++) {
        NetMeta meta = { .flags = 1, .gso_type = 1, .gso_size = size };
        Sink s = { .next_seq = be32(f + 38) };

        g_assert_true(finish_frame(f, len, &meta, check_segment, &s) == (size >= 3));
    }
}

static bool any_frame(void *opaque, const uint8_t *f, size_t len)
{
    *(size_t *)opaque += len;
    return true;
}

/* For any offsets of a guest: a frame, segments, or nothing; never memory outside. */
static void test_wild_meta(void)
{
    for (unsigned round = 0; round < 20000; round++) {
        size_t len = g_test_rand_int_range(1, 200), sent = 0;
        g_autofree uint8_t *f = g_malloc(len); /* exact, so that a sanitizer detects an access one
                                                * byte beyond */
        NetMeta meta = { g_test_rand_int(), g_test_rand_int() & 0x87, g_test_rand_int(),
                         g_test_rand_int(), g_test_rand_int(),        g_test_rand_int() };

        for (size_t i = 0; i < len; i++) {
            f[i] = g_test_rand_int();
        }
        if (len > 60 && (round & 1)) {
            f[12] = 8;
            f[13] = 0;
            f[14] = 0x40 | (f[14] & 15);
            f[23] = 6;
        }
        finish_frame(f, len, &meta, any_frame, &sent);
    }
}

static int bind_peer(const char *path)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    g_strlcpy(un.sun_path, path, sizeof(un.sun_path));
    unlink(path);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&un, sizeof(un)), ==, 0);
    return fd;
}

/* An empty datagram, or an empty frame of a stream, is ignored and does not end the connection. */
static void test_empty(void)
{
    static const uint8_t frame[60] = { 1, 2, 3 };
    g_autofree char *mine = g_strdup_printf("/tmp/bp-net-%d-a", (int)getpid());
    g_autofree char *theirs = g_strdup_printf("/tmp/bp-net-%d-b", (int)getpid());
    g_autofree char *unix_dgram = NULL, *fd_dgram = NULL, *fd_stream = NULL;
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int peer = bind_peer(theirs), pair[2], stream[2];
    Machine *m = machine();
    Card *a = g_new(Card, 1), *b = g_new(Card, 1), *c = g_new(Card, 1);
    Netdev *na, *nb, *nc;
    struct stat st;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), ==, 0);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, stream), ==, 0);
    unix_dgram = g_strdup_printf("{'type':'dgram','id':'a','local':{'type':'unix','path':'%s'},"
                                 "'remote':{'type':'unix','path':'%s'}}",
                                 mine, theirs);
    fd_dgram =
        g_strdup_printf("{'type':'dgram','id':'b','local':{'type':'fd','str':'%d'}}", pair[0]);
    fd_stream =
        g_strdup_printf("{'type':'stream','id':'c','addr':{'type':'fd','str':'%d'}}", stream[0]);
    na = make_with_card(m, unix_dgram, a);
    nb = make_with_card(m, fd_dgram, b);
    nc = make_with_card(m, fd_stream, c);
    g_assert_cmpint(stat(mine, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 07777, ==, 0600);
    g_strlcpy(to.sun_path, mine, sizeof(to.sun_path));
    for (unsigned round = 1; round <= 3; round++) {
        uint8_t head[8] = { 0, 0, 0, 0, 0, 0, 0, sizeof(frame) };

        g_assert_cmpint(sendto(peer, "", 0, 0, (struct sockaddr *)&to, sizeof(to)), ==, 0);
        g_assert_cmpint(sendto(peer, frame, 60, 0, (struct sockaddr *)&to, sizeof(to)), ==, 60);
        g_assert_cmpint(send(pair[1], "", 0, 0), ==, 0);
        g_assert_cmpint(send(pair[1], frame, 60, 0), ==, 60);
        g_assert_cmpint(send(stream[1], head, sizeof(head), 0), ==, 8);
        g_assert_cmpint(send(stream[1], frame, 60, 0), ==, 60);
        settle();
        g_assert_cmpuint(a->frames, ==, round);
        g_assert_cmpuint(b->frames, ==, round);
        g_assert_cmpuint(c->frames, ==, round);
    }
    netdev_detach(nc);
    finish(m, a, na, b, nb);
    g_free(c);
    close(peer);
    close(pair[1]);
    close(stream[1]);
    unlink(theirs);
    g_assert_false(g_file_test(mine, G_FILE_TEST_EXISTS));
}

/* A client connects when the server listens, and again after the server was restarted. */
static void test_reconnect(void)
{
    g_autofree char *path = g_strdup_printf("/tmp/bp-net-%d-r", (int)getpid());
    g_autofree char *client =
        g_strdup_printf("{'type':'stream','id':'a','addr':{'type':'unix','path':'%s'},"
                        "'reconnect-ms':'10'}",
                        path);
    g_autofree char *server =
        g_strdup_printf("{'type':'stream','id':'b','addr':{'type':'unix','path':'%s'},"
                        "'server':true}",
                        path);
    static const uint8_t frame[60] = { 1, 2, 3 };
    Machine *m = machine();
    Card *a = g_new(Card, 1), *b = g_new(Card, 1);
    Netdev *na = make_with_card(m, client, a), *nb = NULL;

    wait_main();
    for (unsigned round = 1; round <= 3; round++) {
        nb = make_with_card(m, server, b);
        WAIT_UNTIL (b->frames > 0, 10) {
            send_bytes(na, frame, 60);
            wait_main();
        }
        netdev_detach(nb);
        ASSERT_OK(netdev_del(m, "b", &failure));
        wait_main();
    }
    finish(m, a, na, b, NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/hub", test_hub);
    g_test_add_func("/net/lanes", test_lanes);
    g_test_add_func("/net/stream", test_stream);
    g_test_add_func("/net/stream-now", test_stream_now);
    g_test_add_func("/net/stream-noise", test_stream_noise);
    g_test_add_func("/net/empty", test_empty);
    g_test_add_func("/net/reconnect", test_reconnect);
    g_test_add_func("/net/refusals", test_refusals);
    g_test_add_func("/net/user", test_user);
    g_test_add_func("/net/stream-states", test_stream_states);
    g_test_add_func("/net/info", test_info);
    g_test_add_func("/net/announce", test_announce);
    g_test_add_func("/net/user-idle", test_user_idle);
    g_test_add_func("/net/user-exhausted", test_user_exhausted);
    g_test_add_func("/net/segments", test_segments);
    g_test_add_func("/net/small-segments", test_small_segments);
    g_test_add_func("/net/wild-meta", test_wild_meta);
    return g_test_run();
}
