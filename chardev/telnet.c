/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Telnet: commands (RFC 854) and options (RFC 855 to 858) of a character device on a socket.
 */
#include "telnet_internal.h"

#include <string.h>
#include <sys/socket.h>

enum {
    TELNET_SE = 240,
    TELNET_BREAK = 243,
    TELNET_SB = 250,
    TELNET_WILL = 251,
    TELNET_WONT = 252,
    TELNET_DO = 253,
    TELNET_DONT = 254,
    TELNET_IAC = 255,
    /* options */
    TELNET_BINARY = 0,
    TELNET_ECHO = 1,
    TELNET_NO_GO_AHEAD = 3,
};

typedef enum TelnetState {
    STATE_DATA,
    STATE_COMMAND,    /* after IAC */
    STATE_OPTION,     /* after IAC WILL, WONT, DO or DONT */
    STATE_PARAMETERS, /* after IAC SB */
    STATE_END,        /* after IAC within parameters */
} TelnetState;

void telnet_greet(int fd)
{
    static const uint8_t greeting[] = {
        TELNET_IAC, TELNET_WILL, TELNET_ECHO,   TELNET_IAC, TELNET_WILL, TELNET_NO_GO_AHEAD,
        TELNET_IAC, TELNET_WILL, TELNET_BINARY, TELNET_IAC, TELNET_DO,   TELNET_BINARY,
    };

    send(fd, greeting, sizeof(greeting), MSG_NOSIGNAL | MSG_DONTWAIT); /* a new socket has room */
}

/* Refuse an option that the greeting does not name. A refusal receives no answer. */
static void telnet_option(Telnet *t, Chardev *c, uint8_t option)
{
    bool known = option == TELNET_BINARY || option == TELNET_NO_GO_AHEAD;
    uint8_t answer[] = { TELNET_IAC, TELNET_WONT, option };

    if (option == TELNET_BINARY && (t->command == TELNET_WILL || t->command == TELNET_WONT)) {
        t->binary = t->command == TELNET_WILL;
    }
    if (t->command == TELNET_WILL && option != TELNET_BINARY) {
        answer[1] = known ? TELNET_DO : TELNET_DONT;
    } else if (t->command != TELNET_DO || known || option == TELNET_ECHO) {
        return;
    }
    chardev_put_all(c, answer, sizeof(answer)); /* lost if the peer reads nothing */
}

/* A byte after IAC. Return true if it is data. */
static bool telnet_command(Telnet *t, uint8_t byte)
{
    t->state = STATE_DATA;
    if (byte == TELNET_SB) {
        t->state = STATE_PARAMETERS;
    } else if (byte >= TELNET_WILL && byte <= TELNET_DONT) {
        t->command = byte;
        t->state = STATE_OPTION;
    }
    return byte == TELNET_IAC;
}

/* A byte outside commands. Return true if it is data: the end of line CR NUL is one CR. */
static bool telnet_data(Telnet *t, uint8_t byte)
{
    bool padding = t->after_cr && byte == 0 && !t->binary;

    if (byte == TELNET_IAC) {
        t->state = STATE_COMMAND;
        return false;
    }
    t->after_cr = byte == '\r';
    return !padding;
}

size_t telnet_input(Telnet *t, Chardev *c, uint8_t *buf, size_t len)
{
    size_t kept = 0;

    for (size_t i = 0; i < len; i++) {
        bool data = false;

        switch ((TelnetState)t->state) {
        case STATE_DATA:
            data = telnet_data(t, buf[i]);
            break;
        case STATE_COMMAND:
            data = telnet_command(t, buf[i]);
            if (buf[i] == TELNET_BREAK) {
                chardev_deliver(c, buf, kept);
                kept = 0;
                chardev_emit(c, CHARDEV_BREAK);
            }
            break;
        case STATE_OPTION:
            telnet_option(t, c, buf[i]);
            t->state = STATE_DATA;
            break;
        case STATE_PARAMETERS:
            t->state = buf[i] == TELNET_IAC ? STATE_END : STATE_PARAMETERS;
            break;
        case STATE_END:
            t->state = buf[i] == TELNET_SE ? STATE_DATA : STATE_PARAMETERS;
            break;
        }
        if (data) {
            buf[kept++] = buf[i];
        }
    }
    return kept;
}

size_t telnet_write(Chardev *c, const uint8_t *buf, size_t len)
{
    static const uint8_t escaped[] = { TELNET_IAC, TELNET_IAC };
    size_t done = 0;

    while (done < len) {
        const uint8_t *iac = memchr(buf + done, TELNET_IAC, len - done);
        size_t part = iac ? (size_t)(iac - (buf + done)) : len - done, n;

        if (part > 0) {
            n = chardev_put(c, buf + done, part);
            done += n;
            if (n < part) {
                return done;
            }
        }
        if (iac) {
            if (!chardev_put_all(c, escaped, sizeof(escaped))) {
                return done;
            }
            done++;
        }
    }
    return done;
}
