/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of a gdb client: the parser, and every packet that does not let the machine run.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "debug/packet.h"
#include "system/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The parser returns data that gdb_packet_new() encodes to a packet with the same data. */
static void check_parser(const uint8_t *data, size_t size)
{
    GdbParser *p = g_new0(GdbParser, 1), *again = g_new0(GdbParser, 1);

    for (size_t i = 0; i < size; i++) {
        GdbInput r = GDB_INPUT_MORE;
        GString *text;

        if (gdb_parser_feed(p, data[i]) != GDB_INPUT_PACKET) {
            continue;
        }
        text = gdb_packet_new(p->data, p->len);
        for (gsize k = 0; k < text->len; k++) {
            r = gdb_parser_feed(again, (uint8_t)text->str[k]);
        }
        g_assert_true(r == GDB_INPUT_PACKET && again->len == p->len &&
                      memcmp(again->data, p->data, p->len) == 0);
        g_string_free(text, TRUE);
    }
    g_free(p);
    g_free(again);
}

/* Send lines as packets with correct checksums. Monitor commands can open files and are excluded.
 */
static void send_packets(int fd, const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_auto(GStrv) lines = g_strsplit(text, "\n", 64);

    for (guint i = 0; lines[i]; i++) {
        GString *packet = gdb_packet_new(lines[i], strlen(lines[i]));

        if (!g_str_has_prefix(lines[i], "qRcmd")) {
            g_assert_cmpint(send(fd, packet->str, packet->len, MSG_NOSIGNAL), !=, 0);
        }
        g_string_free(packet, TRUE);
        while (g_main_context_iteration(NULL, FALSE)) {
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fds[2];
    g_autofree char *device = NULL;
    Session *s = session_new("fuzz");
    g_autoptr(GError) err = NULL;

    check_parser(data, size);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
    device = g_strdup_printf("socket,fd=%d", fds[0]);
    const char *args[] = { "fuzz", "-M",    "virt", "-accel", "qtest",   "-m",   "16",   "-smp",
                           "2",    "-bios", "none", "-S",     "-serial", "null", "-gdb", device };
    if (!session_prepare(s, G_N_ELEMENTS(args), (char **)args, &err) || !session_start(s, &err)) {
        g_error("%s", err->message);
    }
    send_packets(fds[1], data, size);
    session_free(s);
    close(fds[1]);
    return 0;
}
