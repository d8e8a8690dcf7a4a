/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The line editor of the human monitor: echo, backspace, Ctrl-U, and a history by the arrow keys.
 */
#ifndef MONITOR_HMP_LINE_INTERNAL_H
#define MONITOR_HMP_LINE_INTERNAL_H

#include <glib.h>
#include <stdbool.h>

#define HMP_LINE_MAX 4095
#define HMP_HISTORY  32
#define HMP_PROMPT   "(qemu) "
#define HMP_BANNER                                                                                 \
    "Backplane " BACKPLANE_VERSION " monitor - type 'help' for more information\r\n" HMP_PROMPT

typedef struct HmpLine {
    GString *text, *echo; /* the unfinished line; text to send, which the caller clears */
    char *entered;        /* the last complete line */
    GQueue history;       /* char*, newest first */
    int recall;           /* index in history of the recalled line; -1: none */
    unsigned escape;      /* bytes of the current escape sequence so far */
} HmpLine;

/* Initialize an editor; hmp_line_clear() frees its memory. */
void hmp_line_init(HmpLine *l);
void hmp_line_clear(HmpLine *l);
/* Discard the unfinished line, for example because another client connected. */
void hmp_line_reset(HmpLine *l);
/* Process one typed byte. Return the complete line if the byte is Enter, valid until the next call;
 * otherwise NULL. */
const char *hmp_line_feed(HmpLine *l, char c);
/* Append text with each newline as CR LF. */
void hmp_emit_lines(GString *out, const char *text);

#endif
