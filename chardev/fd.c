/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Back ends on file descriptors: null, file, stdio, pipe and pty.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "util/log.h"
#include "util/outfile.h"

static bool chardev_fd_error(Chardev *c, const char *path, GError **err)
{
    return error_set_errno(err, errno, "character device '%s': '%s' cannot be opened", c->id, path);
}

static const char *chardev_fd_need(Chardev *c, struct json_object *o, const char *key, GError **err)
{
    const char *value = chardev_opt(o, key);

    if (!value || !*value) {
        error_set(err, ERROR_USER, "character device '%s': type %s requires %s=", c->id,
                  c->kind->name, key);
        return NULL;
    }
    return value;
}

/* --- null --- */

static bool chardev_null_open(Chardev *c, struct json_object *o, GError **err)
{
    chardev_set_fds(c, -1, -1);
    return true;
}

const ChardevKind chardev_null = {
    .name = "null",
    .doc = "discards all output and has no input",
    .size = sizeof(Chardev),
    .open = chardev_null_open,
};

/* A text console of a display. Without a display its output is discarded. */
const ChardevKind chardev_vc = {
    .name = "vc",
    .doc = "a text console: discarded, since there is no display",
    .size = sizeof(Chardev),
    .open = chardev_null_open,
};

/* --- file --- */

static bool chardev_file_open(Chardev *c, struct json_object *o, GError **err)
{
    const char *path = chardev_fd_need(c, o, "path", err), *input = chardev_opt(o, "input-path");
    int in = -1, out;
    bool append;

    if (!path || !chardev_opt_bool(o, "append", false, &append, err)) {
        return false;
    }
    c->about = g_strdup_printf("file:%s", path);
    if (c->machine->dry_run) {
        return true;
    }
    out = chardev_open_output(c, path, append, 0666);
    if (out < 0) {
        return chardev_fd_error(c, path, err);
    }
    if (input) {
        if (!machine_open_fdset(c->machine, input, false, &in)) {
            in = open(input, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        }
        if (in < 0) {
            close(out);
            return chardev_fd_error(c, input, err);
        }
    }
    chardev_set_fds(c, in, out);
    return true;
}

static const char *const file_keys[] = { "path", "append", "input-path", NULL };
const ChardevKind chardev_file = {
    .name = "file",
    .doc = "writes to path=, reads from input-path= if given",
    .keys = file_keys,
    .size = sizeof(Chardev),
    .open = chardev_file_open,
};

/* --- stdio --- */

typedef struct Stdio {
    Chardev c;
    struct termios saved;
    bool restore_tty;
    int flags_in, flags_out;
} Stdio;

static void chardev_fd_make_raw(Stdio *s, bool signals)
{
    struct termios raw;

    if (tcgetattr(STDIN_FILENO, &s->saved) < 0) {
        return; /* not a terminal */
    }
    raw = s->saved;
    raw.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    raw.c_oflag |= OPOST;
    raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN);
    if (!signals) {
        raw.c_lflag &= ~(tcflag_t)ISIG;
    }
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    s->restore_tty = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

bool chardev_stdio_taken(Machine *m)
{
    GPtrArray *set = m->chardevs;

    for (guint i = 0; set && i < set->len; i++) {
        Chardev *c = set->pdata[i];

        if (c->kind == &chardev_stdio || (c->about && g_str_has_prefix(c->about, "mux:stdio"))) {
            return true;
        }
    }
    return false;
}

static bool stdio_open(Chardev *c, struct json_object *o, GError **err)
{
    Stdio *s = (Stdio *)c;
    bool signals;

    if (!chardev_opt_bool(o, "signal", true, &signals, err)) {
        return false;
    }
    s->flags_in = s->flags_out = -1;
    if (chardev_stdio_taken(c->machine)) {
        return error_set(err, ERROR_USER,
                         "character device '%s': stdio is already in use; mux=on shares it", c->id);
    }
    if (c->machine->background) {
        return error_set(err, ERROR_USER,
                         "character device '%s': cannot use stdio with -daemonize: use file:PATH, "
                         "unix:PATH,server=on,wait=off or none",
                         c->id);
    }
    c->about = g_strdup("stdio");
    if (c->machine->dry_run) {
        return true;
    }
    s->flags_in = fcntl(STDIN_FILENO, F_GETFL);
    s->flags_out = fcntl(STDOUT_FILENO, F_GETFL);
    chardev_fd_make_raw(s, signals);
    chardev_set_fds(c, s->flags_in < 0 ? -1 : STDIN_FILENO, s->flags_out < 0 ? -1 : STDOUT_FILENO);
    return true;
}

/* Restore the terminal settings and file flags, which other processes share. */
static void stdio_close(Chardev *c)
{
    Stdio *s = (Stdio *)c;

    if (s->restore_tty) {
        tcsetattr(STDIN_FILENO, TCSANOW, &s->saved);
    }
    if (s->flags_in >= 0) {
        fcntl(STDIN_FILENO, F_SETFL, s->flags_in);
    }
    if (s->flags_out >= 0) {
        fcntl(STDOUT_FILENO, F_SETFL, s->flags_out);
    }
}

static const char *const stdio_keys[] = { "signal", NULL };
const ChardevKind chardev_stdio = {
    .name = "stdio",
    .doc = "the terminal; signal=off passes Ctrl-C to the guest",
    .keys = stdio_keys,
    .size = sizeof(Stdio),
    .open = stdio_open,
    .close = stdio_close,
};

/* --- pipe --- */

/* Open PATH.in and PATH.out if they exist, otherwise PATH for both directions. O_RDWR keeps open()
 * from waiting for a peer, and the input from ending when a peer closes the pipe. */
static bool pipe_open(Chardev *c, struct json_object *o, GError **err)
{
    const char *path = chardev_fd_need(c, o, "path", err);
    g_autofree char *name_in = NULL, *name_out = NULL;
    int in, out;

    if (!path) {
        return false;
    }
    c->about = g_strdup_printf("pipe:%s", path);
    if (c->machine->dry_run) {
        return true;
    }
    name_in = g_strdup_printf("%s.in", path);
    name_out = g_strdup_printf("%s.out", path);
    in = open(name_in, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    out = open(name_out, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (in < 0 || out < 0) {
        if (in >= 0) {
            close(in);
        }
        if (out >= 0) {
            close(out);
        }
        in = out = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
        if (in < 0) {
            return chardev_fd_error(c, path, err);
        }
    }
    chardev_set_fds(c, in, out);
    return true;
}

static const char *const path_keys[] = { "path", NULL };
const ChardevKind chardev_pipe = {
    .name = "pipe",
    .doc = "named pipes path=P: P.in and P.out, or P both ways",
    .keys = path_keys,
    .size = sizeof(Chardev),
    .open = pipe_open,
};

/* --- pty --- */

typedef struct Pty {
    Chardev c;
    int other_end; /* kept open, so that terminal programs may be closed and opened */
} Pty;

static bool pty_open(Chardev *c, struct json_object *o, GError **err)
{
    Pty *p = (Pty *)c;
    struct termios raw;
    char name[64];
    int fd;

    p->other_end = -1;
    if (c->machine->dry_run) {
        c->about = g_strdup("pty");
        return true;
    }
    fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || grantpt(fd) < 0 || unlockpt(fd) < 0 || ptsname_r(fd, name, sizeof(name)) != 0) {
        chardev_fd_error(c, "/dev/ptmx", err);
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    p->other_end = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (p->other_end >= 0 && tcgetattr(p->other_end, &raw) == 0) {
        cfmakeraw(&raw);
        tcsetattr(p->other_end, TCSANOW, &raw);
    }
    c->about = g_strdup_printf("pty:%s", name);
    message("char device redirected to %s (label %s)", name, c->id);
    chardev_set_fds(c, fd, fd);
    return true;
}

static void pty_close(Chardev *c)
{
    Pty *p = (Pty *)c;

    if (p->other_end >= 0) {
        close(p->other_end);
    }
}

const ChardevKind chardev_pty = {
    .name = "pty",
    .doc = "a new pseudo terminal, whose name is printed",
    .size = sizeof(Pty),
    .open = pty_open,
    .close = pty_close,
};
